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
from matplotlib.patches import Circle, FancyBboxPatch
from matplotlib.ticker import LogFormatter, MaxNLocator, PercentFormatter, StrMethodFormatter
from PIL import Image

from utils.captchas import DIGITS, draw_captcha
from utils.files import REPO
from utils.scores import Calibration, Group, wilson_interval

if TYPE_CHECKING:  # it needs TensorFlow, for which notebook 01 need not wait
    from utils.looking import Looking

plt.style.use(REPO / "utils" / "course.mplstyle")

RIGHT, WRONG = "#0072B2", "#D55E00"


# Notebook 00


def plot_course() -> None:
    """A map of the course: what becomes of a text, which notebook makes each step, and where the files are."""
    _, ax = plt.subplots(figsize=(10, 5))
    ax.set(xlim=(0, 10), ylim=(0, 5), aspect="equal")
    ax.axis("off")
    picture = draw_captcha("2026", 0)
    things = {  # what it is, and where in the workspace
        "text": "",
        "captchas": "workspace/\ncaptchas/\n2026.png",
        "records": "workspace/\nrecords/\ntrain.tfrecord\ntest.tfrecord",
        "model": "workspace/\nmodel/\nalexnet.keras",
        "readings": "",
    }
    centres = [0.85 + 2.075 * number for number in range(len(things))]
    for x, (name, files) in zip(centres, things.items(), strict=True):
        _box(ax, x - 0.65, 1.95, 1.3, 1.2, "0.95", "0.6")
        ax.text(x, 3.25, name, ha="center", va="bottom", weight="bold")
        ax.text(x, 1.85, files, ha="center", va="top", family="monospace", fontsize=8.5, color="0.3")
    for x, said in ((centres[0], '"2026"'), (centres[-1], '"2026" ✓')):
        ax.text(x, 2.55, said, ha="center", va="center", family="monospace", fontsize=13)
    x = centres[1]
    ax.imshow(picture, extent=(x - 0.56, x + 0.56, 2.34, 2.76), zorder=3)
    _box(ax, x - 0.56, 2.34, 1.12, 0.42, "none", "0.6", zorder=4)
    for front, step in enumerate((0.14, 0.0, -0.14)):  # gray squares, one in front of the other
        left, bottom, layer = centres[2] - 0.36 + step, 2.19 + step, 3 + 2 * front
        extent = (left, left + 0.72, bottom, bottom + 0.72)
        ax.imshow(picture.convert("L"), cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", zorder=layer)
        _box(ax, left, bottom, 0.72, 0.72, "none", "0.6", zorder=layer + 1)
    for number, height in enumerate((0.9, 0.75, 0.6, 0.5, 0.4)):  # layers, as in drawings of AlexNet
        _box(ax, centres[3] - 0.46 + 0.2 * number, 2.55 - height / 2, 0.12, height, RIGHT, RIGHT)
    _badge(ax, 0.46, 4.35, "00")
    ax.text(0.46, 4.05, "start\nhere", ha="center", va="top", fontsize=10)
    steps = ("01", "generate\ncaptchas"), ("02", "write\nTFRecords"), ("03", "train\nAlexNet"), ("04", "predict")
    for left, (number, verb) in zip(centres, steps, strict=False):
        middle = left + 2.075 / 2
        arrow = {"arrowstyle": "-|>", "color": RIGHT, "linewidth": 2, "mutation_scale": 16}
        ax.annotate("", (left + 1.41, 2.55), (left + 0.66, 2.55), arrowprops=arrow)
        _badge(ax, middle, 4.35, number)
        ax.text(middle, 4.05, verb, ha="center", va="top", fontsize=10)
        ax.plot([middle, middle], [2.62, 3.5], color=RIGHT, linewidth=1, linestyle=":")
    ax.text(0.2, 0.95, "and then,\nin any order", va="top", fontsize=10, color="0.3")
    later = ("05", "better\nand faster"), ("06", "reading\nthe mistakes"), ("07", "autopsy\nof a tutorial")
    for left, (number, what) in zip((2.1, 4.8, 7.5), later, strict=True):
        _box(ax, left, 0.25, 2.2, 0.8, "white", RIGHT)
        _badge(ax, left + 0.4, 0.65, number)
        ax.text(left + 0.8, 0.65, what, va="center", fontsize=10)
    ax.set(xlim=(0, 10), ylim=(0, 5))


def _box(ax: Axes, left: float, bottom: float, width: float, height: float, face: str, edge: str, **style) -> None:
    corners = "round,pad=0,rounding_size=0.03"
    ax.add_patch(FancyBboxPatch((left, bottom), width, height, corners, facecolor=face, edgecolor=edge, **style))


def _badge(ax: Axes, x: float, y: float, number: str) -> None:
    """The number of a notebook on a disc."""
    ax.add_patch(Circle((x, y), 0.26, color=RIGHT))
    ax.text(x, y, number, ha="center", va="center_baseline", color="white", weight="bold")


# Notebooks 01 to 04


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
    losses.set(title="Loss", ylabel="mean cross-entropy", yscale="log")
    losses.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))

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
    figure, axes = plt.subplots(rows, columns, figsize=(10, 3.35 * rows), squeeze=False)
    figure.get_layout_engine().set(wspace=0.06)  # so that thick frames do not touch
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


def plot_recipes(names: Sequence[str], accuracies: Sequence[Sequence[float]], title: str) -> None:
    """One row for each recipe: a bar to the mean of its accuracies (0 to 1), and a dot for each seed."""
    means = [float(np.mean(values)) for values in accuracies]
    _, ax = plt.subplots(figsize=(9, 0.42 * len(names) + 1.2))
    ax.barh(names, means, color=RIGHT, height=0.6, alpha=0.35)
    for row, values in enumerate(accuracies):
        ax.plot(values, [row] * len(values), "o", color=RIGHT)
        ax.text(max(values) + 0.012, row, f"{means[row]:.1%}", va="center")
    ax.set(title=title, xlim=(0, 1.1))
    ax.set_xticks(np.linspace(0, 1, 6))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)


def plot_growth(counts: Sequence[int], accuracies: Sequence[Sequence[float]], title: str) -> None:
    """Accuracy (0 to 1) against the number of different training captchas, on a logarithmic scale."""
    _, ax = plt.subplots(figsize=(7, 3.6))
    ax.plot(counts, [np.mean(values) for values in accuracies], color=RIGHT)
    for count, values in zip(counts, accuracies, strict=True):
        ax.plot([count] * len(values), values, "o", color=RIGHT)
        ax.annotate(f"{np.mean(values):.1%}", (count, max(values)), (-4, 7), textcoords="offset points", ha="right")
    ax.set_xscale("log", base=2)
    ax.set_xticks(counts, [f"{count:,}" for count in counts])
    ax.minorticks_off()
    ax.set(title=title, xlabel="different training captchas", ylabel="fresh captchas read whole", ylim=(-0.03, 1.12))
    ax.set_yticks(np.linspace(0, 1, 6))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.margins(x=0.15)


def plot_speed(names: Sequence[str], measured: Sequence[float], limits: Sequence[float], unit: str) -> None:
    """What was measured, as bars, each with the most that the machine could do as a mark."""
    _, ax = plt.subplots(figsize=(9, 0.45 * len(names) + 1.2))
    ax.barh(names, measured, color=RIGHT, height=0.6, label="measured")
    ax.plot(limits, range(len(names)), "|", color=WRONG, markersize=22, markeredgewidth=3, label="limit")
    right = max([*measured, *limits])
    for row, (value, limit) in enumerate(zip(measured, limits, strict=True)):
        ax.text(
            max(value, limit) + 0.02 * right, row, f"{value:,.0f} of {limit:,.0f}, {value / limit:.0%}", va="center"
        )
    ax.set(title="Measured speed, and the most that the machine could do", xlabel=unit)
    ax.set_xlim(0, 1.35 * right)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper right")


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
    side = 0.45 / bins
    counts.bar(middles - side / 2, found.total, width=side, color=RIGHT, label="all")
    counts.bar(middles + side / 2, wrong, width=side, color=WRONG, hatch="//", edgecolor="white", label="wrong")
    for middle, total, errors in zip(middles, found.total, wrong, strict=True):
        said = f"{errors:,} of\n{total:,}"
        counts.annotate(said, (middle, max(total, 0.7)), (0, 2), textcoords="offset points", ha="center", fontsize=8)
    counts.set(title="Captchas in each bin (wrong of all)", xlabel="confidence", ylabel="captchas", yscale="log")
    counts.set_ylim(0.7, 5 * found.total.max())  # room for the numbers
    counts.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    counts.legend(fontsize=9, loc="upper left")
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


def plot_claims(scores: dict[str, dict[str, float]], classes: int = len(DIGITS)) -> None:
    """Two scores of one network side by side: what is claimed, and what is true, with chance drawn in.

    Args:
        scores: two of what `utils.training.evaluate` returns, each under a name; the second is hatched.
    """
    names = [name for name in next(iter(scores.values())) if name != "test_loss"]
    rows = np.arange(len(names))
    _, ax = plt.subplots(figsize=(8, 0.62 * len(names) + 1.3))
    for (label, score), at, color, hatch in zip(
        scores.items(), (rows - 0.2, rows + 0.2), (RIGHT, WRONG), ("", "///"), strict=True
    ):
        bars = ax.barh(
            at, [score[name] for name in names], 0.4, color=color, hatch=hatch, edgecolor="white", label=label
        )
        ax.bar_label(bars, fmt="{:.1%}", padding=4, fontsize=9.5)
    ax.axvline(1 / classes, color="0.4", linestyle="--", linewidth=1.5, label="chance of one digit")
    ax.set_yticks(rows, [name.removeprefix("test_").replace("whole", "whole captcha") for name in names])
    ax.set(title="One network, two scores", xlabel="accuracy", xlim=(0, 1.1))
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set_xticks(np.arange(0, 1.01, 0.2))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3, fontsize=9.5)


def plot_losses(losses: dict[str, Sequence[float]], classes: int = len(DIGITS)) -> None:
    """The loss of every step of each training, on a logarithmic scale, with chance drawn in."""
    _, ax = plt.subplots(figsize=(8, 3.4))
    for (label, values), color in zip(losses.items(), (WRONG, RIGHT, "black"), strict=False):
        ax.plot(range(1, len(values) + 1), values, color=color, linewidth=1.2, label=label)
    _chance(ax, np.log(classes), f"chance: ln {classes} = {np.log(classes):.2f}")
    ax.set(title="Loss of every step", xlabel="step", ylabel="mean cross-entropy", yscale="log")
    ax.yaxis.set_major_formatter(LogFormatter())
    ax.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))  # plain numbers, where there is room
    ax.legend(fontsize=9)
