"""Draw the picture of ``docs/field.md``, and write its table: ``python -m benchmarks.field``.

`benchmarks.accuracy` and `benchmarks.peers` do the same whenever they have measured something.
"""

from __future__ import annotations

from utils import numbers, results
from utils.files import REPO, shown, write_aside

PAGE = REPO / "docs" / "field.md"
PICTURE = REPO / "docs" / "field.png"


def draw() -> None:
    """Draw every recipe and every other network that was measured: what it costs, and how many captchas it misreads."""
    import matplotlib.pyplot as plt  # here, since drawing processes import this module too

    from utils import figures_results

    figures_results.plot_field(results.field())
    with write_aside(PICTURE) as part:
        plt.savefig(part, format="png", dpi=150, metadata={"Software": None})
    plt.close()


def main() -> None:
    draw()
    numbers.update([PAGE], numbers.result_tables())
    print(f"{shown(PICTURE)} and {shown(PAGE)} are of the results that there are.")


if __name__ == "__main__":
    main()
