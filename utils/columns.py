"""Texts of unknown length: a network with one output for each column of the picture, trained with CTC.

CTC, "connectionist temporal classification", is from Graves and others (2006). Taught in notebook 10.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from utils.captchas import DIGITS, draw_texts, labels_of
from utils.fast import FusedAdam, FusedBatchNormalization, keras
from utils.files import REPO, CourseError, cause, require, shown
from utils.fresh import fresh_texts
from utils.model import first_weights, read_weights, scaled
from utils.quiet import tf
from utils.training import learning_rates

layers = keras.layers
BLANK = 0  # the label of no character; those of characters begin at 1
LENGTHS = (3, 4, 5, 6)
SIZE = (96, 160)
COLUMNS = REPO / "models" / "columns.npz"  # a network for digits, made by benchmarks.columns
SHARE = 0.8  # of the texts of one length, at most so many are for training: some are left to test with


def column_network(
    size: tuple[int, int] = SIZE,
    classes: int = len(DIGITS),
    filters: Sequence[int] = (64, 128, 192, 192, 192),
    units: int = 256,
    dropout: float = 0.3,
    weight_decay: float = 0.0,
) -> keras.Model:
    """AlexNet's five convolutions, narrower, with one output for each four pixels of the width.

    Pooling after the first layer halves height and width; later on it halves only the height. At last one convolution
    as high as what is left makes a row of columns, and the same dense layer reads each of them.

    Args:
        size: height and width of the pictures in pixels, both divisible by 32 and 4.
        classes: how many characters there are.
        filters: how many filters each convolution has.
        units: how many values describe a column.

    Returns:
        A model from float pictures of shape (batch, height, width, 1) in [-1, 1] to float32 logits of shape (batch,
        width / 4, 1 + classes), of which the first is that of the blank.

    Raises:
        CourseError: the size is not divisible.
    """
    fits = size[0] % 32 == 0 and size[1] % 4 == 0 and min(size) >= 32
    require(fits, f"The pictures are {size[0]}x{size[1]}, but their height must be divisible by 32, their width by 4.")
    convolution, _, output = first_weights(True, weight_decay)

    def activated(x):
        return layers.ReLU()(FusedBatchNormalization(momentum=0.9)(x))

    x = inputs = keras.Input((*size, 1), name="image")
    x = layers.Conv2D(filters[0], 11, (4, 2), padding="same", name="conv1", **convolution)(x)
    x = activated(layers.MaxPooling2D(3, 2, padding="same")(x))
    x = layers.Conv2D(filters[1], 5, padding="same", name="conv2", **convolution)(x)
    x = activated(layers.MaxPooling2D(3, (2, 1), padding="same")(x))
    x = layers.Conv2D(filters[2], 3, padding="same", name="conv3", **convolution)(x)
    x = activated(layers.MaxPooling2D(3, (2, 1), padding="same")(x))
    x = activated(layers.Conv2D(filters[3], 3, padding="same", name="conv4", **convolution)(x))
    x = activated(layers.Conv2D(filters[4], 3, padding="same", name="conv5", **convolution)(x))
    x = layers.ZeroPadding2D((0, 1))(x)
    x = activated(layers.Conv2D(units, (size[0] // 32, 3), name="column", **convolution)(x))
    x = layers.Dropout(dropout)(layers.Reshape((size[1] // 4, units))(x))
    outputs = layers.Dense(1 + classes, dtype="float32", name="characters", **output)(x)
    return keras.Model(inputs, outputs, name="columns")


def padded_labels(texts: Sequence[str], chars: str = DIGITS, longest: int | None = None) -> np.ndarray:
    """The labels of texts of different lengths, as CTC takes them: characters from 1, filled up with blanks.

    Returns:
        int32 array of shape (texts, longest).
    """
    labels = np.full((len(texts), longest or max(map(len, texts))), BLANK, np.int32)
    for row, text in zip(labels, texts, strict=True):
        row[: len(text)] = np.array(labels_of(text, chars)) + 1
    return labels


def ctc_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Minus the logarithm of the probability of the text: that of all ways together to spread it over the columns.

    It is infinite where the text needs more columns than there are. Keras has a large number there, and a gradient.

    Args:
        labels: int tensor of shape (batch, longest), from `padded_labels`.
        logits: float tensor of shape (batch, columns, 1 + characters).

    Returns:
        float32 tensor of shape (batch,).
    """
    lengths = tf.reduce_sum(tf.cast(labels != BLANK, tf.int32), axis=1)
    columns = tf.fill(tf.shape(lengths), tf.shape(logits)[1])
    loss = keras.ops.ctc_loss(labels, logits, lengths, columns, mask_index=BLANK)
    equal = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != BLANK)
    needed = lengths + tf.reduce_sum(tf.cast(equal, tf.int32), axis=1)
    return tf.where(needed > columns, np.inf, loss)  # no row of so few columns stands for this text


def single_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """For texts of one character: the mean cross-entropy of all columns, each of which must name it.

    It is trained before `ctc_loss`, which alone lets a new network say blank everywhere for a long time.

    Args:
        labels: int tensor of shape (batch, longest), from `padded_labels`.
        logits: float tensor of shape (batch, columns, 1 + characters).

    Returns:
        float32 tensor of shape (batch,).
    """
    every = tf.repeat(tf.cast(labels[:, :1], tf.int32), logits.shape[1], axis=1)
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(every, logits), axis=1)


def alignments(model: keras.Model, images: np.ndarray, batch_size: int = 250) -> np.ndarray:
    """The most probable label of each column.

    Args:
        images: uint8 array of shape (captchas, height, width, 1).

    Returns:
        int array of shape (captchas, columns): 0 for the blank, and the place of the character in the alphabet plus 1.
    """
    starts = range(0, len(images), batch_size)
    parts = [model.predict_on_batch(scaled(images[start : start + batch_size])) for start in starts]
    return np.concatenate(parts).argmax(axis=-1)


def decode(path: Sequence[int], chars: str = DIGITS) -> str:
    """The text that a row of labels stands for: neighbours that are equal are one character, and blanks are none.

    Args:
        path: the label of each column, one row of `alignments`.
    """
    text, before = "", BLANK
    for label in path:
        if label not in (before, BLANK):
            text += chars[label - 1]
        before = label
    return text


def various_texts(
    count: int, seed: int, chars: str = DIGITS, lengths: Sequence[int] = LENGTHS
) -> list[tuple[str, str]]:
    """Texts of different lengths, equally many of each, and seeds to draw them.

    Of each length at most `SHARE` of all texts are taken. If that is not enough, they come again with another seed.
    """
    wanted = []
    for place, length in enumerate(lengths):
        share = len(range(place, count, len(lengths)))
        most = max(1, int(min(share, SHARE * len(chars) ** length)))
        texts = draw_texts(most, seed, chars, length)
        wanted += [(texts[number % most], f"various {seed} {number // most}") for number in range(share)]
    return wanted


def various_fresh(
    used: Sequence[str], count: int, seeds: Sequence[str], chars: str = DIGITS, lengths: Sequence[int] = LENGTHS
) -> list[tuple[str, str]]:
    """Texts that are not ``used``, equally many of each length as far as there are enough, and seeds to draw them."""
    each, found = count // len(lengths), []
    for length in lengths:
        of_length = [text for text in used if len(text) == length]
        found += fresh_texts(of_length, each, seeds, chars, length)
    return found


def load_columns(path: Path = COLUMNS) -> tuple[keras.Model, str]:
    """The network that reads columns and comes with the course, and the characters that it knows.

    Raises:
        CourseError: there is no such file, or it is damaged.
    """
    require(path.exists(), f"There is no {shown(path)}: fetch the course again, or run python -m benchmarks.columns.")
    try:
        about, weights = read_weights(path)
        chars = about.pop("chars")
        model = column_network(tuple(about.pop("size")), len(chars), **about)
        model.set_weights(weights)
    except Exception as error:  # NumPy, zipfile and Keras fail in many ways on a damaged file
        raise CourseError(f"{shown(path)} is no whole model ({cause(error)}): fetch it again.") from error
    return model, chars


def compile_columns(
    network: keras.Model, learning_rate: float, epochs: int = 0, steps: int = 0, loss: Callable = ctc_loss
) -> None:
    """Make a network that reads columns ready for `fit`, in which Adam lowers the loss.

    Args:
        learning_rate: it stays, unless ``epochs`` and ``steps`` are given: then see `utils.training.learning_rates`.
        steps: steps in an epoch.
        loss: a function of labels and logits, such as `ctc_loss`.
    """
    rates = learning_rates(learning_rate, epochs, steps) if epochs else learning_rate
    network.compile(FusedAdam(rates), loss=loss)
