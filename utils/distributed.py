"""One step of training on several workers: the same weights everywhere, and gradients that are averaged.

Taught in notebook 11. Keras's own `fit` does not work with TensorFlow's strategy for several workers, so the step is
written out.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from utils.fast import keras
from utils.quiet import tf
from utils.training import cross_entropy


class SynchronizedBatchNormalization(keras.layers.BatchNormalization):
    """Batch normalisation over the global batch: the workers average what they have measured on their parts.

    Same variables as Keras's own layer, so weights can go from one to the other. Keras's switch ``synchronized=True``
    computes the same, but sends three messages for each layer instead of one.
    """

    def call(self, inputs, training=None, mask=None):
        if not (training and self.trainable):
            return super().call(inputs, training=False)
        x = tf.cast(inputs, tf.float32)
        axes = list(range(x.shape.rank - 1))
        near = tf.stop_gradient(tf.identity(self.moving_mean))  # squares of small numbers lose fewer digits
        here = tf.stack([tf.reduce_mean(x - near, axes), tf.reduce_mean(tf.square(x - near), axes)])
        from_near, of_squares = tf.unstack(tf.distribute.get_replica_context().all_reduce("mean", here))
        mean, variance = near + from_near, tf.maximum(of_squares - tf.square(from_near), 0.0)
        self.moving_mean.assign(self.moving_mean * self.momentum + mean * (1 - self.momentum))
        self.moving_variance.assign(self.moving_variance * self.momentum + variance * (1 - self.momentum))
        factor = self.gamma * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(x * factor + (self.beta - mean * factor), inputs.dtype)


def synchronized(network: keras.Model) -> keras.Model:
    """A new network with the same layers and other first weights, whose batch normalisation looks at all workers."""

    def cloned(layer):
        normalizes = isinstance(layer, keras.layers.BatchNormalization)
        return (SynchronizedBatchNormalization if normalizes else type(layer)).from_config(layer.get_config())

    return keras.models.clone_model(network, clone_function=cloned)


def averaged(gradients: Sequence[tf.Tensor]) -> list[tf.Tensor]:
    """The mean of the gradients over all workers, sent as one long row of numbers: one message instead of dozens."""
    row = tf.concat([tf.reshape(gradient, [-1]) for gradient in gradients], axis=0)
    row = tf.distribute.get_replica_context().all_reduce("mean", row)
    parts = tf.split(row, [math.prod(gradient.shape) for gradient in gradients])
    return [tf.reshape(part, gradient.shape) for part, gradient in zip(parts, gradients, strict=True)]


def worker_step(
    network: keras.Model, optimizer: keras.optimizers.Optimizer, images: tf.Tensor, labels: tuple[tf.Tensor, ...]
) -> tf.Tensor:
    """What each worker does in a step, inside `tf.distribute.Strategy.run`: as `utils.training.training_step`, but
    with the mean of all workers' gradients, so that the weights stay the same everywhere.

    ``optimizer.apply`` would add up the gradients of the workers once more, so each weight is updated by hand.

    Args:
        images: this worker's part of the global batch.

    Returns:
        The mean loss of the global batch before the step, a scalar.
    """
    with tf.GradientTape() as tape:
        logits = network(images, training=True)
        losses = [cross_entropy(truth, one) for truth, one in zip(labels, logits, strict=True)]
        loss = tf.reduce_mean(losses)
    *gradients, loss = averaged([*tape.gradient(loss, network.trainable_variables), loss])
    rate = optimizer.learning_rate
    for gradient, variable in zip(gradients, network.trainable_variables, strict=True):
        optimizer.update_step(gradient, variable, rate)
    optimizer.iterations.assign_add(1)
    return loss


def compiled_step(strategy: tf.distribute.Strategy, network: keras.Model, batches) -> Callable[[], tf.Tensor]:
    """A function that takes the next global batch and trains on it, on all workers at once; it returns the loss.

    Args:
        batches: iterator of the distributed dataset.
    """

    @tf.function
    def step():
        images, labels = next(batches)
        return strategy.run(worker_step, (network, network.optimizer, images, labels))

    return step


def from_chief(strategy: tf.distribute.Strategy, values: Sequence[np.ndarray], chief: bool) -> list[np.ndarray]:
    """The values that the first worker has, on all workers: the others add zeros to them.

    Args:
        values: arrays of floats or whole numbers, of the same shapes on all workers.
    """
    values, told = [np.asarray(value) for value in values], {}
    for kind in (np.float32, np.int64):
        chosen = [number for number, value in enumerate(values) if (value.dtype.kind == "f") == (kind is np.float32)]
        row = np.concatenate([np.zeros(1, kind), *(values[number].astype(kind).ravel() for number in chosen)])
        parts = summed(strategy, row if chief else np.zeros_like(row))[1:]
        ends = np.cumsum([values[number].size for number in chosen])
        told |= dict(zip(chosen, np.split(parts, ends[:-1]) if chosen else [], strict=True))
    return [told[number].reshape(value.shape).astype(value.dtype) for number, value in enumerate(values)]


def summed(strategy: tf.distribute.Strategy, row: np.ndarray) -> np.ndarray:
    """The sum of the rows of all workers."""
    here = tf.constant(row)
    total = tf.function(lambda: tf.distribute.get_replica_context().all_reduce("sum", tf.identity(here)))
    return strategy.run(total).numpy()


def message_seconds(strategy: tf.distribute.Strategy, count: int) -> float:
    """Seconds that the workers need to average ``count`` numbers, the shortest of eight times."""
    row = tf.random.stateless_uniform([count], (0, 0))

    @tf.function
    def once():
        return strategy.run(lambda: tf.reduce_sum(averaged([tf.identity(row)])[0][:1]))

    times = []
    for _ in range(2 + 8):
        started = time.perf_counter()
        float(once())
        times.append(time.perf_counter() - started)
    return min(times[2:])


def messages(step: Callable[[], tf.Tensor]) -> int:
    """How many times in a step the workers wait for each other's numbers, forward and backward."""
    operations = step.get_concrete_function().graph.get_operations()
    return sum(operation.type.startswith("CollectiveReduce") for operation in operations)
