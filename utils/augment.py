"""Augmentation: change training pictures at random, in ways that leave their labels true. Taught in notebook 05."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from utils.quiet import tf


def affine(
    seed: tf.Tensor, batch: tf.Tensor, size: tuple[int, int], shift: float, scale: float, shear: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """For each pixel of a moved, stretched and slanted picture, the place in the old picture that it is taken from.

    Without shift, the middle stays where it is. See `augment` for the strengths.

    Returns:
        Columns and rows, float32 tensors of shape (batch, height, width).
    """
    height, width = size
    tall = height / width  # 1 for square pictures; others are slanted and moved in proportion
    spread = tf.stack([scale, shear / tall, shift * width / 224, shear * tall, scale, shift * height / 224])
    a0, a1, a2, b0, b1, b2 = tf.unstack(
        spread[:, None, None, None] * tf.random.stateless_uniform([6, batch, 1, 1], seed, -1.0, 1.0)
    )
    x, y = tf.range(width, dtype=tf.float32)[None, None, :], tf.range(height, dtype=tf.float32)[None, :, None]
    from_middle_x, from_middle_y = x - (width - 1) / 2, y - (height - 1) / 2
    taken_x = x + a0 * from_middle_x + a1 * from_middle_y + a2
    taken_y = y + b0 * from_middle_x + b1 * from_middle_y + b2
    return taken_x, taken_y


def toned(images: tf.Tensor, seed: tf.Tensor, tone: float) -> tf.Tensor:
    """Make pale ink paler or darker; black and the paper stay as they are. See `augment` for the strength.

    Args:
        images: float32 tensor of shape (batch, height, width), in [0, 255].
    """
    exponent = tf.exp(tf.random.stateless_uniform([tf.shape(images)[0], 1, 1], seed, -tone, tone / 2))
    paper = tf.reduce_max(images, axis=[1, 2], keepdims=True)
    return paper - paper * tf.pow(1 - images / paper, exponent)


@tf.function(jit_compile=True)  # XLA joins some forty operations to one walk over the pixels
def augment(
    images: tf.Tensor,
    seed: tf.Tensor,
    shift: float = 12.0,
    scale: float = 0.1,
    shear: float = 0.1,
    bend: float = 0.0,
    tone: float = 0.0,
) -> tf.Tensor:
    """Move, stretch, slant and bend each picture a little, and change its ink, differently each time it is seen.

    Args:
        images: uint8 tensor of shape (batch, height, width, 1).
        seed: int64 tensor of shape (2,); the same seed changes the pictures in the same way.
        shift: largest move in each direction, in pixels of a picture 224 wide, and in proportion in others.
        scale: largest change of width and of height, as a share of one.
        shear: largest slant, as a share of the height or width.
        bend: how far strokes are bent sideways on average, in pixels as for ``shift``; up and down it is in proportion
            to how much taller the pictures are stretched than captchas are drawn. Neighbouring strokes are bent alike.
        tone: how much the ink changes: darkness gets an exponent from exp(-tone), darker, to exp(tone / 2), paler.

    Returns:
        float32 tensor of the shape of ``images``, in [0, 255]; the edge is continued outwards.
    """
    seeds = tf.random.split(seed, 3)
    batch, size = tf.shape(images)[0], images.shape[1:3]
    x, y = affine(seeds[0], batch, size, shift, scale, shear)
    across, down = waves(seeds[1], batch, size, bend)
    moved = resampled(tf.cast(images[..., 0], tf.float32), x + across, y + down)
    if tone:
        moved = toned(moved, seeds[2], tone)
    return moved[..., None]


def only_first(
    steps: int, change: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """A function that changes pictures in the first steps of a training, and then leaves them as they are.

    He and others, "Data augmentation revisited: rethinking the distribution gap between clean and augmented data"
    (2019), end a training with less augmentation; here its end has none.

    Args:
        steps: how many steps, counted from the first one of the training; with 0 or less, nothing is changed.
        change: a function of uint8 pictures of shape (batch, height, width, 1) and an int64 seed of shape (2,), such as
            `augment`. The second number of the seed is that of the step, counted from 0.

    Returns:
        A function of the same two, which gives float32 pictures of the same shape, in [0, 255].
    """

    def changed(images: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        now, plain = (lambda: tf.cast(change(images, seed), tf.float32)), (lambda: tf.cast(images, tf.float32))
        return tf.cond(seed[1] < steps, now, plain)

    return changed


def waves(seed: tf.Tensor, batch: tf.Tensor, size: tuple[int, int], bend: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Smooth random fields, two for each picture: how far each pixel is moved across and down. Sums of cosine waves.

    With three waves down and seven across, what is bent together is about as wide as one character.

    Returns:
        Two float32 tensors of shape (batch, height, width).
    """
    height, width = size
    down, across = (
        np.cos(np.pi * np.arange(count)[:, None] * (np.arange(pixels) + 0.5) / pixels).astype("float32")
        for count, pixels in ((3, height), (7, width))
    )
    sigma = bend * width / 224
    heights = tf.random.stateless_normal([2, batch, 3, 7], seed) * sigma / np.sqrt((down**2).mean(1).sum() * 4)
    fields = tf.linalg.matmul(down, heights @ across, transpose_a=True)
    return fields[0], 2 * height / width * fields[1]


def resampled(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """The pictures, float32 of shape (batch, height, width), at other places: each is between four pixels."""
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    x, y = tf.clip_by_value(x, 0.0, width - 1.0), tf.clip_by_value(y, 0.0, height - 1.0)
    left = tf.minimum(tf.cast(x, tf.int32), width - 2)
    top = tf.minimum(tf.cast(y, tf.int32), height - 2)
    right_share, lower_share = x - tf.cast(left, tf.float32), y - tf.cast(top, tf.float32)
    place = tf.range(batch)[:, None, None] * (height * width) + top * width + left
    pixels = tf.reshape(images, [-1])
    upper, upper_right, lower, lower_right = (tf.gather(pixels, place + i) for i in (0, 1, width, width + 1))
    above = upper + right_share * (upper_right - upper)
    below = lower + right_share * (lower_right - lower)
    return above + lower_share * (below - above)
