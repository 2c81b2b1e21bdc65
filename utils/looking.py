"""Where in a picture each output looks, found by covering the picture piece by piece."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from utils.model import keras, probabilities


class Looking(NamedTuple):
    """What `cover` found.

    ``falls``: float array of shape (captchas, length, rows, columns), by how much each output's probability of its
    digit falls when the patch lies there. ``rows`` and ``columns``: the middles of the patch, in pixels.
    """

    falls: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def chance_of(model: keras.Model, images: np.ndarray, digits: np.ndarray) -> np.ndarray:
    """The probability that each output gives to its digit: float array of shape (captchas, length).

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
        digits: int array of shape (captchas, length), the digit that each output is asked for.
    """
    return np.take_along_axis(probabilities(model, images), digits[..., None], axis=-1)[..., 0]


def cover(model: keras.Model, images: np.ndarray, digits: np.ndarray, height: int, width: int, stride: int) -> Looking:
    """Slide a patch of paper over each picture, and note how far each output's probability of its digit falls.

    The method is occlusion, from Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014),
    who slid a gray patch.

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
        digits: int array of shape (captchas, length), the digit that each output is asked for.
        height: of the patch, in pixels.
        width: of the patch, in pixels.
        stride: how far the patch moves, in pixels.
    """
    tops = np.arange(0, images.shape[1] - height + 1, stride)
    lefts = np.arange(0, images.shape[2] - width + 1, stride)
    paper = images.max(axis=(1, 2), keepdims=True)
    before = chance_of(model, images, digits)
    falls = np.zeros((*digits.shape, len(tops), len(lefts)))
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            covered = images.copy()
            covered[:, top : top + height, left : left + width] = paper
            falls[:, :, row, column] = before - chance_of(model, covered, digits)
    return Looking(falls, tops + height / 2, lefts + width / 2)


def centres(looking: Looking, width: int) -> np.ndarray:
    """The middle of where each output looks, from 0 at the left edge to 1 at the right: shape (captchas, length).

    It is the mean column, weighted by the squares of the falls, so that deep ones count most; where the probability
    rises does not count. An output that looks nowhere has nan.

    Args:
        width: of the pictures, in pixels.
    """
    weights = (np.maximum(looking.falls, 0) ** 2).sum(axis=2)
    total = weights.sum(axis=-1)
    middle = (weights * looking.columns).sum(axis=-1) / width
    return np.divide(middle, total, out=np.full(total.shape, np.nan), where=total > 0)
