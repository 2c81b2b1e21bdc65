"""A notebook that is opened first finds, or makes, what it needs; what is there is never made twice or mixed up."""

import json
import shutil
from pathlib import Path

import captcha.image
import matplotlib
import pytest
from conftest import SIDE, SIZE

from utils import checkpoints, prepare
from utils.captchas import find_captchas, text_from, text_of, write_captchas
from utils.files import CourseError
from utils.model import alexnet, save_compact, save_model
from utils.tfrecords import alphabet_of, read_records
from utils.workspace import open_workspace


def test_captchas_are_drawn_only_where_there_are_none(tmp_path, capsys):
    folder = prepare.ready_captchas(open_workspace(tmp_path), 12, seed=3)
    assert len(find_captchas(folder)) == 12
    assert "yet: drawing 12, as lesson 01 does" in capsys.readouterr().out
    assert prepare.ready_captchas(open_workspace(tmp_path), 5000, seed=4) == folder  # other values ask for nothing new
    assert len(find_captchas(folder)) == 12 and capsys.readouterr().out == ""


def test_interrupted_drawing_is_completed_with_its_own_settings(tmp_path, capsys):
    folder = prepare.ready_captchas(open_workspace(tmp_path), 12, seed=3)
    before = {path.name: path.read_bytes() for path in find_captchas(folder)}
    for path in find_captchas(folder)[:5]:
        path.unlink()
    prepare.ready_captchas(open_workspace(tmp_path), 99, seed=4)
    assert {path.name: path.read_bytes() for path in find_captchas(folder)} == before
    assert "5 of 12. Drawing them" in capsys.readouterr().out


def test_pictures_of_ones_own_are_left_alone(tmp_path, captcha_folder):
    (tmp_path / "captchas").mkdir()
    for path in find_captchas(captcha_folder)[:3]:
        (tmp_path / "captchas" / path.name).write_bytes(path.read_bytes())
    assert len(find_captchas(prepare.ready_captchas(open_workspace(tmp_path), 12, seed=0))) == 3


def test_records_are_written_only_where_there_are_none(tmp_path, capsys):
    records = prepare.ready_records(open_workspace(tmp_path), 20, 5, seed=0, size=SIZE)
    printed = capsys.readouterr().out
    assert "as lesson 01 does" in printed and "as lesson 02 does" in printed
    assert [len(read_records(records, split, SIZE)[0]) for split in ("train", "test")] == [15, 5]
    written = (records / "train.tfrecord").stat().st_mtime_ns
    assert prepare.ready_records(open_workspace(tmp_path), 99, 9, seed=9, size=SIZE) == records
    assert (records / "train.tfrecord").stat().st_mtime_ns == written and capsys.readouterr().out == ""


@pytest.fixture
def catch_up(tmp_path, monkeypatch):
    """A small model in the place of the one that comes with the course, as trained on records of seed 0."""
    path = tmp_path / "models" / "catch-up.npz"
    save_compact(alexnet(SIZE, fc_units=8), path, {"seed": 0, "image_height": SIDE})
    monkeypatch.setattr(prepare, "CATCH_UP", path)
    return path


def test_the_model_of_notebook_05_comes_first(tmp_path, catch_up, capsys):
    assert prepare.ready_model(open_workspace(tmp_path), SIZE).get_layer("fc7").units == 8
    assert "comes with the course" in capsys.readouterr().out
    save_model(alexnet(SIZE, fc_units=16), tmp_path / "model" / "alexnet.keras")
    assert prepare.ready_model(open_workspace(tmp_path), SIZE).get_layer("fc7").units == 16
    assert "as lesson 05 has trained it" in capsys.readouterr().out


def test_it_says_when_your_test_captchas_may_have_been_trained_on(tmp_path, catch_up, capsys):
    for seed, warned in ((0, False), (1, True)):
        (tmp_path / "records").mkdir(exist_ok=True)
        (tmp_path / "records" / "records.json").write_text(json.dumps({"seed": seed, "image_height": SIDE}))
        prepare.ready_model(open_workspace(tmp_path), SIZE)
        assert ("some of your test captchas may have been" in capsys.readouterr().out) == warned


def test_it_says_so_of_a_model_of_ones_own_too(tmp_path, catch_up, capsys):
    """Whoever writes other records after the training would test on captchas that were trained on."""
    save_model(alexnet(SIZE, fc_units=16), tmp_path / "model" / "alexnet.keras")
    history = {"settings": {"records": {"test_count": 5}}, "epochs": []}
    (tmp_path / "model" / "history.json").write_text(json.dumps(history))
    (tmp_path / "records").mkdir()
    for test_count, warned in ((5, False), (6, True)):
        (tmp_path / "records" / "records.json").write_text(json.dumps({"test_count": test_count}))
        prepare.ready_model(open_workspace(tmp_path), SIZE)
        assert ("some of your test captchas may have been" in capsys.readouterr().out) == warned


def test_a_model_for_other_pictures_says_what_to_do(tmp_path, catch_up):
    with pytest.raises(
        CourseError, match=r"set image_height = 96 and image_width = 96, or run 05-train-alexnet\.ipynb"
    ):
        prepare.ready_model(open_workspace(tmp_path), (128, 128))


def test_a_damaged_captcha_is_drawn_again(tmp_path, capsys):
    """Cut short, changed in the middle, or empty: it is found and drawn anew, and the others stay as they are."""
    folders = open_workspace(tmp_path)
    folder = prepare.ready_captchas(folders, 12, seed=3)
    before = {path.name: path.read_bytes() for path in find_captchas(folder)}
    damages = (lambda good: good[:300], lambda good: good[:900] + b"x" + good[901:], lambda good: b"")
    for path, damage in zip(find_captchas(folder), damages, strict=False):
        path.write_bytes(damage(path.read_bytes()))
    prepare.ready_captchas(folders, 12, seed=3)
    assert "3 of 12. Drawing them" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in find_captchas(folder)} == before


def test_files_beside_the_captchas_do_no_harm(tmp_path):
    """Such as a sync program makes them: they are no captchas, and are left alone."""
    folders = open_workspace(tmp_path)
    folder = prepare.ready_captchas(folders, 12, seed=3)
    (folder / "0150 - Copy.png").write_bytes(find_captchas(folder)[0].read_bytes())
    assert len(find_captchas(prepare.ready_captchas(folders, 12, seed=3))) == 12


@pytest.mark.parametrize("name", ["0042.PNG", "0042.jpg", "abcd.png"])
def test_pictures_that_are_no_captchas_by_their_names_are_told_and_nothing_is_drawn_between_them(tmp_path, name):
    folders = open_workspace(tmp_path)
    folders.captchas.mkdir()
    (folders.captchas / name).write_bytes(b"a picture of somebody")
    with pytest.raises(CourseError, match=rf"none is a PNG file named by 4 characters.*The first is {name}"):
        find_captchas(prepare.ready_captchas(folders, 12, seed=3))
    assert [path.name for path in folders.captchas.iterdir()] == [name]


def test_another_alphabet_is_drawn_packed_and_never_mixed_with_digits(tmp_path, catch_up):
    folders = open_workspace(tmp_path / "letters")
    records = prepare.ready_records(folders, 12, 4, 0, SIZE, chars="abAB", length=3)
    assert alphabet_of(records) == ("abAB", 3)
    _, labels = read_records(records, "train", SIZE, length=3)
    texts = {text_of(path) for path in find_captchas(folders.captchas, "abAB", 3)}
    assert len(texts) == 12 and {text_from(row, "abAB") for row in labels} <= texts
    assert prepare.look_of(folders) == {}
    asked = "and you ask for 4 characters out of '0123456789': set `chars` and `length` to what is there, or choose"
    with pytest.raises(CourseError, match=f"records holds texts of 3 characters out of 'abAB', {asked}"):
        prepare.ready_records(folders, 12, 4, 0, SIZE)
    with pytest.raises(CourseError, match=f"captchas holds texts of 3 characters out of 'abAB', {asked}"):
        prepare.ready_captchas(folders, 12, 0)
    with pytest.raises(CourseError, match=r"reads 4 characters out of '0123456789' only: run 05-train-alexnet.ipynb"):
        prepare.ready_model(folders, SIZE, "abAB", 3)


def test_a_model_of_other_characters_is_one_sentence(tmp_path, catch_up):
    folders = open_workspace(tmp_path)
    save_model(alexnet(SIZE, classes=3, length=2, fc_units=8), folders.model / "alexnet.keras")
    with pytest.raises(CourseError, match=r"has 2 outputs, but .* and 4 are needed"):
        prepare.ready_model(folders, SIZE)
    with pytest.raises(CourseError, match="chooses from 3 characters at each place, and your chars are 2: use the"):
        prepare.ready_model(folders, SIZE, "ab", 2)
    said = "reads texts out of 'abc', and your chars are 'xyz': set `chars` to what it"
    history = {"settings": {"chars": "abc", "length": 2}, "epochs": []}
    (folders.model / "history.json").write_text(json.dumps(history))
    with pytest.raises(CourseError, match=said):
        prepare.ready_model(folders, SIZE, "xyz", 2)
    checkpoints.finish(alexnet(SIZE, classes=3, length=2, fc_units=8), folders.model, history["settings"], [])
    (folders.model / "history.json").unlink()  # the model says it too
    with pytest.raises(CourseError, match=said):
        prepare.ready_model(folders, SIZE, "xyz", 2)
    assert len(prepare.ready_model(folders, SIZE, "abc", 2).outputs) == 2


def test_a_font_file_that_was_changed_is_told_before_anything_is_drawn_with_it(tmp_path):
    folders, font = open_workspace(tmp_path), tmp_path / "own.ttf"
    one, other = captcha.image.DEFAULT_FONTS[0], Path(matplotlib.get_data_path()) / "fonts/ttf/DejaVuSans.ttf"
    font.write_bytes(Path(one).read_bytes())
    write_captchas(folders.captchas, 3, 0, fonts=str(font))
    write_captchas(folders.captchas, 3, 0, fonts=f" {font} ,")  # the same font
    assert prepare.look_of(folders) == {"fonts": str(font)}
    font.write_bytes(other.read_bytes())
    with pytest.raises(CourseError, match=r"The font files own\.ttf are other ones than .*put the former files back"):
        prepare.look_of(folders)


def test_missing_captchas_are_drawn_again_in_their_own_size(tmp_path):
    folders = open_workspace(tmp_path)
    write_captchas(folders.captchas, 6, 0, width=200, height=80)
    before = {path.name: path.read_bytes() for path in find_captchas(folders.captchas)}
    find_captchas(folders.captchas)[0].unlink()
    prepare.ready_captchas(folders, 6, 0)
    assert {path.name: path.read_bytes() for path in find_captchas(folders.captchas)} == before
    assert prepare.look_of(folders) == {"width": 200, "height": 80}
    prepare.ready_records(folders, 6, 2, 0, SIZE)
    shutil.rmtree(folders.captchas)
    assert prepare.look_of(folders) == {"width": 200, "height": 80}  # the records know it too
    prepare.ready_captchas(folders, 5, 1)
    assert {path.name: path.read_bytes() for path in find_captchas(folders.captchas)} == before
