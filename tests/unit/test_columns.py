"""Texts of unknown length: blanks, repeated characters, the loss, and the network with one output for each column."""

import itertools
import math

import numpy as np
import pytest

from utils import columns
from utils.alphabets import batches_of
from utils.columns import BLANK, column_network, ctc_loss, decode, padded_labels
from utils.fast import keras
from utils.files import CourseError
from utils.model import save_weights
from utils.quiet import tf

SIZE = (32, 64)
NARROW = {"filters": [4, 4, 4, 4, 4], "units": 8}


def path_of(row, chars="0123456789"):
    return [BLANK if char == "." else chars.index(char) + 1 for char in row]


@pytest.mark.parametrize(
    ("row", "text"),
    [
        ("", ""), ("....", ""), ("0", "0"), ("0000", "0"), ("00.00", "00"), ("0.0.1.1", "0011"), ("0011", "01"),
        ("..2.0.26", "2026"), ("9.9", "99"), ("1212", "1212"),
    ],
)  # fmt: skip
def test_equal_neighbours_are_one_character_unless_a_blank_is_between(row, text):
    assert decode(path_of(row)) == text


def test_keras_decodes_alike():
    """The blank of Keras is the label 0 too, and it keeps repeated characters apart."""
    random = np.random.default_rng(0)
    paths = [path_of("0.0.1.1."), *random.integers(0, 4, size=(200, 8))]
    logits = np.eye(4, dtype="float32")[np.array(paths)] * 9
    found = np.array(keras.ops.ctc_decode(logits, [8] * len(paths), mask_index=BLANK)[0])[0]
    for path, labels in zip(paths, found, strict=True):
        assert decode(path) == "".join(str(label - 1) for label in labels if label > 0)
    assert decode(paths[0]) == "0011"


@pytest.mark.parametrize("text", ["0", "01", "00", "001", "11"])
def test_the_loss_is_of_all_paths_together(text):
    logits = np.random.default_rng(1).normal(size=(5, 3)).astype("float32")
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    paths = [path for path in itertools.product(range(3), repeat=5) if decode(path) == text]
    total = sum(math.prod(chances[range(5), path]) for path in paths)
    labels = padded_labels([text, "0101"])  # a longer text beside it: the padding must not count
    loss = ctc_loss(tf.constant(labels), tf.constant(np.stack([logits, logits])))
    assert float(loss[0]) == pytest.approx(-math.log(total), rel=1e-4)


def test_a_text_that_needs_more_columns_has_an_infinite_loss_and_moves_nothing():
    logits = tf.Variable(np.random.default_rng(1).normal(size=(3, 5, 3)).astype("float32"))
    labels = tf.constant(padded_labels(["0011", "001", "01010"], longest=6))  # 0011 needs 6 columns
    with tf.GradientTape() as tape:
        loss = ctc_loss(labels, logits)
    assert np.isinf(loss.numpy()).tolist() == [True, False, False]
    gradient = tape.gradient(loss, logits).numpy()
    assert not gradient[0].any() and gradient[1].any() and np.isfinite(gradient).all()


def test_every_column_must_name_a_single_character():
    logits = np.random.default_rng(2).normal(size=(2, 4, 3)).astype("float32")
    chances = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    loss = columns.single_loss(tf.constant(padded_labels(["1", "0"], "01", longest=3)), tf.constant(logits))
    assert loss.numpy() == pytest.approx([-np.log(chances[0, :, 2]).mean(), -np.log(chances[1, :, 1]).mean()])


def test_labels_begin_at_one_and_are_filled_up_with_blanks():
    assert padded_labels(["05", "9"]).tolist() == [[1, 6], [10, 0]]
    assert padded_labels(["BA"], "AB", longest=4).tolist() == [[2, 1, 0, 0]]


def test_a_network_has_an_output_for_every_four_pixels_of_the_width():
    network = column_network(SIZE, 10, **NARROW)
    assert network.output_shape == (None, 16, 11) and network.outputs[0].dtype == "float32"
    network = column_network((96, 160), 36, **NARROW)
    assert network.output_shape == (None, 40, 37)
    assert columns.alignments(network, np.full((3, 96, 160, 1), 255, np.uint8)).shape == (3, 40)


@pytest.mark.parametrize("size", [(33, 64), (32, 62), (16, 64)])
def test_a_size_that_cannot_be_halved_is_refused(size):
    with pytest.raises(CourseError, match=f"The pictures are {size[0]}x{size[1]}, but their height must be"):
        column_network(size)


def test_it_learns_a_few_pictures_by_heart():
    keras.utils.set_random_seed(0)
    texts = ["00", "1", "101"]
    images = np.random.default_rng(0).integers(0, 255, size=(3, *SIZE, 1), dtype=np.uint8)
    batches, steps = batches_of(images, padded_labels(texts), 3, 0, split=False)
    network = column_network(SIZE, 2, filters=[8] * 5, units=16, dropout=0.0)
    columns.compile_columns(network, 0.01)
    history = network.fit(batches, epochs=4, steps_per_epoch=60, verbose=0, shuffle=False).history["loss"]
    assert steps == 1 and history[-1] < 0.3 < 1 < history[0]


def test_texts_are_equally_often_of_each_length_and_some_are_left():
    wanted = columns.various_texts(100, 0, "0123", (1, 2, 3))
    assert [sum(len(text) == length for text, _ in wanted) for length in (1, 2, 3)] == [34, 33, 33]
    assert len(set(wanted)) == 100, "no drawing comes twice"
    assert len({text for text, _ in wanted if len(text) == 1}) == 3  # of four
    texts = [text for text, _ in wanted]
    fresh = columns.various_fresh(texts, 60, [f"s{number}" for number in range(20)], "0123", (1, 2, 3))
    assert not {text for text, _ in fresh} & set(texts) and len(set(fresh)) == 60


def test_a_stored_network_reads_as_before(tmp_path):
    keras.utils.set_random_seed(1)
    network = column_network(SIZE, 3, **NARROW)
    network.set_weights([np.random.default_rng(2).random(weight.shape) for weight in network.get_weights()])
    path = tmp_path / "columns.npz"
    save_weights(network, path, {"size": SIZE, "chars": "ABC", **NARROW})
    loaded, chars = columns.load_columns(path)
    assert chars == "ABC"
    for old, new in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(old, new, atol=0.005)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CourseError, match=r"columns.npz is no whole model \(.*\): fetch it again"):
        columns.load_columns(path)
    with pytest.raises(CourseError, match=r"There is no .*nothing\.npz: fetch the course again"):
        columns.load_columns(tmp_path / "nothing.npz")
