"""A training that was broken off goes on as if nothing had been, and a changed one never finds the old network."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import SIZE

from utils import checkpoints, training
from utils.files import CourseError
from utils.model import alexnet, keras, layers, load_model, probabilities, save_model
from utils.tfrecords import read_records

SETTINGS, ONE = {"epochs": 4}, {"epochs": 1}


@pytest.fixture(autouse=True)
def let_go():
    """Each test may train in folders that another has used."""
    yield
    for stack in checkpoints._kept.values():
        stack.close()
    checkpoints._kept.clear()


def new_network(settings=SETTINGS, steps=4):
    keras.utils.set_random_seed(0)
    network = alexnet(SIZE, fc_units=32)
    training.compile_model(network, 0.001, settings["epochs"], steps)
    return network


def train(records, folder, until, settings=SETTINGS):
    """What the training cell of notebook 05 does, up to some epoch. Returns the model and the history."""
    network = new_network(settings)
    done = checkpoints.resume(network, folder, settings)
    batches, steps = training.training_batches(records, SIZE, 25, seed=0, first_epoch=len(done))
    checkpoint = checkpoints.Checkpoint(folder, settings, done)
    evaluation = training.Evaluation(*read_records(records, "test", SIZE))
    network.fit(
        batches, initial_epoch=len(done), epochs=until, steps_per_epoch=steps, verbose=0, shuffle=False,
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


def test_a_finished_training_is_not_repeated(records, tmp_path):
    folder = tmp_path / "model"
    network, history = train(records, folder, 4)
    path = checkpoints.finish(network, folder, SETTINGS, history)
    assert sorted(found.name for found in folder.iterdir() if found.name[0] != ".") == ["alexnet.keras", "history.json"]
    images, _ = read_records(records, "test", SIZE)
    assert np.array_equal(probabilities(load_model(path, SIZE), images), probabilities(network, images))
    again = new_network()
    assert checkpoints.resume(again, folder, SETTINGS) == history == checkpoints.read_history(folder)
    assert np.array_equal(probabilities(again, images), probabilities(network, images))


def test_a_finished_training_survives_a_second_finish_that_is_broken_off(records, tmp_path, monkeypatch):
    """The last cell of notebook 05, run again on a full disk, must not cost the training."""
    network, history = train(records, tmp_path, 4)
    checkpoints.finish(network, tmp_path, SETTINGS, history)
    for name in ("save_model", "write_json"):
        with monkeypatch.context() as full:
            full.setattr(checkpoints, name, lambda *arguments: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                checkpoints.finish(network, tmp_path, SETTINGS, history)
        assert checkpoints.resume(new_network(), tmp_path, SETTINGS) == history


def test_a_finished_model_of_other_settings_is_kept_aside(records, tmp_path, capsys):
    folder = tmp_path / "model"
    network, history = train(records, folder, 1, ONE)
    checkpoints.finish(network, folder, ONE, history)
    model = (folder / "alexnet.keras").read_bytes()
    for number in (1, 2):
        assert checkpoints.resume(new_network(), folder, {"epochs": 5}) == []
        said = capsys.readouterr().out
        assert "epochs 1 instead of 5" in said and f"kept in {tmp_path.name}/model-{number}" in said
        assert (tmp_path / f"model-{number}" / "alexnet.keras").read_bytes() == model
        assert not (folder / "history.json").exists()
        checkpoints.finish(network, folder, ONE, history)
        model = (folder / "alexnet.keras").read_bytes()


def test_a_new_model_never_stands_beside_the_history_of_an_older_one(records, tmp_path, monkeypatch):
    network, history = train(records, tmp_path, 1, ONE)
    checkpoints.finish(network, tmp_path, ONE, history)
    monkeypatch.setattr(checkpoints, "write_json", lambda *arguments: 1 / 0)  # killed between the two files
    with pytest.raises(ZeroDivisionError):
        checkpoints.finish(network, tmp_path, ONE | {"seed": 5}, history)
    assert checkpoints.resume(new_network(), tmp_path, ONE) == []


def test_half_a_training_is_not_finished_and_goes_on(records, tmp_path):
    """Somebody interrupts the training, and runs the cells below it."""
    network, history = train(records, tmp_path, 1)
    with pytest.raises(CourseError, match="Of 4 epochs, 1 are done: run the cell that trains again"):
        checkpoints.finish(network, tmp_path, SETTINGS, history)
    assert checkpoints.resume(new_network(), tmp_path, SETTINGS) == history


def test_a_layer_that_could_not_be_loaded_again_is_refused_before_the_training(tmp_path):
    class Swish(layers.Layer):
        def call(self, x):
            return x * keras.ops.sigmoid(x)

    inputs = keras.Input((4,))
    for layer in (Swish(name="swish"), layers.Lambda(lambda x: x + 1, name="plus")):
        with pytest.raises(CourseError, match=f"The layer {layer.name} could not be loaded again: a layer of your own"):
            checkpoints.resume(keras.Model(inputs, layer(inputs)), tmp_path, SETTINGS)


def test_half_a_training_with_other_settings_is_dropped_and_said_to_be(records, tmp_path, capsys):
    train(records, tmp_path, 1)
    assert checkpoints.resume(new_network(), tmp_path, {"epochs": 5}) == []
    assert "had other settings (epochs 4 instead of 5)" in capsys.readouterr().out
    assert not (tmp_path / "checkpoint").exists()


def test_a_damaged_checkpoint_is_named_and_not_used(records, tmp_path):
    train(records, tmp_path, 1)
    path = tmp_path / "checkpoint" / "epoch-0001.npz"
    good = path.read_bytes()
    middle = len(good) // 2
    for bad in (good[:-1000], good[:middle] + bytes([good[middle] ^ 255]) + good[middle + 1 :], b""):
        path.write_bytes(bad)
        with pytest.raises(CourseError, match=r"epoch-0001\.npz is damaged"):
            checkpoints.resume(new_network(), tmp_path, SETTINGS)


def test_no_history_names_the_notebook_to_run(tmp_path):
    with pytest.raises(CourseError, match=r"run 05-train-alexnet\.ipynb first"):
        checkpoints.read_history(tmp_path)


def test_no_two_processes_train_in_one_folder(tmp_path):
    checkpoints.resume(new_network(), tmp_path, SETTINGS)
    code = f"from pathlib import Path; from utils.workspace import held\nwith held(Path({str(tmp_path)!r})): pass"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.returncode == 1 and "Another run is writing in" in other.stderr


def test_a_refused_training_stays_refused(tmp_path):
    """The cell is run again while another process still trains there."""
    code = f"""
import time
from pathlib import Path
from utils.workspace import held
with held(Path({str(tmp_path)!r})):
    print("held", flush=True)
    time.sleep(60)
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "held\n"
        for _ in range(2):
            with pytest.raises(CourseError, match="Another run is writing in"):
                checkpoints.resume(new_network(), tmp_path, SETTINGS)
    finally:
        other.kill()
        other.wait()


def test_a_model_without_its_history_is_kept_aside_too(tmp_path, capsys):
    save_model(new_network(), tmp_path / "model" / "alexnet.keras")
    assert checkpoints.resume(new_network(), tmp_path / "model", SETTINGS) == []
    assert (tmp_path / "model-1" / "alexnet.keras").exists()
    assert "has no history beside it.\nIt is kept in" in capsys.readouterr().out


def test_of_a_fingerprint_only_its_name_is_said():
    plan = checkpoints.FINGERPRINT + "plan"
    said = checkpoints._difference({plan: "a1", "seed": 0}, {plan: "b2", "seed": 1})
    assert said == "another plan, seed 0 instead of 1"


def test_the_fingerprint_is_that_of_the_architecture():
    """Layers, shapes, strides and first weights count; number types, values, and invented names do not."""
    same = checkpoints.fingerprint(alexnet(SIZE, fc_units=16))
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert checkpoints.fingerprint(alexnet(SIZE, fc_units=16)) == same
    finally:
        keras.config.set_dtype_policy(before)
    changed = ({"fc_units": 17}, {"dropout": 0.4}, {"batch_norm": False}, {"strides": (4, 2)}, {"weight_decay": 0.1})
    others = [checkpoints.fingerprint(alexnet(SIZE, **{"fc_units": 16} | one)) for one in changed]
    assert len({same, *others}) == 6

    def two_layers(filters, start="he_normal", relu=True):
        x = inputs = keras.Input((8, 8, 1))
        x = layers.Conv2D(filters, 3, kernel_initializer=start)(x)
        x = layers.ReLU()(x) if relu else x
        return checkpoints.fingerprint(keras.Model(inputs, layers.Dense(2)(x)))

    assert two_layers(4) == two_layers(4)
    assert len({two_layers(4), two_layers(5), two_layers(4, "zeros"), two_layers(4, relu=False)}) == 4


def test_the_fingerprint_knows_operations_and_layers_of_ones_own():
    """`x + y` is no layer, and has another name each time; a layer of a notebook may do anything in its `call`."""

    def added():
        x = inputs = keras.Input((4,))
        return checkpoints.fingerprint(keras.Model(inputs, layers.Dense(4)(x) + x))

    def own(source):
        namespace = {"__name__": "__main__", "layers": layers}
        exec(f"class Mine(layers.Layer):\n    def call(self, x):\n        return {source}", namespace)
        inputs = keras.Input((4,))
        return checkpoints.fingerprint(keras.Model(inputs, namespace["Mine"]()(inputs)))

    assert added() == added()
    assert own("x * 2") == own("x * 2") != own("x * 3")
