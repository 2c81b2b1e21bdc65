"""AlexNet with one output for each character. Introduced in notebook 03."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from utils.captchas import DIGITS, LENGTH
from utils.files import CourseError, check, shown, write_aside
from utils.machine import fastest_dtype as fastest_dtype  # notebook 03 takes it from here
from utils.quiet import tf  # before keras, which imports TensorFlow too

import keras  # isort: skip
from keras import layers  # isort: skip

SMALLEST_IMAGE = 67  # pixels: below it, the last max-pooling has nothing left to pool


@keras.saving.register_keras_serializable("captcha_course")
class FusedBatchNormalization(layers.BatchNormalization):
    """`keras.layers.BatchNormalization` computed by TensorFlow's one fused operation instead of a dozen small ones.

    Same variables, and in training the same result. On a CPU, where the dozen are bound by memory, a step is shorter.
    Takes (batch, height, width, channels) or (batch, channels); works in bfloat16 with float32 statistics.
    """

    def call(self, inputs, training=None, mask=None):
        x = inputs if inputs.shape.rank == 4 else inputs[:, None, None, :]
        if training:
            x, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                x, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
            )
            self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1 - self.momentum))
            self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1 - self.momentum))
        else:
            x, _, _ = tf.compat.v1.nn.fused_batch_norm(
                x, self.gamma, self.beta, self.moving_mean, self.moving_variance, self.epsilon, is_training=False
            )
        return x if inputs.shape.rank == 4 else x[:, 0, 0, :]


def alexnet(
    image_size: int = 224,
    classes: int = len(DIGITS),
    length: int = LENGTH,
    fc_units: int = 4096,
    batch_norm: bool = True,
    dropout: float = 0.5,
    weight_decay: float = 0.0,
) -> keras.Model:
    """AlexNet v2 with ``length`` parallel outputs.

    Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv:1404.5997, as in TF-slim.
    Two things are written differently from slim and compute the same function faster: the fully connected part is
    Flatten and Dense instead of convolutions, and each max-pooling stands before the ReLU instead of after it.

    Args:
        image_size: height and width of the pictures in pixels, at least 67.
        batch_norm: normalise after every layer, which takes the place of that layer's biases.
        dropout: share of the activations switched off after each of the two fully connected layers, in [0, 1).
        weight_decay: factor of an L2 penalty on all kernels.

    Returns:
        A model from float pictures of shape (batch, image_size, image_size, 1) in [-1, 1] to a list of ``length``
        float32 logits of shape (batch, classes), from outputs named ``digit_0``, ``digit_1``, ...

    Raises:
        CourseError: an argument is out of its range.
    """
    check(
        image_size >= SMALLEST_IMAGE, f"image_size is {image_size}, but AlexNet needs {SMALLEST_IMAGE} pixels or more."
    )
    check(fc_units >= 1, f"fc_units is {fc_units}, but must be at least 1.")
    check(0 <= dropout < 1, f"dropout is {dropout}, but must be at least 0 and below 1.")
    check(weight_decay >= 0, f"weight_decay is {weight_decay}, but must not be below 0.")
    penalty = keras.regularizers.L2(weight_decay) if weight_decay else None
    first = _first_weights(batch_norm)

    def activated(x, pool: bool = False):
        if pool:
            x = layers.MaxPooling2D(3, 2)(x)
        if batch_norm:
            x = FusedBatchNormalization(momentum=0.9)(x)
        return layers.ReLU()(x)

    def convolution(x, name: str, filters: int, kernel: int, strides: int = 1, padding: str = "same", pool=False):
        x = layers.Conv2D(
            filters,
            kernel,
            strides,
            padding,
            kernel_regularizer=penalty,
            name=name,
            **first["convolution"],
        )(x)
        return activated(x, pool)

    inputs = keras.Input((image_size, image_size, 1), name="image")
    x = convolution(inputs, "conv1", 64, 11, strides=4, padding="valid", pool=True)
    x = convolution(x, "conv2", 192, 5, pool=True)
    x = convolution(x, "conv3", 384, 3)
    x = convolution(x, "conv4", 384, 3)
    x = convolution(x, "conv5", 256, 3, pool=True)
    x = layers.Flatten()(x)
    for name in ("fc6", "fc7"):
        x = layers.Dense(fc_units, kernel_regularizer=penalty, name=name, **first["fully_connected"])(x)
        x = layers.Dropout(dropout)(activated(x))
    outputs = [
        layers.Dense(classes, kernel_regularizer=penalty, dtype="float32", name=f"digit_{place}", **first["output"])(x)
        for place in range(length)
    ]
    return keras.Model(inputs, outputs, name="alexnet")


def _first_weights(batch_norm: bool) -> dict[str, dict]:
    """How the weights of each kind of layer start out: without BatchNorm as in slim's AlexNet v2.

    With it the scale of the weights does not matter, biases would be of no use, and outputs that start at zero give
    every character the same chance.
    """
    if batch_norm:
        hidden = {"kernel_initializer": "he_normal", "use_bias": False}
        return {"convolution": hidden, "fully_connected": hidden, "output": {"kernel_initializer": "zeros"}}
    small, bias = keras.initializers.TruncatedNormal(stddev=0.005), keras.initializers.Constant(0.1)
    return {
        "convolution": {"kernel_initializer": "glorot_uniform", "bias_initializer": bias},
        "fully_connected": {"kernel_initializer": small, "bias_initializer": bias},
        "output": {"kernel_initializer": small},
    }


def scaled(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Pictures as the network takes them, in training and after: all of the same contrast, however pale their ink.

    Args:
        images: shape (batch, height, width, 1), from 0 for black to 255 for white, of any number type.

    Returns:
        float32 tensor of that shape in [-1, 1]: 1 for the paper, about 0 for the text, below it for darker dots and
        arcs. How dark the text is, is measured as the mean darkness of a picture weighted by darkness itself.
    """
    images = tf.cast(images, tf.float32)
    paper = tf.reduce_max(images, axis=[1, 2, 3], keepdims=True)
    darkness = paper - images
    total = tf.reduce_sum(darkness, axis=[1, 2, 3], keepdims=True)
    of_text = tf.math.divide_no_nan(tf.reduce_sum(darkness**2, axis=[1, 2, 3], keepdims=True), total)
    return 1.0 - tf.minimum(tf.math.divide_no_nan(darkness, of_text), 2.0)


def probabilities(model: keras.Model, images: np.ndarray, batch_size: int = 250) -> np.ndarray:
    """What the model thinks of each character at each place.

    Args:
        images: uint8 array of shape (captchas, image_size, image_size, 1).

    Returns:
        float32 array of shape (captchas, length, classes); the last axis sums to one.
    """
    parts = []
    for start in range(0, len(images), batch_size):
        logits = model.predict_on_batch(scaled(images[start : start + batch_size]))
        parts.append(tf.nn.softmax(np.stack(logits, axis=1)).numpy())
    return np.concatenate(parts)


def averaged_probabilities(model: keras.Model, images: np.ndarray, shift: float = 1 / 56) -> np.ndarray:
    """What the model thinks on average of a picture and of four copies, each moved a little in another direction.

    The average is taken of the logarithms, so that one strong doubt counts. It costs five times the time. Introduced in
    notebook 05. The method is known as test-time augmentation: Krizhevsky, Sutskever and Hinton, "ImageNet
    classification with deep convolutional neural networks" (2012), averaged over ten crops.

    Args:
        images: uint8 array of shape (captchas, image_size, image_size, 1).
        shift: how far the copies are moved, as a share of the width: 4 pixels of 224.

    Returns:
        float32 array as from `probabilities`.
    """
    height, width = images.shape[1:3]
    far = round(width * shift)
    wider = np.pad(images, ((0, 0), (far, far), (far, far), (0, 0)), mode="edge")
    total = 0.0
    for down, right in ((0, 0), (-far, 0), (far, 0), (0, -far), (0, far)):
        moved = wider[:, far + down : far + down + height, far + right : far + right + width]
        total = total + np.log(np.maximum(probabilities(model, moved), 1e-12))
    return tf.nn.softmax(total / 5).numpy()


def text_from(labels: np.ndarray, chars: str = DIGITS) -> str:
    """The text that a row of labels stands for: the opposite of `utils.tfrecords.labels_of`."""
    return "".join(chars[label] for label in labels)


def save_model(model: keras.Model, path: Path, optimizer: bool = False) -> None:
    """Save the model as ``.keras``, whole or not at all; with the state of the optimizer if training is to go on."""
    if not optimizer:  # Keras has no switch for it in this format, so: the same layers in a model never compiled
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    with write_aside(path) as part:
        model.save(part)


def save_compact(model: keras.Model, path: Path, records: dict) -> None:
    """Save only the weights, as float16 in an ``.npz`` file: half of a ``.keras`` file, see `load_compact`.

    Args:
        records: the settings of the records that the model was trained on, kept beside the weights.
    """
    about = {"image_size": model.input_shape[1], "fc_units": model.get_layer("fc7").units, "records": records}
    with write_aside(path) as part:
        np.savez(part, json.dumps(about), *(weight.astype(np.float16) for weight in model.get_weights()))


def load_compact(path: Path, image_size: int) -> tuple[keras.Model, dict]:
    """Load a model that `save_compact` has saved: an AlexNet of that width with those weights.

    Returns:
        The model, and the settings of the records that it was trained on.

    Raises:
        CourseError: there is no such file, it is damaged, or its model takes pictures of another size.
    """
    check(path.exists(), f"There is no {shown(path)}: fetch the course again, or run 03-train-alexnet.ipynb.")
    try:
        with np.load(path, allow_pickle=False) as file:  # reads everything and compares checksums
            about, *weights = (file[name] for name in file.files)
        about = json.loads(str(about))
        model = alexnet(about["image_size"], fc_units=about["fc_units"])
        model.set_weights([weight.astype(np.float32) for weight in weights])
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, KeyError) as error:
        raise CourseError(f"{shown(path)} is no whole model: fetch it again, or run 03-train-alexnet.ipynb.") from error
    size = about["image_size"]
    check(
        size == image_size,
        f"{shown(path)} takes pictures of {size}x{size}, and image_size is {image_size}: "
        f"set image_size = {size}, or run 03-train-alexnet.ipynb with yours.",
    )
    return model, about["records"]


def load_model(path: Path, image_size: int, length: int = LENGTH, compiled: bool = False) -> keras.Model:
    """Load a model of this course, in Keras's safe mode, in which a file cannot bring code of its own.

    Raises:
        CourseError: there is no such file, it is damaged, or its model has other inputs or outputs.
    """
    if not path.exists():
        raise CourseError(f"There is no {shown(path)}: run 03-train-alexnet.ipynb first.")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # reads everything and compares checksums
        if broken:
            raise zipfile.BadZipFile(broken)
        model = keras.saving.load_model(path, compile=compiled)
    except (zipfile.BadZipFile, EOFError, OSError, ValueError, TypeError, KeyError) as error:
        raise CourseError(
            f"{shown(path)} is no whole Keras model: delete it and run 03-train-alexnet.ipynb."
        ) from error
    expected = (None, image_size, image_size, 1)
    if model.input_shape != expected or len(model.outputs) != length:
        raise CourseError(
            f"{shown(path)} takes pictures of shape {model.input_shape[1:]} and has {len(model.outputs)} outputs, "
            f"but {expected[1:]} and {length} are needed: use the parameters of 03-train-alexnet.ipynb or run it again."
        )
    return model
