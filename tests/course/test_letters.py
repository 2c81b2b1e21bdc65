"""The whole course with an alphabet of one's own: five of the letters A to H, in another font, on wider pictures."""

import re

import nbformat
import numpy as np
import yaml
from conftest import LETTERS, OTHER_FONT, code_cells

from utils.captchas import find_captchas, look_in, text_from, text_of
from utils.checkpoints import read_history
from utils.files import read_json
from utils.model import load_model, probabilities
from utils.run import NOTEBOOKS
from utils.scores import place_accuracies
from utils.tfrecords import alphabet_of, read_records, same_as_file

VALUES = yaml.safe_load(LETTERS.read_text())
CHARS, LENGTH, SIZE = VALUES["chars"], VALUES["length"], (VALUES["image_height"], VALUES["image_width"])


def test_captchas_and_records_hold_these_texts(letters):
    paths = find_captchas(letters.workspace / "captchas", CHARS, LENGTH)
    assert len(paths) == len({text_of(path) for path in paths}) == VALUES["captcha_count"]
    records = letters.workspace / "records"
    assert alphabet_of(records) == (CHARS, LENGTH)
    images, labels = read_records(records, "test", SIZE, LENGTH)
    for image, label in zip(images[::10], labels[::10], strict=True):
        assert same_as_file(image, label, letters.workspace / "captchas", CHARS)


def test_every_lesson_draws_them_in_this_font_and_size(letters):
    look = {"width": VALUES["width"], "height": VALUES["height"], "fonts": OTHER_FONT}
    drawn = [path.parent for path in letters.workspace.rglob("captchas.json") if read_json(path)["chars"] == CHARS]
    assert len(drawn) >= 2  # those of lesson 01, and those of the trials in lesson 07
    assert [look_in(folder) for folder in drawn] == [look] * len(drawn)
    shards = read_json(letters.workspace / "workers" / "shards" / "manifest.json")["settings"]
    assert look.items() <= shards.items()


def test_every_output_learnt_its_own_letter(letters):
    """Chance is one in eight; with 150 test captchas, 25 % is more than four standard deviations above it."""
    model, history = letters.workspace / "model", read_history(letters.workspace / "model")
    images, labels = read_records(letters.workspace / "records", "test", SIZE, LENGTH)
    network = load_model(model / "alexnet.keras", SIZE, LENGTH, len(CHARS))
    read = probabilities(network, images).argmax(axis=-1)
    accuracies = place_accuracies(read, labels)
    assert accuracies.tolist() == [history[-1][f"test_digit_{place}"] for place in range(LENGTH)]
    assert min(accuracies) > 0.25
    assert {text_from(row, CHARS)[0] for row in read} <= set(CHARS)
    settings = read_json(model / "history.json")["settings"]
    assert settings["chars"] == CHARS and settings["length"] == LENGTH
    assert settings["records"]["chars"] == CHARS


def test_what_is_printed_speaks_of_these_characters(letters):
    printed = {}
    for notebook in NOTEBOOKS:
        nb = nbformat.read(letters.runs / notebook.name, as_version=4)
        printed[notebook.name[:2]] = "".join(
            output.text for cell in code_cells(nb) for output in cell.outputs if output.output_type == "stream"
        )
    assert "Guessing gets 1 of 8 characters right, and 1 of 32,768 captchas." in printed["01"]
    assert f"ln 8 is {np.log(8):.3f}" in printed["05"]
    assert re.search(r"On this run, [A-H]{5} is read as [A-H]{5},", printed["06"])
    assert re.search(r"[A-H] read as [A-H]: \d", printed["08"])
    for number in ("01", "02", "05", "06", "08"):
        assert "digit" not in printed[number].replace("text_of", "").replace("list of four digits", ""), number
