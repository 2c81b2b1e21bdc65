"""Score what the network read: each place on its own, and the whole captcha. Introduced in notebook 03."""

from __future__ import annotations

import math

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
