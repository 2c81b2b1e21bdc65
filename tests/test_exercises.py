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
READ = np.where(np.random.default_rng(1).random((50, 4)) < 0.9, LABELS, (LABELS + 1) % 10)
RIGHT = READ == LABELS
SURE = np.random.default_rng(2).random(50)
MATRICES = np.zeros((4, 10, 10), int)
MATRICES[0, 3, 5], MATRICES[1, 1, 7], MATRICES[2, 7, 1], MATRICES[3, 2, 2] = 5, 3, 4, 99

# A typical wrong answer to each exercise, and what its checker is given beside the answer.
WRONG = {
    # Notebook 00
    "what_it_says": (426, {"text": "0426"}),  # a number loses its zero
    "pictures_in_all": (15 * 4500, {"pictures": 4500}),  # epochs not changed
    "order_of_cells": ((20, 20), {}),  # from top to bottom both times
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
    "fastest": (200 * 4.11, {}),
    "overlap": (False, {}),
    "enough": (500, {}),
    "own_recipe": (0.3, {"to_beat": 0.35}),
    # Notebook 06
    "one_wrong": ((~RIGHT).any(axis=1).mean(), {"right": RIGHT}),  # of all captchas, with any wrong digit
    "most_confused": ({3, 5}, {"matrices": MATRICES}),  # one direction only
    "surely_wrong": (int(SURE.argmin()), {"sure": SURE, "whole": RIGHT.all(axis=1)}),  # the least sure
    "threshold": (0.999, {"sure": SURE, "whole": RIGHT.all(axis=1)}),  # took the promise for the confidence
    "covered": (np.zeros((96, 96, 1), np.uint8), {"network": None, "image": np.zeros((96, 96, 1), np.uint8)}),
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
@pytest.mark.parametrize("answer", ["nonsense", 1j, [], print, float("nan"), np.array([1, 2])], ids=repr)
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


def test_either_order_of_the_most_confused_is_right(capsys):
    for answer in ({1, 7}, [7, 1]):
        check("most_confused", answer, matrices=MATRICES)
    assert capsys.readouterr().out.count("✅") == 2


def test_the_lowest_threshold_refuses_no_more_than_it_must(capsys):
    sure, whole = np.array([0.1, 0.4, 0.6, 0.8, 0.9]), np.array([True, False, True, True, True])
    for answer in (0.6, 0.45, 0.4, 0.7, 0.1, 1.1):  # right, right, answers a wrong one, too high, too low, silent
        check("threshold", answer, sure=sure, whole=whole)
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == list("✅✅❌❌❌❌")
    check(
        "threshold", 0.95, sure=sure, whole=np.zeros(5, bool)
    )  # where nothing is right, only silence keeps the promise
    assert capsys.readouterr().out.startswith("✅")


def test_only_the_first_digit_may_be_lost(monkeypatch, capsys):
    """With a network whose output k reads how dark the k-th quarter of the picture is."""
    monkeypatch.setattr(
        "utils.model.probabilities",
        lambda _, images: np.eye(10)[images.reshape(len(images), 8, 4, 2).mean(axis=(1, 3)).astype(int) // 26],
    )
    image = np.full((8, 8, 1), 130, np.uint8)
    first, two, all_but_first = (image.copy() for _ in range(3))
    first[:, :2], two[:, :4], all_but_first[:, 2:] = 255, 255, 255
    for answer in (first, image, two, all_but_first):
        check("covered", answer, network=None, image=image)
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == list("✅❌❌❌")


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
