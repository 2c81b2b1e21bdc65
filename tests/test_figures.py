"""Figures: gray is gray, right and wrong differ in more than colour, and a bar that is done says so."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from utils import figures
from utils.looking import Looking
from utils.progress import Progress, _Bar, duration, progress
from utils.scores import Group, calibration, wilson_interval


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


def test_the_map_names_every_notebook_in_order_and_the_files():
    figures.plot_course()
    said = [text.get_text() for text in plt.gca().texts]
    assert [text for text in said if text.isdigit()] == [f"0{number}" for number in range(8)]
    for name in ("2026.png", "train.tfrecord", "test.tfrecord", "alexnet.keras", "workspace/"):
        assert any(name in text for text in said), name
    assert plt.gca().get_xlim() == (0, 10) and plt.gca().get_ylim() == (0, 5)  # pictures must not zoom in on themselves


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


def test_recipes_are_drawn_with_their_means_and_a_dot_for_each_seed():
    figures.plot_recipes(["a", "b"], [[0.5, 0.7], [0.9]], "title")
    assert [text.get_text() for text in plt.gca().texts] == ["60.0%", "90.0%"]
    assert [line.get_xdata().tolist() for line in plt.gca().lines] == [[0.5, 0.7], [0.9]]


def test_growth_is_drawn_at_its_counts():
    figures.plot_growth([500, 1000], [[0.25, 0.35], [0.5]], "title")
    assert [text.get_text() for text in plt.gca().texts] == ["30.0%", "50.0%"]
    assert [label.get_text() for label in plt.gca().get_xticklabels()] == ["500", "1,000"]


def test_speed_is_drawn_beside_its_limit():
    figures.plot_speed(["a", "b"], [80.0, 10.0], [100.0, 5.0], "pictures/s")
    assert [text.get_text() for text in plt.gca().texts] == ["80 of 100, 80%", "10 of 5, 200%"]


def test_right_readings_do_not_drown_the_mistakes():
    matrices = np.zeros((4, 10, 10), int)
    matrices[:, range(10), range(10)] = 300
    matrices[2, 1, 7] = 3
    figures.plot_confusions(matrices)
    axes = plt.gcf().axes
    assert [ax.get_title("left") for ax in axes] == [
        f"digit_{place}: {wrong} wrong" for place, wrong in enumerate((0, 0, 3, 0))
    ]
    assert axes[2].images[0].get_array().max() == 3 and axes[2].images[0].get_clim() == (0, 3)
    assert [(text.get_position(), text.get_text()) for text in axes[2].texts if text.get_text() == "3"] == [
        ((7, 1), "3")
    ]


def test_groups_are_drawn_with_their_numbers():
    figures.plot_groups({"contrast": [Group("up to 5", 8, 10), Group("above 5", 1990, 2000)]})
    (ax,) = plt.gcf().axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["up to 5\n(10)", "above 5\n(2,000)"]
    points, _, (bars,) = ax.containers[0]
    assert points.get_ydata().tolist() == [0.8, 0.995]
    low, high = bars.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx(wilson_interval(8, 10))


def test_calibration_is_drawn_against_the_diagonal():
    figures.plot_calibration(calibration(np.array([0.25, 0.25, 0.95, 0.95]), np.array([0, 1, 1, 1], bool)))
    ax, counts = plt.gcf().axes
    points = ax.containers[0][0]
    assert points.get_xdata().tolist() == pytest.approx([0.25, 0.95]) and points.get_ydata().tolist() == [0.5, 1]
    assert [text.get_text() for text in counts.texts] == (["0 of\n0"] * 2 + ["1 of\n2"] + ["0 of\n0"] * 6 + ["0 of\n2"])


def test_refusing_is_drawn():
    figures.plot_refusing(np.array([0.5, 1]), np.array([1, 0.75]))
    assert plt.gca().lines[0].get_xydata().tolist() == [[0.5, 1], [1, 0.75]]


def test_the_tint_lies_where_the_patch_lay():
    falls = np.zeros((4, 3, 5))
    falls[1, 2, 0] = 0.8
    seen = Looking(falls[None], np.array([4.0, 8, 12]), np.array([4.0, 8, 12, 16, 20]))
    figures.show_looking(np.full((16, 24, 1), 200, np.uint8), falls, seen, "2026")
    axes = plt.gcf().axes
    assert [ax.get_title() for ax in axes[:4]] == [f"digit_{place}, read {digit}" for place, digit in enumerate("2026")]
    picture, tint = axes[1].images
    assert picture.get_cmap().name == "gray" and picture.get_clim() == (0, 255)
    assert tint.get_extent() == [2, 22, 14, 2] and tint.get_clim() == (0, 1)
    assert np.array_equal(tint.get_array(), falls[1])
    assert tint.get_cmap()(0.0)[3] == 0  # where nothing falls, the picture is untouched
    assert axes[1].get_xlim() == (-0.5, 23.5)


def test_centres_are_drawn_against_the_digits():
    digits, looked = np.array([[0.1, 0.3], [0.2, 0.4]]), np.array([[0.15, 0.35], [0.2, 0.5]])
    figures.plot_centres(digits, looked)
    _, first, second = plt.gca().lines
    assert first.get_xydata().tolist() == [[0.1, 0.15], [0.2, 0.2]]
    assert second.get_xydata().tolist() == [[0.3, 0.35], [0.4, 0.5]] and second.get_label() == "digit_1"


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
