"""Notebook 09 makes mistakes on purpose: each must show itself, at small values too, in what the notebook prints."""

import re

import nbformat
import pytest


@pytest.fixture(scope="module")
def printed(course) -> str:
    nb = nbformat.read(course.runs / "09-autopsy-of-a-tutorial.ipynb", as_version=4)
    return "".join(output.get("text", "") for cell in nb.cells for output in cell.get("outputs", []))


def numbers(printed: str, pattern: str) -> list[float]:
    """The numbers that ``pattern`` finds in what was printed, percent as shares."""
    found = re.search(pattern, printed)
    assert found, pattern
    return [float(number.replace(",", "").rstrip("%")) / (100 if "%" in number else 1) for number in found.groups()]


def test_files_are_lost_as_the_formula_says(printed):
    (files,) = numbers(printed, r"Files after 50 draws: (\d+)")
    (expected,) = numbers(printed, r"By the formula: ([\d.]+) files after 50 draws")
    assert expected == pytest.approx(100 * (1 - 0.99**50), abs=0.05)
    assert files < 50 and abs(files - expected) < 10  # four standard deviations


def test_four_labels_that_are_all_the_first(printed):
    (claimed,) = numbers(printed, r"digit_3, against the labels of the program: ([\d.]+%)")
    *places, whole = numbers(
        printed, r"digit_0 ([\d.]+%), digit_1 ([\d.]+%), digit_2 ([\d.]+%), digit_3 ([\d.]+%); whole captchas ([\d.]+%)"
    )
    assert places[0] == claimed > 0.2  # the first digit is learnt, and the last output is praised for it
    assert sum(places[1:]) / 3 < 0.2 and places[3] < claimed - 0.1
    assert whole < 0.03


def test_the_test_file_is_known_by_heart(printed):
    trained_on, _ = numbers(printed, r"captchas trained on: ([\d.]+%); whole captchas ([\d.]+%)")
    (unseen,) = numbers(printed, r"captchas never seen: ([\d.]+%)")
    (whole_unseen,) = numbers(printed, r"Whole captchas never seen: ([\d.]+%)")
    assert trained_on > 0.6 and unseen < 0.3 and whole_unseen < 0.03


def test_the_training_batch_flatters(printed):
    shown = re.search(r"As the tutorial would print it: ([01 ]+)", printed).group(1).split()
    assert set(shown) <= {"0", "1"} and len(shown) >= 5
    (batch,) = numbers(printed, r"The last batches of 32: ([\d.]+%)")
    (test,) = numbers(printed, r"Test captchas: ([\d.]+%)")
    assert batch > test + 0.05


def test_too_high_a_rate_leaves_one_reading(printed):
    highest, last, chance = numbers(printed, r"Highest loss ([\d.,]+); .* 50 steps ([\d.]+); chance ([\d.]+)")
    captchas, readings = numbers(printed, r"Different readings of (\d+) test captchas: (\d+)")
    (digits,) = numbers(printed, r"Digits read right: ([\d.]+%)")
    assert highest > 2 * chance and last > chance - 0.1
    assert readings < captchas / 10 and digits < 0.2


def test_the_paler_ink_is_told_from_the_gray_values(printed):
    (dark,) = numbers(printed, r"A: paper \d+, ink \d+, a difference of (\d+)")
    (pale,) = numbers(printed, r"B: paper \d+, ink \d+, a difference of (\d+)")
    assert "The paler one: B" in printed and 0 < pale < dark - 20


@pytest.mark.parametrize(
    ("test", "printed_now", "if_there_were_no_mistake"),
    [
        (test_files_are_lost_as_the_formula_says, r"(Files after 50 draws:) \d+", r"\1 50"),
        (test_four_labels_that_are_all_the_first, r"digit_1 [\d.]+%, digit_2 [\d.]+%", "digit_1 41.0%, digit_2 40.0%"),
        (test_four_labels_that_are_all_the_first, r"whole captchas [\d.]+%", "whole captchas 20.0%"),
        (test_the_test_file_is_known_by_heart, r"(Digits read right in captchas never seen:) [\d.]+%", r"\1 80.0%"),
        (test_the_training_batch_flatters, r"(The last batches of 32:) [\d.]+%", r"\1 20.0%"),
        (test_the_training_batch_flatters, r"(would print it:) \d", r"\1 0.5"),
        (test_too_high_a_rate_leaves_one_reading, r"(test captchas:) \d+$", r"\1 130"),
        (test_too_high_a_rate_leaves_one_reading, r"50 steps [\d.]+;", "50 steps 1.20;"),
        (test_the_paler_ink_is_told_from_the_gray_values, "The paler one: B", "The paler one: A"),
    ],
)
def test_each_of_these_can_fail(printed, test, printed_now, if_there_were_no_mistake):
    spoilt, count = re.subn(printed_now, if_there_were_no_mistake, printed, flags=re.M)
    assert count >= 1
    with pytest.raises(AssertionError):
        test(spoilt)
