"""The figures of notebooks 07 to 09: error rates, growth, speed, confusions, calibration, where outputs look, claims.

They draw into a new pyplot figure and return nothing, so that a notebook shows each of them once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, to_rgb
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator, PercentFormatter

from utils.captchas import DIGITS
from utils.figures import RIGHT, WRONG, mark_chance, show_picture
from utils.files import write_aside
from utils.scores import Calibration, Group, wilson_interval

if TYPE_CHECKING:  # one needs TensorFlow
    from matplotlib.axes import Axes

    from utils.looking import Looking
    from utils.results import Place

PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # behind a number that a line may cross
LOWEST = 1e-4  # an error rate of zero has no place on a logarithmic scale: it is drawn here


def save_picture(path: Path, dpi: int) -> None:
    """Write the figure that was drawn last to a PNG file, the same bytes for the same figure, and close it."""
    with write_aside(path) as part:
        plt.savefig(part, format="png", dpi=dpi, metadata={"Software": None})
    plt.close()


# Notebook 07


def _percent_ticks(axis: Axis) -> None:
    """A logarithmic axis of shares with readable ticks, such as 1 %, 2 %, 5 %, 10 %: more of them on a short axis."""
    low, high = axis.get_view_interval()
    steps = (1, 1.5, *range(2, 10)) if high / low < 4 else (1, 2, 3, 5, 7) if high / low < 25 else (1, 2, 5)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%" if share <= 1 else ""))
    axis.set_minor_locator(NullLocator())


def plot_error_rates(
    names: Sequence[str],
    errors: Sequence[Sequence[tuple[float, float, float]]],
    title: str,
    chance: tuple[float, str] | None = None,
) -> None:
    """One row for each recipe: a dot for the error rate of each seed, with its 95 % interval, on a logarithmic scale.

    Args:
        errors: for each recipe, and for each seed: error rate and the two ends of its interval, each from 0 to 1.
        chance: the error rate of guessing, and a label for its line; not drawn by default.
    """
    _, ax = plt.subplots(figsize=(9, 0.5 * len(names) + 1.2))
    for row, runs in enumerate(errors):
        rates = np.maximum(np.array(runs, float), LOWEST)
        places = row + 0.13 * (np.arange(len(rates)) - (len(rates) - 1) / 2)
        middle, low, high = rates.T
        ax.errorbar(middle, places, xerr=[middle - low, high - middle], fmt="o", color=RIGHT, markersize=6, capsize=3)
        said = f"{middle.mean():.1%}" if middle.mean() > 0.05 else f"{middle.mean():.2%}"
        room = 1.4 * high.max() < 1  # on its right; nothing is above 100 %
        place, beside, side = (high.max(), 8, "left") if room else (low.min(), -8, "right")
        ax.annotate(said, (place, row), (beside, 0), textcoords="offset points", va="center", ha=side, bbox=PAPER)
    if chance:
        ax.axvline(chance[0], color="0.4", linestyle="--", linewidth=1.5, label=chance[1], zorder=1)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.25), fontsize=9.5)
    ax.set(title=title, xscale="log", xlabel="error rate (left is better)", ylim=(len(names) - 0.5, -0.5))
    ax.set_yticks(range(len(names)), names)
    low, high = ax.get_xlim()
    ax.set_xlim(low / (1.05 if high * 1.4 < 1 else 1.2), min(high * 1.4, 1.02))  # room for the numbers
    _percent_ticks(ax.xaxis)
    ax.grid(axis="y", visible=False)


def plot_field(places: Sequence[Place]) -> None:
    """Every recipe and every network of other people: error rate against work of the training, both logarithmic.

    Networks whose training is not known, such as a package that comes trained, are a dashed line.

    Args:
        places: from `utils.results.field`.
    """
    _, ax = plt.subplots(figsize=(10, 6))
    ax.set(xscale="log", yscale="log", xlabel="work of the training in TFLOP (left is cheaper)")
    ax.set(ylabel="fresh captchas misread (lower is better)", title="What a training costs, and what it gives")
    for ours, color, marker, label in ((True, RIGHT, "o", "recipes of this course"), (False, WRONG, "s", "others")):
        some = [place for place in places if place.ours == ours and place.tflop]
        for place in some:
            bars = [[place.error - place.low], [place.high - place.error]]
            ax.errorbar(place.tflop, place.error, bars, fmt=marker, color=color, markersize=8, capsize=4)
        if some:
            ax.plot([], [], marker, color=color, label=label)
    costs = [place.tflop for place in places if place.tflop] or [1.0]
    ax.set_xlim(min(costs) / 3, max(costs) * 2)
    ax.set_ylim(min([place.low for place in places] or [0.5]) / 1.3, 1.1)
    for place in places:
        if not place.tflop:
            ax.axhline(place.error, color=WRONG, linestyle="--", linewidth=1.5)
    _label_apart(ax, places)
    low, high = ax.get_xlim()
    ax.set_xticks([cost for cost in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if low < cost < high])
    ax.xaxis.set_major_formatter(FuncFormatter(lambda cost, _: f"{cost:,.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    _percent_ticks(ax.yaxis)
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(loc="upper right")


def _label_apart(ax: Axes, places: Sequence[Place]) -> None:
    """Write beside each point what it is, and over no other label or point: ours on the right, others on the left.

    Where there is no room on its side, a label goes to the other one, or a little up or down.

    Lengths are shares of the width and of the height of the picture, from the lower left corner.
    """
    to_shares = ax.transData + ax.transAxes.inverted()
    ends = [to_shares.transform((place.tflop or ax.get_xlim()[1], place.error)) for place in places]
    taken = [(x - 0.01, x + 0.01, y) for x, y in ends]  # left and right end, and middle height
    for place, (x, y) in sorted(zip(places, ends, strict=True), key=lambda pair: -pair[0].error):
        said = f"{place.name}, {place.error:.1%}" if place.error > 0.05 else f"{place.name}, {place.error:.2%}"
        said += "" if place.tflop else ", as it comes"
        width = 0.0095 * len(said)
        on_right = x - 0.012 - width < 0.01 or (bool(place.tflop) and place.ours)  # on the left it would cover the axis
        sides = {True: x + 0.012, False: x - 0.012 - width}  # its left end, on the right and on the left
        starts = {side: sides[side] for side in (on_right, not on_right) if sides[side] > 0.01}
        above = 0 if place.tflop else 0.025  # its line
        spots = (
            (side, left, y + above + step * 0.005)
            for number in range(200)
            for side, left in starts.items()
            for step in (-number, number)
        )
        on_right, left, height = next(
            (side, left, height)
            for side, left, height in spots
            if not any(left < end and begin < left + width and abs(height - at) < 0.042 for begin, end, at in taken)
        )
        taken.append((left, left + width, height))
        ax.text(
            left if on_right else left + width, height, said, color=RIGHT if place.ours else WRONG, fontsize=10,
            ha="left" if on_right else "right", va="center", bbox=PAPER, transform=ax.transAxes, zorder=1.9,
        )  # fmt: skip


def plot_growth(
    counts: Sequence[int],
    errors: Sequence[Sequence[tuple[float, float, float]]],
    title: str,
    apart: tuple[int, Sequence[tuple[float, float, float]], str] | None = None,
) -> None:
    """Error rate against the number of different training captchas, both on logarithmic scales.

    Args:
        errors: for each count, as in `plot_error_rates`.
        apart: count, errors and label of a point that does not belong to the line, because more than one thing differs.
    """
    _, ax = plt.subplots(figsize=(8, 4))
    ax.plot(counts, [np.mean([run[0] for run in runs]) for runs in errors], color=RIGHT, label="with augmentation")
    points = [(count, runs, RIGHT, "o") for count, runs in zip(counts, errors, strict=True)]
    points += [(apart[0], apart[1], WRONG, "s")] if apart else []
    for count, runs, color, marker in points:
        middle, low, high = np.array(runs, float).T
        ax.errorbar([count] * len(middle), middle, [middle - low, high - middle], fmt=marker, color=color, capsize=3)
        beside = (10, 2) if marker == "o" else (-10, -4)
        ax.annotate(
            f"{middle.mean():.1%}", (count, middle.mean()), beside, textcoords="offset points",
            ha="left" if marker == "o" else "right", color=color,
        )  # fmt: skip
    if apart:
        ax.plot([], [], "s", color=WRONG, label=apart[2])
    every = sorted({count for count, *_ in points})
    ax.set(xscale="log", yscale="log", title=title, xlabel="different training captchas", ylabel="error rate")
    ax.set_xticks(every, [f"{count:,}" for count in every])
    ax.xaxis.set_minor_locator(NullLocator())
    _percent_ticks(ax.yaxis)
    ax.margins(x=0.12, y=0.12)
    ax.legend(fontsize=9.5, loc="lower left")


def plot_sizes(speeds: dict[str, Sequence[float]], memory: dict[str, Sequence[float]], counts: Sequence[int]) -> None:
    """How fast data sets of several sizes are made and fed, and how much memory that takes: two panels, a line a work.

    Args:
        speeds: for each work, captchas a second for each of ``counts``.
        memory: for each work, the peak memory in MB for each of ``counts``.
    """
    _, axes = plt.subplots(1, 2, figsize=(10, 3.8))
    for ax, found in zip(axes, (speeds, memory), strict=True):
        for (name, values), color, marker in zip(found.items(), (RIGHT, "0.35", WRONG), "os^", strict=False):
            ax.plot(counts, values, marker=marker, color=color)
            ax.annotate(name, (counts[-1], values[-1]), (0, 8), textcoords="offset points", ha="center", color=color)
        ax.set(xscale="log", xlabel="captchas in the data set")
        ax.set_xticks(counts, [f"{count:,}" for count in counts])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
        ax.margins(x=0.1, y=0.12)
        ax.set_ylim(0, None)
    axes[0].set(title="Speed", ylabel="captchas a second")
    axes[1].set(title="Memory at its highest", ylabel="MB")


def plot_times(times: dict[str, dict[str, float]]) -> None:
    """Seconds of the same work done in different ways: a panel for each work, a bar for each way.

    Args:
        times: for each work, the seconds of each way.
    """
    _, axes = plt.subplots(1, len(times), figsize=(9, 1.9), squeeze=False)
    for ax, (work, ways) in zip(axes.flat, times.items(), strict=True):
        values = [1000 * seconds for seconds in ways.values()]
        bars = ax.barh(list(ways), values, color=["0.6", RIGHT], height=0.6)
        ax.bar_label(bars, fmt="{:.1f} ms", padding=4)
        ax.set(title=work, xlabel="milliseconds", xlim=(0, 1.3 * max(values)))
        ax.invert_yaxis()
        ax.grid(axis="y", visible=False)


def plot_speed(names: Sequence[str], measured: Sequence[float], limits: Sequence[float], unit: str) -> None:
    """What was measured, as bars, each with the most that the machine could do as a mark."""
    _, ax = plt.subplots(figsize=(9, 0.45 * len(names) + 1.2))
    ax.barh(names, measured, color=RIGHT, height=0.6, label="measured")
    ax.plot(limits, range(len(names)), "|", color=WRONG, markersize=22, markeredgewidth=3, label="limit")
    right = max([*measured, *limits])
    for row, (value, limit) in enumerate(zip(measured, limits, strict=True)):
        digits = 1 if min(value, limit) < 100 else 0
        said = f"{value:,.{digits}f} of {limit:,.{digits}f}, {value / limit:.0%}"
        ax.text(max(value, limit) + 0.02 * right, row, said, va="center")
    ax.set(title="Measured speed, and the most that the machine could do", xlabel=unit)
    ax.set_xlim(0, 1.35 * right)
    ax.invert_yaxis()
    ax.grid(axis="y", visible=False)
    ax.legend(loc="upper right", markerscale=0.5)


# Notebook 08


def plot_confusions(matrices: np.ndarray, chars: str = DIGITS) -> None:
    """One confusion matrix for each place; right readings are gray numbers, so that the colours belong to the errors.

    Args:
        matrices: int array of shape (length, true, read), from `utils.scores.confusion_matrices`.
    """
    wrong = matrices * (1 - np.eye(len(chars), dtype=int))
    small = min(1, max(14 / len(chars), 0.45))  # of a large alphabet, so that the numbers do not run together
    rows = -(-len(matrices) // 2)
    _, axes = plt.subplots(rows, 2, figsize=(10, 4.6 * rows), squeeze=False)
    for ax in axes.flat[len(matrices) :]:
        ax.remove()
    for place, ax in enumerate(axes.flat[: len(matrices)]):
        ax.imshow(wrong[place], cmap="Oranges", vmin=0, vmax=max(wrong.max(), 1))
        for (true, read), count in np.ndenumerate(matrices[place]):
            if count:
                size, color = (9, "0.35") if true == read else (11, "white" if count > wrong.max() * 0.6 else "black")
                ax.text(read, true, f"{count}", ha="center", va="center", fontsize=size * small, color=color)
        ax.set(title=f"place {place}: {wrong[place].sum()} wrong", xlabel="read", ylabel="true")
        ax.set_xticks(range(len(chars)), list(chars), fontsize=11 * small)
        ax.set_yticks(range(len(chars)), list(chars), fontsize=11 * small)
        ax.grid(False)


def plot_groups(groups: dict[str, Sequence[Group]]) -> None:
    """The error rate of each group of captchas with its 95 % interval; one panel for each way of grouping.

    Args:
        groups: what the captchas are grouped by, and the groups, from `utils.scores.grouped`.
    """
    _, axes = plt.subplots(1, len(groups), figsize=(11, 3.6), sharey=True, squeeze=False)
    for ax, (title, found) in zip(axes.flat, groups.items(), strict=True):
        wrong = [group.total - group.right for group in found]
        shares = np.array([errors / group.total for errors, group in zip(wrong, found, strict=True)])
        intervals = np.array([wilson_interval(errors, group.total) for errors, group in zip(wrong, found, strict=True)])
        ax.errorbar(
            range(len(found)), shares, np.abs(intervals.T - shares), fmt="o", color=RIGHT, capsize=5, markersize=8
        )
        ax.set_xticks(range(len(found)), [f"{group.name}\n({group.total:,})" for group in found])
        ax.set(title=f"By {title}", xlabel=f"{title} (number of captchas)", xlim=(-0.5, len(found) - 0.5))
        ax.tick_params(axis="x", labelsize=9)
        ax.yaxis.set_major_formatter(PercentFormatter(1))
    top = axes.flat[0].get_ylim()[1]  # last, since all panels share it
    axes.flat[0].set(ylabel="misread", ylim=(-0.04 * top, top))  # a dot at 0 is shown whole


def plot_calibration(found: Calibration) -> None:
    """Accuracy against confidence, with the diagonal of a calibrated model; below each bin, how many are in it."""
    bins = len(found.total)
    _, ax = plt.subplots(figsize=(9, 4.2))
    ax.plot([0, 1], [0, 1], color="0.4", linestyle="--", linewidth=1.5, label="calibrated")
    there = np.flatnonzero(found.total)
    shares = found.right[there] / found.total[there]
    intervals = np.array([wilson_interval(found.right[row], found.total[row]) for row in there])
    bars = np.abs(intervals.T - shares)
    ax.errorbar(found.confidence[there], shares, bars, fmt="o", color=RIGHT, capsize=4, markersize=7, label="network")
    borders = np.arange(bins + 1) / bins
    ax.set_xticks(borders, [f"{border:.0%}" for border in borders])
    ax.set_xticks(borders[:-1] + 0.5 / bins, [f"({total:,})" for total in found.total], minor=True, fontsize=9.5)
    ax.tick_params(axis="x", which="minor", length=0, pad=20)
    ax.set(title="Is it right as often as it is confident?", xlabel="confidence (in each bin: number of captchas)")
    ax.set(ylabel="read whole", xlim=(0, 1.02), ylim=(-0.03, 1.03))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend(fontsize=9.5, loc="upper left")


def plot_refusing(answered: np.ndarray, accuracy: np.ndarray) -> None:
    """Error rate of the answers against the share that is refused, up to 30 %, from `utils.scores.refusing`."""
    most = 0.3
    shown = answered >= 1 - most
    _, ax = plt.subplots(figsize=(8, 3.2))
    ax.plot(1 - answered[shown], 1 - accuracy[shown], color=RIGHT)
    ax.set(title="Refuse the least confident captchas", xlabel="share of the captchas that is refused")
    ax.set(ylabel="misread, of those answered", ylim=(0, None), xlim=(0, most))
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.yaxis.set_major_formatter(PercentFormatter(1))


def show_looking(image: np.ndarray, falls: np.ndarray, looking: Looking, text: str) -> None:
    """The same gray picture for each output, tinted where the output looks.

    Args:
        image: uint8 array of shape (height, width, 1).
        falls: float array of shape (length, rows, columns): the part of ``looking.falls`` that belongs to the picture.
        looking: from `utils.looking.cover`.
        text: the characters that were asked for.
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
        ax.set_title(f"place {place}, read {text[place]}", loc="center", fontsize=11)
    bar = plt.colorbar(drawn, ax=axes, shrink=0.8, label="fall of probability")
    bar.ax.yaxis.set_major_formatter(PercentFormatter(1))


def plot_centres(digits: np.ndarray, looking: np.ndarray) -> None:
    """Where each output looks against where its character is; on the dashed line the two are the same.

    Args:
        digits: float array of shape (captchas, length), the columns of the characters from 0 to 1, from `utils.ink`.
        looking: float array of that shape, the columns where the outputs look, from `utils.looking.centres`.
    """
    _, ax = plt.subplots(figsize=(5.4, 4.6))
    ax.plot([0, 1], [0, 1], color="0.4", linestyle="--", linewidth=1.5)
    for place, marker in zip(range(digits.shape[1]), itertools.cycle("osD^v*P"), strict=False):
        label = f"place {place}"
        ax.plot(digits[:, place], looking[:, place], marker, markersize=5, alpha=0.6, label=label)
    ax.set(
        title="Does output k look at character k?",
        xlabel="where the character is, share of the width",
        ylabel="where the output looks, share of the width",
    )
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.legend(fontsize=9)


# Notebook 09


def plot_claims(scores: dict[str, dict[str, float]]) -> None:
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
        ax.bar_label(bars, fmt="{:.1%}", padding=4, fontsize=9.5, bbox=PAPER)
    ax.axvline(1 / len(DIGITS), color="0.4", linestyle="--", linewidth=1.5, label="chance of one digit", zorder=1)
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
    for (label, values), color, line in zip(
        losses.items(), (WRONG, RIGHT, "black"), ("-", (0, (6, 1)), ":"), strict=False
    ):
        ax.plot(range(1, len(values) + 1), values, color=color, linestyle=line, linewidth=1.2, label=label)
    mark_chance(ax, np.log(classes), f"chance: ln {classes} = {np.log(classes):.2f}")
    ax.set(title="Loss of every step", xlabel="step", ylabel="mean cross-entropy", yscale="log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.legend(fontsize=9)
