"""The figures of notebook 03, which shows how a network sees: pictures, filters, feature maps and layers.

They draw into a new pyplot figure and return nothing, so that a notebook shows each of them once.
"""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.patches import Rectangle

from utils.figures import RIGHT, WRONG

SIGNED = LinearSegmentedColormap.from_list("signed", [WRONG, "white", RIGHT])  # below zero, zero, above zero
ACROSS = 8  # maps or filters side by side


# Notebook 03


def show_map(ax: Axes, values: np.ndarray, title: str = "", most: float | None = None, numbers: str = "") -> None:
    """Draw a map of numbers without axes: zero is white, blue is above it, orange is below it.

    Args:
        most: the number of the strongest colour, by default the largest there is.
        numbers: a format such as ``".2f"`` to write each number into its square.
    """
    most = most or float(np.abs(values).max()) or 1.0
    ax.imshow(values, cmap=SIGNED, vmin=-most, vmax=most, interpolation="nearest")
    if numbers:
        for (row, column), value in np.ndenumerate(values):
            color = "white" if abs(value) > 0.85 * most else "black"
            ax.text(column, row, f"{value:{numbers}}", ha="center", va="center", color=color, fontsize=10)
    _bare(ax, title)


def plot_patch(raw: np.ndarray, seen: np.ndarray, down: int, right: int) -> None:
    """A captcha as it is, the same as the network sees it, and the numbers of one small square of it.

    Args:
        raw: gray picture, uint8 of shape (height, width).
        seen: the same picture scaled, float of shape (height, width).
        down, right: the upper left corner of the square.
    """
    side = 8  # of the square
    _, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), width_ratios=(1, 1, 1.15))
    axes[0].imshow(raw, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    _bare(axes[0], f"raw: {raw.min()} to {raw.max()}")
    axes[1].imshow(seen, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    _bare(axes[1], f"as the network sees it: {seen.min():.2f} to {seen.max():.2f}")
    for ax in axes[:2]:
        ax.add_patch(_frame(right, down, side))
    square = seen[down : down + side, right : right + side]
    axes[2].imshow(square, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    for (row, column), value in np.ndenumerate(square):
        said = f"{round(float(value), 1) + 0:.1f}"  # + 0: there is no minus zero
        axes[2].text(column, row, said, ha="center", va="center", color="white" if value < 0.2 else "black", fontsize=9)
    _bare(axes[2], "the marked square in numbers")
    for side_line in axes[2].spines.values():
        side_line.set(color=WRONG, linewidth=2)


def plot_product(patch: np.ndarray, weights: np.ndarray) -> None:
    """A patch, a filter, and what they give when each pixel is multiplied by the weight at its place."""
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.1))
    figure.get_layout_engine().set(wspace=0.2)
    axes[0].imshow(patch, cmap="gray", vmin=-1, vmax=1)
    for (row, column), value in np.ndenumerate(patch):
        color = "white" if value < 0.2 else "black"
        axes[0].text(column, row, f"{value:.3f}", ha="center", va="center", color=color)
    _bare(axes[0], "nine pixels")
    show_map(axes[1], weights, "times nine weights", numbers="g")
    show_map(axes[2], patch * weights, f"nine products, sum {np.sum(patch * weights):.3f}", numbers=".3f")
    for ax, sign in zip(axes, ("", "×", "="), strict=True):
        ax.text(-0.15, 0.5, sign, transform=ax.transAxes, ha="center", va="center", fontsize=20)


def plot_edges(seen: np.ndarray, edges: np.ndarray) -> None:
    """A captcha as the network sees it, and the map that a filter makes of it."""
    _, axes = plt.subplots(1, 2, figsize=(9, 4.5))
    axes[0].imshow(seen, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
    _bare(axes[0], f"the captcha, scaled, {_sides(seen)}")
    show_map(axes[1], edges, f"the filter's map, {_sides(edges)}")


def plot_maps(maps: Mapping[str, np.ndarray], columns: int = 3) -> None:
    """Some maps in a grid, each with its name and its size; zero is white in all of them."""
    rows = -(-len(maps) // columns)
    _, axes = plt.subplots(rows, columns, figsize=(10, 3.5 * rows), squeeze=False)
    for ax in axes.flat[len(maps) :]:
        ax.remove()
    for ax, (name, values) in zip(axes.flat, maps.items(), strict=False):
        show_map(ax, values, f"{name}, {_sides(values)}")


def plot_learnt_filter(filters: Mapping[str, np.ndarray], known: np.ndarray) -> None:
    """One filter at several moments of its training, and beside them the filter that it should become."""
    figure, axes = plt.subplots(1, len(filters) + 1, figsize=(11, 2.6))
    figure.get_layout_engine().set(wspace=0.06)
    most = float(np.abs(known).max()) * 1.2
    for ax, (name, values) in zip(axes, filters.items(), strict=False):
        show_map(ax, values, name, most, ".2f")
    show_map(axes[-1], known, "known filter", most, "g")
    for side in axes[-1].spines.values():
        side.set(color="black", linewidth=2)


def plot_alexnet(
    picture: np.ndarray, shapes: Mapping[str, tuple[int, ...]], weights: Mapping[str, int], work: Mapping[str, int]
) -> None:
    """The layers from left to right, and below each what it has to store and what it has to calculate.

    Each is a square as large as a feature map, with more squares behind it for more channels.

    Args:
        picture: what goes in, float of shape (height, width) in [-1, 1].
        shapes: of what each layer gives: (height, width, channels), or (units,).
        weights, work: numbers of weights and of multiplications of those layers that have any.
    """
    _, (ax, *below) = plt.subplots(3, 1, figsize=(11, 5.6), height_ratios=(3.1, 1, 1), sharex=True)
    high, wide = picture.shape
    ax.imshow(picture, cmap="gray", vmin=-1, vmax=1, extent=(0, wide, -high / 2, high / 2), aspect="auto", zorder=2)
    ax.add_patch(Rectangle((0, -high / 2), wide, high, fill=False, edgecolor="0.5", zorder=3))
    centres = {"picture": wide / 2}
    ax.text(wide / 2, -140, "picture", ha="center", weight="bold", fontsize=9.5)
    ax.text(wide / 2, -152, f"{high} x {wide}\n1 channel", **_BELOW)
    left = wide + 34.0
    for name, shape in shapes.items():
        side, across = shape[:2] if len(shape) == 3 else (min(shape[0], 512) / 4, 5)
        behind = round(shape[-1] / 64) if len(shape) == 3 else 1
        start = left + (76 - across - 4 * behind) / 2
        for copy in reversed(range(behind)):  # the front one last
            place = (start + 4 * copy, 4 * copy - side / 2)
            ax.add_patch(Rectangle(place, across, side, facecolor=_color(name), edgecolor="white", linewidth=0.7))
        centres[name] = left + 38
        said = f"{side} x {across}\n{shape[2]} ch." if len(shape) == 3 else f"{shape[0]}\nunits"
        ax.text(left + 38, -140, name, ha="center", weight="bold", color=_color(name), fontsize=9.5)
        ax.text(left + 38, -152, said, **_BELOW)
        left += 76
    ax.set(xlim=(-4, left), ylim=(-205, 116), aspect="equal")
    ax.axis("off")
    for bars, counts, title in zip(
        below, (weights, work), ("share of\nall weights", "share of\nall work"), strict=True
    ):
        for name, count in counts.items():
            share = count / sum(counts.values())
            bars.bar(centres[name], share, 44, color=_color(name))
            said = f"{share:.0%}" if share >= 0.005 else "< 0.5%"
            bars.text(centres[name], share + 0.02, said, ha="center", va="bottom", fontsize=9.5)
        bars.text(centres["picture"], 0, title, ha="center", va="bottom", weight="bold", fontsize=9.5)
        bars.set(ylim=(0, 0.65), xticks=[], yticks=[])
        bars.spines["left"].set_visible(False)
        bars.grid(False)


_BELOW = {"ha": "center", "va": "top", "fontsize": 9, "color": "0.3", "linespacing": 1.3}


def _color(name: str) -> str:
    """Of a layer with this name: convolutions, poolings and fully connected layers differ."""
    return RIGHT if name.startswith("conv") else "0.55" if name.startswith("pool") else WRONG


def plot_feature_maps(maps: Mapping[str, np.ndarray]) -> None:
    """One row for each layer: eight of its feature maps, each from its lowest to its highest number.

    Args:
        maps: for each layer, float array of shape (height, width, channels).
    """
    figure, axes = plt.subplots(len(maps), ACROSS, figsize=(10.5, 1.5 * len(maps)), squeeze=False)
    figure.get_layout_engine().set(wspace=0.03, hspace=0.04)
    channels = 0
    for row, (name, values) in zip(axes, maps.items(), strict=True):
        if values.shape[2] != channels:  # else the same ones again, so that pooling can be compared
            channels, chosen = values.shape[2], _different(values, ACROSS)
        for ax, channel in zip(row, chosen, strict=True):
            ax.imshow(values[..., channel], cmap="gray", interpolation="nearest")
            _bare(ax)
        row[0].set_ylabel(f"{name}\n{_sides(values)}", rotation=0, ha="right", va="center", fontsize=10)


def _different(maps: np.ndarray, count: int) -> list[int]:
    """The numbers of maps that vary much and are little alike: the one that varies most, then one after the other."""
    columns = maps.reshape(-1, maps.shape[2]).astype(float)
    spread = columns.std(axis=0)
    alike = np.abs(np.nan_to_num(np.corrcoef(columns + 1e-9 * np.arange(len(columns))[:, None], rowvar=False)))
    chosen = [int(spread.argmax())]
    while len(chosen) < min(count, len(spread)):
        score = spread * (1 - alike[chosen].max(axis=0))
        score[chosen] = -1
        chosen.append(int(score.argmax()))
    return chosen


def plot_fields(seen: np.ndarray, centre: tuple[int, int], fields: Mapping[str, int]) -> None:
    """On a captcha, the squares that units of several layers look at; all have the same centre (row, column)."""
    _, axes = plt.subplots(1, len(fields), figsize=(10.5, 3.8))
    for ax, (name, side) in zip(axes, fields.items(), strict=True):
        ax.imshow(seen, cmap="gray", vmin=-1, vmax=1, interpolation="nearest", alpha=0.35)
        top, left = (place - side // 2 for place in centre)
        inside = np.full(seen.shape, np.nan)
        rows, columns = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
        inside[rows, columns] = seen[rows, columns]
        ax.imshow(inside, cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        ax.add_patch(_frame(left, top, side))
        ax.set(xlim=(-0.5, seen.shape[1] - 0.5), ylim=(seen.shape[0] - 0.5, -0.5))
        _bare(ax, f"a number in {name}: {side} x {side} pixels")


def plot_filters(filters: Mapping[str, np.ndarray]) -> None:
    """Up to 64 filters of a first layer, at several moments or of several networks, each group in one square.

    Args:
        filters: for each title, float array of shape (side, side, 1, count). Each filter is shown from its darkest to
            its brightest number.
    """
    width = 10.5 / max(len(filters), 2)
    figure, axes = plt.subplots(1, len(filters), figsize=(width * len(filters), width + 0.2), squeeze=False)
    figure.get_layout_engine().set(wspace=0.08)
    for ax, (name, values) in zip(axes[0], filters.items(), strict=True):
        side, count = values.shape[0], min(values.shape[3], ACROSS**2)
        rows = -(-count // ACROSS)
        sheet = np.ones((rows * (side + 2) - 2, ACROSS * (side + 2) - 2))
        for number in range(count):
            one = values[:, :, 0, number]
            top, left = (place * (side + 2) for place in divmod(number, ACROSS))
            sheet[top : top + side, left : left + side] = (one - one.min()) / max(float(np.ptp(one)), 1e-9)
        ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        _bare(ax, name)
        for line in ax.spines.values():
            line.set(visible=False)


def _bare(ax: Axes, title: str = "") -> None:
    """No ticks and no grid, a thin frame, and a title."""
    ax.set_title(title, loc="left", fontsize=11)
    ax.set(xticks=[], yticks=[])
    ax.grid(False)
    for side in ax.spines.values():
        side.set(visible=True, color="0.8")


def _frame(left: float, top: float, side: float) -> Rectangle:
    return Rectangle((left - 0.5, top - 0.5), side, side, fill=False, edgecolor=WRONG, linewidth=2)


def _sides(values: np.ndarray) -> str:
    return f"{values.shape[0]} x {values.shape[1]}"
