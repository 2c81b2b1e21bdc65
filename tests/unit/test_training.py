"""Feeding and training: labels stay with their pictures, and a broken-off training goes on as if nothing had been."""

import numpy as np
import pytest
from conftest import SIZE

from utils import training
from utils.checkpoints import Checkpoint
from utils.files import CourseError
from utils.model import alexnet, keras, scaled
from utils.quiet import tf
from utils.tfrecords import read_records


def epoch(records, batch_size=16, seed=0, change=None, first_epoch=0):
    keras.utils.set_random_seed(0)
    batches, steps = training.training_batches(records, SIZE, batch_size, seed, change, first_epoch=first_epoch)
    return list(batches.take(steps).as_numpy_iterator())


def test_labels_stay_with_their_pictures(records):
    """After shuffling and batching, each picture must still have the labels that it has in the file."""
    images, labels = read_records(records, "train", SIZE)
    scaled_images, seen = scaled(images).numpy(), []
    for batch, digits in epoch(records):
        assert batch.shape == (16, *SIZE, 1) and batch.dtype == np.float32
        assert batch.min() >= -1 and batch.max() <= 1
        for image, *row in zip(batch, *digits, strict=True):
            (same,) = np.flatnonzero(np.abs(scaled_images - image).max(axis=(1, 2, 3)) < 1e-3)
            assert labels[same].tolist() == row
            seen.append(same)
    assert len(seen) == len(set(seen)) == 6 * 16  # 100 records make 6 whole batches, and none comes twice


def test_each_epoch_has_its_own_order_and_the_seed_decides_it(records):
    def order(**keywords):
        return [tuple(digit.tolist() for digit in digits) for _, digits in epoch(records, **keywords)]

    assert order() == order()
    assert order(seed=1) != order()
    assert order(first_epoch=1) != order()


def test_a_later_epoch_can_be_started_from(records):
    keras.utils.set_random_seed(0)
    batches, steps = training.training_batches(records, SIZE, 16, seed=0)
    unbroken = list(batches.skip(2 * steps).take(steps).as_numpy_iterator())
    for (images, labels), (images_again, labels_again) in zip(unbroken, epoch(records, first_epoch=2), strict=True):
        assert np.array_equal(images, images_again)
        assert np.array_equal(labels, labels_again)


@pytest.mark.parametrize("first_epoch", [0, 1])
def test_the_last_epochs_see_the_pictures_as_they_are(records, first_epoch):
    """Two epochs are changed, wherever the stream is started from, and the third is not."""

    def darker(images, seed):
        return images // 2  # whole numbers: a learner's own function may give any type

    keras.utils.set_random_seed(0)
    given = {"first_epoch": first_epoch, "scaled": lambda images: tf.cast(images, tf.float32)}
    batches, steps = training.training_batches(records, SIZE, 16, 0, darker, augmented_epochs=2, **given)
    papers = [images.max() for images, _ in batches.take((3 - first_epoch) * steps).as_numpy_iterator()]
    assert max(papers[:-steps]) < 130 < min(papers[-steps:])


@pytest.mark.parametrize("batch_size", [0, 101])
def test_impossible_batch_sizes(records, batch_size):
    with pytest.raises(CourseError, match="between 1 and 100, the training records"):
        training.training_batches(records, SIZE, batch_size, 0)


def test_learning_rates():
    rates = training.learning_rates(0.001, epochs=5, steps=10)
    assert [float(rates(step)) for step in (0, 5, 10, 30, 50)] == pytest.approx([0, 0.0005, 0.001, 0.0005, 0], abs=1e-8)


@pytest.mark.parametrize(("highest", "epochs"), [(0, 5), (-1, 5), (0.001, 0)])
def test_impossible_learning_rates(highest, epochs):
    with pytest.raises(CourseError, match="must be above 0"):
        training.learning_rates(highest, epochs, 10)


def test_the_loss_is_the_mean_of_the_four():
    network = alexnet(SIZE, fc_units=16)
    for place in range(4):  # head k says k with all its might, and is wrong or right by hand below
        network.get_layer(f"digit_{place}").set_weights([np.zeros((16, 10)), 20.0 * np.eye(10)[place]])
    training.compile_model(network, 0.001, 1, 1)
    labels = [np.array([place]) for place in (0, 1, 2, 9)]
    loss = network.evaluate(np.zeros((1, *SIZE, 1), "float32"), labels, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(20 / 4, abs=1e-3)


@pytest.mark.parametrize("length", [1, 4])
def test_the_training_loss_has_no_penalty_in_it(length):
    """Before the first step every output gives each digit the same chance, and large weights cost a lot."""
    network = alexnet(SIZE, length=length, fc_units=16, weight_decay=0.1)
    training.compile_model(network, 1e-12, 1, 1)
    pictures, labels = np.zeros((2, *SIZE, 1), "float32"), [np.array([3, 7])] * length
    logs = network.fit(pictures, labels, batch_size=2, verbose=0).history
    logs = {name: values[0] for name, values in logs.items()}
    assert logs["loss"] > 100
    assert training.pure_loss(logs) == pytest.approx(np.log(10), abs=1e-4)


def test_scores_of_a_model_that_always_says_the_same():
    network = alexnet(SIZE, fc_units=16)
    for place in range(4):
        network.get_layer(f"digit_{place}").set_weights([np.zeros((16, 10)), 20.0 * np.eye(10)[place]])
    labels = np.array([[0, 1, 2, 3], [0, 1, 2, 9], [0, 9, 9, 9], [9, 9, 9, 3]])
    found = training.evaluate(network, np.zeros((4, *SIZE, 1), np.uint8), labels)
    assert [found[f"test_digit_{place}"] for place in range(4)] == [3 / 4, 2 / 4, 2 / 4, 2 / 4]
    assert found["test_whole"] == 1 / 4
    assert found["test_loss"] == pytest.approx(20 * 7 / 16, rel=1e-3)


def test_a_loss_that_is_no_number_stops_with_advice(records, tmp_path):
    network = alexnet(SIZE, fc_units=16)
    batches, steps = training.training_batches(records, SIZE, 25, seed=0)
    training.compile_model(network, 0.001, 2, steps)
    network.get_layer("digit_2").bias.assign(np.full(10, np.nan))  # further down, a ReLU would hide it
    callbacks = [training.Evaluation(*read_records(records, "test", SIZE)), Checkpoint(tmp_path, {}, [])]
    with pytest.raises(CourseError, match="no number after 1 steps: lower learning_rate"):
        network.fit(batches, epochs=2, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=callbacks)
    assert not list(tmp_path.iterdir())


def test_impossible_label_smoothing():
    with pytest.raises(CourseError, match=r"label_smoothing is 1\.0, but must be at least 0 and below 1"):
        training.compile_model(alexnet(SIZE, fc_units=16), 0.001, 1, 1, label_smoothing=1.0)


def test_cross_entropy_by_hand():
    """With smoothing s, the truth should get 1 - s + s/10 and every other digit s/10."""
    logits = np.random.default_rng(0).normal(size=(5, 10)).astype("float32")
    labels = np.array([0, 3, 9, 3, 1])
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    for smoothing in (0.0, 0.1):
        wanted = np.eye(10)[labels] * (1 - smoothing) + smoothing / 10
        loss = training.cross_entropy(labels, logits, smoothing)
        assert np.allclose(loss, -(wanted * logs).sum(axis=1), rtol=1e-5)


def test_a_step_by_hand_is_the_step_that_fit_takes(records):
    """The same network, picture and optimizer: after one step of each, the weights are the same."""
    images, labels = next(iter(training.training_batches(records, SIZE, 25, seed=0)[0]))
    networks = []
    for by_hand in (True, False):
        keras.utils.set_random_seed(0)
        network = alexnet(SIZE, fc_units=16, dropout=0.0)
        if by_hand:
            loss = training.training_step(network, keras.optimizers.SGD(0.1), images, labels)
            assert float(loss) == pytest.approx(np.log(10), abs=1e-5)
        else:
            training.compile_model(network, 0.001, 2, 1)
            network.compile(keras.optimizers.SGD(0.1), loss=network.loss, loss_weights=[0.25] * 4)
            network.train_on_batch(images, labels)
        networks.append(network)
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        assert np.allclose(one, other, atol=1e-4)


def test_a_changed_loss_and_changed_scaling_are_used(records):
    network = alexnet(SIZE, fc_units=16)
    training.compile_model(
        network, 0.001, 1, 1, loss=lambda labels, logits, smoothing: tf.zeros_like(logits[:, 0]) + 7.0
    )
    assert network.evaluate(np.zeros((1, *SIZE, 1)), [np.zeros(1)] * 4, verbose=0)[0] == pytest.approx(7)
    batches, _ = training.training_batches(records, SIZE, 25, 0, scaled=lambda images: tf.cast(images, tf.float32) * 0)
    assert np.abs(next(iter(batches))[0]).max() == 0
