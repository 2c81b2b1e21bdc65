"""Draw the picture of ``docs/field.md``, and write its table: ``python -m benchmarks.field``.

`benchmarks.accuracy` and `benchmarks.peers` do the same whenever they have measured something.
"""

from __future__ import annotations

import argparse

from utils import numbers, results
from utils.files import REPO, shown

PAGE = REPO / "docs" / "field.md"
PICTURE = REPO / "docs" / "field.png"


def draw() -> None:
    """Draw every recipe and every other network that was measured: what it costs, and how many captchas it misreads."""
    from utils import figures_results  # here, since drawing processes import this module too

    figures_results.plot_field(results.field())
    figures_results.save_picture(PICTURE, dpi=150)


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()  # it takes nothing but --help
    draw()
    numbers.update([PAGE], numbers.from_results())
    print(f"{shown(PICTURE)} and {shown(PAGE)} are of the results that there are.")


if __name__ == "__main__":
    main()
