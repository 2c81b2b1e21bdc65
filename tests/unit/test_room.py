"""The tally of the exercises, and the table of a class: what is noted and counted, and what stops no learner."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from utils import exercises, room
from utils.files import REPO, CourseError


def tally(workspace):
    return json.loads((workspace / "tally.json").read_text(encoding="utf-8"))


@pytest.fixture
def notebook(monkeypatch, tmp_path):
    """A notebook whose parameter `workspace` is an empty folder."""
    shell = SimpleNamespace(user_ns={"workspace": str(tmp_path)})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    return shell


def test_answers_are_counted_until_one_is_right(notebook, tmp_path):
    for answer in (None, 7, "many", 36**5, 8):
        exercises.check("possible_texts", answer)
    exercises.check("label_mistake", "C")
    assert tally(tmp_path) == {
        "possible_texts": {"tries": 3, "solved": True},
        "label_mistake": {"tries": 1, "solved": False},
    }


def test_an_empty_answer_leaves_no_tally(notebook, tmp_path):
    exercises.check("possible_texts", None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("workspace", [None, 7, "", "a\0b", "utils", []])
def test_a_strange_workspace_stops_nobody(notebook, capsys, workspace):
    notebook.user_ns["workspace"] = workspace
    exercises.check("possible_texts", 36**5)
    assert capsys.readouterr().out == "✅ possible_texts: right.\n"


def test_a_workspace_that_cannot_be_written_to_stops_nobody(notebook, capsys, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    notebook.user_ns["workspace"] = str(tmp_path / "file")
    exercises.check("possible_texts", 36**5)
    assert capsys.readouterr().out == "✅ possible_texts: right.\n"


def test_outside_a_notebook_nothing_is_noted(monkeypatch, capsys):
    monkeypatch.setattr(room, "note", lambda *arguments: pytest.fail("noted"))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    exercises.check("possible_texts", 36**5)
    monkeypatch.delitem(sys.modules, "IPython")
    exercises.check("possible_texts", 36**5)
    assert capsys.readouterr().out.count("✅") == 2


@pytest.mark.parametrize(
    "damaged",
    [
        "",
        "{",
        "[]",
        '{"a": {"tries": 1e999, "solved": true}}',
        '{"a": 1}',
        '{"a": {"tries": "x", "solved": true}}',
        "7",
    ],
)
def test_a_damaged_tally_starts_anew(tmp_path, damaged):
    (tmp_path / "tally.json").write_text(damaged, encoding="utf-8")
    room.note(tmp_path, "possible_texts", True)
    assert tally(tmp_path) == {"possible_texts": {"tries": 1, "solved": True}}


def test_a_damaged_line_costs_no_other(tmp_path):
    lines = {"palest": {"tries": 2, "solved": True}, "leak": {"tries": None}}
    (tmp_path / "tally.json").write_text(json.dumps(lines), encoding="utf-8")
    room.note(tmp_path, "leak", False)
    assert tally(tmp_path) == lines | {"leak": {"tries": 1, "solved": False}}


def test_a_tally_that_another_program_holds_is_not_written_anew(tmp_path, monkeypatch):
    def held(*arguments, **named):
        raise PermissionError(13, "Permission denied")

    room.note(tmp_path, "palest", True)
    monkeypatch.setattr(Path, "read_text", held)
    with pytest.raises(CourseError, match="Cannot read"):
        room.note(tmp_path, "leak", True)
    monkeypatch.undo()
    assert list(tally(tmp_path)) == ["palest"]


@pytest.fixture
def classroom(tmp_path):
    """Three learners: Ada in a workspace and one in that, Ben in one far down, and Cy, who has only tried."""
    for learner, name, answers in [
        ("ada", "files_left", [False]),
        ("ada/small", "files_left", [False, True]),
        ("ben/course/workspace", "files_left", [True]),
        ("ben/course/workspace", "an_old_one", [True]),
        ("cy", "files_left", [False, False]),
        ("cy", "label_mistake", [True]),
        (".hidden", "files_left", [True]),
    ]:
        for solved in answers:
            room.note(tmp_path / learner, name, solved)
    return tmp_path


def test_the_room_adds_up(classroom):
    (classroom / "ben" / "course" / "workspace" / "captchas").mkdir()
    found = room.read_room(classroom)
    assert found == {
        "ada": {"files_left": (3, True)},
        "ben": {"files_left": (1, True), "an_old_one": (1, True)},
        "cy": {"files_left": (2, False), "label_mistake": (1, True)},
    }
    room.note(classroom / "ada" / "captchas", "files_left", False)  # of the workspace itself: it is not searched
    room.note(classroom / "ada" / "other", "files_left", False)
    assert room.read_room(classroom)["ada"] == {"files_left": (4, True)}


def test_the_table_counts_and_names_nobody(classroom, capsys):
    assert room.main([str(classroom)]) == 0
    printed = capsys.readouterr().out
    rows = {line.split()[1]: line.split() for line in printed.splitlines() if line[:1] in ("0", "-")}
    assert rows["files_left"] == ["01", "files_left", "3", "2", "2"]
    assert rows["label_mistake"] == ["09", "label_mistake", "1", "1", "1"]
    assert rows["an_old_one"] == ["-", "an_old_one", "1", "1", "1"]
    assert list(rows) == ["files_left", "label_mistake", "an_old_one"]  # in the order of the course
    assert printed.startswith("3 learners in ")
    assert not any(name in printed.partition("\n")[2] for name in ("ada", "ben", "cy"))


def test_names_only_where_asked_for(classroom, capsys):
    assert room.main([str(classroom), "--names"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if "files_left" in line)
    assert line.endswith("  not yet: cy (2)")


def test_a_console_that_cannot_write_a_name_writes_the_rest(tmp_path):
    room.note(tmp_path / "Łukasz", "files_left", False)
    command = [sys.executable, "-m", "utils.room", str(tmp_path), "--names"]
    plain = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(command, cwd=REPO, env=plain, capture_output=True, check=True)
    assert b"not yet: ?ukasz (1)" in done.stdout


@pytest.mark.parametrize(("folder", "sentence"), [("none", "There is no folder"), ("", "There is no tally.json in")])
def test_an_empty_room_is_one_sentence(tmp_path, capsys, folder, sentence):
    assert room.main([str(tmp_path / folder)]) == 1
    assert capsys.readouterr().err.startswith(sentence)
    with pytest.raises(CourseError):
        room.read_room(tmp_path / folder)


def test_the_exercises_are_in_the_order_of_the_course():
    numbers = list(room.exercises_in_order().values())
    assert numbers == sorted(numbers)
    assert room.exercises_in_order()["what_it_says"] == "00"
