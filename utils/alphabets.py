"""Other characters than digits: captchas in memory, new outputs for a trained network, pairs that look alike.

Taught in notebook 10. The network with one output for each column is in `utils.columns`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from utils.captchas import DIGITS, draw_texts
from utils.fast import keras
from utils.files import REPO, require, shown
from utils.fresh import drawn
from utils.model import alexnet, load_compact, scaled
from utils.progress import Progress
from utils.quiet import tf

CAPITALS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
ALPHANUMERIC = DIGITS + CAPITALS
LETTERS = REPO / "models" / "letters.npz"  # a network for these 36 characters, made by benchmarks.letters
SIZE, STRIDES = (96, 160), (4, 2)  # of its pictures, and of its first filters
# Characters of the same shape in the package's font: the painter stretches each to the height of the line, so that
# their size is lost; and 0, which is only a little narrower than O.
ALIKE = ("0Oo", "cC", "sS", "vV", "wW", "xX", "zZ")


def draw_pictures(wanted: Sequence[tuple[str, int | str]], size: tuple[int, int], **look: object) -> np.ndarray:
    """Draw captchas of these texts and seeds on all cores; the texts need not be equally long.

    Args:
        size: height and width of the pictures in pixels.
        look: how `draw_captcha` draws them, if not as usual, see `utils.captchas.look_in`.

    Returns:
        uint8 array of shape (captchas, height, width, 1), as a record holds them.
    """
    return np.concatenate(list(drawn(wanted, size, **look)))


def batches_of(
    images: np.ndarray,
    labels: np.ndarray,
    batch_size: int,
    seed: int,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
    split: bool = True,
) -> tuple[tf.data.Dataset, int]:
    """An endless stream of training batches from pictures in memory, as `utils.training.training_batches` makes it.

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
        labels: int array of shape (captchas, length).
        augment: a function of uint8 pictures and a seed that changes pictures; None leaves them as they are.
        split: give the labels as a tuple of one tensor for each place; else as one tensor of shape (batch, length).

    Returns:
        The dataset of scaled pictures and labels, and the number of steps in an epoch.

    Raises:
        CourseError: there are fewer pictures than ``batch_size``.
    """
    count, steps = len(images), len(images) // batch_size
    require(steps >= 1, f"batch_size is {batch_size}, but must lie between 1 and {count:,}, the training captchas.")

    def prepare(number: tf.Tensor, rows: tf.Tensor):
        some, truth = tf.gather(pictures, rows), tf.gather(texts, rows)
        if augment is not None:
            some = augment(some, tf.stack([tf.constant(seed, tf.int64), number]))
        some = tf.ensure_shape(scaled(some), [batch_size, *images.shape[1:]])
        return some, tuple(tf.unstack(truth, labels.shape[1], axis=1)) if split else truth

    with tf.device("cpu"):
        pictures, texts = tf.constant(images), tf.constant(labels)
    rows = tf.data.Dataset.range(count).shuffle(count, seed).batch(batch_size, drop_remainder=True).repeat()
    return rows.enumerate().map(prepare, num_parallel_calls=2).prefetch(2), steps


def with_new_outputs(network: keras.Model, classes: int, length: int) -> keras.Model:
    """The network without its outputs, and with new ones that know nothing yet; the layers below are shared.

    Args:
        classes: how many characters the new outputs choose from.
        length: how many of them there are.

    Returns:
        A model with the inputs of ``network``, and outputs as `utils.model.alexnet` names them.
    """
    features = network.get_layer("digit_0").input
    outputs = [
        keras.layers.Dense(classes, dtype="float32", kernel_initializer="zeros", name=f"digit_{place}")(features)
        for place in range(length)
    ]
    return keras.Model(network.inputs, outputs, name=network.name)


def freeze(network: keras.Model, frozen: bool = True) -> None:
    """Let training leave all layers but the outputs as they are, or not. Compile the network after this."""
    for layer in network.layers:
        layer.trainable = not frozen or layer.name.startswith("digit_")


def alike(labels: np.ndarray, chars: str, groups: Sequence[str] = ALIKE) -> np.ndarray:
    """The labels, with characters that look alike counted as one: each gets the label of the first of its group.

    Args:
        labels: int array of any shape.
        groups: texts of characters that look alike; those that are not in ``chars`` are passed over.
    """
    same = np.arange(len(chars))
    for group in groups:
        found = [chars.index(char) for char in group if char in chars]
        same[found] = found[:1] * len(found)
    return same[labels]


def letter_network(path: Path = LETTERS) -> tuple[keras.Model, list[str]]:
    """The network for digits and capital letters that comes with the course, and the texts that it has seen.

    If it is not there, one that was never trained, and a line says so.
    """
    if path.exists():
        network, records = load_compact(path, SIZE)
        seen = records["captchas"]
        return network, draw_texts(seen["captcha_count"], seen["seed"], seen["chars"], seen["length"])
    print(f"There is no {shown(path)}: python -m benchmarks.letters letters-36 --seeds 0 makes it.")
    print("This network was never trained.")
    return alexnet(SIZE, len(ALPHANUMERIC), fc_units=64, strides=STRIDES), []


class Watched(keras.callbacks.Callback):
    """Keep a progress bar going, and after every epoch note how well held-out captchas are read.

    Args:
        read: a function of the network that gives the share of what it reads right, or None.

    Attributes:
        steps: after how many steps of training each share was measured.
        shares: those shares, from 0 to 1.
        seconds: how long the training took, without the measuring.
    """

    def __init__(self, read: Callable[[keras.Model], float] | None = None):
        super().__init__()
        self.read, self.steps, self.shares, self.seconds, self.done = read, [], [], 0.0, 0

    def on_train_begin(self, logs=None):
        self.bar = Progress("Training", self.params["epochs"] * self.params["steps"], "steps")
        self.note, self.passed = "", 0

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        self.passed += 1
        if self.passed < self.bar.total:  # the last update waits for the last measuring
            self.bar.update(self.passed, self.note)

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.monotonic() - self.started
        self.note = f"loss {logs['loss']:.2f}"
        if self.read is not None:
            self.steps.append(self.done)
            self.shares.append(self.read(self.model))
            self.note += f", {self.shares[-1]:.1%} right"
        self.bar.update(self.passed, self.note)
