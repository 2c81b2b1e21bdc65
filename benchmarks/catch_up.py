"""Make the model that comes with the course: ``python -m benchmarks.catch_up``.

It is that of the recipe ``long`` with seed 0, as ``python -m benchmarks.accuracy long --seeds 0`` has trained it, with
its weights in float16. Rounding them changes the model a little, so it is scored again, into ``results/catch-up.json``.
"""

from __future__ import annotations

import sys

from benchmarks.accuracy import score_model
from utils.files import REPO, read_json, shown, workspace_path, write_json
from utils.machine import machine
from utils.model import load_compact, load_model, save_compact
from utils.prepare import CATCH_UP
from utils.tfrecords import SETTINGS, read_records

TRAINED = workspace_path("workspace/accuracy/long-0")
RESULT = REPO / "results" / "catch-up.json"


def main() -> None:
    records = read_json(TRAINED / "records" / SETTINGS)
    size = records["image_size"]
    save_compact(load_model(TRAINED / "model" / "alexnet.keras", size), CATCH_UP, records)
    model, _ = load_compact(CATCH_UP, size)
    used = [path.stem for path in (TRAINED / "captchas").glob("*.png")]
    scores = score_model(model, *read_records(TRAINED / "records", "test", size), used)
    megabytes = CATCH_UP.stat().st_size / 1e6
    write_json(RESULT, {"megabytes": round(megabytes, 1), "machine": machine()} | scores)
    print(f"{shown(CATCH_UP)}: {megabytes:.1f} MB; {scores['fresh']['whole']:.2%} of the fresh captchas read whole")


if __name__ == "__main__":
    sys.exit(main())
