"""The measured accuracies in ``results/accuracy``, and their table..

They are written by ``python -m benchmarks.accuracy``: one file a recipe, with one run a seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from utils.files import REPO, CourseError, read_json, shown

RESULTS = REPO / "results" / "accuracy"
TRIED = REPO / "results" / "tried.json"


def read_results(*names: str) -> list[dict]:
    """The results of these recipes, in this order; each has ``name``, ``parameters``, ``machine`` and ``runs``.

    Raises:
        CourseError: a recipe that was never measured.
    """
    missing = [name for name in names if not measured(name)]
    if missing:
        raise CourseError(
            f"There is no result for {missing[0]!r} in {shown(RESULTS)}: run python -m benchmarks.accuracy {missing[0]}"
        )
    return [read_json(RESULTS / f"{name}.json", mend="fetch the course again.") for name in names]


def of_runs(result: dict, *keys: str) -> list[float]:
    """One number of every run that has it, such as ``of_runs(result, "fresh", "whole")``."""
    values = result["runs"]
    for key in keys:
        values = [value[key] for value in values if key in value]
    return values


def measured(name: str) -> bool:
    """Whether there is a result for this recipe."""
    return (RESULTS / f"{name}.json").exists()


def error_rates(result: dict, reading: str = "fresh") -> list[tuple[float, float, float]]:
    """For every run: the share of captchas that was misread, and the two ends of its 95 % interval.

    Args:
        reading: ``"fresh"``, ``"fresh_averaged"``, ``"test"`` or ``"test_averaged"``.
    """
    scores = of_runs(result, reading)
    return [(1 - score["whole"], 1 - score["high"], 1 - score["low"]) for score in scores]


def training_captchas(result: dict) -> int:
    """How many different captchas the recipe trains on."""
    values = result["parameters"]
    return values["captcha_count"] - values["test_count"] - values.get("validation_count", 0)


def changes(result: dict, base: dict) -> str:
    """The parameters in which a recipe differs from another one: ``epochs 30, batch_size 32``."""
    values, usual = result["parameters"], base["parameters"]
    return ", ".join(f"{name} {value}" for name, value in values.items() if usual.get(name) != value) or "nothing"


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


def work(result: dict) -> str:
    """What one training costs, in thousands of billions of calculations (TFLOP), whatever machine it ran on."""
    costs = of_runs(result, "tflop")
    return f"{np.mean(costs):,.0f} TFLOP" if costs else "not measured"


def accuracy_table(results: Sequence[dict]) -> str:
    """One line for each recipe, with the mean over its seeds, and the lowest to highest, as a Markdown table."""
    lines = [
        "| recipe | seeds | work of a training | its time | fresh captchas read whole | averaged over five shifts "
        "| test captchas |",
        "| --- | --: | --: | --: | --- | --- | --- |",
    ]
    for result in results:
        lines.append(
            f"| {result['name']} | {len(result['runs'])} | {work(result)} | {minutes(result)} "
            f"| {mean_and_range(of_runs(result, 'fresh', 'whole'))} "
            f"| {mean_and_range(of_runs(result, 'fresh_averaged', 'whole'))} "
            f"| {mean_and_range(of_runs(result, 'test', 'whole'))} |"
        )
    return "\n".join(lines)


def tried_table() -> str:
    """What was tried and did not help, from ``results/tried.json``, as a Markdown table."""
    lines = ["| tried | pictures | epochs | misread without it | misread with it |", "| --- | --: | --: | --: | --: |"]
    for row in read_json(TRIED, mend="fetch the course again.")["rows"]:
        size, shares = f"{row['image']} x {row['image']}", f"{row['without']:.1%} | {row['with']:.1%}"
        lines.append(f"| {row['what']} | {size} | {row['epochs']} | {shares} |")
    return "\n".join(lines)
