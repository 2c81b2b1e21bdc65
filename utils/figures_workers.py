"""The figures of notebook 11: what more workers bring, here and elsewhere, and how a buffer shuffles."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullLocator, StrMethodFormatter

from utils.figures import RIGHT, WRONG

DOTS = 2000  # about so many in a panel
TOGETHER = {"sharey": True, "squeeze": False, "layout": "constrained"}


def plot_speed_ups(
    panels: Mapping[str, Mapping[str, np.ndarray]], workers: np.ndarray, measured: tuple[int, float] | None = None
) -> None:
    """How many times as fast several workers are: one panel for each network, one line for each connection.

    Args:
        panels: for each title, and for each label of a line, the speed-ups, an array as long as ``workers``.
        workers: numbers of workers, rising from 1.
        measured: number of workers and speed-up that were measured on this machine, for the first panel.
    """
    styles = ["-", "--", ":", "-."]
    figure, axes = plt.subplots(1, len(panels), figsize=(3.6 * len(panels), 3.9), **TOGETHER)
    for ax, (title, lines) in zip(axes[0], panels.items(), strict=True):
        ax.plot(workers, workers, color="0.75", linewidth=1, label="ideal")
        for style, (label, speed_ups) in zip(styles, lines.items(), strict=False):
            said = f"predicted, {label}" if measured and ax is axes[0, 0] else label
            ax.plot(workers, speed_ups, style, color=RIGHT, label=said)
        ax.set(title=title, xlabel="workers", xscale="log", yscale="log")
        ax.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
        ax.set_yticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_minor_locator(NullLocator())
        ax.set_ylim(0.5, 90)
    if measured:
        axes[0, 0].plot(*measured, "o", color=WRONG, markersize=8, label="measured here")
    for ax in axes[0]:
        ax.legend(loc="upper left", fontsize=9.5)
    axes[0, 0].set_ylabel("times as fast as one worker")
    figure.get_layout_engine().set(wspace=0.04)
    plt.show()


def plot_shuffles(orders: Mapping[int, np.ndarray]) -> None:
    """Where each record stands after shuffling: a dot for each, one panel for each size of the buffer.

    Args:
        orders: for each size of the buffer, the places before, in the order after: int arrays of one length.
    """
    figure, axes = plt.subplots(1, len(orders), figsize=(3.6 * len(orders), 3.6), **TOGETHER)
    for ax, (buffer, order) in zip(axes[0], orders.items(), strict=True):
        after = np.arange(0, len(order), max(1, len(order) // DOTS))
        ax.plot(order[after], after, ".", color=RIGHT, markersize=2)
        ax.set(title=f"A buffer of {buffer:,} records", xlabel="place before")
        ax.set_xticks([0, len(order) // 2, len(order)], ["0", f"{len(order) // 2:,}", f"{len(order):,}"])
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.grid(False)
    axes[0, 0].set_ylabel("place after shuffling")
    figure.get_layout_engine().set(wspace=0.04)
    plt.show()
