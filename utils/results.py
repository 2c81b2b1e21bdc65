"""The measured accuracies in ``results/accuracy``, and their table. Introduced in notebook 05.

They are written by ``python -m benchmarks.accuracy``: one file a recipe, with one run a seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.files import REPO, CourseError, read_json, shown

RESULTS = REPO / "results" / "accuracy"


def read_results(*names: str) -> list[dict]:
    """The results of these recipes, in this order; each has ``name``, ``parameters``, ``machine`` and ``runs``.

    Raises:
        CourseError: a recipe that was never measured.
    """
    missing = [name for name in names if not (RESULTS / f"{name}.json").exists()]
    if missing:
        raise CourseError(
            f"There is no result for {missing[0]!r} in {shown(RESULTS)}: run python -m benchmarks.accuracy {missing[0]}"
        )
    return [read_json(RESULTS / f"{name}.json") for name in names]


def of_runs(result: dict, *keys: str) -> list[float]:
    """One number of every run that has it, such as ``of_runs(result, "fresh", "whole")``."""
    values = result["runs"]
    for key in keys:
        values = [value[key] for value in values if key in value]
    return values


def mean_and_range(shares: Sequence[float]) -> str:
    """Several accuracies in a few characters: ``98.01 % (97.77 to 98.20)``, or the one that there is, or none."""
    if not shares:
        return "not measured"
    middle = f"{100 * np.mean(shares):.2f} %"
    return middle if len(shares) == 1 else f"{middle} ({100 * min(shares):.2f} to {100 * max(shares):.2f})"


def minutes(result: dict) -> str:
    """How long training took on average, and where it is known, how fast a matrix product was at the time."""
    taken, speeds = of_runs(result, "minutes"), of_runs(result, "gflops")
    return f"{np.mean(taken):.1f} min" + (f" at {np.mean(speeds):.0f} GFLOP/s" if len(speeds) == len(taken) else "")


def accuracy_table(results: Sequence[dict]) -> str:
    """One line for each recipe, with the mean over its seeds, and the lowest to highest, as a Markdown table."""
    lines = [
        "| recipe | seeds | training, each | fresh captchas read whole | averaged over five shifts | test captchas |",
        "| --- | --: | --: | --- | --- | --- |",
    ]
    for result in results:
        lines.append(
            f"| {result['name']} | {len(result['runs'])} | {minutes(result)} "
            f"| {mean_and_range(of_runs(result, 'fresh', 'whole'))} "
            f"| {mean_and_range(of_runs(result, 'fresh_averaged', 'whole'))} "
            f"| {mean_and_range(of_runs(result, 'test', 'whole'))} |"
        )
    return "\n".join(lines)
