"""The figures of the course, all in one style.

They draw into a new pyplot figure and return nothing, so that a notebook shows each of them once.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.patches import Circle, FancyBboxPatch, Rectangle
from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter
from matplotlib_inline.config import InlineBackend
from PIL import Image

from utils.captchas import DIGITS, draw_captcha
from utils.files import REPO

shell = get_ipython()
if shell is not None:
    inline = InlineBackend.instance(parent=shell)
    inline.shell = shell
    inline.figure_formats = {"retina"}  # twice as many pixels, for the screens of today
plt.rcdefaults()  # no matplotlibrc of this machine changes the figures
plt.style.use(REPO / "utils" / "course.mplstyle")

RIGHT, WRONG = "#0072B2", "#D55E00"
COLUMNS = 14  # characters side by side in a map of probabilities, so that their numbers can be read


# Notebook 00


def plot_course() -> None:
    """A map of the course: what becomes of a text, which notebook makes each step, and where the files are."""
    _, ax = plt.subplots(figsize=(10.5, 5.1))
    ax.axis("off")
    picture = draw_captcha("2026", 0)
    things = {  # what it is, where it stands, and where in the workspace
        "text": (1.05, ""),
        "captchas": (3.05, "workspace/\ncaptchas/\n2026.png"),
        "records": (5.05, "workspace/\nrecords/\ntrain.tfrecord\ntest.tfrecord"),
        "model": (8.05, "workspace/\nmodel/\nalexnet.keras"),
        "readings": (10.05, ""),
    }
    for name, (x, files) in things.items():
        _box(ax, x - 0.62, 2.0, 1.24, 1.2, "0.95", "0.6")
        ax.text(x, 3.28, name, ha="center", va="bottom", weight="bold")
        ax.text(x, 1.9, files, ha="center", va="top", family="monospace", fontsize=8.5, color="0.3")
    centres = [x for x, _ in things.values()]
    for x, said in ((centres[0], '"2026"'), (centres[-1], '"2026" ✓')):
        ax.text(x, 2.6, said, ha="center", va="center", family="monospace", fontsize=12.5)
    x = centres[1]
    ax.imshow(picture, extent=(x - 0.54, x + 0.54, 2.4, 2.8), zorder=3)
    _box(ax, x - 0.54, 2.4, 1.08, 0.4, "none", "0.6", zorder=4)
    for front, step in enumerate((0.14, 0.0, -0.14)):  # gray squares, one in front of the other
        left, bottom, layer = centres[2] - 0.36 + step, 2.24 + step, 3 + 2 * front
        extent = (left, left + 0.72, bottom, bottom + 0.72)
        ax.imshow(picture.convert("L"), cmap="gray", vmin=0, vmax=255, extent=extent, aspect="auto", zorder=layer)
        _box(ax, left, bottom, 0.72, 0.72, "none", "0.6", zorder=layer + 1)
    for number, height in enumerate((0.9, 0.75, 0.6, 0.5, 0.4)):  # layers, as in drawings of AlexNet
        _box(ax, centres[3] - 0.46 + 0.2 * number, 2.6 - height / 2, 0.12, height, RIGHT, RIGHT)
    for left, right in itertools.pairwise(centres):
        arrow = {"arrowstyle": "-|>", "color": RIGHT, "linewidth": 2, "mutation_scale": 16}
        ax.annotate("", (right - 0.64, 2.6), (left + 0.64, 2.6), arrowprops=arrow)
    steps = (
        ("00", 0.5, "start\nhere", False),
        ("01", 2.05, "generate\ncaptchas", True),
        ("02", 4.05, "write\nTFRecords", True),
        ("03", 5.2, "how a\nnetwork sees", False),
        ("04", 6.25, "how it\nlearns", False),
        ("05", 7.1, "train\nAlexNet", True),
        ("06", 9.05, "predict", True),
    )
    for number, x, what, makes in steps:
        _badge(ax, x, 4.6, number, makes)
        ax.text(x, 4.28, what, ha="center", va="top", fontsize=10)
        if makes:
            ax.plot([x, x], [3.74, 2.68], color=RIGHT, linewidth=1.2, linestyle=":")
    ax.text(0.25, 0.94, "then, in\nany order", va="top", fontsize=10, color="0.3")
    later = (
        ("07", "better\nand faster"),
        ("08", "reading\nthe mistakes"),
        ("09", "autopsy\nof a tutorial"),
        ("10", "your own\nalphabet"),
        ("11", "more\nmachines"),
    )
    for left, (number, what) in zip((1.75, 3.55, 5.45, 7.35, 9.15), later, strict=True):
        _badge(ax, left + 0.26, 0.7, number, False)
        ax.text(left + 0.66, 0.7, what, va="center", fontsize=10)
    _badge(ax, 0.4, 1.6, "", True, 0.13)
    ax.text(0.65, 1.6, "makes something", va="center", fontsize=9, color="0.3")
    _badge(ax, 0.4, 1.25, "", False, 0.13)
    ax.text(0.65, 1.25, "explains", va="center", fontsize=9, color="0.3")
    ax.set(xlim=(0.1, 10.8), ylim=(0.25, 5.0), aspect="equal")


def _box(ax: Axes, left: float, bottom: float, width: float, height: float, face: str, edge: str, **style) -> None:
    corners = "round,pad=0,rounding_size=0.03"
    ax.add_patch(FancyBboxPatch((left, bottom), width, height, corners, facecolor=face, edgecolor=edge, **style))


def _badge(ax: Axes, x: float, y: float, number: str, filled: bool, radius: float = 0.26) -> None:
    """The number of a notebook on a disc, or in a ring."""
    ax.add_patch(Circle((x, y), radius, facecolor=RIGHT if filled else "white", edgecolor=RIGHT, linewidth=1.5))
    color = "white" if filled else RIGHT
    ax.text(x, y, number, ha="center", va="center_baseline", color=color, weight="bold")


# Notebook 01


def show_picture(ax: Axes, picture: Image.Image | np.ndarray, title: str = "") -> None:
    """Draw one picture without axes: gray from 0 to 255 if it has one channel, else in its own colours."""
    pixels = np.squeeze(np.asarray(picture))
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    ax.set_title(title, loc="center", family="monospace", parse_math=False)  # a $ is a character like others
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
    size = (width, rows * (width / columns * min(high / wide, 4) + 0.35))  # a taller picture is drawn narrower
    _, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for ax in axes.flat[len(pictures) :]:
        ax.remove()
    for ax, picture, title in zip(axes.flat, pictures, titles, strict=False):
        show_picture(ax, picture, title)


def plot_places(texts: Sequence[str], chars: str = DIGITS) -> None:
    """How often each character stands at each place, as bars, with the number that is expected as a dashed line."""
    places = list(zip(*texts, strict=True))
    expected = len(texts) / len(chars)
    beside = len(chars) * len(places) <= 60  # else below each other, so that the characters can be read
    grid, size = ((1, len(places)), (10, 2.5)) if beside else ((len(places), 1), (10, 1.9 * len(places)))
    _, axes = plt.subplots(*grid, figsize=size, sharey=True, squeeze=False)
    for number, (ax, place) in enumerate(zip(axes.flat, places, strict=True)):
        ax.bar(range(len(chars)), [place.count(char) for char in chars], color=RIGHT, width=0.75)
        ax.axhline(expected, color="black", linestyle="--", linewidth=1.5)
        ax.set_xticks(range(len(chars)), list(chars))
        ax.set(title=f"place {number}", xlabel="digit" if chars == DIGITS else "character")
        ax.grid(axis="x", visible=False)
    for ax in axes[:, 0]:
        ax.set(ylabel="captchas", ylim=(0, max(1.35 * expected, 1.1 * max(map(_most_frequent, places)))))
    axes[0, 0].text(-0.5, 1.3 * expected, f"dashed: {expected:,.0f}", va="top", fontsize=9)


def _most_frequent(place: Sequence[str]) -> int:
    """How often the most frequent character stands at a place."""
    return Counter(place).most_common(1)[0][1]


# Notebook 02


def plot_example(image: np.ndarray, labels: Sequence[int]) -> None:
    """An Example drawn as a box with a compartment for each of its features.

    Args:
        image: uint8 array of shape (height, width).
    """
    _, ax = plt.subplots(figsize=(9, 3.3))
    ax.axis("off")
    width = 2.7 + 1.35 * len(labels)
    _box(ax, 0, 0, width, 3.0, "#F3EBDD", "0.45", linewidth=1.5)
    ax.text(0.25, 2.68, "one Example", va="center", weight="bold")
    names = ["image", *(f"label{place}" for place in range(len(labels)))]
    kinds = [f"bytes: {image.size:,}", *["integer"] * len(labels)]
    lefts = [0.25, *(2.65 + 1.35 * place for place in range(len(labels)))]
    for name, kind, left, wide in zip(names, kinds, lefts, [2.2] + [1.15] * len(labels), strict=True):
        _box(ax, left, 0.2, wide, 2.2, "white", "0.6")
        ax.text(left + wide / 2, 2.2, name, ha="center", va="center", family="monospace", weight="bold", fontsize=10.5)
        ax.text(left + wide / 2, 0.38, kind, ha="center", va="center", fontsize=9, color="0.35")
    high = 1.45
    wide = min(high * image.shape[1] / image.shape[0], 2.1)
    extent = (1.35 - wide / 2, 1.35 + wide / 2, 0.55, 0.55 + high)
    ax.imshow(image, cmap="gray", vmin=0, vmax=255, extent=extent, zorder=3)
    for left, label in zip(lefts[1:], labels, strict=True):
        ax.text(left + 0.575, 1.28, f"{label}", ha="center", va="center", fontsize=30, color=RIGHT)
    ax.set(xlim=(-0.05, width + 0.05), ylim=(-0.05, 3.05), aspect="equal")


def plot_split(train: int, validation: int, test: int) -> None:
    """The sets of captchas as one bar, each part with its size and what it is for."""
    total = train + validation + test
    parts = {
        "training set": (train, RIGHT, "white", "the network learns from these"),
        "validation set": (validation, "#E69F00", "black", "you choose with these"),
        "test set": (test, "0.25", "white", "you measure with these, at the end"),
    }
    _, ax = plt.subplots(figsize=(9, 1.7))
    ax.axis("off")
    left = 0.0
    for place, (name, (count, color, ink, purpose)) in enumerate(parts.items()):
        share = count / total
        ax.add_patch(Rectangle((left, 0), share, 1, facecolor=color, edgecolor="white", linewidth=2))
        if share > 0.08:
            style = {"ha": "center", "va": "center", "weight": "bold", "fontsize": 13}
            ax.text(left + share / 2, 0.5, f"{count:,}", color=ink, **style)
        x = (0.005, 0.36, 0.71)[place]
        ax.add_patch(Rectangle((x, -0.78), 0.014, 0.36, facecolor=color))
        ax.text(x + 0.022, -0.6, f"{name}: {count:,}", va="center", weight="bold", fontsize=10.5)
        ax.text(x + 0.022, -1.12, purpose, va="center", fontsize=9.5, color="0.3")
        left += share
    ax.set(xlim=(0, 1), ylim=(-1.35, 1.05))


# Notebooks 05 and 06


def show_gallery(rows: dict[str, dict[float, np.ndarray]]) -> None:
    """A row of gray pictures for each kind of change, all equally long, with its strength above each picture."""
    columns = len(next(iter(rows.values())))
    _, axes = plt.subplots(len(rows), columns, figsize=(7.6, 1.62 * len(rows)), squeeze=False)
    for line, (name, row) in zip(axes, rows.items(), strict=True):
        for ax, (strength, picture) in zip(line, row.items(), strict=True):
            show_picture(ax, picture)
            ax.set_title(f"{strength:g}", loc="center", fontsize=10, pad=3)
        line[0].set_ylabel(name, fontsize=12, weight="bold")


def plot_layers(names: Sequence[str], weights: Sequence[int], work: Sequence[int]) -> None:
    """Two bars for each layer: its weights, and the multiplications that it does for one picture, both in millions."""
    _, axes = plt.subplots(1, 2, figsize=(10, 0.32 * len(names) + 1.1), sharey=True)
    for ax, counts, title in zip(axes, (weights, work), ("Weights", "Multiplications for one picture"), strict=True):
        millions = np.array(counts) / 1e6
        ax.barh(names, millions, color=[RIGHT if name.startswith("conv") else "0.55" for name in names])
        for row, value in enumerate(millions):
            ax.annotate(f"{value:,.2f}", (value, row), (4, 0), textcoords="offset points", va="center", fontsize=9)
        ax.set(title=title, xlabel="millions", xlim=(0, 1.18 * millions.max()))
        ax.grid(axis="y", visible=False)
    axes[0].invert_yaxis()


def plot_history(history: Sequence[dict[str, float]], captchas: int) -> None:
    """Error of each output and error of the whole captcha after every epoch, on logarithmic axes.

    Args:
        history: as `utils.checkpoints.read_history` returns it; its names say which set the captchas are of.
        captchas: how many captchas were read after each epoch. An epoch without errors is drawn at half of one.
    """
    epochs = np.arange(1, len(history) + 1)
    of = "validation" if "validation_loss" in history[0] else "test"
    places = [name for name in history[0] if name.startswith(f"{of}_digit_")]
    _, (each, whole) = plt.subplots(1, 2, figsize=(9, 4), sharey=True)
    for place, (marker, name) in enumerate(zip(itertools.cycle("osD^v*P"), places, strict=False)):
        errors = [_error(epoch[name], captchas) for epoch in history]
        each.plot(epochs, errors, marker=marker, markersize=6, label=f"place {place}")
    each.set(title=f"Each output, {of} set", ylabel="read wrong")
    each.legend(fontsize=10.5)
    whole.plot(epochs, [_error(epoch[f"{of}_whole"], captchas) for epoch in history], marker="o", color="black")
    whole.set(title=f"Whole captcha, {of} set")
    lowest = min(_error(epoch[name], captchas) for epoch in history for name in [*places, f"{of}_whole"])
    for ax in (each, whole):
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        percent_on_a_log_axis(ax, lowest)
        ax.set_xlabel("epoch", fontsize=12.5)
        ax.tick_params(labelsize=11.5, labelleft=True)
    each.yaxis.label.set_fontsize(12.5)


def _error(accuracy: float, captchas: int) -> float:
    """The error rate; where there is no error, half of one captcha, so that a logarithmic axis can show it."""
    return max(1 - accuracy, 0.5 / captchas)


def losses_on_a_log_axis(ax: Axes, losses: Sequence[float]) -> None:
    """A logarithmic axis that holds these losses, with plain numbers."""
    low, high = 0.8 * min(losses), 1.3 * max(losses)
    for factors in ((1, 2, 5), (1, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8)):  # the second where the range is narrow
        ticks = [factor * 10.0**power for power in range(-6, 4) for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) > 2:
            break
    ax.set_yscale("log")
    ax.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(low, high)


def percent_on_a_log_axis(ax: Axes, lowest: float) -> None:
    """A logarithmic axis of error rates from ``lowest`` to 100 %, with plain numbers."""
    ticks = [tick for tick in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if tick >= 0.7 * lowest]
    ax.set_yscale("log")
    ax.set_yticks(ticks, [f"{tick:.1%}" if tick < 0.01 else f"{tick:.0%}" for tick in ticks])
    ax.yaxis.set_minor_locator(NullLocator())
    ax.set_ylim(0.7 * lowest, 1.25)


def mark_chance(ax: Axes, level: float, label: str, until: float = 1.0) -> None:
    """Draw the level of guessing as a dashed line, from the left to ``until``, a share of the width."""
    ax.axhline(level, xmax=until, color="0.4", linestyle="--", linewidth=1.5, label=label)


def plot_accuracies(places: Sequence[float], whole: float, interval: tuple[float, float], captchas: int) -> None:
    """How often each output and the whole captcha are *wrong*: near 100 % a difference shows in the errors only.

    Args:
        places: the accuracy of each output, 0 to 1.
        whole: the share of captchas that are read whole.
        interval: the 95 % interval of ``whole``, from `utils.scores.wilson_interval`.
    """
    names = [f"place {place}" for place in range(len(places))] + ["whole captcha"]
    errors = [1 - value for value in [*places, whole]]
    low, high = 1 - interval[1], 1 - interval[0]
    _, ax = plt.subplots(figsize=(8, 0.45 * len(names) + 1.3))
    ax.barh(names, errors, color=[RIGHT] * len(places) + ["0.35"], height=0.65)
    ax.errorbar(
        errors[-1], len(places), xerr=[[errors[-1] - low], [high - errors[-1]]], color=WRONG, capsize=6, elinewidth=2.5
    )
    said = [f"{error:.1%}" for error in errors]
    said[-1] += f"\n({low:.1%} to {high:.1%})"
    for row, (words, end) in enumerate(zip(said, [*errors[:-1], high], strict=True)):
        ax.annotate(words, (end, row), (8, 0), textcoords="offset points", va="center", weight="bold", fontsize=10)
    ax.set(title=f"Errors on {captchas:,} test captchas", xlabel="read wrong", xlim=(0, 1.25 * high))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=1 if high < 0.1 else 0))
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)


def show_predictions(
    images: np.ndarray, texts: Sequence[str], chances: np.ndarray, chars: str = DIGITS, columns: int = 4
) -> None:
    """Each gray picture with what was read above it; below, the confidence in each character, and the truth.

    A wrong reading has a cross and a thick dashed frame. A wrong character stands in a box of its own.

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
        texts: what the captchas say.
        chances: float array of shape (captchas, length, classes), from `utils.model.probabilities`.
    """
    rows = -(-len(images) // columns)
    known = ["".join(chars[label] for label in chance.argmax(axis=-1)) for chance in chances]
    high = 3.6 if any(read != text for read, text in zip(known, texts, strict=True)) else 3.3  # the truth needs a line
    figure, axes = plt.subplots(rows, columns, figsize=(10, high * rows), squeeze=False)
    figure.get_layout_engine().set(wspace=0.06, hspace=0.04)  # so that thick frames do not touch
    for ax in axes.flat[len(images) :]:
        ax.remove()
    for ax, image, text, read, chance in zip(axes.flat, images, texts, known, chances, strict=False):
        right = read == text
        mark, color, line = ("✓", RIGHT, "-") if right else ("✗", WRONG, (0, (3, 1.5)))
        show_picture(ax, image)
        for side in ax.spines.values():
            side.set(color=color, linewidth=2 if right else 4, linestyle=line, capstyle="butt")
        ax.set_title(f"{mark} read", loc="left", color=color, fontsize=10.5, weight="bold", pad=10)
        wide, large = 0.7 / len(read), min(14, 70 / len(read))  # so that long texts fit
        for place, (char, true, share) in enumerate(zip(read, text, chance.max(axis=-1), strict=True)):
            at = {"transform": ax.transAxes, "ha": "center", "family": "monospace"}
            x, same = 0.29 + wide * (place + 0.5), char == true
            box = {} if same else {"bbox": {"facecolor": "white", "edgecolor": WRONG, "pad": 1.5, "linewidth": 2}}
            ax.annotate(
                char, (x, 1), (0, 10), xycoords="axes fraction", textcoords="offset points", ha="center",
                family="monospace", fontsize=large, weight="bold",
                color=color if right else "black" if same else WRONG, **box,
            )  # fmt: skip
            ax.text(x, -0.04, f"{share:.0%}", fontsize=min(9, 40 / len(read)), va="top", **at)
            if not right:
                ax.text(x, -0.13, true, fontsize=min(12, large), weight="normal" if same else "bold", va="top", **at)
        left = {"transform": ax.transAxes, "fontsize": 9, "va": "top"}
        ax.text(0, -0.04, "sure", **left)
        if not right:
            ax.text(0, -0.135, "true", **left)


def show_reading(pictures: dict[str, np.ndarray], chance: np.ndarray, chars: str = DIGITS) -> None:
    """Some pictures of one captcha under their titles, and the probability of each character at each place as a map.

    Args:
        pictures: gray or coloured pictures, 0 to 255, under what they are.
        chance: float array of shape (length, classes), from `utils.model.probabilities`.
    """
    wides = [max(1.25, np.asarray(picture).shape[1] / np.asarray(picture).shape[0]) for picture in pictures.values()]
    _, axes = plt.subplots(
        1, len(pictures) + 1, figsize=(11, 3.1), gridspec_kw={"width_ratios": [*wides, 2.3]}, squeeze=False
    )
    for ax, (title, picture) in zip(axes.flat, pictures.items(), strict=False):
        show_picture(ax, picture)
        ax.set_title(title, loc="center", fontsize=10.5, family="sans-serif", parse_math=False)
    plot_chances(axes.flat[-1], chance, chars)


def plot_chances(ax: Axes, chance: np.ndarray, chars: str = DIGITS) -> None:
    """The probabilities of all characters at all places as a map, in per cent; the highest of each place is framed.

    Of a large alphabet only the likeliest characters are shown.
    """
    shown = np.arange(chance.shape[1])
    if len(shown) > COLUMNS:
        rank = chance.max(axis=0)
        rank[chance.argmax(axis=-1)] += 1  # those that are read, in any case
        shown = np.sort(np.argsort(-rank, kind="stable")[:COLUMNS])
    title = "probability of each digit, in %" if chars == DIGITS else "probability of each character, in %"
    if len(shown) < len(chars):
        title = f"the {len(shown)} likeliest characters, in %"
    chance = chance[:, shown]
    ax.imshow(chance, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (place, label), share in np.ndenumerate(chance):
        said = f"{100 * share:.0f}" if share >= 0.005 else "·"
        color = "white" if share > 0.5 else "black" if share >= 0.005 else "0.6"
        ax.text(label, place, said, ha="center", va="center", fontsize=9.5, color=color)
    for place, label in enumerate(chance.argmax(axis=-1)):
        ax.add_patch(Rectangle((label - 0.5, place - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=2))
    ax.set_xticks(range(len(shown)), [chars[label] for label in shown])
    ax.set_yticks(range(len(chance)), [f"place {place}" for place in range(len(chance))])
    ax.set_title(title, loc="center", fontsize=10.5)
    ax.set_xlabel("character")
    ax.grid(False)
