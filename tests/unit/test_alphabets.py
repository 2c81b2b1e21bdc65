"""Other alphabets: new outputs, frozen layers, look-alikes, pictures in memory, and the tables of lesson 10."""

import json

import numpy as np
import pytest

from benchmarks import columns as columns_benchmark
from benchmarks import letters
from utils import alphabets, figures_alphabet, results
from utils.alphabets import ALPHANUMERIC, Watched, alike, batches_of, draw_pictures, freeze, with_new_outputs
from utils.fast import keras
from utils.files import CourseError, write_json
from utils.model import alexnet, load_compact, save_compact
from utils.pictures import gray
from utils.training import compile_model

SIZE = (67, 67)


def small():
    keras.utils.set_random_seed(0)
    return alexnet(SIZE, fc_units=8, dropout=0.0)


def test_characters_that_look_alike_get_one_label():
    chars = "0O1Cc"
    assert alike(np.array([[0, 1], [2, 3], [4, 4]]), chars).tolist() == [[0, 0], [2, 4], [4, 4]]
    every = np.arange(36)
    changed = alike(every, ALPHANUMERIC) != every
    assert [ALPHANUMERIC[place] for place in np.flatnonzero(changed)] == ["O"]
    assert (alike(every[:10], "0123456789") == every[:10]).all()


def test_pictures_are_those_of_the_course():
    from utils.captchas import draw_captcha

    wanted = [("7A", 0), ("OK12", "fresh 0"), ("5", 3)]
    images = draw_pictures(wanted, SIZE)
    assert images.shape == (3, *SIZE, 1) and images.dtype == np.uint8
    for (text, seed), image in zip(wanted, images, strict=True):
        assert (image[..., 0] == gray(draw_captcha(text, seed), SIZE)).all()


def test_batches_have_every_captcha_once_an_epoch():
    images = np.full((10, *SIZE, 1), 255, np.uint8)
    labels = np.stack([np.arange(10), np.arange(10)], axis=1)
    batches, steps = batches_of(images, labels, 5, 0)
    taken = list(batches.take(2 * steps))
    assert steps == 2
    for epoch in (taken[:2], taken[2:]):
        assert sorted(int(label) for _, (first, _) in epoch for label in first) == list(range(10))
    (_, together) = next(iter(batches_of(images, labels, 5, 0, split=False)[0]))
    assert together.shape == (5, 2)
    with pytest.raises(CourseError, match="batch_size is 11, but must lie between 1 and 10"):
        batches_of(images, labels, 11, 0)


def test_only_new_outputs_learn_while_the_rest_is_frozen():
    network = with_new_outputs(small(), 36, 4)
    assert [output.shape[-1] for output in network.outputs] == [36] * 4
    freeze(network)
    assert len(network.trainable_weights) == 8
    images = np.random.default_rng(0).integers(0, 255, size=(8, *SIZE, 1), dtype=np.uint8)
    batches, steps = batches_of(images, np.full((8, 4), 35), 4, 0)

    def fit():
        before = {layer.name: layer.get_weights() for layer in network.layers}
        compile_model(network, 0.01, 2, steps)
        watched = Watched(lambda model: 0.5)
        network.fit(batches, epochs=2, steps_per_epoch=steps, verbose=0, callbacks=[watched])
        assert watched.steps == [2, 4] and watched.shares == [0.5, 0.5] and watched.seconds > 0
        return {
            layer.name.rstrip("_0123456789") if layer.name.startswith("digit_") else layer.name
            for layer in network.layers
            if any((old != new).any() for old, new in zip(before[layer.name], layer.get_weights(), strict=True))
        }

    assert fit() == {"digit"}, "not even the averages of the normalisation move"
    freeze(network, False)
    assert fit() >= {"digit", "conv1", "fc7"}


def test_the_letter_network_knows_which_texts_it_has_seen(tmp_path, capsys):
    path = tmp_path / "letters.npz"
    network, used = alphabets.letter_network(path)
    assert used == [] and len(network.outputs) == 4 and "never trained" in capsys.readouterr().out
    network = alexnet(alphabets.SIZE, 36, fc_units=8, strides=alphabets.STRIDES)
    settings = {"captcha_count": 30, "seed": 0, "chars": ALPHANUMERIC, "length": 4}
    save_compact(network, path, {"captchas": settings})
    assert path.stat().st_size < 8e6
    loaded, used = alphabets.letter_network(path)
    assert len(set(used)) == 30 and loaded.outputs[0].shape[-1] == 36
    assert load_compact(path, alphabets.SIZE)[1] == {"captchas": settings}


def test_confusions_and_look_alikes_are_counted(monkeypatch):
    """A reader that says O for every 0, and is right otherwise."""
    from utils import fresh, model

    truth = np.array([[0, 1, 2, 3], [24, 5, 6, 7], [8, 9, 0, 0]])
    said = np.where(truth == 0, 24, truth)
    images = np.zeros((3, *SIZE, 1), np.uint8)
    monkeypatch.setattr(fresh, "fresh_texts", lambda *_, **__: [])
    monkeypatch.setattr(fresh, "fresh_captchas", lambda *_, **__: [(images, truth)])
    monkeypatch.setattr(model, "probabilities", lambda *_: np.eye(36)[said])
    monkeypatch.setattr(model, "averaged_probabilities", lambda *_: np.eye(36)[truth])
    scores = letters.score_letters(None, images, truth, [], ALPHANUMERIC)
    assert scores["fresh"]["whole"] == scores["test"]["whole"] == pytest.approx(1 / 3)
    assert scores["fresh_alike"]["whole"] == scores["fresh_averaged"]["whole"] == 1.0
    assert scores["wrong"] == 3 and scores["confusions"] == [["0", "O", 3]]


def test_texts_are_scored_by_length_and_by_repeated_characters():
    scores = columns_benchmark.score_texts(["001", "12", "12"], ["001", "12", "13"])
    assert scores["length_3"]["whole"] == scores["repeated"]["whole"] == 1.0
    assert scores["length_2"]["whole"] == scores["not_repeated"]["whole"] == 0.5
    assert scores["fresh"]["captchas"] == 3


def test_tables_say_what_was_not_measured_yet(tmp_path):
    assert len(results.letters_table(folder=tmp_path).splitlines()) == 2  # nothing was measured yet
    for table in (results.columns_table, results.transfer_table):
        assert table(tmp_path).startswith("*Not measured yet")


def test_tables_and_figures_of_what_was_measured(tmp_path):
    share = {"captchas": 100, "whole": 0.9, "low": 0.8, "high": 0.95}
    run = {"seed": 0, "tflop": 12.3, "fresh": share, "fresh_alike": share | {"whole": 0.99}}
    confusions = [["0", "O", 5], ["O", "0", 4], ["5", "S", 1]]
    write_json(tmp_path / "letters-36.json", {"runs": [run | {"confusions": confusions}]})
    write_json(tmp_path / "columns.json", {"runs": [{"seed": 0} | columns_benchmark.score_texts(["001"], ["001"])]})
    arm = {"captchas": 1000, "steps": [31, 62], "characters": [0.1, 0.4], "fresh": share}
    arms = [arm | {"start": "transfer"}, arm | {"start": "nothing", "fresh": share | {"whole": 0.1}}]
    write_json(tmp_path / "transfer.json", {"runs": [{"seed": 0, "classes": 34, "arms": arms}]})
    letters, columns = results.letters_table(tmp_path), results.columns_table(tmp_path)
    assert "| 1 | 12 | 90.00 % (80.00 to 95.00) | 99.00 % (80.00 to 95.00) | 0 O (9), 5 S (1) |" in letters
    assert "| 3 characters | 1 | 1 | 100.00 % (20.65 to 100.00) |" in columns
    transfer = results.transfer_table(tmp_path)
    assert "| 1,000 | 1 | 62 | 90.00 % (80.00 to 95.00) | 10.00 % (80.00 to 95.00) |" in transfer
    figures_alphabet.plot_measured_transfer(tmp_path)


def test_results_are_of_the_recipes_as_they_are():
    from benchmarks.accuracy import known_parameters, read_recipe
    from benchmarks.transfer import VALUES

    known = {name: known_parameters() | read_recipe(name) for name in results.LETTERS}
    known |= {"columns": columns_benchmark.VALUES, "transfer": VALUES}
    for path in letters.ALPHABETS.glob("*.json"):
        assert json.loads(path.read_text())["parameters"] == known[path.stem], f"measure {path.stem} again"


def test_the_networks_that_come_with_the_course_are_small():
    found = list(alphabets.LETTERS.parent.glob("*.npz"))
    assert sum(path.stat().st_size for path in found) <= 15e6
