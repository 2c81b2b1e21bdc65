"""Where an output looks, on models made for it, of which we know where they look."""

import numpy as np
import pytest

from utils import looking
from utils.model import keras
from utils.quiet import tf

SIZE = 48


@keras.saving.register_keras_serializable("tests")
class Quarter(keras.layers.Layer):
    """Logits that favour digit 1 as long as there is ink in one quarter of the width, and nothing else."""

    def __init__(self, place, **settings):
        super().__init__(**settings)
        self.place = place

    def call(self, x):
        side = SIZE // 4
        ink = tf.reduce_sum(1 - x[:, :, self.place * side : (self.place + 1) * side], axis=[1, 2, 3])
        return tf.stack([tf.zeros_like(ink), ink], axis=1)


def looks_at(*places):
    inputs = keras.Input((SIZE, SIZE, 1))
    return keras.Model(inputs, [Quarter(place)(inputs) for place in places])


@pytest.fixture
def images():
    """Two pictures with a dark blot of 6 x 6 pixels in the middle of each quarter."""
    pictures = np.full((2, SIZE, SIZE, 1), 240, np.uint8)
    for place in range(4):
        middle = SIZE // 4 * place + SIZE // 8
        pictures[:, 21:27, middle - 3 : middle + 3] = 40
    return pictures


def test_each_output_looks_at_its_own_quarter(images):
    model, digits = looks_at(0, 1, 2, 3), np.ones((2, 4), int)
    found = looking.cover(model, images, digits, 12, 12, 6)
    assert found.falls.shape == (2, 4, 7, 7)
    assert found.rows.tolist() == found.columns.tolist() == [6, 12, 18, 24, 30, 36, 42]
    for place in range(4):
        row, column = np.unravel_index(found.falls[0, place].argmax(), (7, 7))
        assert (row, column) == (3, 2 * place)
        far = np.abs(found.columns - found.columns[column]) > 12
        assert np.allclose(found.falls[0, place][:, far], 0)
    # Where the whole blot is covered, both digits have the same chance again.
    assert found.falls[0, 0].max() == pytest.approx(0.5, abs=1e-3)
    assert np.allclose(looking.centres(found, SIZE), [[0.125, 0.375, 0.625, 0.875]] * 2, atol=0.02)


def test_outputs_that_look_elsewhere_are_found_out(images):
    found = looking.cover(looks_at(3, 2, 1, 0), images, np.ones((2, 4), int), SIZE, 12, 6)
    assert found.falls.shape == (2, 4, 1, 7)
    assert np.allclose(looking.centres(found, SIZE), [[0.875, 0.625, 0.375, 0.125]] * 2, atol=0.02)


def test_the_digit_that_is_asked_for_counts(images):
    """Covering the ink makes digit 0 surer, so its probability never falls; such an output looks nowhere."""
    found = looking.cover(looks_at(0, 1), images, np.array([[1, 1], [0, 0]]), 12, 12, 6)
    assert found.falls[0].max() > 0.4 and found.falls[1].max() <= 1e-6
    found.falls[1] = np.minimum(found.falls[1], 0)
    middles = looking.centres(found, SIZE)
    assert not np.isnan(middles[0]).any() and np.isnan(middles[1]).all()


def test_pictures_are_left_as_they_are(images):
    before = images.copy()
    looking.cover(looks_at(0, 1), images, np.ones((2, 2), int), 12, 12, 6)
    assert np.array_equal(images, before)
