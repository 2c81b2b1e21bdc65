"""Figures of notebook 04: the true digit is marked, numbers are where they belong, and guessing is drawn in."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from utils import figures_learning


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def said(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_the_true_digit_has_a_colour_of_its_own():
    logits = np.array([2.0, -1.0, 0.5])
    figures_learning.plot_logits(np.zeros((6, 16, 1), np.uint8), logits, np.array([0.7, 0.1, 0.2]), 2, 0)
    _, middle, right = plt.gcf().axes
    assert said(middle) == ["2.0", "−1.0", "0.5"] and said(right) == ["0.70", "0.10", "0.20"]
    for ax in (middle, right):
        colors = [bar.get_facecolor() for bar in ax.patches]
        assert colors[0] == colors[1] != colors[2]


def test_the_points_of_a_loss_are_named():
    figures_learning.plot_minus_log({"half": 0.5, "a guess": 0.1})
    assert said(plt.gca()) == ["half: p = 0.50, loss 0.69", "a guess: p = 0.10, loss 2.30"]


def test_steps_are_numbered_unless_they_are_crowded():
    paths = {"far": [5.0, 2.0, -4.0], "near": [5.0, 4.99, 4.98, 4.9], "above": [5.0, -1.3, 5.5, -1.8]}
    figures_learning.plot_descent(lambda w: (w - 2) ** 2, paths)
    far, near, above = plt.gcf().axes
    assert sorted(said(far)) == ["0", "1", "2"] and said(near) == ["0"]
    assert sorted(said(above)) == ["0", "1", "2", "3"]  # nearly the same weight, but another loss


def test_the_true_digits_are_framed():
    figures_learning.plot_probability_maps({"before": np.full((4, 10), 0.1)}, "2026")
    ax = plt.gca()
    assert said(ax) == ["10"] * 40 and ax.get_title("left") == "before, in %"
    assert [frame.get_xy() for frame in ax.patches] == [(1.5, -0.5), (-0.5, 0.5), (1.5, 1.5), (5.5, 2.5)]


def test_a_running_mean_begins_with_what_there_is():
    assert figures_learning.running_mean([4, 2, 0, 1], 2).tolist() == [4, 3, 1, 0.5]


def test_guessing_is_drawn_beside_the_losses():
    figures_learning.plot_learning({"with": [2.3, 1.0], "without": [2.3, 2.3]}, "Loss")
    assert [text.get_text() for text in plt.gca().get_legend().get_texts()] == [
        "with",
        "without",
        "guessing: ln 10 = 2.30",
    ]
    figures_learning.plot_parting([10, 20], {"training": [2.0, 0.1], "validation": [2.2, 2.4]}, "Loss")
    assert said(plt.gca()) == ["training 0.10", "validation 2.40"]
    guessing = plt.gca().lines[-1]  # ends before the names
    assert guessing.get_xdata()[-1] * plt.gca().get_xlim()[1] == pytest.approx(20)


def test_no_curve_is_left_out():
    names = [f"rate {number}" for number in range(8)]
    figures_learning.plot_learning({name: [2.3, 1.0] for name in names}, "Loss")
    assert [text.get_text() for text in plt.gca().get_legend().get_texts()][:8] == names


def test_the_lowest_rate_is_marked():
    figures_learning.plot_sweep([1e-5, 1e-3, 0.1], [2.3, 1.5, 2.4], 50)
    assert said(plt.gca()) == ["lowest: 1.50 at 0.001"]
    assert [label.get_text() for label in plt.gca().get_xticklabels()] == ["0.00001", "0.001", "0.1"]


def test_each_layer_says_its_spread():
    differences = np.array([-1.0, 1.0])
    kinds = {
        "without": {"conv1": differences, "fc7": differences / 1000},
        "with": {"conv1": differences} | {"fc7": differences},
    }
    figures_learning.plot_activations(kinds)
    assert [ax.get_title("left") for ax in plt.gcf().axes] == ["conv1: 1.0", "fc7: 0.0010", "conv1: 1.0", "fc7: 1.0"]


def test_the_three_sets_say_what_they_decide():
    figures_learning.plot_three_sets({"training": 800, "validation": 200, "test": 200})
    assert {"training\n800", "decides settings:", "decides nothing:"} <= set(said(plt.gca()))


def test_the_best_of_many_is_measured_again():
    figures_learning.plot_best_of([0.5, 0.7], [0.6, 0.55], 0.6)
    chosen, again = plt.gca().lines[2], plt.gca().lines[3]
    assert (chosen.get_xdata()[0], chosen.get_ydata()[0]) == (2, 0.7)
    assert (again.get_xdata()[0], again.get_ydata()[0]) == (2, 0.55)


def test_other_characters_are_named_and_guessing_follows_their_number():
    figures_learning.plot_probability_maps({"before": np.full((5, 8), 0.125)}, "HABEF", "ABCDEFGH")
    ax = plt.gca()
    assert said(ax) == ["12"] * 40 and [label.get_text() for label in ax.get_xticklabels()] == list("ABCDEFGH")
    assert ax.patches[0].get_xy() == (6.5, -0.5)
    figures_learning.plot_probability_maps({"before": np.full((1, 26), 1 / 26)}, "z", "abcdefghijklmnopqrstuvwxyz")
    assert said(plt.gca()) == []  # the numbers would not fit
    figures_learning.plot_learning({"with": [2.0, 1.0]}, "Loss", classes=8)
    assert plt.gca().get_legend().get_texts()[-1].get_text() == "guessing: ln 8 = 2.08"
