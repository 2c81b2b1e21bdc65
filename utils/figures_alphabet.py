"""The figures and tables of notebook 10."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from utils.captchas import DIGITS
from utils.columns import BLANK, decode
from utils.figures import RIGHT, WRONG, mark_chance, show_picture
from utils.files import read_json
from utils.results import ALPHABETS, mean_and_interval

NOT_YET = "*Not measured yet:* `python -m benchmarks.{}` *does it.*"


def read_alphabets(name: str, folder: Path | None = None) -> list[dict]:
    """The runs of one measurement of other alphabets, one for each seed; none if it was not measured yet."""
    path = (folder or ALPHABETS) / f"{name}.json"
    return read_json(path, mend="fetch the course again.")["runs"] if path.exists() else []


def letters_table(names: Sequence[str] = ("letters-36", "letters-34", "letters-62"), folder: Path | None = None) -> str:
    """How well texts of these alphabets are read, and what is confused most, as a Markdown table."""
    lines = [
        "| recipe | fresh captchas read whole | look-alikes counted as one | confused most |",
        "| --- | --- | --- | --- |",
    ]
    for name in names:
        runs = read_alphabets(name, folder)
        if not runs:  # not measured yet
            continue
        whole, merged = (mean_and_interval([run[key] for run in runs]) for key in ("fresh", "fresh_alike"))
        counted: dict[str, int] = {}
        for true, said, count in (row for run in runs for row in run["confusions"]):
            pair = " ".join(sorted((true, said)))
            counted[pair] = counted.get(pair, 0) + count
        most = sorted(counted, key=lambda pair: -counted[pair])[:3]
        said = ", ".join(f"{pair} ({counted[pair]:,})" for pair in most)
        lines.append(f"| {name} | {whole} | {merged} | {said} |")
    return "\n".join(lines)


def columns_table(folder: Path | None = None) -> str:
    """How well texts of each length are read from columns, as a Markdown table."""
    runs = read_alphabets("columns", folder)
    if not runs:
        return NOT_YET.format("columns")
    names = {name: f"{name.removeprefix('length_')} characters" for name in runs[0] if name.startswith("length_")}
    names |= {"repeated": "with equal neighbours", "not_repeated": "without", "fresh": "all"}
    lines = ["| fresh captchas | how many | read whole |", "| --- | --: | --- |"]
    for name, said in ((name, said) for name, said in names.items() if name in runs[0]):
        shares = mean_and_interval([run[name] for run in runs])
        lines.append(f"| {said} | {runs[0][name]['captchas']:,} | {shares} |")
    return "\n".join(lines)


def transfer_table(folder: Path | None = None) -> str:
    """What share of fresh captchas is read whole after a training from a network for digits, and from nothing."""
    runs = read_alphabets("transfer", folder)
    if not runs:
        return NOT_YET.format("transfer")
    lines = ["| training captchas | steps | from the network for digits | from nothing |", "| --: | --: | --- | --- |"]
    for count in sorted({arm["captchas"] for arm in runs[0]["arms"]}):
        cells = []
        for start in ("transfer", "nothing"):
            arms = [arm for run in runs for arm in run["arms"] if (arm["start"], arm["captchas"]) == (start, count)]
            cells.append(mean_and_interval([arm["fresh"] for arm in arms]))
        lines.append(f"| {count:,} | {arms[0]['steps'][-1]:,} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def plot_transfer(curves: dict[str, tuple[Sequence[int], Sequence[float]]], chance: float) -> None:
    """The share of characters read right while training, for each start.

    Args:
        curves: for each start, the steps and the shares.
        chance: the share that guessing gives.
    """
    _, ax = plt.subplots(figsize=(8, 3.8))
    _draw_curves(ax, curves, chance)
    ax.set(title="The same captchas, the same number of steps", ylabel="characters read right")
    ax.legend(loc="upper left")


def plot_measured_transfer(chance: float, folder: Path | None = None) -> None:
    """`plot_transfer` for every number of captchas that `benchmarks.transfer` has measured, side by side."""
    runs = read_alphabets("transfer", folder)
    if not runs:
        print("Not measured yet: python -m benchmarks.transfer does it.")
        return
    counts = sorted({arm["captchas"] for arm in runs[0]["arms"]})
    _, axes = plt.subplots(1, len(counts), figsize=(10, 3.4), sharey=True, squeeze=False)
    for ax, count in zip(axes.flat, counts, strict=True):
        arms = {arm["start"]: arm for arm in runs[0]["arms"] if arm["captchas"] == count}
        names = {"transfer": "from the network for digits", "nothing": "from nothing"}
        _draw_curves(
            ax, {said: (arms[name]["steps"], arms[name]["characters"]) for name, said in names.items()}, chance
        )
        ax.set_title(f"{count:,} captchas")
    axes[0, 0].set_ylabel("characters read right")
    axes[0, -1].legend(loc="lower right", fontsize=9)


def _draw_curves(ax: Axes, curves: dict[str, tuple[Sequence[int], Sequence[float]]], chance: float) -> None:
    for (name, (steps, shares)), color, marker in zip(curves.items(), (RIGHT, WRONG), "os", strict=False):
        ax.plot([0, *steps], [chance, *shares], color=color, marker=marker, label=name)
    mark_chance(ax, chance, f"guessing, {chance:.1%}")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    highest = max(ax.get_ylim()[1], *(max(shares) for _, shares in curves.values()))
    ax.set(xlabel="steps", ylim=(0, min(1.03, 1.15 * highest)))


def plot_losses(single: Sequence[float], texts: Sequence[float], steps: int) -> None:
    """The losses of both parts of a training: of single characters, and then of texts with CTC.

    Args:
        steps: how many steps each of the losses is the mean of.
    """
    _, axes = plt.subplots(1, 2, figsize=(9, 3))
    parts = ((single, "Single digits, every column names one"), (texts, "Texts of one to three digits, CTC"))
    start = 0
    for ax, (losses, title) in zip(axes, parts, strict=True):
        ax.plot(start + steps * np.arange(1, len(losses) + 1), losses, color=RIGHT, marker="o")
        ax.set(title=title, xlabel="steps", ylabel="loss", ylim=(0, None))
        start += steps * len(losses)


def show_alignments(images: np.ndarray, paths: np.ndarray, truth: Sequence[str], chars: str = DIGITS) -> None:
    """Each picture with what every column says below it: a dot for the blank, else the character.

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
        paths: int array of shape (captchas, columns), from `utils.columns.alignments`.
        truth: the texts.
    """
    rows = -(-len(images) // 2)
    _, axes = plt.subplots(rows, 2, figsize=(10, 3.3 * rows), squeeze=False)
    for ax in axes.flat[len(images) :]:
        ax.remove()
    for ax, image, path, text in zip(axes.flat, images, paths, truth, strict=False):
        height, width = image.shape[:2]
        read = decode(path, chars)
        show_picture(ax, image, f"{text}, read {read}")
        ax.title.set_color(RIGHT if read == text else WRONG)
        step = width / len(path)
        for column, label in enumerate(path):
            x = (column + 0.5) * step
            if label == BLANK:
                ax.text(x, 1.06 * height, "·", ha="center", va="center", color="0.5", clip_on=False)
            else:
                ax.axvspan(column * step - 0.5, (column + 1) * step - 0.5, color=RIGHT, alpha=0.25, linewidth=0)
                style = {"ha": "center", "va": "center", "family": "monospace", "weight": "bold", "fontsize": 9}
                ax.text(x, 1.06 * height, chars[label - 1], color=RIGHT, clip_on=False, **style)
