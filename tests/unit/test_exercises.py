"""Exercises: an empty answer is not judged, a typical wrong one is not accepted, and a checker never fails."""

import re
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from PIL import Image

from utils.captchas import draw_captcha, write_captchas
from utils.exercises import EXERCISES, check, with_a_wrong_label
from utils.looking import cover
from utils.model import alexnet, averaged_probabilities
from utils.run import NOTEBOOKS, SOLUTIONS

LABELS = np.random.default_rng(0).integers(10, size=(50, 4))
PLACES = np.array([0.99, 0.95, 0.97, 0.98])
BLIND = SimpleNamespace(predict_on_batch=lambda images: [np.zeros((len(images), 10), np.float32)] * 4)
SMALL = alexnet((67, 67), fc_units=8)
CHANCES = np.random.default_rng(0).dirichlet(np.full(10, 0.05), size=(50, 4))
READ = np.where(np.random.default_rng(1).random((50, 4)) < 0.9, LABELS, (LABELS + 1) % 10)
RIGHT = READ == LABELS
SURE = np.random.default_rng(2).random(50)
MATRICES = np.zeros((4, 10, 10), int)
MATRICES[0, 3, 5], MATRICES[1, 1, 7], MATRICES[2, 7, 1], MATRICES[3, 2, 2] = 5, 3, 4, 99

ALIKE = np.diag(np.full(10, 50))  # 0 and 2 are confused most; without either, 5 and 7
ALIKE[0, 2], ALIKE[2, 0], ALIKE[5, 7] = 9, 8, 3


# A typical wrong answer to each exercise, and what its checker is given beside the answer.
class Quarters:
    """A network whose output k weighs the ink in quarter k; it stands in for a Keras model."""

    def predict_on_batch(self, images):
        images = np.asarray(images)
        high = images.shape[1] // 10
        parts = np.split(images[:, : 10 * high, :, 0], 4, axis=2)
        return [part.reshape(len(part), 10, -1).mean(axis=2) * 5 for part in parts]


NOISE = np.random.default_rng(3).integers(120, 255, size=(3, 60, 60, 1), dtype=np.uint8)
READ_NOISE = np.array([[9, 8, 9, 3]] * 3)

WRONG = {
    # Notebook 00
    "what_it_says": (426, {"text": "0426"}),  # a number loses its zero
    "pictures_in_all": (15 * 4480, {"in_epoch": 4480}),  # epochs not changed
    "order_of_cells": ((20, 20), {}),  # from top to bottom both times
    # Notebooks 01 and 02
    "files_left": (1000, {}),  # forgot that files overwrite each other
    "possible_texts": (5**36, {}),
    "palest": ("9999", {"folder": "captchas"}),
    "paper_colours": (100, {}),  # one for each picture, as with the text in the seed
    "white_paper": (draw_captcha("2026", 0), {}),  # not changed
    "levels": (256, {"picture": draw_captcha("2026", 0), "size": (96, 96)}),  # all that there could be
    "unshuffled": (set("0123456789"), {"paths": [Path(f"{n:04d}.png") for n in range(100)], "test_count": 10}),
    "harder": (draw_captcha("2026", 0), {}),  # not changed at all
    "megabytes": (4500 * 64 * 64, {}),  # bytes
    "text_of": (lambda labels: int("".join(map(str, labels))), {}),  # loses leading zeros
    "wrong_row": (0, {"labels": LABELS, "planted": with_a_wrong_label(LABELS, 0)}),
    "leak": (lambda train, test: len(set(train) & set(test)) / len(train), {}),  # divides by the wrong number
    # Notebook 03
    "horizontal_edge": ([[-1, 0, 1]] * 3, {}),  # still the vertical one
    "stride_for_28": (4, {}),
    "min_pool": (
        lambda picture, side, stride: picture[::stride, ::stride],
        {"picture": np.arange(81.0).reshape(9, 9) % 7},
    ),
    "fc6_across": (5 * 5 * 256 * 512, {"units": 512}),  # the stride of 4
    "smoother": (0.09, {"to_beat": 0.3}),
    # Notebook 04
    "one_step": (3.0, {}),  # the distance, not the rate
    "less_overfitting": (2.4, {"distance": 2.4}),  # the same 200 captchas
    "off_the_plateau": (2.29, {"to_beat": 2.3}),  # still on the plateau
    # Notebooks 05 and 06
    "steps_in_all": (4500 // 64, {"epochs": 15, "steps": 70}),  # of one epoch
    "cross_entropy": (lambda logits, label: -logits[label], {}),
    "loss_of_letters": (1 / 26, {}),
    "fc6_weights": (SMALL.count_params(), {"network": SMALL}),  # of the whole network
    "half_conv5": (SMALL.count_params() - 5 * 128, {"network": SMALL}),  # forgot that fc6 shrinks too
    "one_batch": (2.302, {}),  # the rate of 0.00001
    "harmful": ({"paler", "mirror"}, {}),
    "worst_output": (0, {"places": PLACES, "count": 500}),
    "if_independent": (PLACES.mean(), {"places": PLACES}),
    "refused": (int((CHANCES.max(axis=-1) < 0.9).sum()), {"chances": CHANCES}),  # digits, not captchas
    "breaking_column": (5, {"network": BLIND, "image": np.zeros((96, 96, 1), np.uint8)}),  # changes nothing
    "unscaled": (1.0, {"network": BLIND, "images": np.zeros((50, 8, 8, 1), np.uint8), "labels": LABELS}),  # with scaled
    "unread": ({"tilt": 270}, {"network": BLIND, "size": (67, 67)}),  # beyond the slider
    # Notebook 07
    "fastest": (200 * 4.11, {}),
    "overlap": (False, {}),
    "cheaper": (1.84 / 3, {}),  # forward only
    "nine_looks": (averaged_probabilities, {"network": Quarters(), "images": NOISE}),  # still five
    "enough": (500, {}),
    "own_recipe": (0.3, {"to_beat": 0.35}),
    # Notebook 08
    "one_wrong": ((~RIGHT).any(axis=1).mean(), {"right": RIGHT}),  # of all captchas, with any wrong digit
    "second_pair": ({1, 7}, {"matrices": MATRICES}),  # the first one
    "surely_wrong": (int(SURE.argmin()), {"sure": SURE, "whole": RIGHT.all(axis=1)}),  # the least sure
    "threshold": (0.999, {"sure": SURE, "whole": RIGHT.all(axis=1)}),  # took the promise for the confidence
    "covered": (np.full_like(NOISE[0], 254), {"network": Quarters(), "image": NOISE[0]}),  # covers everything
    "black_patch": (cover, {"network": Quarters(), "images": NOISE, "digits": READ_NOISE}),  # still paper
    # Notebook 09
    "moved_labels": (0.5, {}),  # labels not moved
    "calm": (44.0, {"losses": [2.3, 44.0, 2.31]}),  # rate not changed
    "label_mistake": ("C", {}),  # only the worst of the three
    "misfits": (  # compares only the sums of the digits
        lambda names, labels: [
            name for name, row in zip(names, labels, strict=True) if sum(map(int, name[:4])) != sum(row)
        ],
        {},
    ),
    "in_both": (  # compares only pictures that stand at the same place
        lambda train, test: [row for row, (a, b) in enumerate(zip(train, test, strict=False)) if np.array_equal(a, b)],
        {},
    ),
    "lines_to_change": ({1, 8, 10}, {}),  # thinks that more augmentation is always better
    # Notebook 10
    "first_loss": (1 / 31, {}),  # the probability, not its logarithm
    "with_a_coin": (1 - 2 / 36, {}),  # one character, and no coin
    "trained_weights": (4 * 8 * 10, {"network": SMALL}),  # without the biases
    "columns_needed": (len, {}),  # forgot the blanks
    "left_out": ("02", {"matrix": ALIKE, "chars": "0123456789"}),  # both of the same pair
    # Notebook 11
    "megabytes_a_step": (46.8, {"parameters": 46_800_000}),  # one byte for each
    "lanes_for_six": (18, {}),  # no divisor of 96
    "seconds_to_average": (lambda workers, sent, gigabits: sent * 8e-9 / gigabits, {}),  # without the ring
    "unequal_parts": (lambda one, count_one, two, count_two: (one + two) / 2, {}),  # the plain mean
}


def exercises_of(path):
    sources = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return [name for source in sources for name in re.findall(r'exercises\.check\("(\w+)"', source)]


def statement(text):
    """The words of an exercise, from its number on, without what is folded."""
    return text.partition("**")[2].partition("<details>")[0].strip()


def statements_of(path):
    """The statement of each exercise: what stands after its number, in the last text before its checker."""
    found, last = {}, ""
    for cell in nbformat.read(path, as_version=4).cells:
        if numbered := re.search(r"^\*\*\d\. \(.*", cell.source, re.M | re.S):
            last = statement(numbered[0])
        for name in re.findall(r'exercises\.check\("(\w+)"', cell.source) if cell.cell_type == "code" else []:
            found[name] = last
    return found


def test_there_is_a_wrong_answer_for_each():
    assert WRONG.keys() == EXERCISES.keys()


@pytest.mark.parametrize("name", EXERCISES)
def test_no_answer_is_no_mistake(name, capsys):
    check(name, None, **WRONG[name][1])
    printed = capsys.readouterr().out
    assert "not answered yet" in printed and EXERCISES[name].expected in printed
    assert "✅" not in printed and "❌" not in printed


@pytest.mark.parametrize("name", EXERCISES)
def test_a_wrong_answer_gets_a_hint(name, capsys, tmp_path):
    answer, facts = WRONG[name]
    if name == "palest":
        draw_captcha("9999", 0).save(tmp_path / "9999.png")
        Image.new("RGB", (160, 60), "white").save(tmp_path / "0000.png")
        facts = {"folder": tmp_path}
    check(name, answer, **facts)
    printed = capsys.readouterr().out
    assert printed.startswith("❌") and EXERCISES[name].expected in printed and EXERCISES[name].hint in printed
    assert "Yours led to" not in printed  # the answer was judged, and no checker failed at it


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


@pytest.mark.parametrize("rows", [(-1, 0, 1), (-1, 1, 0), (0, -2, 2), (1, -2, 1), (1, 0, -1)])
def test_every_filter_for_horizontal_edges_is_right(rows, capsys):
    check("horizontal_edge", [[weight] * 3 for weight in rows])
    assert ("✅" in capsys.readouterr().out) == (rows[0] <= 0 and rows[2] >= 0)


def test_a_list_may_be_an_array(capsys):
    def in_both(train, test):
        known = {picture.tobytes() for picture in train}
        return np.flatnonzero([picture.tobytes() in known for picture in test])

    check("in_both", in_both)
    assert "✅" in capsys.readouterr().out


@pytest.mark.parametrize("answer", [0, 0.5])
def test_where_nothing_was_misread_there_is_nothing_to_count(answer, capsys):
    check("one_wrong", answer, right=np.ones((5, 4), bool))
    check("surely_wrong", answer, sure=np.ones(5), whole=np.ones(5, bool))
    check("second_pair", {0, 1}, matrices=np.array([np.diag(range(1, 11))]))
    printed = capsys.readouterr().out
    assert printed.count("too few mistakes to judge your answer by") == 3 and "✅" not in printed


def test_the_palest_is_found(tmp_path, capsys):
    write_captchas(tmp_path, 5, seed=0)
    for path in tmp_path.glob("*.png"):
        check("palest", path.stem, folder=tmp_path)
    assert sorted(line[0] for line in capsys.readouterr().out.splitlines() if "palest" in line) == ["✅"] + ["❌"] * 4


def test_either_order_of_the_second_pair_is_right(capsys):
    for answer in ({3, 5}, [5, 3]):
        check("second_pair", answer, matrices=MATRICES)
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


def test_only_the_first_digit_may_be_lost_and_only_by_paper(capsys):
    """With a network whose output k weighs the ink of the k-th quarter."""
    first, second, black = (NOISE[0].copy() for _ in range(3))
    first[:20, :15], second[:20, 15:30], black[:20, :15] = NOISE[0].max(), NOISE[0].max(), 0
    paler = np.where(first > NOISE[0], NOISE[0].max() - 1, NOISE[0]).astype(np.uint8)  # no paper
    for answer in (first, NOISE[0], second, black, paler):
        check("covered", answer, network=Quarters(), image=NOISE[0])
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == list("✅❌❌❌❌")


def test_exactly_one_label_is_planted():
    for seed in range(20):
        assert (with_a_wrong_label(LABELS, seed) != LABELS).sum() == 1


def test_every_exercise_has_its_stub_and_its_solution():
    lessons = {path.name: exercises_of(path) for path in NOTEBOOKS}
    solutions = {path.name: exercises_of(path) for path in SOLUTIONS}
    assert sorted(chain(*lessons.values())) == sorted(EXERCISES)
    for lesson, names in lessons.items():
        assert 3 <= len(names) <= 6, lesson
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
