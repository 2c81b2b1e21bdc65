"""The measured accuracies in ``results/``, and their tables.

Those of recipes are written by ``python -m benchmarks.accuracy`` into ``results/accuracy``, those of other people's
networks by ``python -m benchmarks.peers`` into ``results/peers``, what did not help by ``python -m benchmarks.tried``
into ``results/tried``: one file each, with one run a seed. Results that are not there yet are left out of the tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.files import REPO, CourseError, read_json, shown

RESULTS = REPO / "results" / "accuracy"
PEERS = REPO / "results" / "peers"
ALPHABETS = REPO / "results" / "alphabets"
TRIED = REPO / "results" / "tried"
NOT_YET = "*Not measured yet:* `python -m benchmarks.{}` *does it.*"
RECIPES = (
    "short",
    "quick",
    "long",
    "default",
    "default-no-decay",
    "catch-up",
    "bent",
)  # those for the whole course, in tables
LETTERS = ("letters-36", "letters-36-augmented", "letters-34", "letters-62")  # those of other alphabets


def read_results(*names: str, folder: Path | None = None) -> list[dict]:
    """The results of these recipes, in this order; each has ``name``, ``parameters`` and ``runs``, one for each seed.

    Args:
        folder: where they are, `RESULTS` if not said otherwise.

    Raises:
        CourseError: a recipe that was never measured.
    """
    missing = [name for name in names if not measured(name, folder)]
    if missing:
        recipe, endless, _ = missing[0].partition("-endless")
        program = "endless" if endless else (folder or RESULTS).name
        raise CourseError(
            f"There is no result for {missing[0]!r} in {shown(folder or RESULTS)}: "
            f"run python -m benchmarks.{program} {recipe}{' --augmented' * missing[0].endswith('-augmented')}"
        )
    return [read_json((folder or RESULTS) / f"{name}.json", mend="fetch the course again.") for name in names]


def measured(name: str, folder: Path | None = None) -> bool:
    """Whether there is a result for this recipe."""
    return ((folder or RESULTS) / f"{name}.json").exists()


def read_measured(*names: str) -> list[dict]:
    """`read_results`, without the recipes that have no result yet."""
    return read_results(*filter(measured, names))


def read_peers() -> list[dict]:
    """The results of other people's networks that are there, the best first."""
    found = read_results(*(path.stem for path in sorted(PEERS.glob("*.json"))), folder=PEERS)
    return sorted(found, key=lambda result: -np.mean(of_runs(result, "fresh", "whole")))


def of_runs(result: dict, *keys: str) -> list[float]:
    """One number of every run that has it, such as ``of_runs(result, "fresh", "whole")``."""
    values = result["runs"]
    for key in keys:
        values = [value[key] for value in values if key in value]
    return values


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


def settings_table(found: Sequence[dict]) -> str:
    """The parameters in which these recipes differ: a row for each of them, as a Markdown table."""
    names = [name for name in found[0]["parameters"] if len({str(one["parameters"].get(name)) for one in found}) > 1]
    lines = [f"| parameter | {' | '.join(map(_named, found))} |", f"| --- |{' --: |' * len(found)}"]
    for name in names:
        lines.append(f"| {name} | {' | '.join(str(one['parameters'].get(name, '')) for one in found)} |")
    return "\n".join(lines)


def mean_and_range(shares: Sequence[float], seeds: int | None = None) -> str:
    """Several accuracies in a few characters: ``98.01 % (97.77 to 98.20)``, or the one that there is, or none.

    Args:
        seeds: how many there should be; where there are fewer, it is said.
    """
    if not shares:
        return "not measured"
    said = f"{100 * np.mean(shares):.2f} %"
    if len(shares) > 1:
        said += f" ({100 * min(shares):.2f} to {100 * max(shares):.2f})"
    if len(shares) == (seeds or len(shares)):
        return said
    return f"{said}, {len(shares)} seed{'s' * (len(shares) > 1)}"


def with_interval(result: dict) -> str:
    """The share of fresh captchas read whole: the mean of the seeds, and the outer ends of their intervals."""
    return mean_and_interval([run["fresh"] for run in result["runs"]])


def mean_and_interval(found: Sequence[dict]) -> str:
    """The same for scores of any kind, one for each seed."""
    low, high = min(score["low"] for score in found), max(score["high"] for score in found)
    return f"{100 * np.mean([score['whole'] for score in found]):.2f} % ({100 * low:.2f} to {100 * high:.2f})"


def pictures(result: dict) -> str:
    """Height and width of the pictures."""
    values = result["parameters"]
    return f"{values['image_height']} x {values['image_width']}"


def tflop(result: dict) -> float | None:
    """What one training costs in TFLOP, thousands of billions of calculations; None if it is not known."""
    costs = of_runs(result, "tflop")
    return float(np.mean(costs)) if costs else None


def training_gflop(result: dict) -> float:
    """What one training picture costs, in billions of calculations, as it was counted from the layers."""
    values = result["parameters"]
    seen = training_captchas(result) // values["batch_size"] * values["batch_size"] * values["epochs"]
    return 1000 * tflop(result) / seen


def cost_table(results: Sequence[dict]) -> str:
    """What each recipe costs: its pictures, the work, and the minutes, beside what a matrix product reached then."""
    lines = [
        "| recipe | pictures | GFLOP each | TFLOP in all | minutes | GFLOP/s |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for result in results:
        speeds, runs = of_runs(result, "gflops"), result["runs"]
        lines.append(
            f"| {_named(result)} | {pictures(result)} | {training_gflop(result):.2f} | {tflop(result):,.0f} "
            f"| {np.mean(of_runs(result, 'minutes')):.1f} "
            f"| {f'{np.mean(speeds):,.0f}' if len(speeds) == len(runs) else 'not measured'} |"
        )
    return "\n".join(lines)


def accuracy_table(results: Sequence[dict]) -> str:
    """How well each recipe reads: the mean over its seeds, and the lowest to highest, as a Markdown table."""
    lines = [
        "| recipe | seeds | fresh captchas | with five looks | warped more | test captchas |",
        "| --- | --: | --- | --- | --- | --- |",
    ]
    for result in results:
        readings, seeds = ("fresh", "fresh_averaged", "fresh_older", "test"), len(result["runs"])
        shares = [mean_and_range(of_runs(result, reading, "whole"), seeds) for reading in readings]
        lines.append(f"| {_named(result)} | {seeds} | {' | '.join(shares)} |")
    return "\n".join(lines)


def older_drawings(results: Sequence[dict]) -> str:
    """Which recipes were scored on other drawings of the fresh texts than most, as an item of a Markdown list."""
    seeds = {result["name"]: {" and ".join(run["fresh_seeds"]) for run in result["runs"]} for result in results}
    drawn = sorted(set().union(*seeds.values()))
    usual = max(drawn, key=lambda one: sum(one in of for of in seeds.values()), default="that each result names")
    others = [f"*{name}*" for name, of in seeds.items() if of != {usual}]
    if not others:
        return f"- All fresh captchas are drawn with the seeds {usual}."
    return (
        f"- The fresh captchas are drawn with the seeds {usual}. Those of {', '.join(others)} are, for at least one "
        "seed of the training, older drawings of the same texts."
    )


def _named(result: dict) -> str:
    """The name of a recipe, whose words stay on one line in a narrow table."""
    return result["name"].replace("-", "\N{NON-BREAKING HYPHEN}")


class Place(NamedTuple):
    """One network in the picture of the field; ``tflop`` is None if others trained it, and nobody knows the work."""

    name: str
    ours: bool
    tflop: float | None
    error: float
    low: float
    high: float


def peer_name(result: dict) -> str:
    """What a project is called, and how much work its training took if that is not the work of `quick`."""
    name, _, what = about(result)["project"].partition(":")
    recipe = result["parameters"].get("as_much_as", "quick")
    return f"{name}{'' if recipe == 'quick' else f', work of {recipe}'}:{what}"


def about(result: dict) -> dict:
    """What stands in a result besides numbers and parameters."""
    return result.get("about", {})


def field() -> list[Place]:
    """What every recipe and every network of other people costs, and how many fresh captchas it misreads."""
    places = []
    for found, ours in ((read_measured("small", *RECIPES), True), (read_peers(), False)):
        for result in found:
            middle, lows, highs = zip(*error_rates(result), strict=True)
            name = result["name"] if ours else peer_name(result).partition(":")[0]
            places.append(Place(name, ours, tflop(result), float(np.mean(middle)), min(lows), max(highs)))
    return places


def field_table() -> str:
    """Other people's networks and the recipes of the course by one rule, as a Markdown table."""
    lines = [
        "| network | seeds | pictures | TFLOP | fresh captchas read whole | its own claim |",
        "| --- | --: | --: | --: | --- | --- |",
    ]
    for result in (*read_measured("small", *RECIPES), *read_peers()):
        said, cost = about(result), tflop(result)
        short = " in the time allowed" if any(of_runs(result, "cut_short")) else ""
        spent = "not known" if cost is None else f"{cost:,.0f}{short}"
        name = f"[{peer_name(result)}]({said['address']})" if "project" in said else f"*{_named(result)}*"
        row = (name, len(result["runs"]), pictures(result), spent, with_interval(result), said.get("claim", ""))
        lines.append(f"| {' | '.join(map(str, row))} |")
    return "\n".join(lines)


def peers_settings() -> str:
    """How each of the other networks was trained, in the mean of its seeds, as a Markdown list."""
    lines = []
    for result in read_peers():
        said, epochs = about(result)["settings"], of_runs(result, "epochs")
        if epochs:
            said += f", {np.mean(epochs):g} epochs in {np.mean(of_runs(result, 'minutes')):.1f} minutes"
        lines.append(f"- {peer_name(result)}: {said}.")
    return "\n".join(lines)


def tried_table() -> str:
    """What was tried and did not help, beside the same seeds of the recipe that was changed, as a Markdown table."""
    small = {run["seed"]: run for run in read_results("small")[0]["runs"]}
    lines = ["| tried | read without it | read with it |", "| --- | --: | --: |"]
    for result in read_results(*(path.stem for path in sorted(TRIED.glob("*.json"))), folder=TRIED):
        same = [small[run["seed"]]["fresh"] for run in result["runs"] if run["seed"] in small]
        without = mean_and_interval(same) if same else "not measured"
        lines.append(f"| {about(result)['tried']} | {without} | {with_interval(result)} |")
    return "\n".join(lines)


def read_alphabets(name: str, folder: Path | None = None) -> list[dict]:
    """The runs of one measurement of other alphabets, one for each seed; none if it was not measured yet."""
    path = (folder or ALPHABETS) / f"{name}.json"
    return read_json(path, mend="fetch the course again.")["runs"] if path.exists() else []


def letters_table(folder: Path | None = None) -> str:
    """How well texts of these alphabets are read, and what is confused most in their mean, as a Markdown table."""
    lines = [
        "| recipe | seeds | TFLOP | fresh captchas read whole | look-alikes counted as one | confused most |",
        "| --- | --: | --: | --- | --- | --- |",
    ]
    for name in LETTERS:
        runs = read_alphabets(name, folder)
        if not runs:  # not measured yet
            continue
        whole, merged = (mean_and_interval([run[key] for run in runs]) for key in ("fresh", "fresh_alike"))
        counted: dict[str, float] = {}  # of all seeds, divided by their number
        for true, said, count in (row for run in runs for row in run["confusions"]):
            pair = " ".join(sorted((true, said)))
            counted[pair] = counted.get(pair, 0) + count / len(runs)
        most = sorted(counted, key=lambda pair: -counted[pair])[:3]
        said = ", ".join(f"{pair} ({counted[pair]:,.0f})" for pair in most)
        work = np.mean([run["tflop"] for run in runs])
        lines.append(f"| {name} | {len(runs)} | {work:,.0f} | {whole} | {merged} | {said} |")
    return "\n".join(lines)


def columns_table(folder: Path | None = None) -> str:
    """How well texts of each length are read from columns, as a Markdown table."""
    runs = read_alphabets("columns", folder)
    if not runs:
        return NOT_YET.format("columns")
    names = {name: f"{name.removeprefix('length_')} characters" for name in runs[0] if name.startswith("length_")}
    names |= {"repeated": "with equal neighbours", "not_repeated": "without", "fresh": "all"}
    lines = ["| fresh captchas | seeds | captchas of the first seed | read whole |", "| --- | --: | --: | --- |"]
    for name, said in names.items():
        if name in runs[0]:
            shares = mean_and_interval([run[name] for run in runs])
            lines.append(f"| {said} | {len(runs)} | {runs[0][name]['captchas']:,} | {shares} |")
    return "\n".join(lines)


def transfer_table(folder: Path | None = None) -> str:
    """What share of fresh captchas is read whole after a training from a network for digits, and from nothing."""
    runs = read_alphabets("transfer", folder)
    if not runs:
        return NOT_YET.format("transfer")
    lines = [
        "| training captchas | seeds | steps | from the network for digits | from nothing |",
        "| --: | --: | --: | --- | --- |",
    ]
    for count in sorted({arm["captchas"] for arm in runs[0]["arms"]}):
        cells = []
        for start in ("transfer", "nothing"):
            arms = [arm for run in runs for arm in run["arms"] if (arm["start"], arm["captchas"]) == (start, count)]
            cells.append(mean_and_interval([arm["fresh"] for arm in arms]))
        lines.append(f"| {count:,} | {len(runs)} | {arms[0]['steps'][-1]:,} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)
