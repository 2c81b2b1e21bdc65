"""Figures: gray is gray, right and wrong differ in more than colour, and a bar that is done says so."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from utils import figures
from utils.progress import Progress, _Bar, duration, progress


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def test_gray_pictures_are_shown_gray_over_the_full_range():
    figures.show_pictures([np.full((4, 6, 1), 200, np.uint8)] * 3, ["a", "b", "c"], columns=2)
    axes = plt.gcf().axes
    assert [ax.get_title() for ax in axes] == ["a", "b", "c"]
    assert axes[0].images[0].get_cmap().name == "gray"
    assert axes[0].images[0].get_clim() == (0, 255)


def test_places_are_counted():
    figures.plot_places(["01", "02", "11"], chars="012")
    assert [text.get_text() for text in plt.gca().texts] == ["2", "1", "0", "0", "2", "1"]


def test_right_and_wrong_are_told_apart_without_colour():
    chances = np.zeros((2, 4, 10))
    chances[:, range(4), [1, 2, 3, 4]] = 0.9
    figures.show_predictions(np.zeros((2, 8, 8, 1), np.uint8), ["1234", "1235"], chances)
    right, wrong = plt.gcf().axes
    assert right.get_title("left").startswith("✓ read 1234") and "true 1234" in right.get_title("left")
    assert wrong.get_title("left").startswith("✗ read 1234") and "true 1235" in wrong.get_title("left")
    assert wrong.spines["left"].get_linewidth() > right.spines["left"].get_linewidth()
    assert right.get_xlabel() == "1: 90%  2: 90%  3: 90%  4: 90%"


def test_history_is_drawn_with_chance():
    epoch = {"loss": 1.0, "test_loss": 1.1, "test_whole": 0.5} | {f"test_digit_{place}": 0.8 for place in range(4)}
    figures.plot_history([epoch, epoch])
    labels = [text.get_text() for ax in plt.gcf().axes for text in ax.get_legend().get_texts()]
    assert labels == [
        "training", "test", "chance: ln 10 = 2.30", "digit_0", "digit_1", "digit_2", "digit_3", "chance: 10%",
        "whole captcha", "chance: 0.01%",
    ]  # fmt: skip


def test_accuracies_are_drawn_with_their_interval():
    figures.plot_accuracies([0.9, 0.8, 0.7, 0.6], 0.5, (0.4, 0.6), 100)
    assert [text.get_text() for text in plt.gca().texts] == ["90.0%", "80.0%", "70.0%", "60.0%", "50.0%"]


def test_claim_and_truth_are_told_apart_without_colour():
    claim, truth = ({f"test_digit_{place}": value for place in range(4)} for value in (0.9, 0.1))
    figures.plot_claims({"claim": claim | {"test_loss": 1, "test_whole": 0.9}, "truth": truth | {"test_whole": 0.0}})
    ax = plt.gca()
    assert [text.get_text() for text in ax.texts] == ["90.0%"] * 5 + ["10.0%"] * 4 + ["0.0%"]
    assert [label.get_text() for label in ax.get_yticklabels()][::4] == ["digit_0", "whole captcha"]
    assert [bars[0].get_hatch() for bars in ax.containers] == ["", "///"]


def test_losses_are_drawn_with_chance_on_a_logarithmic_scale():
    figures.plot_losses({"one": [2.3, 300.0, 2.4], "other": [2.3, 1.0, 0.5]})
    ax = plt.gca()
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other", "chance: ln 10 = 2.30"]
    assert list(ax.lines[0].get_ydata()) == [2.3, 300.0, 2.4]
    assert ax.lines[2].get_ydata()[0] == pytest.approx(np.log(10))


def test_a_finished_bar_says_how_long_it_took():
    assert _Bar("Drawing", 10, 10, "captchas", 2.0).text == "Drawing: 10 of 10 captchas in 2.0 s"
    assert _Bar("Drawing", 5, 10, "captchas", 2.0).text == "Drawing: 5 of 10 captchas, about 2.0 s left"
    assert 'value="0.500"' in _Bar("Drawing", 5, 10, "captchas", 2.0)._repr_html_()
    assert _Bar("Drawing", 1, 100, "captchas", 9.0).text == "Drawing: 1 of 100 captchas"  # too early to tell


def test_progress_passes_everything_on(capsys):
    assert list(progress("abc", "Reading", "letters")) == ["a", "b", "c"]
    assert capsys.readouterr().out.startswith("Reading: 0 of 3 letters")
    with pytest.raises(TypeError, match="needs `total`"):
        list(progress(iter("abc"), "Reading", "letters"))
    Progress("Training", 2, "steps").update(2, "done")


@pytest.mark.parametrize(("seconds", "text"), [(0.44, "0.4 s"), (12.3, "12 s"), (185, "3 min 05 s")])
def test_durations(seconds, text):
    assert duration(seconds) == text
