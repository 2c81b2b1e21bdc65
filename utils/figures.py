"""The figures of the course, all in one style. Each is introduced by the notebook that first shows it.

They draw into a new pyplot figure and return nothing, so that a notebook shows each of them once.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from utils.captchas import DIGITS
from utils.files import REPO

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
    for bar, value, end in zip(bars, values, [*places, interval[1]], strict=True):
        fits = value > 0.1  # else the number stands to the right of the bar
        x, color, page = (0.01, "white", "none") if fits else (end + 0.02, "black", "white")
        ax.text(
            x, bar.get_y() + bar.get_height() / 2, f"{value:.1%}", va="center", color=color, weight="bold",
            bbox={"facecolor": page, "edgecolor": "none", "pad": 1},
        )  # fmt: skip
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

# Notebook 07
