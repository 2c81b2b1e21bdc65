"""Other people's networks: each can be built, trained and read, and its work is counted honestly."""

import math

import numpy as np
import pytest

from benchmarks.peers import __main__ as program
from benchmarks.peers.networks import (
    NETWORKS,
    Rectified,
    ctc_loss,
    distorted,
    read_columns,
    read_places,
    resnet18,
    steps_down,
    three,
    work,
)  # fmt: skip
from utils.captchas import split_texts
from utils.files import CourseError
from utils.fresh import fresh_texts
from utils.model import keras
from utils.quiet import tf
from utils.results import read_peers


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_a_step_and_reads(name):
    peer = NETWORKS[name]
    height, width, channels = peer.build().input_shape[1:]
    assert channels in (1, 3)
    chance = np.random.default_rng(0)
    images = chance.integers(0, 256, (4, height, width, channels), np.uint8)
    labels = chance.integers(0, 10, (4, 4))
    small = peer._replace(batch_size=min(2, peer.batch_size), more=None)
    network, about = program.train(small, images, labels, 0.0, 1, 0)
    assert about["tflop"] < 0.1 and not about["cut_short"]
    logits = network.predict_on_batch(peer.scaled(images))
    assert logits.dtype == np.float32 and np.isfinite(logits).all()
    assert logits.shape == ((4, width // 4, 11) if name == "crnn" else (4, 4, 10))
    read = peer.read(logits)
    assert read.shape == (4, 4) and read.min() >= -1 and read.max() <= 9


def test_a_training_ends_with_the_time_and_says_so():
    images, labels = np.zeros((4, 40, 48, 3), np.uint8), np.zeros((4, 4), int)
    peer = NETWORKS["three"]._replace(build=lambda: three((40, 48)), batch_size=2)
    _, about = program.train(peer, images, labels, 1e6, 0.02, 0)
    assert about["cut_short"] and about["tflop"] < 1e6 and about["epochs"] > 0.4


def test_work_is_counted_from_the_layers():
    adds = 98 * 118 * 32 * 27 + 47 * 57 * 64 * 9 * 32 + 21 * 26 * 64 * 9 * 64 + 8320 * 1024 + 1024 * 40
    assert work(three()) == pytest.approx(2 * adds / 1e9)
    inputs = keras.Input((7, 5))
    both = keras.Model(inputs, keras.layers.Bidirectional(keras.layers.LSTM(3, return_sequences=True))(inputs))
    assert work(both) == pytest.approx(2 * 7 * 2 * 4 * 3 * (5 + 3) / 1e9)  # 7 steps, 2 directions, 4 gates
    assert work(resnet18((224, 224))) == pytest.approx(3.63, abs=0.01)  # as published: 1.8 billion multiply-adds


def test_places_and_columns_are_read():
    assert read_places(np.eye(10)[None, [3, 1, 4, 1]]).tolist() == [[3, 1, 4, 1]]
    said = np.eye(11)[np.array([[3, 3, 10, 3, 1, 10, 4, 4], [10, 10, 10, 2, 2, 10, 10, 10], [1, 2, 3, 4, 5, 6, 7, 8]])]
    assert read_columns(said).tolist() == [[3, 3, 1, 4], [2, -1, -1, -1], [1, 2, 3, 4]]


def test_the_loss_of_columns_counts_every_way_to_write_a_text():
    """Two columns, one character: it may stand in the first, in the second, or in both."""
    even = tf.zeros((1, 2, 11))
    expected = -math.log(3 / 11**2)
    assert float(ctc_loss(tf.constant([[0]], tf.int64), even)) == pytest.approx(expected, rel=1e-5)


def test_rates():
    rate = Rectified(0.1)
    assert [float(rate(step)) for step in (0, 4)] == [0.0, 0.0]
    assert 0 < float(rate(10)) < float(rate(1000)) < float(rate(20_000)) <= 0.1
    down = steps_down(1.0, 10, 0.5, 25)
    assert [float(down(step)) for step in (0, 10, 11, 24)] == [1.0, 1.0, 0.5, 0.25]


def test_distorted_copies_keep_their_labels_and_differ():
    chance = np.random.default_rng(0)
    images, labels = chance.integers(0, 256, (3, 40, 60, 3), np.uint8), np.arange(12).reshape(3, 4)
    more, truth = distorted(images, labels, 0)
    assert more.shape == (9, 40, 60, 3) and more.dtype == np.uint8
    assert np.array_equal(more[:3], images) and np.array_equal(truth[6:], labels)
    assert not np.array_equal(more[3:6], images) and not np.array_equal(more[3:6], more[6:])


def test_pictures_are_drawn_in_colour_or_gray():
    wanted = [("1234", 0), ("5678", 0)]
    for channels in (1, 3):
        images, labels = program.at_once(wanted, (50, 100), channels)
        assert images.shape == (2, 50, 100, channels) and images.dtype == np.uint8
        assert labels.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


def test_test_and_fresh_captchas_of_a_seed_are_scored(monkeypatch):
    monkeypatch.setattr(program, "CAPTCHAS", 20)
    monkeypatch.setattr(program, "TEST", 4)
    monkeypatch.setattr(program, "fresh_texts", lambda used, seeds: fresh_texts(used, 6, seeds=seeds))
    test, _ = split_texts(20, 4, seed=3)
    images, labels = program.at_once([(text, 3) for text in test], (20, 40), 1)
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}

    def read(some):
        return np.array([known.get(image.tobytes(), [-1] * 4) for image in some])

    found = program.scores(read, (20, 40), 1, seed=3)
    assert found["test"]["whole"] == found["test"]["digit_0"] == 1.0  # the very pictures of this seed
    assert found["fresh"]["captchas"] == 6 and found["fresh"]["whole"] == 0.0


def test_stored_results_are_of_the_networks_as_they_are():
    for result in read_peers():
        name, _, budget = result["name"].partition("-")
        values = result["parameters"]
        assert values.get("as_much_as", "quick") == (budget or "quick")
        assert result["about"] == program.project_of(name), f"run python -m benchmarks.peers {name}"
        if name != program.OCR:
            height, width, channels = NETWORKS[name].build().input_shape[1:]
            found = [values[key] for key in ("image_height", "image_width", "channels", "batch_size")]
            assert found == [height, width, channels, NETWORKS[name].batch_size], name


def test_a_missing_package_is_told(monkeypatch):
    monkeypatch.setattr(program, "OCR", "no_such_package")
    with pytest.raises(CourseError, match="run pip install no_such_package"):
        program.measure_ocr()
