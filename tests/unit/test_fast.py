"""The fast stand-ins compute what Keras's own layer and optimizer compute."""

import gc

import numpy as np
import pytest

from utils import fast
from utils.fast import keras
from utils.files import CourseError
from utils.quiet import tf


def test_fused_adam_is_adam():
    start = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    ours, theirs = keras.Variable(start), keras.Variable(start)
    fused, plain = fast.FusedAdam(0.01), keras.optimizers.Adam(0.01)
    for step in range(20):
        gradient = tf.constant(np.random.default_rng(step + 1).normal(size=(5, 3)).astype("float32"))
        fused.apply([gradient], [ours])
        plain.apply([gradient], [theirs])
        assert np.allclose(ours, theirs, atol=1e-6)
    assert np.abs(ours - start).max() > 0.02


@pytest.mark.parametrize("option", [{"amsgrad": True}, {"gradient_accumulation_steps": 2}])
def test_what_fused_adam_cannot_do_is_refused(option):
    with pytest.raises(CourseError, match="neither amsgrad nor gradient accumulation"):
        fast.FusedAdam(0.01, **option)


@pytest.mark.parametrize("shape", [(4, 5, 6, 3), (16, 3)])
def test_fused_batch_normalisation_is_batch_normalisation(shape):
    x = 2 + 3 * tf.random.stateless_normal(shape, (1, 2))
    ours, theirs = fast.FusedBatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    assert np.allclose(ours(x, training=True), theirs(x, training=True), atol=1e-5)
    # The fused operation keeps the variance with n - 1 below the line, as its documentation says, where Keras has n.
    count = np.prod(shape[:-1])
    assert np.allclose(ours.moving_mean, theirs.moving_mean, atol=1e-6)
    unbiased = 0.9 + (theirs.moving_variance - 0.9) * count / (count - 1)
    assert np.allclose(ours.moving_variance, unbiased, atol=1e-5)
    theirs.moving_variance.assign(ours.moving_variance)
    assert np.allclose(ours(x), theirs(x), atol=1e-5)


def test_a_network_that_was_trained_and_deleted_is_forgotten():
    """Else each training in a notebook keeps its weights in memory until the kernel ends."""

    def train():
        network = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        network.compile(fast.FusedAdam(0.01), loss="mse")
        network.fit(np.zeros((8, 3)), np.zeros((8, 2)), verbose=0)

    def remembered():
        gc.collect()
        return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())

    before = remembered()
    train()
    assert remembered() == before
