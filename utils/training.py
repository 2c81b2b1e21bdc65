"""Feed the network, train it, and score it while it trains. Introduced in notebook 03."""

from __future__ import annotations

import math
import shutil
import time
from pathlib import Path

import numpy as np

from utils.captchas import LENGTH
from utils.files import CourseError, check, read_json, shown, write_json
from utils.model import keras, load_model, probabilities, save_model, scaled
from utils.progress import Progress
from utils.quiet import tf
from utils.scores import place_accuracies, whole_accuracy
from utils.tfrecords import open_records, parse_records

SHUFFLE = 5_000  # records held for shuffling, about 250 MB at 224x224: memory stays flat however many there are


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
        bend: how far strokes are bent sideways on average, in pixels as for ``shift``; up and down it is twice as far,
            because our pictures are stretched so. Neighbouring strokes are bent alike, distant ones each in its way.
        tone: largest change of the ink's darkness, as the logarithm of an exponent: pale ink gets paler or darker,
            black and the paper stay as they are.

    Returns:
        float32 tensor of the shape of ``images``, in [0, 255]; the edge is continued outwards.
    """
    batch, height, width = tf.shape(images)[0], images.shape[1], images.shape[2]
    seeds = tf.random.split(seed, 3)
    spread = tf.stack([scale, shear, shift * width / 224, shear, scale, shift * width / 224])
    a0, a1, a2, b0, b1, b2 = tf.unstack(
        spread[:, None, None, None] * tf.random.stateless_uniform([6, batch, 1, 1], seeds[0], -1.0, 1.0)
    )
    across, down = tf.unstack(_waves(seeds[1], batch, height, width, bend * width / 224))
    # Pixel (x, y) of the result is taken from these places; without shift and bend, the middle stays where it is.
    x, y = tf.range(width, dtype=tf.float32)[None, None, :], tf.range(height, dtype=tf.float32)[None, :, None]
    from_middle_x, from_middle_y = x - (width - 1) / 2, y - (height - 1) / 2
    taken_x = x + a0 * from_middle_x + a1 * from_middle_y + a2 + across
    taken_y = y + b0 * from_middle_x + b1 * from_middle_y + b2 + 2 * down
    moved = _resampled(tf.cast(images[..., 0], tf.float32), taken_x, taken_y)
    if tone:
        exponent = tf.exp(tf.random.stateless_uniform([batch, 1, 1], seeds[2], -tone, tone / 2))
        paper = tf.reduce_max(moved, axis=[1, 2], keepdims=True)
        moved = paper - paper * tf.pow(1 - moved / paper, exponent)
    return moved[..., None]


def _waves(seed: tf.Tensor, batch: tf.Tensor, height: int, width: int, size: float) -> tf.Tensor:
    """Smooth random fields, two for each picture, of standard deviation ``size``: sums of cosine waves.

    float32 tensor of shape (2, batch, height, width). With three waves down and seven across, what is bent together is
    about as wide as one character.
    """
    down, across = (
        np.cos(np.pi * np.arange(count)[:, None] * (np.arange(pixels) + 0.5) / pixels).astype("float32")
        for count, pixels in ((3, height), (7, width))
    )
    heights = tf.random.stateless_normal([2, batch, 3, 7], seed) * size / np.sqrt((down**2).mean(1).sum() * 4)
    return tf.linalg.matmul(down, heights @ across, transpose_a=True)


def _resampled(images: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
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


def training_batches(
    records: Path,
    image_size: int,
    batch_size: int,
    seed: int,
    augmented: bool = True,
    bend: float = 0.0,
    tone: float = 0.0,
    first_epoch: int = 0,
    length: int = LENGTH,
) -> tuple[tf.data.Dataset, int]:
    """An endless stream of training batches, epoch after epoch, each in an order of its own.

    Order and augmentation follow from ``seed`` (and TensorFlow's global seed). The stream can start at any epoch, so
    a training that was interrupted sees what it would have seen; the batches before are read and passed over.

    Args:
        augmented: whether the pictures are changed by `augment`; ``bend`` and ``tone`` say how strongly there.

    Returns:
        The dataset, and the number of steps in an epoch. Its elements are pictures, float32 of shape (batch_size,
        image_size, image_size, 1) in [-1, 1], and a tuple of ``length`` labels, int64 of shape (batch_size,).

    Raises:
        CourseError: ``batch_size`` is below 1 or above the number of training records, ``bend`` or ``tone`` is below 0,
            or the records are unusable.
    """
    check(bend >= 0 and tone >= 0, f"bend is {bend} and tone {tone}, but neither must be below 0.")
    in_order = open_records(records, "train", image_size, length)
    count = int(in_order.cardinality())
    in_range = 1 <= batch_size <= count
    check(in_range, f"batch_size is {batch_size}, but must lie between 1 and {count:,}, the training records.")
    steps = count // batch_size
    first_step = first_epoch * steps

    def prepare(batch: tf.Tensor, step: tf.Tensor):
        images, labels = parse_records(batch, image_size, length)
        if augmented:
            images = augment(images, tf.stack([tf.constant(seed, tf.int64), step]), bend=bend, tone=tone)
        images = tf.ensure_shape(scaled(images), [batch_size, image_size, image_size, 1])
        return images, tuple(tf.unstack(labels, length, axis=1))

    batches = in_order.shuffle(min(count, SHUFFLE), seed).batch(batch_size, drop_remainder=True)
    numbered = tf.data.Dataset.zip(batches.repeat().skip(first_step), tf.data.Dataset.counter(first_step))
    return numbered.map(prepare, num_parallel_calls=2).prefetch(2), steps


@keras.saving.register_keras_serializable("captcha_course")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` computed by TensorFlow's one fused operation: same result, one walk through the memory.

    With 46 million parameters, and three numbers kept for each, walking through them takes a good part of a step.
    """

    def update_step(self, gradient, variable, learning_rate):
        index = self._get_variable_index(variable)
        step = tf.cast(self.iterations.value + 1, tf.float32)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=tf.cast(learning_rate, tf.float32),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def _handle(variable) -> tf.Tensor:
    """TensorFlow's handle of a variable, whether Keras has wrapped it or not."""
    return (variable if isinstance(variable, tf.Variable) else variable.value).handle


def learning_rates(highest: float, epochs: int, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate at each step: one epoch of warm-up from zero, then a cosine back to zero.

    Raises:
        CourseError: ``epochs`` is below 1 or the rate is not above 0.
    """
    possible = epochs >= 1 and highest > 0
    check(possible, f"epochs is {epochs} and learning_rate {highest}, but both must be above 0.")
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, (epochs - 1) * steps), warmup_target=highest, warmup_steps=steps
    )


@keras.saving.register_keras_serializable("captcha_course")
class SmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy that asks for a little less than certainty: ``label_smoothing`` is shared out among all classes.

    Takes labels, int of shape (batch,), and logits of shape (batch, classes). With 0 it is the plain cross-entropy.
    Szegedy and others, "Rethinking the Inception architecture for computer vision" (2016), section 7.
    """

    def __init__(self, label_smoothing: float = 0.0, **arguments):
        super().__init__(**arguments)
        self.label_smoothing = label_smoothing

    def call(self, y_true, y_pred):
        wanted = tf.one_hot(tf.cast(tf.reshape(y_true, [-1]), tf.int32), y_pred.shape[-1])
        return keras.losses.categorical_crossentropy(
            wanted, y_pred, from_logits=True, label_smoothing=self.label_smoothing
        )

    def get_config(self):
        return super().get_config() | {"label_smoothing": self.label_smoothing}


def compile_model(
    model: keras.Model, learning_rate: float, epochs: int, steps: int, label_smoothing: float = 0.0
) -> None:
    """Make the model ready for `fit`: the loss is the mean of the outputs' cross-entropies, and Adam lowers it.

    Args:
        learning_rate: the highest one, see `learning_rates`.
        steps: steps in an epoch.
        label_smoothing: see `SmoothedCrossentropy`.

    Raises:
        CourseError: ``label_smoothing`` is not in [0, 1), or an argument is one that `learning_rates` refuses.
    """
    in_range = 0 <= label_smoothing < 1
    check(in_range, f"label_smoothing is {label_smoothing}, but must be at least 0 and below 1.")
    outputs = len(model.outputs)
    losses = [SmoothedCrossentropy(label_smoothing) for _ in range(outputs)]
    optimizer = FusedAdam(learning_rates(learning_rate, epochs, steps))
    model.compile(optimizer, loss=losses, loss_weights=[1 / outputs] * outputs)


class Evaluation(keras.callbacks.Callback):
    """After every epoch, add to the history how well the test captchas are read, and keep a progress bar going.

    Adds ``test_loss`` (the mean cross-entropy), ``test_digit_0``, ``test_digit_1``, ... and ``test_whole`` (accuracies,
    0 to 1), ``learning_rate`` and ``seconds`` (of training, without the evaluation).

    Raises:
        CourseError: during training, as soon as the loss is infinite or no number.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray):
        super().__init__()
        self.images, self.labels = images, labels

    def on_train_begin(self, logs=None):
        self.bar: Progress | None = None
        self.steps_done, self.note = 0, ""

    def on_epoch_begin(self, epoch, logs=None):
        if self.bar is None:  # not before: only now it is known at which epoch this training starts
            self.bar = Progress("Training", (self.params["epochs"] - epoch) * self.params["steps"], unit="steps")
        self.started = time.monotonic()

    def on_train_batch_end(self, batch, logs):
        self.steps_done += 1
        if not math.isfinite(logs["loss"]):
            raise CourseError(
                f"The loss is no number after {self.steps_done:,} steps: lower learning_rate or set batch_norm."
            )
        if self.steps_done < self.bar.total:  # the last update waits for the last evaluation
            self.bar.update(self.steps_done, self.note)

    def on_epoch_end(self, epoch, logs):
        logs["seconds"] = time.monotonic() - self.started
        logs |= evaluate(self.model, self.images, self.labels)
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        self.note = f"epoch {epoch + 1}: {logs['test_whole']:.1%} read whole"
        self.bar.update(self.steps_done, self.note)


def evaluate(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Loss and accuracies of the model on pictures it was not trained on, named as in the history."""
    chances = probabilities(model, images)
    predicted = chances.argmax(axis=-1)
    of_the_truth = np.take_along_axis(chances, labels[..., None], axis=-1)
    scores = {"test_loss": float(-np.log(np.maximum(of_the_truth, 1e-12)).mean())}
    scores |= {f"test_digit_{place}": float(share) for place, share in enumerate(place_accuracies(predicted, labels))}
    return scores | {"test_whole": whole_accuracy(predicted, labels)}


# A folder `model` holds `alexnet.keras` and `history.json` when training is finished, and only then. While it goes on,
# `model/checkpoint` holds the whole state after the last epoch: `epoch-0007.keras`, and beside it `epoch-0007.json`.
MODEL, HISTORY, CHECKPOINT = "alexnet.keras", "history.json", "checkpoint"


class Checkpoint(keras.callbacks.Callback):
    """After every epoch, save model, optimizer, random state and history, so that a killed training can go on."""

    def __init__(self, folder: Path, settings: dict, epochs_done: list[dict]):
        super().__init__()
        self.folder, self.settings, self.epochs_done = folder / CHECKPOINT, settings, list(epochs_done)

    def on_epoch_end(self, epoch, logs):
        self.epochs_done.append({name: float(value) for name, value in logs.items()})
        state = {
            "settings": self.settings,
            "epochs": self.epochs_done,
            "dropout": [generator.state.numpy().tolist() for generator in _seed_generators(self.model)],
        }
        newest = self.folder / f"epoch-{epoch + 1:04d}.keras"
        write_json(newest.with_suffix(".json"), state)
        save_model(self.model, newest, optimizer=True)  # second, because `resume` goes by this file
        for older in self.folder.glob("epoch-*"):
            if older.stem != newest.stem:
                older.unlink()


def _seed_generators(model: keras.Model) -> list[keras.random.SeedGenerator]:
    """The random state of the dropout layers, the one part of a model that Keras does not save."""
    return [layer.seed_generator for layer in model.layers if hasattr(layer, "seed_generator")]


def resume(
    folder: Path, settings: dict, image_size: int, length: int = LENGTH
) -> tuple[keras.Model | None, list[dict]]:
    """What an earlier training with these very settings left in ``folder``. One begun with others is dropped.

    Returns:
        The model as it was, and the history of its epochs; ``(None, [])`` where there is nothing to go on from.

    Raises:
        CourseError: the file to go on from is damaged.
    """
    finished = folder / HISTORY
    if finished.exists() and (folder / MODEL).exists():
        found = read_json(finished)
        if found["settings"] == settings:
            return load_model(folder / MODEL, image_size, length), found["epochs"]
    states = sorted((folder / CHECKPOINT).glob("epoch-*.keras"))
    if states:
        state = read_json(states[-1].with_suffix(".json"))
        if state["settings"] == settings:
            model = load_model(states[-1], image_size, length, compiled=True)
            for generator, value in zip(_seed_generators(model), state["dropout"], strict=True):
                generator.state.assign(value)
            return model, state["epochs"]
        print(f"The training begun in {shown(folder)} had other settings: it is dropped, and a new one starts.")
        shutil.rmtree(folder / CHECKPOINT)
    return None, []


def finish(model: keras.Model, folder: Path, settings: dict, epochs: list[dict]) -> Path:
    """Save the trained model with its history, and drop the checkpoint. Returns the path of the model."""
    (folder / HISTORY).unlink(missing_ok=True)  # never the history of one training beside the model of another
    save_model(model, folder / MODEL)
    write_json(folder / HISTORY, {"settings": settings, "epochs": epochs})
    shutil.rmtree(folder / CHECKPOINT, ignore_errors=True)
    return folder / MODEL


def read_history(folder: Path) -> list[dict]:
    """The history of the finished training in ``folder``: one dict an epoch.

    Raises:
        CourseError: no training has finished there.
    """
    if not (folder / HISTORY).exists():
        raise CourseError(f"There is no {shown(folder / HISTORY)}: run 03-train-alexnet.ipynb first.")
    return read_json(folder / HISTORY)["epochs"]
