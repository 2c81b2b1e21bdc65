"""Drop-in replacements for two parts of Keras that are slow on a CPU: same results, fewer walks through the memory.

Notebook 07 measures them beside Keras's own.
"""

from __future__ import annotations

from utils.files import require
from utils.quiet import tf  # before keras, which imports TensorFlow too

import keras  # isort: skip


@keras.saving.register_keras_serializable("captcha_course")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` computed by TensorFlow's one fused operation instead of a dozen small ones.

    Same variables, and in training the same result. Only the moving variance is n / (n - 1) times as large, where n
    numbers were normalised together. On a CPU, where the dozen are bound by memory, a step is shorter.
    Takes (batch, height, width, channels) or (batch, channels); works in bfloat16 with float32 statistics.
    """

    def call(self, inputs, training=None, mask=None):
        x = inputs if inputs.shape.rank == 4 else inputs[:, None, None, :]
        if training and self.trainable:  # frozen layers keep their averages, as Keras's own do
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


@keras.saving.register_keras_serializable("captcha_course")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` computed by TensorFlow's one fused operation: same result, one walk through the memory.

    With 46 million parameters, and three numbers kept for each, walking through them takes a good part of a step.
    It has neither ``amsgrad`` nor ``gradient_accumulation_steps``.

    Raises:
        CourseError: one of these is asked for.
    """

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        fits = not self.amsgrad and not self.gradient_accumulation_steps
        require(fits, "FusedAdam has neither amsgrad nor gradient accumulation: take keras.optimizers.Adam.")

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

    def _backend_update_step(self, grads, trainable_variables, learning_rate):
        # Keras goes through TensorFlow's code for many devices here. That code remembers every function it has ever
        # been called in, and with it the weights of every network that was trained and is long gone.
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)


def _handle(variable) -> tf.Tensor:
    """TensorFlow's handle of a variable, whether Keras has wrapped it or not."""
    return (variable if isinstance(variable, tf.Variable) else variable.value).handle
