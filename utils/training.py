"""Feed the network, train it, and score it while it trains. Taught in notebooks 04 and 05."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from utils.augment import only_first
from utils.captchas import LENGTH
from utils.fast import FusedAdam, keras
from utils.files import CourseError, require
from utils.model import probabilities, scaled
from utils.progress import Progress
from utils.quiet import tf
from utils.scores import place_accuracies, whole_accuracy
from utils.tfrecords import open_records, parse_records

SHUFFLE = 5_000  # records held for shuffling, about 250 MB at 224x224: memory stays flat however many there are


def training_batches(
    records: Path,
    size: tuple[int, int],
    batch_size: int,
    seed: int,
    augment: Callable[[tf.Tensor, tf.Tensor], tf.Tensor] | None = None,
    scaled: Callable[[tf.Tensor], tf.Tensor] = scaled,
    first_epoch: int = 0,
    length: int = LENGTH,
    augmented_epochs: int | None = None,
) -> tuple[tf.data.Dataset, int]:
    """An endless stream of training batches, epoch after epoch, each in an order of its own.

    Order and augmentation follow from ``seed`` (and TensorFlow's global seed). The stream can start at any epoch, so
    a training that was interrupted sees what it would have seen; the batches before are read and passed over.

    Args:
        size: height and width of the pictures in the records.
        augment: a function of uint8 pictures and a seed that changes pictures, such as `utils.augment.augment`; None
            leaves them as they are.
        scaled: a function that makes of pictures what the network takes, such as `utils.model.scaled`.
        augmented_epochs: in how many epochs, counted from the first of all, pictures are changed; None for all, and
            0 or less for none.

    Returns:
        The dataset, and the number of steps in an epoch. Its elements are pictures, float32 of shape (batch_size,
        height, width, 1) in [-1, 1], and a tuple of ``length`` labels, int64 of shape (batch_size,).

    Raises:
        CourseError: ``batch_size`` is below 1 or above the number of training records, or the records are unusable.
    """
    in_order = open_records(records, "train", size, length)
    count = int(in_order.cardinality())
    in_range = 1 <= batch_size <= count
    require(in_range, f"batch_size is {batch_size}, but must lie between 1 and {count:,}, the training records.")
    steps = count // batch_size
    first_step = first_epoch * steps
    if augment is not None and augmented_epochs is not None:
        augment = only_first(augmented_epochs * steps, augment)

    def prepare(batch: tf.Tensor, step: tf.Tensor):
        images, labels = parse_records(batch, size, length)
        if augment is not None:
            images = augment(images, tf.stack([tf.constant(seed, tf.int64), step]))
        images = tf.ensure_shape(scaled(images), [batch_size, *size, 1])
        return images, tuple(tf.unstack(labels, length, axis=1))

    batches = in_order.shuffle(min(count, SHUFFLE), seed).batch(batch_size, drop_remainder=True)
    numbered = tf.data.Dataset.zip(batches.repeat().skip(first_step), tf.data.Dataset.counter(first_step))
    return numbered.map(prepare, num_parallel_calls=2).prefetch(2), steps


def cross_entropy(labels: tf.Tensor, logits: tf.Tensor, smoothing: float = 0.0) -> tf.Tensor:
    """Minus the logarithm of the probability that each row of logits gives to its label.

    Args:
        labels: int tensor of shape (batch,).
        logits: float tensor of shape (batch, classes).
        smoothing: the share of certainty that is not asked for, but spread over all classes: Szegedy and others,
            "Rethinking the Inception architecture for computer vision" (2016), section 7. 0 is the plain cross-entropy.

    Returns:
        float32 tensor of shape (batch,).
    """
    classes = logits.shape[-1]
    wanted = tf.one_hot(tf.cast(labels, tf.int32), classes) * (1 - smoothing) + smoothing / classes
    return -tf.reduce_sum(wanted * tf.nn.log_softmax(logits), axis=-1)


def training_step(
    network: keras.Model, optimizer: keras.optimizers.Optimizer, images: tf.Tensor, labels: tuple[tf.Tensor, ...]
) -> tf.Tensor:
    """One step of training, written out: predict, measure the loss, ask for its gradient, move every weight a little.

    Args:
        images: float32 tensor of shape (batch, height, width, 1), from `utils.model.scaled`.
        labels: for each output, an int tensor of shape (batch,).

    Returns:
        The mean loss of the outputs before the step, a scalar.
    """
    with tf.GradientTape() as tape:
        logits = network(images, training=True)
        losses = [cross_entropy(truth, one) for truth, one in zip(labels, logits, strict=True)]
        loss = tf.reduce_mean(losses)
    gradients = tape.gradient(loss, network.trainable_variables)
    optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
    return loss


def learning_rates(highest: float, epochs: int, steps: int) -> keras.optimizers.schedules.LearningRateSchedule:
    """The learning rate at each step: one epoch of warm-up from zero, then a cosine back to zero.

    Raises:
        CourseError: ``epochs`` is below 1 or the rate is not above 0.
    """
    require(epochs >= 1 and highest > 0, f"epochs is {epochs} and learning_rate {highest}, but both must be above 0.")
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(1, (epochs - 1) * steps), warmup_target=highest, warmup_steps=steps
    )


class _Loss(keras.losses.Loss):
    """A function of labels and logits such as `cross_entropy`, as Keras wants it: labels may come as a column."""

    def __init__(self, function: Callable):
        super().__init__(name="loss")
        self.function = function

    def call(self, y_true, y_pred):
        return self.function(tf.reshape(y_true, [-1]), y_pred)


def compile_model(
    model: keras.Model,
    learning_rate: float,
    epochs: int,
    steps: int,
    label_smoothing: float = 0.0,
    loss: Callable[..., tf.Tensor] = cross_entropy,
    rates: Callable = learning_rates,
) -> None:
    """Make the model ready for `fit`: the loss is the mean of the outputs' cross-entropies, and Adam lowers it.

    Args:
        learning_rate: the highest one, see `learning_rates`.
        steps: steps in an epoch.
        label_smoothing: see `cross_entropy`.
        loss: a function of labels, logits and ``smoothing``, such as `cross_entropy`.
        rates: a function of the highest rate, epochs and steps, such as `learning_rates`.

    Raises:
        CourseError: ``label_smoothing`` is not in [0, 1), or an argument is one that `learning_rates` refuses.
    """
    in_range = 0 <= label_smoothing < 1
    require(in_range, f"label_smoothing is {label_smoothing}, but must be at least 0 and below 1.")
    outputs = len(model.outputs)
    losses = [_Loss(partial(loss, smoothing=label_smoothing)) for _ in range(outputs)]
    # Keras's own "loss" has the penalty of weight decay in it, which no loss of unseen captchas has: see `pure_loss`.
    pure = [[keras.metrics.MeanMetricWrapper(each, name="pure_loss")] for each in losses]
    optimizer = FusedAdam(rates(learning_rate, epochs, steps))
    model.compile(optimizer, loss=losses, loss_weights=[1 / outputs] * outputs, metrics=pure)


def pure_loss(logs: Mapping[str, float]) -> float:
    """The mean loss of the outputs in what Keras logs while it trains, without the penalty of weight decay.

    Only models that `compile_model` made ready log it; for others it is their whole loss.
    """
    outputs = [value for name, value in logs.items() if name.endswith("pure_loss")]
    return float(sum(outputs) / len(outputs)) if outputs else float(logs["loss"])


class Evaluation(keras.callbacks.Callback):
    """After every epoch, add to the history how well held-out captchas are read, and keep a progress bar going.

    ``loss``, that of training, loses the penalty of weight decay, so that it can be held against the others. Adds
    ``test_loss`` (the mean cross-entropy), ``test_digit_0``, ``test_digit_1``, ... and ``test_whole`` (accuracies,
    0 to 1), ``learning_rate`` and ``seconds`` (of training, without the evaluation).

    Args:
        images: uint8 array of shape (captchas, height, width, 1).
        labels: int array of shape (captchas, length).
        of: which set they are of, ``"test"`` or ``"validation"``: the first word of the names above.

    Raises:
        CourseError: during training, as soon as the loss is infinite or no number.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, of: str = "test"):
        super().__init__()
        self.images, self.labels, self.of = images, labels, of

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
        logs["loss"] = pure_loss(logs)
        logs |= evaluate(self.model, self.images, self.labels, self.of)
        logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        self.note = f"epoch {epoch + 1}: {logs[f'{self.of}_whole']:.1%} read whole"
        self.bar.update(self.steps_done, self.note)


def evaluate(model: keras.Model, images: np.ndarray, labels: np.ndarray, of: str = "test") -> dict[str, float]:
    """Loss and accuracies of the model on pictures it was not trained on, named as in the history."""
    chances = probabilities(model, images)
    predicted = chances.argmax(axis=-1)
    of_the_truth = np.take_along_axis(chances, labels[..., None], axis=-1)
    scores = {f"{of}_loss": float(-np.log(np.maximum(of_the_truth, 1e-12)).mean())}
    scores |= {f"{of}_digit_{place}": float(share) for place, share in enumerate(place_accuracies(predicted, labels))}
    return scores | {f"{of}_whole": whole_accuracy(predicted, labels)}
