"""The figures of notebook 04: scores, probabilities and losses, descent, learning rates, activations, three sets.

They draw into a new pyplot figure and return nothing, so that a notebook shows each of them once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from matplotlib.ticker import PercentFormatter

from utils.captchas import DIGITS
from utils.figures import RIGHT, WRONG, mark_chance, show_picture

PLAIN = "0.7"
HALO = withStroke(linewidth=3, foreground="white")  # around a number that stands on a line


def plot_logits(image: np.ndarray, logits: np.ndarray, chances: np.ndarray, label: int, place: int) -> None:
    """One captcha, the logits of one of its places, and the probabilities that softmax makes of them.

    Args:
        image: uint8 array of shape (height, width, 1).
        logits: of shape (classes,), as ``chances``.
        label: the true digit; its bars have another colour.
    """
    _, (left, middle, right) = plt.subplots(1, 3, figsize=(11, 3.2), width_ratios=[1, 1.7, 1.7])
    show_picture(left, image, f"place {place} holds {label}")
    for ax, values, form in ((middle, logits, ".1f"), (right, chances, ".2f")):
        colors = [RIGHT if digit == label else PLAIN for digit in range(len(values))]
        bars = ax.bar(range(len(values)), values, color=colors)
        said = [f"{value:{form}}".replace("-", "−") for value in values]  # a minus as on the axis
        ax.bar_label(bars, said, padding=2, fontsize=10)
        ax.axhline(0, color="0.3", linewidth=1)
        ax.set_xticks(range(len(values)))
        ax.set_xlabel("digit (blue: the true one)")
        ax.grid(axis="x", visible=False)
        ax.margins(y=0.12)
    middle.set_title(f"{len(logits)} logits: any numbers")
    right.set_title(f"Softmax: {len(chances)} probabilities")


def plot_minus_log(points: Mapping[str, float]) -> None:
    """The curve of minus the natural logarithm of a probability, with named points on it."""
    _, ax = plt.subplots(figsize=(7.5, 3.4))
    chances = np.linspace(0.004, 1, 400)
    ax.plot(chances, -np.log(chances), color="0.4")
    for (name, chance), color in zip(points.items(), (RIGHT, WRONG, "#009E73"), strict=False):
        loss = -np.log(chance)
        ax.plot(chance, loss, "o", color=color, markersize=9)
        said = f"{name}: p = {chance:.2f}, loss {loss:.2f}"
        side = "right" if chance > 0.5 else "left"
        ax.annotate(
            said, (chance, loss), (-4 if side == "right" else 10, 8), textcoords="offset points", ha=side, color=color,
            weight="bold",
        )  # fmt: skip
    ax.grid(False)  # its lines would run through the names
    ax.set(
        title="The loss is minus the logarithm of the true character's probability",
        xlabel="probability p of the true character",
    )
    ax.set(ylabel="loss, −ln p", xlim=(0, 1.02), ylim=(-0.15, 5.6))


def plot_descent(loss: Callable[[np.ndarray], np.ndarray], paths: Mapping[str, Sequence[float]]) -> None:
    """One panel for each path: the curve of the loss, and the places of one weight on it, numbered step by step.

    A number that would stand on another one is left out.
    """
    _, axes = plt.subplots(1, len(paths), figsize=(11, 3.5), sharey=True, squeeze=False)
    every = np.array([place for path in paths.values() for place in path])
    weights = np.linspace(every.min() - 0.7, every.max() + 0.7, 300)
    top = float(max(loss(weights)))
    scale = np.array([230 / np.ptp(weights), 180 / top])  # points on the paper, about
    for ax, (title, path) in zip(axes.flat, paths.items(), strict=True):
        path = np.array(path)
        ax.plot(weights, loss(weights), color="0.6")
        ax.plot(path, loss(path), "o-", color=RIGHT, linewidth=1.2, markersize=6)
        spots = np.column_stack([path, loss(path)]) * scale
        labelled: list[int] = []
        for number in (0, len(path) - 1, *range(1, len(path) - 1)):
            if all(np.hypot(*(spots[number] - spots[other])) > 16 for other in labelled):
                labelled.append(number)
                back = path[number] - path[number - 1] if number else path[0] - path[1]
                side = 9 if back > 0 else -9  # away from the point before
                ax.annotate(
                    f"{number}", (path[number], loss(path[number])), (side, 2), textcoords="offset points",
                    ha="left" if side > 0 else "right", color=RIGHT, weight="bold", path_effects=[HALO],
                )  # fmt: skip
        ax.set(title=title, xlabel="weight w", ylim=(-0.05 * top, 1.05 * top))
    axes.flat[0].set_ylabel("loss")


def plot_probability_maps(maps: Mapping[str, np.ndarray], text: str, chars: str = DIGITS) -> None:
    """All probabilities of one captcha at several moments; the true character of each place has a frame.

    Args:
        maps: titles, and arrays of shape (length, classes).
        text: what the captcha says.
    """
    _, axes = plt.subplots(1, len(maps), figsize=(12, 1.0 + 0.4 * len(text)), sharey=True, squeeze=False)
    few = len(chars) <= 12  # of more characters, the numbers would not fit into the squares
    for ax, (title, chances) in zip(axes.flat, maps.items(), strict=True):
        ax.imshow(chances, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for (place, char), chance in np.ndenumerate(chances) if few else ():
            color = "white" if chance > 0.5 else "black"
            ax.text(char, place, f"{100 * chance:.0f}", ha="center", va="center", fontsize=8.5, color=color)
        for place, char in enumerate(text):
            left = chars.index(char) - 0.5
            ax.add_patch(Rectangle((left, place - 0.5), 1, 1, fill=False, edgecolor=WRONG, linewidth=2.5))
        ax.set(title=f"{title}, in %" if few else title, xlabel="character")
        ax.set_xticks(range(len(chars)), list(chars), fontsize=None if few else 6)
        ax.set_yticks(range(len(text)), [f"place {place}" for place in range(len(text))])
        ax.grid(False)


def _mark_guessing(ax: Axes, classes: int, until: float = 1.0) -> None:
    """Draw the loss of a network that gives every character the same probability."""
    mark_chance(ax, np.log(classes), f"guessing: ln {classes} = {np.log(classes):.2f}", until)


def running_mean(values: Sequence[float], width: int = 10) -> np.ndarray:
    """The mean of each value and those before it, at most ``width`` in all."""
    sums = np.cumsum(np.insert(np.asarray(values, float), 0, 0.0))
    ends = np.arange(1, len(sums))
    starts = np.maximum(ends - width, 0)
    return (sums[ends] - sums[starts]) / (ends - starts)


def plot_learning(curves: Mapping[str, Sequence[float]], title: str, classes: int = len(DIGITS)) -> None:
    """The loss of every step as a thin line, and the mean of the last ten steps as a thick one; chance is dashed."""
    _, ax = plt.subplots(figsize=(8, 3.4))
    for number, (name, losses) in enumerate(curves.items()):
        color = f"C{number}"  # of the style: a learner may add a third curve, and more
        steps = np.arange(1, len(losses) + 1)
        ax.plot(steps, losses, color=color, linewidth=0.8, alpha=0.5)
        ax.plot(steps, running_mean(losses), color=color, label=name)
    _mark_guessing(ax, classes)
    highest = max(max(losses) for losses in curves.values())
    ax.set(title=title, xlabel="step", ylabel="loss", ylim=(0, min(highest, np.log(classes) + 1.2) * 1.08))
    ax.legend(loc="lower left")


def plot_sweep(rates: Sequence[float], losses: Sequence[float], steps: int, classes: int = len(DIGITS)) -> None:
    """The loss after some steps against the learning rate, on a logarithmic axis; the lowest is marked."""
    best = int(np.argmin(losses))
    _, ax = plt.subplots(figsize=(8, 3.6))
    _mark_guessing(ax, classes)
    ax.plot(rates, losses, "o-", color=RIGHT)
    ax.plot(rates[best], losses[best], "o", color=WRONG, markersize=11)
    ax.annotate(
        f"lowest: {losses[best]:.2f} at {rates[best]:g}", (rates[best], losses[best]), (0, -18),
        textcoords="offset points", ha="center", color=WRONG, weight="bold",
    )  # fmt: skip
    low, high = min(losses), max(*losses, np.log(classes))
    ax.set(title=f"Loss after {steps} steps, for each learning rate", xlabel="learning rate", ylabel="loss")
    ax.set(xscale="log", ylim=(low - 0.2 * (high - low) - 0.05, high + 0.1 * (high - low)))
    ax.set_xticks(rates, [f"{rate:.6f}".rstrip("0") for rate in rates])
    ax.minorticks_off()
    ax.legend(loc="lower left")


def plot_activations(kinds: Mapping[str, Mapping[str, np.ndarray]]) -> None:
    """Histograms of how the activations of each layer differ from captcha to captcha, one row for each network.

    Args:
        kinds: name of the network, and for each of its layers the differences, as an array of any shape.
    """
    layers = list(next(iter(kinds.values())))
    figure, axes = plt.subplots(len(kinds), len(layers), figsize=(12, 2.1 * len(kinds)), sharey=True, squeeze=False)
    figure.get_layout_engine().set(wspace=0.02, hspace=0.06)
    for row, (kind, differences) in enumerate(kinds.items()):
        color = (WRONG, RIGHT)[row % 2]
        reach = 3 * max(values.std() for values in differences.values())
        for ax, layer in zip(axes[row], layers, strict=True):
            values = differences[layer]
            counts, edges = np.histogram(values, bins=41, range=(-reach, reach))
            ax.stairs(counts / counts.max(), edges, fill=True, color=color)
            ax.set(title=f"{layer}: {_two_digits(values.std())}", xlim=(-reach, reach), yticks=[])
            ax.tick_params(labelsize=10)
            ax.grid(False)
        axes[row, 0].set_ylabel(fill(kind, 16), fontsize=11)
    figure.supxlabel("difference from the mean of all captchas", fontsize=11)


def _two_digits(value: float) -> str:
    """A number with two digits from the first that is not zero, and without an exponent."""
    return f"{Decimal(f'{value:.1e}'):f}"


def plot_parting(
    steps: Sequence[int], curves: Mapping[str, Sequence[float]], title: str, classes: int = len(DIGITS)
) -> None:
    """The loss on two sets of captchas while a network trains, with the distance between their ends."""
    _, ax = plt.subplots(figsize=(8, 3.6))
    for (name, losses), color, marker in zip(curves.items(), (RIGHT, "#E69F00"), "os", strict=False):
        ax.plot(steps, losses, marker=marker, color=color)
        ax.annotate(
            f"{name} {losses[-1]:.2f}", (steps[-1], losses[-1]), (9, 0), textcoords="offset points", va="center",
            color=color, weight="bold",
        )  # fmt: skip
    room = 1.3  # on the right, for the names
    _mark_guessing(ax, classes, 1 / room)
    ax.set(title=title, xlabel="step", ylabel="loss")
    ax.set(xlim=(0, steps[-1] * room), ylim=(-0.1, None))
    ax.set_xticks([tick for tick in ax.get_xticks() if tick <= steps[-1]])
    ax.legend(loc="lower left")


def plot_three_sets(counts: Mapping[str, int]) -> None:
    """A bar of the three sets, as long as they have captchas, and below each what it decides."""
    decides = {
        "training": ("decides the weights:", "the steps lower the loss on it"),
        "validation": ("decides settings:", "rate, steps,", "kind of network"),
        "test": ("decides nothing:", "it measures the", "final network, once"),
    }
    _, ax = plt.subplots(figsize=(10, 2.2))
    total, left = sum(counts.values()), 0.0
    for (name, count), color in zip(counts.items(), (RIGHT, "#E69F00", "0.25"), strict=False):
        share, ink = count / total, "black" if name == "validation" else "white"
        ax.barh(0, share, left=left, color=color, height=0.8, edgecolor="white", linewidth=3)
        said = {"ha": "center", "va": "center", "weight": "bold"}
        ax.text(left + share / 2, 0, f"{name}\n{count:,}", color=ink, **said)
        first, *rest = decides[name]
        ax.text(left + share / 2, -0.55, first, ha="center", va="top", weight="bold", fontsize=10.5)
        ax.text(left + share / 2, -0.83, "\n".join(rest), ha="center", va="top", fontsize=10)
        left += share
    ax.set(xlim=(0, 1), ylim=(-1.4, 0.45), xticks=[], yticks=[])
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)


def plot_best_of(first: Sequence[float], second: Sequence[float], truth: float) -> None:
    """Recipes that are equally good, measured on one set; the best of them is measured again on another."""
    best = int(np.argmax(first))
    _, ax = plt.subplots(figsize=(8, 3.4))
    numbers = np.arange(1, len(first) + 1)
    ax.axhline(truth, color="0.4", linestyle="--", linewidth=1.5, label=f"truth for all: {truth:.0%}")
    ax.plot(numbers, first, "o", color=PLAIN, markersize=8, label="measured on the set that chooses")
    ax.plot(numbers[best], first[best], "o", color=WRONG, markersize=10, label="the best one, chosen")
    ax.plot(numbers[best], second[best], "s", color=RIGHT, markersize=10, label="the same one on new captchas")
    arrow = {"arrowstyle": "->", "color": "0.3", "shrinkA": 8, "shrinkB": 8}
    ax.annotate("", (numbers[best], second[best]), (numbers[best], first[best]), arrowprops=arrow)
    ax.set(title="Twenty equally good recipes", xlabel="recipe", ylabel="captchas read whole")
    ax.set_xticks(numbers[::2])
    ax.margins(y=0.15)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="x", visible=False)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=9.5)
