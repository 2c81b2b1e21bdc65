"""Exercises: an empty answer is not judged, a typical wrong one is not accepted, and a checker never fails."""

import re
from itertools import chain, pairwise

import nbformat
import numpy as np
import pytest

from utils.captchas import draw_captcha, write_captchas
from utils.exercises import EXERCISES, check, with_a_wrong_label
from utils.run import NOTEBOOKS, SOLUTIONS

LABELS = np.random.default_rng(0).integers(10, size=(50, 4))
PLACES = np.array([0.99, 0.95, 0.97, 0.98])
CHANCES = np.random.default_rng(0).dirichlet(np.full(10, 0.05), size=(50, 4))

# A typical wrong answer to each exercise, and what its checker is given beside the answer.
WRONG = {
    # Notebook 00
    # Notebooks 01 to 04
    "files_left": (1000, {}),  # forgot that files overwrite each other
    "possible_texts": (5**36, {}),
    "palest": ("9999", {"folder": "captchas"}),
    "harder": (draw_captcha("2026", 0), {}),  # not changed at all
    "megabytes": (4500 * 64 * 64, {}),  # bytes
    "text_of": (lambda labels: int("".join(map(str, labels))), {}),  # loses leading zeros
    "wrong_row": (0, {"labels": LABELS, "planted": with_a_wrong_label(LABELS, 0)}),
    "leak": (lambda train, test: len(set(train) & set(test)) / len(train), {}),  # divides by the wrong number
    "steps_in_all": (4500 // 64, {"epochs": 15, "steps": 70}),  # of one epoch
    "cross_entropy": (lambda logits, label: -logits[label], {}),
    "chance_of_letters": (1 / 26, {}),
    "fc6_weights": ("many", {"network": None}),
    "harmful": ({"paler", "mirror"}, {}),
    "worst_output": (0, {"places": PLACES}),
    "if_independent": (PLACES.mean(), {"places": PLACES}),
    "refused": (int((CHANCES.max(axis=-1) < 0.9).sum()), {"chances": CHANCES}),  # digits, not captchas
    "breaking_column": (999, {"network": None, "image": np.zeros((96, 96, 1), np.uint8)}),
    # Notebook 05
    # Notebook 06
    # Notebook 07
    "label_mistake": ("C", {}),  # only the worst of the three
    "misfits": (lambda names, labels: names, {}),
    "in_both": (  # compares only pictures that stand at the same place
        lambda train, test: [row for row, (a, b) in enumerate(zip(train, test, strict=False)) if np.array_equal(a, b)],
        {},
    ),
    "lines_to_change": ({1, 8, 10}, {}),  # thinks that more augmentation is always better
}


def exercises_of(path):
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [name for source in sources for name in re.findall(r'exercises\.check\("(\w+)"', source)]


def statements_of(path):
    cells = nbformat.read(path, as_version=4).cells
    return {
        re.search(r'exercises\.check\("(\w+)"', cell.source).group(1): before.source.partition("**")[2]
        for before, cell in pairwise(cells)
        if cell.cell_type == "code" and "exercises.check(" in cell.source
    }


def test_there_is_a_wrong_answer_for_each():
    assert WRONG.keys() == EXERCISES.keys()


@pytest.mark.parametrize("name", EXERCISES)
def test_no_answer_is_no_mistake(name, capsys):
    check(name, None, **WRONG[name][1])
    printed = capsys.readouterr().out
    assert "not answered yet" in printed and EXERCISES[name].expected in printed
    assert "✅" not in printed and "❌" not in printed


@pytest.mark.parametrize("name", EXERCISES)
def test_a_wrong_answer_gets_a_hint(name, capsys):
    answer, facts = WRONG[name]
    check(name, answer, **facts)
    printed = capsys.readouterr().out
    assert printed.startswith("❌") and EXERCISES[name].expected in printed and EXERCISES[name].hint in printed


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("answer", ["nonsense", 1j, [], print, float("nan")], ids=repr)
def test_no_answer_whatever_makes_a_checker_fail(name, answer, capsys):
    check(name, answer, **WRONG[name][1])
    assert "✅" not in capsys.readouterr().out


def test_a_function_that_fails_is_told_so(capsys):
    check("text_of", lambda labels: labels.upper())
    assert "Yours led to AttributeError: 'list' object has no attribute 'upper'" in capsys.readouterr().out


def test_an_empty_function_is_no_answer_yet(capsys):
    check("leak", lambda train, test: None)
    assert "not answered yet" in capsys.readouterr().out


def test_the_palest_is_found(tmp_path, capsys):
    write_captchas(tmp_path, 5, seed=0)
    for path in tmp_path.glob("*.png"):
        check("palest", path.stem, folder=tmp_path)
    assert sorted(line[0] for line in capsys.readouterr().out.splitlines() if "palest" in line) == ["✅"] + ["❌"] * 4


def test_exactly_one_label_is_planted():
    for seed in range(20):
        assert (with_a_wrong_label(LABELS, seed) != LABELS).sum() == 1


def test_every_exercise_has_its_stub_and_its_solution():
    lessons = {path.name: exercises_of(path) for path in NOTEBOOKS}
    solutions = {path.name: exercises_of(path) for path in SOLUTIONS}
    assert sorted(chain(*lessons.values())) == sorted(EXERCISES)
    for lesson, names in lessons.items():
        assert 3 <= len(names) <= 5, lesson
        assert solutions[lesson] == names
    for lesson, solution in zip(NOTEBOOKS, SOLUTIONS, strict=True):
        assert statements_of(lesson) == statements_of(solution)


@pytest.mark.parametrize(("paths", "mark"), [(NOTEBOOKS, "…"), (SOLUTIONS, "✅")], ids=["lessons", "solutions"])
def test_stored_answers(paths, mark):
    for path in paths:
        printed = "\n".join(
            output.text
            for cell in nbformat.read(path, as_version=4).cells
            for output in cell.get("outputs", [])
            if output.output_type == "stream"
        )
        assert re.findall(r"^([…✅❌]) (\w+):", printed, re.M) == [(mark, name) for name in exercises_of(path)]
