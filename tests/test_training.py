"""Feeding and training: labels stay with their pictures, and a broken-off training goes on as if nothing had been."""

import numpy as np
import pytest
from conftest import SIZE

from benchmarks.accuracy import known_parameters, read_recipe
from utils import training
from utils.captchas import draw_texts
from utils.files import CourseError
from utils.fresh import fresh_captchas, fresh_texts
from utils.model import alexnet, keras, load_compact, load_model, probabilities, scaled
from utils.prepare import CATCH_UP
from utils.quiet import tf
from utils.scores import whole_accuracy
from utils.tfrecords import read_records


def epoch(records, batch_size=16, seed=0, augmented=False, first_epoch=0):
    keras.utils.set_random_seed(0)
    batches, steps = training.training_batches(records, SIZE, batch_size, seed, augmented, first_epoch=first_epoch)
    return list(batches.take(steps).as_numpy_iterator())


def test_labels_stay_with_their_pictures(records):
    """After shuffling and batching, each picture must still have the labels that it has in the file."""
    images, labels = read_records(records, "train", SIZE)
    scaled_images, seen = scaled(images).numpy(), []
    for batch, digits in epoch(records):
        assert batch.shape == (16, SIZE, SIZE, 1) and batch.dtype == np.float32
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
    for (images, labels), (images_again, labels_again) in zip(
        unbroken, epoch(records, augmented=True, first_epoch=2), strict=True
    ):
        assert np.array_equal(images, images_again)
        assert np.array_equal(labels, labels_again)


@pytest.mark.parametrize("batch_size", [0, 101])
def test_impossible_batch_sizes(records, batch_size):
    with pytest.raises(CourseError, match="between 1 and 100, the training records"):
        training.training_batches(records, SIZE, batch_size, 0)


@pytest.mark.parametrize("strength", [{"bend": -1.0}, {"tone": -0.1}])
def test_impossible_augmentation(records, strength):
    with pytest.raises(CourseError, match="neither must be below 0"):
        training.training_batches(records, SIZE, 16, 0, **strength)


def test_augmentation_follows_from_its_seed(records):
    images, _ = read_records(records, "test", SIZE)
    once, again, other = (
        training.augment(images, seed, bend=5.0, tone=0.5).numpy() for seed in [(0, 1), (0, 1), (0, 2)]
    )
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    assert once.shape == images.shape and once.min() >= 0 and once.max() <= 255


def test_augmentation_by_nothing_changes_nothing(records):
    images, _ = read_records(records, "test", SIZE)
    assert np.array_equal(training.augment(images, (0, 1), shift=0.0, scale=0.0, shear=0.0), images)


def test_each_picture_is_changed_in_its_own_way(records):
    images = np.repeat(read_records(records, "test", SIZE)[0][:1], 8, axis=0)
    for only in ({"shift": 12.0}, {"scale": 0.1}, {"shear": 0.1}, {"bend": 5.0}, {"tone": 0.5}):
        nothing = {"shift": 0.0, "scale": 0.0, "shear": 0.0}
        changed = training.augment(images, (0, 1), **nothing | only).numpy()
        assert len({picture.tobytes() for picture in changed}) == 8, only
        assert 0.1 < np.abs(changed - images).mean() < 40, only


def test_augmentation_moves_no_further_than_it_says():
    """A dot in the middle of a picture of 224 pixels, moved by up to 12, must be found within 12 pixels."""
    images = np.full((64, 225, 225, 1), 255, np.uint8)
    images[:, 112, 112] = 0
    moved = training.augment(images, (0, 1), shift=12.0, scale=0.1, shear=0.1).numpy()[..., 0]
    rows, columns = np.array([np.unravel_index(image.argmin(), image.shape) for image in moved]).T - 112
    assert np.abs(rows).max() <= 15 and np.abs(columns).max() <= 15  # 12, seen through up to 20 % of scale and shear
    assert np.abs(rows).max() >= 8 and np.abs(columns).max() >= 8
    assert rows.min() < 0 < rows.max() and columns.min() < 0 < columns.max()


def test_a_moved_picture_is_the_old_one_elsewhere():
    """By value: a picture whose pixels are their own column's number tells where each one was taken from."""
    columns = np.broadcast_to(np.arange(224, dtype=np.uint8)[None, None, :, None], (32, 224, 224, 1))
    moved = training.augment(columns, (0, 1), shift=12.0, scale=0.0, shear=0.0).numpy()[:, 112, 20:200, 0]
    by = moved - np.arange(20, 200)
    assert np.abs(by).max() <= 12 and np.ptp(by, axis=1).max() < 1e-3  # the whole picture by the same distance
    assert by.min() < -8 and by.max() > 8


def test_bends_are_as_large_as_they_say_and_smooth():
    waves = training._waves((0, 1), 64, 224, 224, 5.0).numpy()
    assert waves.shape == (2, 64, 224, 224)
    assert 4.5 < waves.std() < 5.5
    assert np.abs(np.diff(waves, axis=-1)).max() < 2
    alike = [abs(np.corrcoef(waves[0, :, 112, 60], waves[0, :, 112, column])[0, 1]) for column in (66, 160)]
    assert alike[0] > 0.9 > 0.6 > alike[1]  # neighbouring columns stay together, distant ones go their own ways


def test_tone_keeps_paper_and_order(records):
    """Changed ink is darker or paler, but what was darker stays darker, and the paper stays as bright as it was."""
    images, _ = read_records(records, "test", SIZE)
    changed = training.augment(images, (0, 1), shift=0.0, scale=0.0, shear=0.0, tone=0.5).numpy()
    for before, after in zip(images[..., 0], changed[..., 0], strict=True):
        assert after.max() == pytest.approx(before.max(), abs=0.01)
        order = np.argsort(before, axis=None)
        assert (np.diff(after.flat[order]) > -1e-3).all()
    means = (changed - images).mean(axis=(1, 2, 3))
    assert means.min() < -1 and means.max() > 1


def test_fused_adam_is_adam():
    start = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")
    ours, theirs = keras.Variable(start), keras.Variable(start)
    fused, plain = training.FusedAdam(0.01), keras.optimizers.Adam(0.01)
    for step in range(20):
        gradient = tf.constant(np.random.default_rng(step + 1).normal(size=(5, 3)).astype("float32"))
        fused.apply([gradient], [ours])
        plain.apply([gradient], [theirs])
        assert np.allclose(ours, theirs, atol=1e-6)
    assert np.abs(ours - start).max() > 0.02


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
    loss = network.evaluate(np.zeros((1, SIZE, SIZE, 1), "float32"), labels, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(20 / 4, abs=1e-3)


def test_scores_of_a_model_that_always_says_the_same():
    network = alexnet(SIZE, fc_units=16)
    for place in range(4):
        network.get_layer(f"digit_{place}").set_weights([np.zeros((16, 10)), 20.0 * np.eye(10)[place]])
    labels = np.array([[0, 1, 2, 3], [0, 1, 2, 9], [0, 9, 9, 9], [9, 9, 9, 3]])
    found = training.evaluate(network, np.zeros((4, SIZE, SIZE, 1), np.uint8), labels)
    assert [found[f"test_digit_{place}"] for place in range(4)] == [3 / 4, 2 / 4, 2 / 4, 2 / 4]
    assert found["test_whole"] == 1 / 4
    assert found["test_loss"] == pytest.approx(20 * 7 / 16, rel=1e-3)


SETTINGS = {"epochs": 4}


def train(records, folder, until, settings=SETTINGS):
    """What notebook 03 does, up to some epoch. Returns the model and the history."""
    keras.utils.set_random_seed(0)
    network, history = training.resume(folder, settings, SIZE)
    batches, steps = training.training_batches(records, SIZE, 25, seed=0, first_epoch=len(history))
    if network is None:
        network = alexnet(SIZE, fc_units=32)
        training.compile_model(network, 0.001, settings["epochs"], steps)
    checkpoint = training.Checkpoint(folder, settings, history)
    evaluation = training.Evaluation(*read_records(records, "test", SIZE))
    network.fit(
        batches, initial_epoch=len(history), epochs=until, steps_per_epoch=steps, verbose=0, shuffle=False,
        callbacks=[evaluation, checkpoint],
    )  # fmt: skip
    return network, checkpoint.epochs_done


def without_time(history):
    return [{name: value for name, value in epoch.items() if name != "seconds"} for epoch in history]


def test_a_training_that_was_broken_off_ends_as_an_unbroken_one(records, tmp_path):
    unbroken, history = train(records, tmp_path / "a", 4)
    train(records, tmp_path / "b", 1)
    train(records, tmp_path / "b", 3)
    resumed, history_again = train(records, tmp_path / "b", 4)
    assert without_time(history) == without_time(history_again)
    images, _ = read_records(records, "test", SIZE)
    assert np.array_equal(probabilities(unbroken, images), probabilities(resumed, images))


def test_a_finished_training_is_not_repeated_and_other_settings_start_anew(records, tmp_path):
    network, history = train(records, tmp_path, 4)
    path = training.finish(network, tmp_path, SETTINGS, history)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["alexnet.keras", "history.json"]
    images, _ = read_records(records, "test", SIZE)
    assert np.array_equal(probabilities(load_model(path, SIZE), images), probabilities(network, images))

    again, history_again = training.resume(tmp_path, SETTINGS, SIZE)
    assert history_again == history == training.read_history(tmp_path)
    assert np.array_equal(probabilities(again, images), probabilities(network, images))
    assert training.resume(tmp_path, {"epochs": 5}, SIZE) == (None, [])


def test_a_new_model_never_stands_beside_the_history_of_an_older_one(records, tmp_path, monkeypatch):
    network, history = train(records, tmp_path, 1)
    training.finish(network, tmp_path, SETTINGS, history)
    monkeypatch.setattr(training, "write_json", lambda *arguments: 1 / 0)  # killed between the two files
    with pytest.raises(ZeroDivisionError):
        training.finish(network, tmp_path, {"epochs": 5}, history)
    assert training.resume(tmp_path, SETTINGS, SIZE) == (None, [])


def test_half_a_training_with_other_settings_is_dropped_and_said_to_be(records, tmp_path, capsys):
    train(records, tmp_path, 1)
    assert training.resume(tmp_path, {"epochs": 5}, SIZE) == (None, [])
    assert "had other settings: it is dropped" in capsys.readouterr().out
    assert not (tmp_path / "checkpoint").exists()


def test_a_damaged_checkpoint_is_named_and_not_used(records, tmp_path):
    train(records, tmp_path, 1)
    path = tmp_path / "checkpoint" / "epoch-0001.keras"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CourseError, match=r"epoch-0001\.keras is no whole Keras model"):
        training.resume(tmp_path, SETTINGS, SIZE)


def test_a_loss_that_is_no_number_stops_with_advice(records, tmp_path):
    network = alexnet(SIZE, fc_units=16)
    batches, steps = training.training_batches(records, SIZE, 25, seed=0)
    training.compile_model(network, 0.001, 2, steps)
    network.get_layer("digit_2").bias.assign(np.full(10, np.nan))  # further down, a ReLU would hide it
    callbacks = [training.Evaluation(*read_records(records, "test", SIZE)), training.Checkpoint(tmp_path, SETTINGS, [])]
    with pytest.raises(CourseError, match="no number after 1 steps: lower learning_rate"):
        network.fit(batches, epochs=2, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=callbacks)
    assert not list(tmp_path.iterdir())


def test_no_history_names_the_notebook_to_run(tmp_path):
    with pytest.raises(CourseError, match=r"run 03-train-alexnet\.ipynb first"):
        training.read_history(tmp_path)


def test_smoothed_cross_entropy_by_hand():
    """With smoothing s, the truth should get 1 - s + s/10 and every other digit s/10."""
    logits = np.random.default_rng(0).normal(size=(5, 10)).astype("float32")
    labels = np.array([0, 3, 9, 3, 1])
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    for smoothing in (0.0, 0.1):
        wanted = np.eye(10)[labels] * (1 - smoothing) + smoothing / 10
        loss = training.SmoothedCrossentropy(smoothing)
        assert float(loss(labels, logits)) == pytest.approx(-(wanted * logs).sum(axis=1).mean(), rel=1e-5)
    again = training.SmoothedCrossentropy.from_config(training.SmoothedCrossentropy(0.2).get_config())
    assert again.label_smoothing == 0.2


def test_impossible_label_smoothing():
    with pytest.raises(CourseError, match=r"label_smoothing is 1\.0, but must be at least 0 and below 1"):
        training.compile_model(alexnet(SIZE, fc_units=16), 0.001, 1, 1, label_smoothing=1.0)


@pytest.mark.parametrize("recipe", ["default", "long"])
def test_augmented_captchas_still_say_what_their_labels_say(recipe):
    """The model that comes with the course has never seen bent strokes, and reads most of these captchas whole."""
    values = known_parameters() | read_recipe(recipe)
    strength = {name: values[name] for name in ("tone", "bend")}
    model, _ = load_compact(CATCH_UP, 224)
    unseen = fresh_texts(draw_texts(5000, 0), 100)
    images, labels = map(np.concatenate, zip(*fresh_captchas(unseen, 224), strict=True))
    changed = training.augment(images, seed=(0, 1), **strength).numpy().round().astype(np.uint8)
    assert np.abs(changed - images.astype(float)).mean() > 5
    assert whole_accuracy(probabilities(model, changed).argmax(axis=-1), labels) > 0.7
