"""Scores against cases worked out by hand."""

import numpy as np
import pytest

from utils import scores

LABELS = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 0, 1, 2], [3, 4, 5, 6]])
READ = np.array([[1, 2, 3, 4], [5, 6, 7, 0], [9, 0, 1, 2], [0, 4, 5, 0]])


def test_whole_accuracy_counts_only_captchas_with_all_places_right():
    assert scores.whole_accuracy(READ, LABELS) == 2 / 4
    assert scores.whole_accuracy(LABELS, LABELS) == 1
    # Three places of four right everywhere is a fine accuracy for each place, and nothing at all for a captcha.
    assert scores.whole_accuracy(np.where([True, True, True, False], LABELS, LABELS + 1), LABELS) == 0


def test_each_place_is_scored_on_its_own_labels():
    assert scores.place_accuracies(READ, LABELS).tolist() == [3 / 4, 1, 1, 2 / 4]


def test_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        scores.whole_accuracy(READ[:2], LABELS)
    with pytest.raises(ValueError, match="do not fit"):
        scores.whole_accuracy(READ[:, 0], LABELS[:, 0])


@pytest.mark.parametrize(
    ("right", "total", "expected"),
    [(0, 10, (0.0, 0.2775)), (10, 10, (0.7225, 1.0)), (485, 500, (0.9511, 0.9817)), (5, 10, (0.2366, 0.7634))],
)
def test_wilson_interval(right, total, expected):
    assert scores.wilson_interval(right, total) == pytest.approx(expected, abs=2e-4)


def test_wilson_interval_holds_the_measured_share_itself():
    """Also where rounding would put its end a little below 100 %, or above 0 %; a figure could not draw that."""
    for total in range(1, 300):
        for right in {0, 1, total // 2, total}:
            low, high = scores.wilson_interval(right, total)
            assert 0 <= low <= right / total <= high <= 1


@pytest.mark.parametrize(("right", "total"), [(1, 0), (-1, 10), (11, 10)])
def test_impossible_scores(right, total):
    with pytest.raises(ValueError, match="is no score"):
        scores.wilson_interval(right, total)


def test_confusions_are_counted_at_their_own_place():
    matrices = scores.confusion_matrices(READ, LABELS)
    assert matrices.shape == (4, 10, 10) and matrices.sum() == 16
    assert matrices[3, 8, 0] == matrices[0, 3, 0] == matrices[3, 6, 0] == 1
    assert [np.trace(matrix) for matrix in matrices] == [3, 4, 4, 2]
    with pytest.raises(ValueError, match="do not fit"):
        scores.confusion_matrices(READ[:2], LABELS)


def test_confusions_are_listed_by_frequency():
    matrix = np.array([[9, 0, 2], [5, 9, 0], [1, 0, 9]])
    assert scores.confusions(matrix) == [(1, 0, 5), (0, 2, 2), (2, 0, 1)]


def test_groups_hold_what_lies_up_to_their_edge():
    values, right = np.array([0, 0, 0.01, 0.05, 0.06, 0.2]), np.array([1, 0, 1, 1, 1, 0], bool)
    assert scores.grouped(values, right, [0, 0.05, 0.1, 0.15]) == [
        ("0%", 1, 2), ("0% to 5%", 2, 2), ("5% to 10%", 1, 1), ("above 15%", 0, 1),
    ]  # fmt: skip


def test_an_honest_model_has_no_calibration_error():
    confidence = np.repeat([0.25, 0.75, 1.0], 400)
    right = np.concatenate([np.arange(400) < 100, np.arange(400) < 300, np.ones(400, bool)])
    found = scores.calibration(confidence, right)
    assert found.error == pytest.approx(0)
    assert found.total[[2, 7, 9]].tolist() == [400] * 3 and found.total.sum() == 1200
    assert found.right[[2, 7, 9]].tolist() == [100, 300, 400]
    assert found.confidence[2] == 0.25 and np.isnan(found.confidence[0])


def test_a_boaster_has_a_calibration_error():
    """Sure to 95 %, and right in half of the cases; sure to 55 %, and always right: (0.45 + 0.45) / 2."""
    found = scores.calibration(np.repeat([0.95, 0.55], 10), np.arange(20) >= 5)
    assert found.error == pytest.approx(0.45)
    # Within one bin, too high and too low cancel out: that is how the error is defined.
    assert scores.calibration(np.array([0.91, 0.99]), np.array([True, True])).error == pytest.approx(0.05)


def test_refusing_answers_the_surest_first():
    answered, accuracy = scores.refusing(np.array([0.2, 0.9, 0.5, 0.8]), np.array([False, True, False, True]))
    assert answered.tolist() == [0.25, 0.5, 0.75, 1]
    assert accuracy.tolist() == pytest.approx([1, 1, 2 / 3, 0.5])
