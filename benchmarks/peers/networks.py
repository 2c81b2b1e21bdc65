"""The networks of captcha projects that people use, written anew from their published descriptions.

Each function names its project, and says what was left open or changed. `NETWORKS` has what their training needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from utils.augment import resampled
from utils.captchas import DIGITS, LENGTH
from utils.fast import FusedAdam, FusedBatchNormalization, keras
from utils.machine import gflop
from utils.model import alexnet
from utils.quiet import tf

layers = keras.layers
BLANK = len(DIGITS)  # the extra class of CTC: no character here


def _outputs(x, dropout: float = 0.0):
    """Logits of each character at each place: shape (batch, length, classes).

    They stay in float32: rounded to bfloat16, they kept the plainest network on the plateau at ln 10.
    """
    x = layers.Dense(LENGTH * len(DIGITS), dtype="float32")(layers.Dropout(dropout)(x))
    return layers.Reshape((LENGTH, len(DIGITS)), dtype="float32")(x)


def _normalised(x):
    return layers.ReLU()(FusedBatchNormalization(momentum=0.9)(x))


def three(size: tuple[int, int] = (100, 120)) -> keras.Model:
    """Three plain convolutions: https://github.com/JackonYang/captcha-tensorflow, its notebook for four digits.

    Convolutions of 32, 64 and 64 filters of 3x3, each with max-pooling, then 1,024 units. The dropout of the notebook
    is switched off there. It has 256 classes at each place, of which ten occur; these are left.
    """
    x = inputs = keras.Input((*size, 3))
    for filters in (32, 64, 64):
        x = layers.MaxPooling2D(2)(layers.Conv2D(filters, 3, activation="relu")(x))
    x = layers.Dense(1024, activation="relu")(layers.Flatten()(x))
    return keras.Model(inputs, _outputs(x), name="three")


def ten(size: tuple[int, int] = (64, 128)) -> keras.Model:
    """Ten convolutions with BatchNorm: https://github.com/ypwhs/captcha_break, its network of 2019 without CTC.

    Five times two convolutions of 3x3, with 32, 64, 128, 256 and 256 filters, and max-pooling after each two. The
    means of BatchNorm follow the batches faster than there (momentum 0.9, not 0.99), since there are few steps.
    """
    x = inputs = keras.Input((*size, 3))
    for filters in (32, 64, 128, 256, 256):
        for _ in range(2):
            x = _normalised(layers.Conv2D(filters, 3, padding="same", kernel_initializer="he_uniform")(x))
        x = layers.MaxPooling2D(2)(x)
    return keras.Model(inputs, _outputs(layers.Flatten()(x)), name="ten")


def crnn(size: tuple[int, int] = (50, 200)) -> keras.Model:
    """Two convolutions and two LSTMs, trained with CTC: https://keras.io/examples/vision/captcha_ocr/.

    Each column of the second pooling is a step in time. It answers with logits of shape (batch, columns, classes + 1),
    of which the last class is `BLANK`.
    """
    x = inputs = keras.Input((*size, 1))
    x = layers.Permute((2, 1, 3))(x)  # columns first: they are the steps
    for filters in (32, 64):
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", kernel_initializer="he_normal")(x)
        x = layers.MaxPooling2D(2)(x)
    x = layers.Reshape((x.shape[1], x.shape[2] * x.shape[3]))(x)
    x = layers.Dropout(0.2)(layers.Dense(64, activation="relu")(x))
    for units in (128, 64):
        x = layers.Bidirectional(layers.LSTM(units, return_sequences=True, dropout=0.25, unroll=True))(x)
    return keras.Model(inputs, layers.Dense(BLANK + 1, dtype="float32")(x), name="crnn")


def slim(size: tuple[int, int] = (224, 224)) -> keras.Model:
    """slim's AlexNet v2 as the tutorial of 2018 trains it, but with a label of its own for each output: lesson 09."""
    model = alexnet(size, batch_norm=False, dropout=0.5, weight_decay=0.0005)
    return keras.Model(model.inputs, keras.ops.stack(model.outputs, axis=1), name="slim")


def resnet18(size: tuple[int, int] = (40, 120)) -> keras.Model:
    """ResNet-18 with dropout and four outputs: https://github.com/pprp/captcha.Pytorch, first in a contest of 2019.

    A ResNet-18 with dropout, as in ``model/model.py``, but with the first layers of He and others, "Deep residual
    learning for image recognition" (2016): its own do not shrink the picture, which is fifteen times the work, so that
    the budget would be spent after one epoch. Attention and a second pooling, which the project added later, are left
    out.
    """

    def convolution(x, filters: int, kernel: int, stride: int):
        return layers.Conv2D(
            filters, kernel, stride, padding="same", use_bias=False, kernel_initializer="he_normal"
        )(x)  # fmt: skip

    x = inputs = keras.Input((*size, 3))
    x = layers.MaxPooling2D(3, 2, padding="same")(_normalised(convolution(x, 64, 7, 2)))
    for filters in (64, 128, 256, 512):
        for block in range(2):
            stride = 2 if block == 0 and filters > 64 else 1
            y = _normalised(convolution(x, filters, 3, stride))
            y = FusedBatchNormalization(momentum=0.9)(convolution(y, filters, 3, 1))
            if stride == 2:
                x = FusedBatchNormalization(momentum=0.9)(convolution(x, filters, 1, 2))
            x = layers.ReLU()(layers.Add()([x, y]))
    return keras.Model(inputs, _outputs(layers.GlobalAveragePooling2D()(x), 0.5), name="resnet18")


def work(model: keras.Model) -> float:
    """GFLOP of one picture forward: those that `utils.machine.gflop` counts, and those of the recurrent layers."""
    adds = 0
    for layer in model.layers:
        for side in (getattr(layer, "forward_layer", None), getattr(layer, "backward_layer", None)):
            if side is not None:  # both kernels are used once in each step
                weights = side.cell.kernel.shape, side.cell.recurrent_kernel.shape
                adds += layer.output.shape[1] * sum(rows * columns for rows, columns in weights)
    return gflop(model) + 2 * adds / 1e9


def place_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean cross-entropy of all places; labels of shape (batch, length), logits of shape (batch, length, classes)."""
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))


def ctc_loss(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean CTC loss: how unlikely the text is, wherever along the columns its characters stand.

    Graves and others, "Connectionist temporal classification" (2006). Labels have shape (batch, length), logits
    (batch, columns, classes + 1).
    """
    steps = tf.fill([tf.shape(logits)[0]], tf.shape(logits)[1])
    sparse = tf.sparse.from_dense(tf.cast(labels, tf.int32) + 1)  # it leaves zeros out
    sparse = sparse.with_values(sparse.values - 1)
    losses = tf.nn.ctc_loss(sparse, logits, None, steps, logits_time_major=False, blank_index=BLANK)
    return tf.reduce_mean(losses)


def read_places(logits: np.ndarray) -> np.ndarray:
    """The likeliest character at each place: int array of shape (batch, length)."""
    return logits.argmax(axis=-1)


def read_columns(logits: np.ndarray) -> np.ndarray:
    """The characters along the columns, each run of the same class once, blanks left out; -1 where none is left.

    Of a reading that is too long, the first characters count, as in the Keras example.
    """
    found = np.full((len(logits), LENGTH), -1)
    for row, classes in enumerate(logits.argmax(axis=-1)):
        starts = np.flatnonzero(np.diff(classes, prepend=BLANK))
        characters = classes[starts][classes[starts] != BLANK][:LENGTH]
        found[row, : len(characters)] = characters
    return found


class Rectified(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of RAdam, with which Adam becomes it: small while Adam knows little about its gradients.

    Liu and others, "On the variance of the adaptive learning rate and beyond" (2020), with beta 0.999. In its first
    five steps, RAdam does not adapt the rate. Here those steps are left out.
    """

    def __init__(self, rate: float):
        self.rate = rate

    def __call__(self, step):
        step, most = tf.cast(step, tf.float32) + 1, 2 / (1 - 0.999) - 1
        decay = tf.pow(0.999, step)
        length = most - 2 * step * decay / (1 - decay)
        share = (length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length)
        return self.rate * tf.where(length > 5, tf.sqrt(tf.maximum(share, 0.0)), 0.0)


def steps_down(rate: float, every: int, factor: float, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """A rate that is cut by ``factor`` after every so many steps."""
    cuts = list(range(every, max(steps, every + 1), every))
    return keras.optimizers.schedules.PiecewiseConstantDecay(cuts, [rate * factor**cut for cut in range(len(cuts) + 1)])


def distorted(images: np.ndarray, labels: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The pictures, and two distorted copies of each: the corners of a grid of 6x2 fields move by up to three pixels.

    captcha.Pytorch also zooms into half of its copies by 5 %, which is left out here.

    Args:
        images: uint8 array of shape (captchas, height, width, channels).
        labels: int array of shape (captchas, length).
    """
    _, height, width, channels = images.shape
    rows, columns = tf.meshgrid(tf.range(float(height)), tf.range(float(width)), indexing="ij")
    parts = [images]
    for copy in range(2):
        for start in range(0, len(images), 250):
            some = tf.cast(images[start : start + 250], tf.float32)
            moves = tf.random.stateless_uniform([len(some), 3, 7, 2], (seed, copy * len(images) + start), -3.0, 3.0)
            x, y = tf.unstack(tf.image.resize(moves, (height, width)), axis=-1)
            moved = [resampled(some[..., channel], columns + x, rows + y) for channel in range(channels)]
            parts.append(np.clip(np.rint(tf.stack(moved, axis=-1)), 0, 255).astype(np.uint8))
    return np.concatenate(parts), np.concatenate([labels] * 3)


def from_zero(images: tf.Tensor) -> tf.Tensor:
    """Pictures from 0 for black to 1 for white."""
    return tf.cast(images, tf.float32) / 255


def both_sides(images: tf.Tensor) -> tf.Tensor:
    """Pictures from -1 for black to 1 for white."""
    return tf.cast(images, tf.float32) / 127.5 - 1


class Peer(NamedTuple):
    """A project: where it is published and what it claims, its network, and how it trains it."""

    project: str
    address: str
    claim: str
    settings: str
    build: Callable[[], keras.Model]
    batch_size: int
    optimizer: Callable[[int], keras.optimizers.Optimizer]  # of the number of steps
    scaled: Callable[[tf.Tensor], tf.Tensor] = from_zero
    loss: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] = place_loss
    read: Callable[[np.ndarray], np.ndarray] = read_places
    more: Callable[[np.ndarray, np.ndarray, int], tuple[np.ndarray, np.ndarray]] | None = None
    float32: bool = False  # even where the machine has bfloat16


NETWORKS = {
    "three": Peer(
        "captcha-tensorflow: three convolutions",
        "https://github.com/JackonYang/captcha-tensorflow",
        "87.6 % from 15,000 captchas, and 98.8 % from ten times as many: of single digits, with texts in both sets",
        "Adam, rate 0.001, batch 64",
        three,
        64,
        lambda steps: FusedAdam(0.001),
    ),
    "ten": Peer(
        "captcha_break: ten convolutions with BatchNorm",
        "https://github.com/ypwhs/captcha_break",
        "98.26 % of captchas with letters, after millions that never came again, drawn by an older package",
        "Adam with AMSGrad, rate 0.001 and for the last quarter 0.0001, batch 128",
        ten,
        128,
        lambda steps: keras.optimizers.Adam(
            steps_down(0.001, max(1, 3 * steps // 4), 0.1, steps), amsgrad=True
        ),
    ),
    "crnn": Peer(
        "Keras example: CRNN with CTC",
        "https://keras.io/examples/vision/captcha_ocr/",
        "no figure; 1,040 captchas of another kind, up to 100 epochs",
        "Adam, rate 0.001, batch 16",
        crnn,
        16,
        lambda steps: FusedAdam(0.001),
        loss=ctc_loss,
        read=read_columns,
        float32=True,
    ),
    "slim": Peer(
        "tutorial of 2018: slim's AlexNet v2",
        "https://arxiv.org/abs/1404.5997",
        "none for captchas that it was not trained on, see lesson 09",
        "Adam, rate 0.01 and after every 2,000 steps a third of it, weight decay 0.0005, batch 1",
        slim,
        1,
        lambda steps: FusedAdam(steps_down(0.01, 2000, 1 / 3, steps)),
        scaled=both_sides,
    ),
    "resnet18": Peer(
        "captcha.Pytorch: ResNet-18",
        "https://github.com/pprp/captcha.Pytorch",
        "98.4 % of captchas with letters, from 3,988 captchas and their distorted copies, up to 600 epochs",
        "RAdam, rate 0.0003, weight decay 0.0005, batch 64, two distorted copies of each captcha, first layers that "
        "shrink the picture as its own do not",
        resnet18,
        64,
        lambda steps: keras.optimizers.Adam(Rectified(0.0003), weight_decay=0.0005),
        scaled=both_sides,
        more=distorted,
    ),
}  # fmt: skip
