"""The figures of the course, all in one style. Each is introduced by the notebook that first shows it.

They draw into a new pyplot figure and return nothing, so that a notebook shows each of them once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from utils.captchas import DIGITS
from utils.files import REPO
from utils.scores import Calibration, Group, wilson_interval

if TYPE_CHECKING:  # it needs TensorFlow, for which notebook 01 need not wait
    from utils.looking import Looking

plt.style.use(REPO / "utils" / "course.mplstyle")

RIGHT, WRONG = "#0072B2", "#D55E00"


def show_picture(ax: Axes, picture: Image.Image | np.ndarray, title: str = "") -> None:
    """Draw one picture without axes: gray from 0 to 255 if it has one channel, else in its own colours."""
    pixels = np.squeeze(np.asarray(picture))
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set_title(title, loc="center", family="monospace")
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    for side in ax.spines.values():
        side.set(visible=True, color="0.8")


def show_pictures(
    pictures: Sequence[Image.Image | np.ndarray], titles: Sequence[str], columns: int = 4, width: float = 9.0
) -> None:
    """A grid of titled pictures; gray ones are shown gray.

    Args:
        pictures: PIL pictures, or uint8 arrays of shape (height, width), (height, width, 1) or (height, width, 3).
        width: of the whole figure, in inches.
    """
    rows = -(-len(pictures) // columns)
    high, wide = np.asarray(pictures[0]).shape[:2]
    size = (width, rows * (width / columns * high / wide + 0.35))
    _, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for ax in axes.flat[len(pictures) :]:
        ax.remove()
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=False):
        show_picture(ax, picture, title)


def plot_places(texts: Sequence[str], chars: str = DIGITS) -> None:
    """How often each character stands at each place, as a map with its numbers."""
    counts = np.array([[place.count(char) for char in chars] for place in zip(*texts, strict=True)])
    _, ax = plt.subplots(figsize=(9, 0.55 * len(counts) + 1.2))
    ax.imshow(counts, cmap="Blues", vmin=0, aspect="auto")
    for (place, char), count in np.ndenumerate(counts):
        color = "white" if count > counts.max() / 2 else "black"
        ax.text(char, place, f"{count}", ha="center", va="center", color=color)
    ax.set_xticks(range(len(chars)), list(chars))
    ax.set_yticks(range(len(counts)), [f"place {place}" for place in range(len(counts))])
    ax.set(title=f"{len(texts):,} captchas: how often each character stands at each place", xlabel="character")
    ax.grid(False)


def plot_history(history: Sequence[dict[str, float]], classes: int = len(DIGITS)) -> None:
    """Loss, accuracy of each output, and whole-captcha accuracy after every epoch, each with chance drawn in."""
    epochs = np.arange(1, len(history) + 1)
    places = [name for name in history[0] if name.startswith("test_digit_")]
    _, (losses, digits, whole) = plt.subplots(1, 3, figsize=(11, 3.6))

    losses.plot(epochs, [epoch["loss"] for epoch in history], marker="o", label="training")
    losses.plot(epochs, [epoch["test_loss"] for epoch in history], marker="s", label="test")
    _chance(losses, np.log(classes), f"chance: ln {classes} = {np.log(classes):.2f}")
    losses.set(title="Loss", ylabel="mean cross-entropy", ylim=(0, None))

    for marker, name in zip("osD^v*P", places, strict=False):
        digits.plot(epochs, [epoch[name] for epoch in history], marker=marker, label=name.removeprefix("test_"))
    _chance(digits, 1 / classes, f"chance: {1 / classes:.0%}")
    digits.set(title="Each output, test captchas", ylabel="accuracy")

    whole.plot(epochs, [epoch["test_whole"] for epoch in history], marker="o", label="whole captcha")
    _chance(whole, classes ** -len(places), f"chance: {classes ** -len(places):.2%}")
    whole.set(title="Whole captcha, test captchas", ylabel="accuracy")

    for ax in (losses, digits, whole):
        ax.set_xlabel("epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.legend(fontsize=9)
    for ax in (digits, whole):
        ax.set_ylim(-0.03, 1.03)
        ax.yaxis.set_major_formatter(PercentFormatter(1))


def _chance(ax: Axes, level: float, label: str) -> None:
    ax.axhline(level, color="0.4", linestyle="--", linewidth=1.5, label=label)


def plot_accuracies(places: Sequence[float], whole: float, interval: tuple[float, float], captchas: int) -> None:
    """One bar for each place and one for the whole captcha, the latter with its 95 % interval."""
    names = [f"digit_{place}" for place in range(len(places))] + ["whole captcha"]
    values = [*places, whole]
    _, ax = plt.subplots(figsize=(8, 0.45 * len(names) + 1.1))
    bars = ax.barh(names, values, color=[RIGHT] * len(places) + ["0.35"], height=0.65)
    ax.errorbar(whole, len(places), xerr=[[whole - interval[0]], [interval[1] - whole]], color="black", capsize=5)
    for bar, value in zip(bars, values, strict=True):
        ax.text(0.01, bar.get_y() + bar.get_height() / 2, f"{value:.1%}", va="center", color="white", weight="bold")
    ax.axvline(0.1, color="0.4", linestyle="--", linewidth=1.5)
    ax.set(title=f"Accuracy on {captchas:,} test captchas (dashed: chance of one digit)", xlim=(0, 1))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)


def show_predictions(
    images: np.ndarray, texts: Sequence[str], chances: np.ndarray, chars: str = DIGITS, columns: int = 4
) -> None:
    """Each gray picture with what it says, what was read, and the confidence in each character.

    A wrong reading is marked by a cross and a thick dashed frame, besides its colour.

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
        texts: what the captchas say.
        chances: float array of shape (captchas, length, classes), from `utils.model.probabilities`.
    """
    rows = -(-len(images) // columns)
    _, axes = plt.subplots(rows, columns, figsize=(10, 3.35 * rows), squeeze=False)
    for ax in axes.flat[len(images) :]:
        ax.remove()
    for ax, image, text, chance in zip(axes.flat, images, texts, chances, strict=False):
        read = "".join(chars[label] for label in chance.argmax(axis=-1))
        right = read == text
        mark, color, line = ("✓", RIGHT, "-") if right else ("✗", WRONG, (0, (3, 1.5)))
        show_picture(ax, image)
        title = f"{mark} read {read}\n  true {text}"
        ax.set_title(title, loc="left", color=color, weight="bold", family="monospace")
        for side in ax.spines.values():
            side.set(color=color, linewidth=2 if right else 4, linestyle=line, capstyle="butt")
        confidence = "  ".join(f"{char}: {share:.0%}" for char, share in zip(read, chance.max(axis=-1), strict=True))
        ax.set_xlabel(confidence, fontsize=8.5)


# Notebook 05

# Notebook 06


def plot_confusions(matrices: np.ndarray, chars: str = DIGITS) -> None:
    """One confusion matrix for each place; right readings are gray numbers, so that the colours belong to the errors.

    Args:
        matrices: int array of shape (length, true, read), from `utils.scores.confusion_matrices`.
    """
    wrong = matrices * (1 - np.eye(len(chars), dtype=int))
    _, axes = plt.subplots(1, len(matrices), figsize=(12.5, 3.7), sharey=True, squeeze=False)
    for place, ax in enumerate(axes.flat):
        ax.imshow(wrong[place], cmap="Oranges", vmin=0, vmax=max(wrong.max(), 1))
        for (true, read), count in np.ndenumerate(matrices[place]):
            if count:
                size, color = (6.5, "0.5") if true == read else (9, "white" if count > wrong.max() * 0.6 else "black")
                ax.text(read, true, f"{count}", ha="center", va="center", fontsize=size, color=color)
        ax.set(title=f"digit_{place}: {wrong[place].sum()} wrong", xlabel="read", ylabel="" if place else "true")
        ax.set_xticks(range(len(chars)), list(chars))
        ax.set_yticks(range(len(chars)), list(chars))
        ax.grid(False)


def plot_groups(groups: dict[str, Sequence[Group]]) -> None:
    """The share read right in each group of captchas with its 95 % interval; one panel for each way of grouping.

    Args:
        groups: what the captchas are grouped by, and the groups, from `utils.scores.grouped`.
    """
    _, axes = plt.subplots(1, len(groups), figsize=(11, 3.6), sharey=True, squeeze=False)
    for ax, (title, found) in zip(axes.flat, groups.items(), strict=True):
        shares = np.array([group.right / group.total for group in found])
        intervals = np.array([wilson_interval(group.right, group.total) for group in found])
        ax.errorbar(
            range(len(found)), shares, np.abs(intervals.T - shares), fmt="o", color=RIGHT, capsize=5, markersize=8
        )
        ax.set_xticks(range(len(found)), [f"{group.name}\n({group.total:,})" for group in found])
        ax.set(title="Read whole", xlabel=f"{title} (number of captchas)", xlim=(-0.5, len(found) - 0.5))
        ax.tick_params(axis="x", labelsize=9)
        ax.yaxis.set_major_formatter(PercentFormatter(1))


def plot_calibration(found: Calibration) -> None:
    """On the left, accuracy against confidence, with the diagonal of an honest model; on the right, how often each."""
    bins = len(found.total)
    middles = (np.arange(bins) + 0.5) / bins
    _, (ax, counts) = plt.subplots(1, 2, figsize=(11, 3.9))
    ax.plot([0, 1], [0, 1], color="0.4", linestyle="--", linewidth=1.5, label="as often right as it is sure")
    there = np.flatnonzero(found.total)
    shares = found.right[there] / found.total[there]
    intervals = np.array([wilson_interval(found.right[row], found.total[row]) for row in there])
    bars = np.abs(intervals.T - shares)
    ax.errorbar(found.confidence[there], shares, bars, fmt="o", color=RIGHT, capsize=4, markersize=7, label="network")
    ax.set(title="Is it right as often as it is sure?", xlabel="mean confidence in the bin", ylabel="read whole")
    ax.legend(fontsize=9)
    wrong = found.total - found.right
    counts.bar(middles, found.right, width=0.9 / bins, color=RIGHT, label="right")
    counts.bar(
        middles, wrong, width=0.9 / bins, bottom=found.right, color=WRONG, hatch="//", edgecolor="white", label="wrong"
    )
    for middle, total, errors in zip(middles, found.total, wrong, strict=True):
        said = f"{errors:,} of\n{total:,}"
        counts.annotate(said, (middle, total), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    counts.set(title="How often is it how sure? (wrong of all)", xlabel="confidence", ylabel="captchas")
    counts.margins(y=0.15)  # room for the numbers
    counts.legend(fontsize=9)
    for one in (ax, counts):
        one.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))


def plot_refusing(answered: np.ndarray, accuracy: np.ndarray) -> None:
    """Accuracy of the answers against the share that is answered, from `utils.scores.refusing`."""
    _, ax = plt.subplots(figsize=(8, 3.2))
    ax.plot(answered, accuracy, color=RIGHT)
    ax.set(
        title="Refuse the least sure", xlabel="share of the captchas that is answered", ylabel="of those, read whole"
    )
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))


def show_looking(image: np.ndarray, falls: np.ndarray, looking: Looking, text: str) -> None:
    """The same gray picture for each output, tinted where the output looks.

    Args:
        image: uint8 array of shape (height, width, 1).
        falls: float array of shape (length, rows, columns): the part of ``looking.falls`` that belongs to the picture.
        looking: from `utils.looking.cover`.
        text: the digits that were asked for.
    """
    sides = []
    for middles in (looking.columns, looking.rows):
        half = (middles[1] - middles[0]) / 2 if len(middles) > 1 else middles[0]
        sides.append((middles[0] - half, middles[-1] + half))
    (left, right), (top, bottom) = sides
    tint = LinearSegmentedColormap.from_list("tint", [(*to_rgb(WRONG), 0.0), (*to_rgb(WRONG), 0.85)])
    _, axes = plt.subplots(1, len(falls), figsize=(10, 2.8), squeeze=False)
    for place, ax in enumerate(axes.flat):
        show_picture(ax, image)
        size = ax.get_xlim(), ax.get_ylim()
        drawn = ax.imshow(
            falls[place], cmap=tint, vmin=0, vmax=1, extent=(left, right, bottom, top), interpolation="bilinear"
        )
        ax.set(xlim=size[0], ylim=size[1])
        ax.set_title(f"digit_{place}, read {text[place]}", loc="center", fontsize=11)
    bar = plt.colorbar(drawn, ax=axes, shrink=0.8, label="fall of probability")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1))


def plot_centres(digits: np.ndarray, looking: np.ndarray) -> None:
    """Where each output looks against where its digit is; on the dashed line the two are the same.

    Args:
        digits: float array of shape (captchas, length), the columns of the digits from 0 to 1, from `utils.ink`.
        looking: float array of that shape, the columns where the outputs look, from `utils.looking.centres`.
    """
    _, ax = plt.subplots(figsize=(5.4, 4.6))
    ax.plot([0, 1], [0, 1], color="0.4", linestyle="--", linewidth=1.5)
    for place, marker in zip(range(digits.shape[1]), "osD^v*P", strict=False):
        label = f"digit_{place}"
        ax.plot(digits[:, place], looking[:, place], marker, markersize=5, alpha=0.6, label=label)
    ax.set(title="Does output k look at digit k?", xlabel="column of the digit", ylabel="column where the output looks")
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.legend(fontsize=9)


# Notebook 07
