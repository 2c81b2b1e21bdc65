"""Make the model that comes with the course, from nothing: ``python -m benchmarks.catch_up``.

It is trained by the recipe ``catch-up``, and its weights are kept in 8 bits. Rounding them changes the model a little,
so it is scored again, into ``results/catch-up.json``.
"""

from __future__ import annotations

import argparse

from benchmarks.accuracy import (
    DRAWN_WITH,
    earlier,
    known_parameters,
    read_recipe,
    report,
    save,
    score_model,
    train_and_score,
)
from benchmarks.bench import size_of
from utils.captchas import find_captchas, text_of
from utils.files import REPO, read_json, shown, write_json
from utils.machine import machine
from utils.workspace import open_workspace

WORKSPACE = "workspace/accuracy/catch-up-0"
RESULT = REPO / "results" / "catch-up.json"


def main() -> None:
    from utils.checkpoints import MODEL  # here, since drawing processes import this module too
    from utils.model import load_compact, load_model, save_compact
    from utils.prepare import CATCH_UP
    from utils.tfrecords import SETTINGS, read_records

    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()  # it takes nothing but --help
    values = known_parameters() | read_recipe("catch-up")
    earlier("catch-up", values)  # a damaged file is told before the training
    report("catch-up", save("catch-up", values, train_and_score(values, 0, WORKSPACE)))
    folders, size = open_workspace(WORKSPACE), size_of(values)
    records = read_json(folders.records / SETTINGS)
    save_compact(load_model(folders.model / MODEL, size), CATCH_UP, records)
    model, _ = load_compact(CATCH_UP, size)
    used = [text_of(path) for path in find_captchas(folders.captchas)]
    scores = score_model(model, *read_records(folders.records, "test", size), used)
    megabytes = round(CATCH_UP.stat().st_size / 1e6, 1)
    write_json(RESULT, {"megabytes": megabytes, "machine": machine(), "fresh_seeds": list(DRAWN_WITH)} | scores)
    print(f"{shown(CATCH_UP)}: {megabytes} MB; {scores['fresh']['whole']:.2%} of the fresh captchas read whole")


if __name__ == "__main__":
    main()
