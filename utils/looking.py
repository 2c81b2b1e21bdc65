"""Where in a picture each output looks, found by covering the picture piece by piece. Introduced in notebook 06."""

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


def cover(model: keras.Model, images: np.ndarray, digits: np.ndarray, height: int, width: int, stride: int) -> Looking:
    """Slide a patch of paper over each picture, and see how much less sure each output becomes of its digit.

    The method is occlusion, from Zeiler and Fergus, "Visualizing and understanding convolutional networks" (2014),
    who slid a gray patch. A copy of each picture for each position is held in memory.

    Args:
        images: uint8 array of shape (captchas, image_size, image_size, 1).
        digits: int array of shape (captchas, length), the digit that each output is asked for.
        height: of the patch, in pixels.
        width: of the patch, in pixels.
        stride: how far the patch moves, in pixels.
    """
    tops, lefts = (np.arange(0, images.shape[1] - side + 1, stride) for side in (height, width))
    paper = images.max(axis=(1, 2), keepdims=True)
    copies = np.repeat(images[:, None, None], len(tops), axis=1).repeat(len(lefts), axis=2)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            copies[:, row, column, top : top + height, left : left + width] = paper
    chances = probabilities(model, np.concatenate([images, copies.reshape(-1, *images.shape[1:])]))
    clear, covered = np.split(chances, [len(images)])
    covered = covered.reshape(*copies.shape[:3], *clear.shape[1:])
    before = np.take_along_axis(clear, digits[..., None], axis=-1)[:, None, None]
    after = np.take_along_axis(covered, digits[:, None, None, :, None], axis=-1)
    falls = np.moveaxis((before - after)[..., 0], -1, 1)
    return Looking(falls, tops + height / 2, lefts + width / 2)


def centres(looking: Looking, image_size: int) -> np.ndarray:
    """The middle of where each output looks, from 0 at the left edge to 1 at the right: shape (captchas, length).

    It is the mean column, weighted by the squares of the falls, so that deep ones count most; where the probability
    rises does not count. An output that looks nowhere has nan.
    """
    weights = (np.maximum(looking.falls, 0) ** 2).sum(axis=2)
    total = weights.sum(axis=-1)
    middle = (weights * looking.columns).sum(axis=-1) / image_size
    return np.divide(middle, total, out=np.full(total.shape, np.nan), where=total > 0)
