"""Score what the network read: each place on its own, and the whole captcha."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


def right_places(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which characters were read right: bool array of shape (captchas, length) from two int arrays of that shape.

    Raises:
        ValueError: the two differ in shape, so that they cannot be of the same captchas.
    """
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.shape != labels.shape or labels.ndim != 2:
        raise ValueError(f"predictions of shape {predicted.shape} do not fit labels of shape {labels.shape}")
    return predicted == labels


def place_accuracies(predicted: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of captchas, 0 to 1, whose character at each place was read right: float array of shape (length,)."""
    return right_places(predicted, labels).mean(axis=0)


def whole_accuracy(predicted: np.ndarray, labels: np.ndarray) -> float:
    """The share of captchas, 0 to 1, of which *every* character was read right."""
    return float(right_places(predicted, labels).all(axis=1).mean())


def wilson_interval(right: int, total: int, z: float = 1.96) -> tuple[float, float]:
    """The interval, in [0, 1], that holds the true accuracy in 95 of 100 such tests, after ``right`` of ``total``.

    Unlike the textbook's plus-or-minus it stays inside [0, 1] and works near 100 % (Wilson 1927,
    "Probable inference, the law of succession, and statistical inference").

    Raises:
        ValueError: ``total`` is below 1, or ``right`` is not between 0 and ``total``.
    """
    if total < 1 or not 0 <= right <= total:
        raise ValueError(f"{right} of {total} is no score")
    share = right / total
    middle = share + z**2 / (2 * total)
    half = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    scale = 1 + z**2 / total
    low, high = (middle - half) / scale, (middle + half) / scale
    return max(0.0, min(low, share)), min(1.0, max(high, share))  # rounding must not leave `share` outside


def confusion_matrices(predicted: np.ndarray, labels: np.ndarray, classes: int = 10) -> np.ndarray:
    """How often each character was read as each, at each place, from two int arrays as in `right_places`.

    Returns:
        int array of shape (length, true, read).
    """
    right_places(predicted, labels)  # raises if they do not fit
    places = np.broadcast_to(np.arange(labels.shape[1]), labels.shape)
    counts = np.zeros((labels.shape[1], classes, classes), int)
    np.add.at(counts, (places, labels, predicted), 1)
    return counts


def confusions(matrix: np.ndarray) -> list[tuple[int, int, int]]:
    """What was misread as what, most frequent first: (true, read, how often).

    Args:
        matrix: int array of shape (true, read), one of `confusion_matrices` or their sum.
    """
    found = [(int(true), int(read), int(count)) for (true, read), count in np.ndenumerate(matrix) if true != read]
    return sorted((row for row in found if row[2]), key=lambda row: -row[2])


class Group(NamedTuple):
    """Captchas that have something in common: how many of them were read right, and how many there are."""

    name: str
    right: int
    total: int


def grouped(values: np.ndarray, right: np.ndarray, edges: Sequence[float], form: str = "{:.0%}") -> list[Group]:
    """Sort captchas into groups by a value that each has, and count.

    Args:
        values: float array of shape (captchas,).
        right: bool array of shape (captchas,).
        edges: rising; the groups are up to the first, above it and up to the second, ..., above the last. Empty ones
            are left out.
        form: how an edge is written.
    """
    member = np.searchsorted(edges, values, side="left")
    written = [form.format(edge) for edge in edges]
    first = f"up to {written[0]}" if edges[0] else written[0]  # nothing is below 0
    names = [first, *map("{} to {}".format, written, written[1:]), f"above {written[-1]}"]
    groups = [
        Group(name, int(right[member == row].sum()), int((member == row).sum())) for row, name in enumerate(names)
    ]
    return [group for group in groups if group.total]


class Calibration(NamedTuple):
    """For each bin of confidence: its mean confidence, how many are in it, how many of them right; and the error."""

    confidence: np.ndarray
    total: np.ndarray
    right: np.ndarray
    error: float


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> Calibration:
    """Compare confidence with correctness, in bins of equal width.

    The error is the expected calibration error of Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural
    networks" (2017): the distance between mean confidence and accuracy in a bin, averaged over all readings.

    Args:
        confidence: float array of shape (readings,), from 0 to 1.
        right: bool array of shape (readings,).

    Returns:
        Arrays of shape (bins,), in which the mean confidence of an empty bin is nan; the error is from 0 to 1.
    """
    member = np.minimum((confidence * bins).astype(int), bins - 1)
    total = np.bincount(member, minlength=bins)
    hits = np.bincount(member, weights=right, minlength=bins)
    sums = np.bincount(member, weights=confidence, minlength=bins)
    mean = np.divide(sums, total, out=np.full(bins, np.nan), where=total > 0)
    return Calibration(mean, total, hits.astype(int), float(np.abs(hits - sums).sum() / len(confidence)))


def refusing(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What is gained when the least sure captchas are refused.

    This trade is known as selective classification: El-Yaniv and Wiener, "On the foundations of noise-free selective
    classification" (2010).

    Args:
        confidence: float array of shape (captchas,).
        right: bool array of shape (captchas,).

    Returns:
        Two float arrays of shape (captchas,): the share that is answered, 1 / captchas and so on up to 1, surest
        first; and the share of those that is right.
    """
    order = np.argsort(-confidence, kind="stable")
    answered = np.arange(1, len(order) + 1)
    return answered / len(order), np.cumsum(right[order]) / answered
