"""AlexNet with one output for each character. Taught in notebooks 03 and 05."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import numpy as np

from utils.captchas import DIGITS, LENGTH
from utils.fast import FusedBatchNormalization, keras
from utils.files import CourseError, cause, require, shown, write_aside
from utils.parameters import smallest_side
from utils.quiet import tf

layers = keras.layers
TRAIN = "05-train-alexnet.ipynb"


def first_weights(batch_norm: bool, weight_decay: float) -> tuple[dict, dict, dict]:
    """How the weights of convolutions, of fully connected layers and of outputs start: arguments for Keras's layers.

    Without batch normalisation as in slim's AlexNet v2. With it the scale of the weights does not matter, biases would
    be of no use, and outputs that start at zero give every character the same chance.
    """
    penalty = {"kernel_regularizer": keras.regularizers.L2(weight_decay)} if weight_decay else {}
    if batch_norm:
        hidden = {"kernel_initializer": "he_normal", "use_bias": False, **penalty}
        return hidden, hidden, {"kernel_initializer": "zeros", **penalty}
    small, bias = keras.initializers.TruncatedNormal(stddev=0.005), keras.initializers.Constant(0.1)
    return (
        {"kernel_initializer": "glorot_uniform", "bias_initializer": bias, **penalty},
        {"kernel_initializer": small, "bias_initializer": bias, **penalty},
        {"kernel_initializer": small, **penalty},
    )


def alexnet(
    size: tuple[int, int] = (224, 224),
    classes: int = len(DIGITS),
    length: int = LENGTH,
    fc_units: int = 4096,
    batch_norm: bool = True,
    dropout: float = 0.5,
    weight_decay: float = 0.0,
    strides: tuple[int, int] = (4, 4),
) -> keras.Model:
    """AlexNet v2 with ``length`` parallel outputs.

    Krizhevsky, "One weird trick for parallelizing convolutional neural networks", arXiv:1404.5997, as in TF-slim.
    Two things are written differently from slim and compute the same function faster: the fully connected part is
    Flatten and Dense instead of convolutions, and each max-pooling stands before the ReLU instead of after it.

    Args:
        size: height and width of the pictures in pixels, at least 67 each at the usual strides.
        batch_norm: normalise after every layer, which takes the place of that layer's biases.
        dropout: share of the activations switched off after each of the two fully connected layers, in [0, 1).
        weight_decay: factor of an L2 penalty on all kernels.
        strides: how far the first layer moves, down and across, in pixels.

    Returns:
        A model from float pictures of shape (batch, height, width, 1) in [-1, 1] to a list of ``length`` float32 logits
        of shape (batch, classes), from outputs named ``digit_0``, ``digit_1``, ...

    Raises:
        CourseError: an argument is out of its range.
    """
    require(min(strides) >= 1, f"The strides are {strides}, but both must be at least 1.")
    require(_big_enough(size, strides), _too_small(size, strides))
    require(fc_units >= 1, f"fc_units is {fc_units}, but must be at least 1.")
    require(0 <= dropout < 1, f"dropout is {dropout}, but must be at least 0 and below 1.")
    require(weight_decay >= 0, f"weight_decay is {weight_decay}, but must not be below 0.")
    convolution, dense, output = first_weights(batch_norm, weight_decay)

    def activated(x):
        return layers.ReLU()(FusedBatchNormalization(momentum=0.9)(x) if batch_norm else x)

    x = inputs = keras.Input((*size, 1), name="image")
    x = layers.Conv2D(64, 11, strides, name="conv1", **convolution)(x)
    x = activated(layers.MaxPooling2D(3, 2)(x))
    x = layers.Conv2D(192, 5, padding="same", name="conv2", **convolution)(x)
    x = activated(layers.MaxPooling2D(3, 2)(x))
    x = activated(layers.Conv2D(384, 3, padding="same", name="conv3", **convolution)(x))
    x = activated(layers.Conv2D(384, 3, padding="same", name="conv4", **convolution)(x))
    x = layers.Conv2D(256, 3, padding="same", name="conv5", **convolution)(x)
    x = activated(layers.MaxPooling2D(3, 2)(x))
    x = layers.Flatten()(x)
    for name in ("fc6", "fc7"):
        x = activated(layers.Dense(fc_units, name=name, **dense)(x))
        x = layers.Dropout(dropout)(x)
    places = range(length)
    outputs = [layers.Dense(classes, dtype="float32", name=f"digit_{place}", **output)(x) for place in places]
    return keras.Model(inputs, outputs, name="alexnet")


def _big_enough(size: tuple[int, int], strides: tuple[int, int]) -> bool:
    return all(side >= smallest_side(stride) for side, stride in zip(size, strides, strict=True))


def _too_small(size: tuple[int, int], strides: tuple[int, int]) -> str:
    down, across = map(smallest_side, strides)
    return (
        f"image_height is {size[0]} and image_width {size[1]}, but with these strides AlexNet needs at least {down} "
        f"and {across} pixels."
    )


def scaled(images: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Pictures as the network takes them, in training and after: their contrasts closer together.

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
        images: uint8 array of shape (captchas, height, width, 1).

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

    The average is taken of the logarithms, so that one strong doubt counts. It costs five times the time. Taught in
    notebook 07. The method is known as test-time augmentation: Krizhevsky, Sutskever and Hinton, "ImageNet
    classification with deep convolutional neural networks" (2012), averaged over ten crops.

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
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


ABOUT = "course.json"  # within the `.keras` file, which is a zip archive; Keras reads only what it knows


def save_model(model: keras.Model, path: Path, about: dict | None = None) -> None:
    """Save the model as ``.keras``, whole or not at all, without the state of its optimizer.

    Args:
        about: what the model should say of itself, such as the ``chars`` that it reads, see `about_model`.
    """
    # Keras has no switch for that in this format, so: the same layers in a model never compiled.
    model = keras.Model(model.inputs, model.outputs, name=model.name)
    with write_aside(path) as part:
        model.save(part)
        with zipfile.ZipFile(part, "a") as archive:
            archive.writestr(ABOUT, json.dumps(about or {}))


def about_model(path: Path) -> dict:
    """What a ``.keras`` file of `save_model` says of its model; nothing if another program has saved it."""
    with zipfile.ZipFile(path) as archive:
        return json.loads(archive.read(ABOUT)) if ABOUT in archive.namelist() else {}


def save_compact(model: keras.Model, path: Path, records: dict) -> None:
    """Save only the weights, in an ``.npz`` file of about a quarter of a ``.keras`` file's size, see `load_compact`.

    Args:
        records: the settings of the records that the model was trained on, kept beside the weights.
    """
    about = {"size": model.input_shape[1:3], "fc_units": model.get_layer("fc7").units, "records": records}
    about |= {"strides": model.get_layer("conv1").strides, "classes": model.outputs[0].shape[-1]}
    save_weights(model, path, about | {"length": len(model.outputs)})


def save_weights(model: keras.Model, path: Path, about: dict) -> None:
    """Save ``about`` and the weights, those of kernels in 8 bits each, with a scale for each output channel.

    Rounding to 8 bits changes a model a little: score it again.
    """
    parts: list[np.ndarray] = []
    for weight in model.get_weights():
        if weight.ndim == 1:
            parts.append(weight.astype(np.float32))
            continue
        scale = np.abs(weight).max(axis=tuple(range(weight.ndim - 1))) / 127
        parts += [np.rint(weight / np.where(scale, scale, 1)).astype(np.int8), scale.astype(np.float32)]
    with write_aside(path) as part:
        np.savez_compressed(part, json.dumps(about), *parts)


def read_weights(path: Path) -> tuple[dict, list[np.ndarray]]:
    """What `save_weights` has saved: ``about``, and the weights as float32 arrays."""
    with np.load(path, allow_pickle=False) as file:  # reads everything and compares checksums
        about, *parts = (file[name] for name in file.files)
    rest, weights = iter(parts), []
    for part in rest:
        weights.append(part.astype(np.float32) * next(rest) if part.dtype == np.int8 else part.astype(np.float32))
    return json.loads(str(about)), weights


def load_compact(path: Path, size: tuple[int, int]) -> tuple[keras.Model, dict]:
    """Load a model that `save_compact` has saved: an AlexNet of that width with those weights.

    Args:
        size: height and width of the pictures that it is to read.

    Returns:
        The model, and the settings of the records that it was trained on.

    Raises:
        CourseError: there is no such file, it is damaged, or its model takes pictures of another size.
    """
    require(path.exists(), f"There is no {shown(path)}: fetch the course again, or run {TRAIN}.")
    try:
        about, weights = read_weights(path)
        of_size, strides, fc_units = tuple(about["size"]), tuple(about["strides"]), about["fc_units"]
        pairs = all(len(pair) == 2 and {type(number) for number in pair} == {int} for pair in (of_size, strides))
        classes, length = about["classes"], about["length"]
        known = fc_units in {weight.shape[-1] for weight in weights if weight.shape}
        whole = pairs and known and {type(classes), type(length)} == {int} and isinstance(about["records"], dict)
        require(whole, f"{shown(path)} is damaged: fetch it again.")
    except CourseError:
        raise
    except Exception as error:  # NumPy and zipfile fail in many ways on a damaged file
        raise CourseError(
            f"{shown(path)} is no whole model ({cause(error)}): fetch it again, or run {TRAIN}."
        ) from error
    require(
        of_size == tuple(size),
        f"{shown(path)} takes pictures of {of_size[0]}x{of_size[1]}, and yours are {size[0]}x{size[1]}: "
        f"set image_height = {of_size[0]} and image_width = {of_size[1]}, or run {TRAIN} with yours.",
    )
    model = alexnet(of_size, classes, length, fc_units, strides=strides)
    try:
        model.set_weights(weights)
    except ValueError as error:
        raise CourseError(f"The weights in {shown(path)} do not fit AlexNet: fetch it again.") from error
    return model, about["records"]


OWN_LAYER = (
    "a layer of your own needs a class with `@keras.saving.register_keras_serializable()` above it, and no Lambda"
)


def check_layers(network: keras.Model) -> None:
    """Refuse a network that could not be loaded again, before anybody trains it.

    The course's own layers are not asked: `utils.workers` saves its network with others in their place.

    Raises:
        CourseError: Keras cannot make one of its layers from what is saved of it.
    """
    for layer in network.layers:
        if type(layer).__module__.startswith("utils."):
            continue
        try:
            saved = keras.layers.serialize(layer)
            saved.pop("build_config", None)  # without its weights, which would take time and memory
            keras.layers.deserialize(saved)
        except Exception as error:  # whatever a layer of one's own raises
            raise CourseError(f"The layer {layer.name} could not be loaded again: {OWN_LAYER}.") from error


def load_model(path: Path, size: tuple[int, int], length: int = LENGTH, classes: int = len(DIGITS)) -> keras.Model:
    """Load a model of this course, in Keras's safe mode, in which a file cannot bring code of its own.

    Args:
        size: height and width of the pictures that it is to read.
        length: how many characters it is to read.
        classes: how many characters there are to choose from.

    Raises:
        CourseError: there is no such file, it is damaged, or its model has other inputs or outputs.
    """
    require(path.exists(), f"There is no {shown(path)}: run {TRAIN} first.")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()  # reads everything and compares checksums
        if broken:
            raise zipfile.BadZipFile(f"bad checksum of {broken}")
        model = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras, h5py and zipfile fail in many ways on a damaged file
        if re.search("register_keras_serializable|[Ll]ambda", str(error)):  # whole, but not known in this notebook
            raise CourseError(
                f"{shown(path)} has a layer that is not known here: write its class in a cell above, as in the "
                f"notebook that trained it; {OWN_LAYER}."
            ) from error
        raise CourseError(
            f"{shown(path)} is no whole Keras model ({cause(error)}): delete it and run {TRAIN}."
        ) from error
    expected, choices = (None, *size, 1), [output.shape[-1] for output in model.outputs]
    require(
        model.input_shape == expected and len(choices) == length,
        f"{shown(path)} takes pictures of shape {model.input_shape[1:]} and has {len(choices)} outputs, "
        f"but {expected[1:]} and {length} are needed: use the parameters of {TRAIN} or run it again.",
    )
    require(
        set(choices) == {classes},
        f"{shown(path)} chooses from {choices[0]} characters at each place, and your chars are {classes}: use the "
        f"chars of {TRAIN}, or run it again with yours.",
    )
    return model
