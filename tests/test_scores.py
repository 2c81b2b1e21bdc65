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
