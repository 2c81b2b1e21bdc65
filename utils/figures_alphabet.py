"""The figures of notebook 10."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from utils.captchas import DIGITS
from utils.columns import BLANK, decode
from utils.figures import RIGHT, WRONG, losses_on_a_log_axis, mark_chance, show_picture
from utils.results import read_alphabets


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


def plot_measured_transfer(folder: Path | None = None) -> None:
    """`plot_transfer` for every number of captchas that `benchmarks.transfer` has measured: the mean of all seeds."""
    runs = read_alphabets("transfer", folder)
    if not runs:
        print("Not measured yet: python -m benchmarks.transfer does it.")
        return
    counts = sorted({arm["captchas"] for arm in runs[0]["arms"]})
    names = {"transfer": "from the network for digits", "nothing": "from nothing"}
    figure, axes = plt.subplots(1, len(counts), figsize=(10, 3.4), sharey=True, squeeze=False)
    for ax, count in zip(axes.flat, counts, strict=True):
        curves = {}
        for start, said in names.items():
            arms = [arm for run in runs for arm in run["arms"] if (arm["start"], arm["captchas"]) == (start, count)]
            curves[said] = arms[0]["steps"], np.mean([arm["characters"] for arm in arms], axis=0)
        _draw_curves(ax, curves, 1 / runs[0]["classes"])
        ax.set_title(f"{count:,} captchas")
    axes[0, 0].set_ylabel("characters read right")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)


def _draw_curves(ax: Axes, curves: dict[str, tuple[Sequence[int], Sequence[float]]], chance: float) -> None:
    for (name, (steps, shares)), marker in zip(curves.items(), cycle("osD^v*P"), strict=False):
        ax.plot([0, *steps], [chance, *shares], marker=marker, label=name)
    mark_chance(ax, chance, f"guessing, {chance:.1%}")
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    highest = max(ax.get_ylim()[1], *(max(shares) for _, shares in curves.values()))
    ax.set(xlabel="steps", ylim=(0, min(1.03, 1.15 * highest)))


def plot_column_losses(single: Sequence[float], texts: Sequence[float], steps: int) -> None:
    """The losses of both parts of a training: of single characters, and then of texts with CTC, on logarithmic axes.

    Args:
        steps: how many steps each of the losses is the mean of.
    """
    _, axes = plt.subplots(1, 2, figsize=(9, 3))
    parts = ((single, "Single digits, every column names one"), (texts, "Texts of one to three digits, CTC"))
    start = 0
    for ax, (losses, title) in zip(axes, parts, strict=True):
        ax.plot(start + steps * np.arange(1, len(losses) + 1), losses, color=RIGHT, marker="o")
        ax.set(title=title, xlabel="steps", ylabel="loss")
        losses_on_a_log_axis(ax, losses)
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
        show_picture(ax, image, f"{text}, read {read} {'✓' if read == text else '✗'}")
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
