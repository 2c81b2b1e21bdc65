"""Figures: gray is gray, right and wrong differ in more than colour, and a bar that is done says so."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from utils import figures, figures_results, figures_workers
from utils.looking import Looking
from utils.progress import Progress, _Bar, duration, fraction_of, progress
from utils.results import Place
from utils.run import NOTEBOOKS
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


def test_very_tall_pictures_make_no_endless_figure():
    figures.show_pictures([np.zeros((4096, 20), np.uint8)] * 8, ["a"] * 8)
    assert max(plt.gcf().get_size_inches()) < 20


def test_a_dollar_is_a_character_like_others():
    """Matplotlib takes what stands between two of them for a formula, and some such formulas are errors."""
    figures.show_pictures([np.zeros((4, 6), np.uint8)] * 2, ["$^$1", "$1$2"])
    figures.show_reading({"$^$.png": np.zeros((4, 6), np.uint8)}, np.full((2, 10), 0.1))
    for number in plt.get_fignums():
        plt.figure(number).canvas.draw()


def test_the_map_names_every_notebook_and_the_files():
    figures.plot_course()
    said = [text.get_text() for text in plt.gca().texts]
    lessons = [path.name[:2] for path in NOTEBOOKS]
    assert sorted(text for text in said if text.isdigit()) == lessons
    for name in ("2026.png", "train.tfrecord", "test.tfrecord", "alexnet.keras", "workspace/"):
        assert any(name in text for text in said), name


def test_places_are_counted():
    figures.plot_places(["01", "02", "11"], chars="012")
    assert [[bar.get_height() for bar in ax.patches] for ax in plt.gcf().axes] == [[2, 1, 0], [0, 2, 1]]


def test_the_split_says_all_three_counts():
    figures.plot_split(4500, 0, 500)
    said = [text.get_text() for text in plt.gca().texts]
    assert {"training set: 4,500", "validation set: 0", "test set: 500"} <= set(said)
    assert plt.gca().patches[0].get_width() == pytest.approx(0.9)


def test_an_example_shows_its_labels_and_its_picture_gray():
    figures.plot_example(np.zeros((6, 8), np.uint8), [2, 0, 2, 6])
    said = [text.get_text() for text in plt.gca().texts]
    assert [text for text in said if text.isdigit()] == ["2", "0", "2", "6"] and "bytes: 48" in said
    assert plt.gca().images[0].get_cmap().name == "gray"


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def test_right_and_wrong_are_told_apart_without_colour():
    chances = np.zeros((2, 4, 10))
    chances[:, range(4), [1, 2, 3, 4]] = 0.9
    figures.show_predictions(np.zeros((2, 8, 8, 1), np.uint8), ["1234", "1235"], chances)
    right, wrong = plt.gcf().axes
    assert right.get_title("left") == "✓ read" and wrong.get_title("left") == "✗ read"
    assert texts_of(right) == ["1", "90%", "2", "90%", "3", "90%", "4", "90%", "sure"]
    assert [text for text in texts_of(wrong) if text.isdigit()] == ["1", "1", "2", "2", "3", "3", "4", "5"]
    boxed = [text.get_text() for text in wrong.texts if text.get_bbox_patch()]
    assert boxed == ["4"]  # the wrong digit, and no other
    assert wrong.spines["left"].get_linewidth() > right.spines["left"].get_linewidth()
    plt.gcf().canvas.draw()
    (box,) = (text.get_bbox_patch() for text in wrong.texts if text.get_bbox_patch())
    frame = wrong.get_window_extent().y1 + wrong.spines["left"].get_linewidth() / 2 * 100 / 72
    assert box.get_window_extent().y0 - 100 / 72 > frame  # the box does not touch the frame


def test_the_map_of_probabilities_frames_what_is_read():
    chance = np.full((4, 10), 0.01)
    chance[range(4), [2, 0, 2, 6]] = 0.91
    _, ax = plt.subplots()
    figures.plot_chances(ax, chance)
    assert [patch.get_xy() for patch in ax.patches] == [(1.5, -0.5), (-0.5, 0.5), (1.5, 1.5), (5.5, 2.5)]
    assert texts_of(ax).count("91") == 4 and texts_of(ax).count("1") == 36


def test_of_a_large_alphabet_the_likeliest_characters_are_shown_with_all_that_are_read():
    chars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    chance = np.full((3, 36), 0.001)
    chance[0, 20:34] = 0.06  # place 0 is unsure, and place 2 hardly surer than its neighbours
    chance[1, 35], chance[2, 1] = 0.9, 0.04
    _, ax = plt.subplots()
    figures.plot_chances(ax, chance, chars)
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert len(shown) == figures.COLUMNS and shown == sorted(shown) and {"1", "K", "Z"} <= set(shown)
    framed = [shown[round(patch.get_x() + 0.5)] for patch in ax.patches]
    assert framed == ["K", "Z", "1"] and ax.get_title("center") == "the 14 likeliest characters, in %"


@pytest.mark.parametrize("of", ["test", "validation"])
def test_history_is_drawn_as_errors_and_says_of_which_set(of):
    epoch = {"loss": 1.0, f"{of}_loss": 1.1, f"{of}_whole": 0.75} | {f"{of}_digit_{place}": 0.9 for place in range(4)}
    figures.plot_history([epoch, epoch | {f"{of}_whole": 1.0}], 500)
    each, whole = plt.gcf().axes
    assert [text.get_text() for text in each.get_legend().get_texts()] == [f"place {place}" for place in range(4)]
    assert each.get_title("left") == f"Each output, {of} set"
    assert whole.lines[0].get_ydata().tolist() == [0.25, 0.001]  # no error at all is drawn at half of one captcha
    assert whole.get_yscale() == "log"


def test_errors_are_drawn_with_their_interval():
    figures.plot_accuracies([0.9, 0.8, 0.7, 0.6], 0.5, (0.4, 0.6), 100)
    assert texts_of(plt.gca()) == ["10.0%", "20.0%", "30.0%", "40.0%", "50.0%\n(40.0% to 60.0%)"]


def test_recipes_are_drawn_as_error_rates_with_a_dot_and_an_interval_for_each_seed():
    figures_results.plot_error_rates(
        ["a", "b"], [[(0.01, 0.005, 0.02), (0.02, 0.01, 0.03)], [(0.5, 0.4, 0.6)]], "title"
    )
    assert texts_of(plt.gca()) == ["1.50%", "50.0%"] and plt.gca().get_xscale() == "log"
    points = [container[0].get_xdata().tolist() for container in plt.gca().containers]
    assert points == [[0.01, 0.02], [0.5]]


def test_no_error_rate_is_drawn_above_all_captchas():
    figures_results.plot_error_rates(["a", "b"], [[(0.1, 0.05, 0.2)], [(0.97, 0.9, 0.99)]], "title")
    ax = plt.gca()
    assert ax.get_xlim()[1] == 1.02
    assert [text.get_ha() for text in ax.texts] == ["left", "right"]


def test_the_field_is_drawn_by_cost_and_error_and_no_label_covers_another():
    places = [Place("a", True, 70.0, 0.01, 0.008, 0.012), Place("b", False, 70.0, 0.3, 0.29, 0.31)]
    places += [Place("c", False, 70.0, 0.31, 0.3, 0.32), Place("d", False, None, 0.2, 0.19, 0.21)]
    figures_results.plot_field(places)
    ax = plt.gca()
    assert sorted(texts_of(ax)) == ["a, 1.00%", "b, 30.0%", "c, 31.0%", "d, 20.0%, as it comes"]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    labels = {text.get_text()[0]: text for text in ax.texts}
    heights = {name: text.get_position()[1] for name, text in labels.items()}
    assert {labels["b"].get_ha(), labels["c"].get_ha()} == {"left", "right"}  # one of them beside the other's point
    assert heights["c"] > heights["b"] > heights["a"]
    assert [line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"] == [0.2]
    figures_results.plot_field([])  # nothing was measured yet


def test_growth_is_drawn_at_its_counts_and_the_odd_point_apart():
    line = [[(0.7, 0.6, 0.8)], [(0.5, 0.4, 0.6)]]
    figures_results.plot_growth([500, 1000], line, "title", (4000, [(0.1, 0.05, 0.2)], "another kind"))
    ax = plt.gca()
    assert texts_of(ax) == ["70.0%", "50.0%", "10.0%"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["500", "1,000", "4,000"]
    assert ax.lines[0].get_xdata().tolist() == [500, 1000]
    assert "another kind" in [text.get_text() for text in ax.get_legend().get_texts()]


def test_speed_and_memory_are_drawn_against_the_size_of_the_data_set():
    figures_results.plot_sizes({"draw": [10, 11], "feed": [50, 49]}, {"draw": [30, 31], "feed": [900, 905]}, [10, 1000])
    speed, memory = plt.gcf().axes
    assert [line.get_ydata().tolist() for line in speed.lines] == [[10, 11], [50, 49]]
    assert [line.get_ydata().tolist() for line in memory.lines] == [[30, 31], [900, 905]]
    assert [label.get_text() for label in speed.get_xticklabels()] == ["10", "1,000"]
    assert speed.get_ylim()[0] == memory.get_ylim()[0] == 0


def test_speed_is_drawn_beside_its_limit():
    figures_results.plot_speed(["a", "b"], [80.0, 10.0], [100.0, 5.0], "pictures/s")
    assert texts_of(plt.gca()) == ["80.0 of 100.0, 80%", "10.0 of 5.0, 200%"]


def test_right_readings_do_not_drown_the_mistakes():
    matrices = np.zeros((4, 10, 10), int)
    matrices[:, range(10), range(10)] = 300
    matrices[2, 1, 7] = 3
    figures_results.plot_confusions(matrices)
    axes = plt.gcf().axes
    titles = [f"place {place}: {wrong} wrong" for place, wrong in enumerate((0, 0, 3, 0))]
    assert [ax.get_title("left") for ax in axes] == titles
    assert axes[2].images[0].get_array().max() == 3 and axes[2].images[0].get_clim() == (0, 3)
    threes = [text.get_position() for text in axes[2].texts if text.get_text() == "3"]
    assert threes == [(7, 1)]


def test_groups_are_drawn_as_error_rates_with_their_numbers():
    figures_results.plot_groups({"contrast": [Group("up to 5", 8, 10), Group("above 5", 1990, 2000)]})
    (ax,) = plt.gcf().axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["up to 5\n(10)", "above 5\n(2,000)"]
    points, _, (bars,) = ax.containers[0]
    assert points.get_ydata().tolist() == pytest.approx([0.2, 0.005])
    low, high = bars.get_segments()[0][:, 1]
    assert (low, high) == pytest.approx(wilson_interval(2, 10))


def test_calibration_is_drawn_against_the_diagonal():
    figures_results.plot_calibration(calibration(np.array([0.25, 0.25, 0.95, 0.95]), np.array([0, 1, 1, 1], bool)))
    ax = plt.gca()
    points = ax.containers[0][0]
    assert points.get_xdata().tolist() == pytest.approx([0.25, 0.95]) and points.get_ydata().tolist() == [0.5, 1]
    assert [label.get_text() for label in ax.get_xticklabels()][2] == "20%"  # at the border of two bins
    assert [label.get_text() for label in ax.get_xticklabels(minor=True)][2] == "(2)"


def test_refusing_is_drawn_as_errors_of_the_others():
    figures_results.plot_refusing(np.array([0.5, 0.75, 1]), np.array([1, 0.9, 0.75]))
    assert plt.gca().lines[0].get_xydata().tolist() == [[0.25, pytest.approx(0.1)], [0, 0.25]]


def test_the_tint_lies_where_the_patch_lay():
    falls = np.zeros((4, 3, 5))
    falls[1, 2, 0] = 0.8
    seen = Looking(falls[None], np.array([4.0, 8, 12]), np.array([4.0, 8, 12, 16, 20]))
    figures_results.show_looking(np.full((16, 24, 1), 200, np.uint8), falls, seen, "2026")
    axes = plt.gcf().axes
    assert [ax.get_title() for ax in axes[:4]] == [f"place {place}, read {digit}" for place, digit in enumerate("2026")]
    picture, tint = axes[1].images
    assert picture.get_cmap().name == "gray" and picture.get_clim() == (0, 255)
    assert tint.get_extent() == [2, 22, 14, 2] and tint.get_clim() == (0, 1)
    assert np.array_equal(tint.get_array(), falls[1])
    assert tint.get_cmap()(0.0)[3] == 0  # where nothing falls, the picture is untouched
    assert axes[1].get_xlim() == (-0.5, 23.5)


def test_centres_are_drawn_against_the_digits():
    digits, looked = np.array([[0.1, 0.3], [0.2, 0.4]]), np.array([[0.15, 0.35], [0.2, 0.5]])
    figures_results.plot_centres(digits, looked)
    _, first, second = plt.gca().lines
    assert first.get_xydata().tolist() == [[0.1, 0.15], [0.2, 0.2]]
    assert second.get_xydata().tolist() == [[0.3, 0.35], [0.4, 0.5]] and second.get_label() == "place 1"


def test_claim_and_truth_are_told_apart_without_colour():
    claim, truth = ({f"test_digit_{place}": value for place in range(4)} for value in (0.9, 0.1))
    figures_results.plot_claims(
        {"claim": claim | {"test_loss": 1, "test_whole": 0.9}, "truth": truth | {"test_whole": 0.0}}
    )
    ax = plt.gca()
    assert [text.get_text() for text in ax.texts] == ["90.0%"] * 5 + ["10.0%"] * 4 + ["0.0%"]
    assert [label.get_text() for label in ax.get_yticklabels()][::4] == ["digit_0", "whole captcha"]
    assert [bars[0].get_hatch() for bars in ax.containers] == ["", "///"]


def test_losses_are_drawn_with_chance_on_a_logarithmic_scale():
    figures_results.plot_losses({"one": [2.3, 300.0, 2.4], "other": [2.3, 1.0, 0.5]})
    ax = plt.gca()
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["one", "other", "chance: ln 10 = 2.30"]
    assert list(ax.lines[0].get_ydata()) == [2.3, 300.0, 2.4]
    assert ax.lines[2].get_ydata()[0] == pytest.approx(np.log(10))


def test_a_finished_bar_says_how_long_it_took():
    assert _Bar("Drawing", 10, 10, "captchas", 2.0).text == "Drawing: 10 of 10 captchas in 2.0 s"
    assert _Bar("Drawing", 5, 10, "captchas", 2.0).text == "Drawing: 5 of 10 captchas, about 2.0 s left"
    data, about = _Bar("Drawing", 5, 10, "captchas", 2.0)._repr_mimebundle_()
    assert 'value="0.500"' in data["text/html"] and fraction_of(about) == 0.5 and fraction_of({}) is None
    assert _Bar("Drawing", 1, 100, "captchas", 9.0).text == "Drawing: 1 of 100 captchas"  # too early to tell


def test_progress_passes_everything_on(capsys):
    assert list(progress("abc", "Reading", "letters")) == ["a", "b", "c"]
    assert capsys.readouterr().out.startswith("Reading: 0 of 3 letters")
    with pytest.raises(TypeError, match="needs `total`"):
        list(progress(iter("abc"), "Reading", "letters"))
    Progress("Training", 2, "steps").update(2, "done")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (9.97, "10 s"), (12.3, "12 s"), (59.7, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_workers_and_shuffles_can_be_drawn_in_a_single_panel():
    figures_workers.plot_speed_ups({"one": {"1 Gbit/s": np.arange(1, 9)}}, np.arange(1, 9), (2, 1.8))
    said = [text.get_text() for text in plt.gca().get_legend().get_texts()]
    assert said == ["ideal", "predicted, 1 Gbit/s", "measured here"]
    figures_workers.plot_shuffles({200: np.arange(1000)})
    assert len(plt.get_fignums()) == 2 and all(len(plt.figure(number).axes) == 1 for number in plt.get_fignums())


def test_every_place_of_a_long_text_is_drawn():
    centres = np.zeros((3, 12))
    figures_results.plot_centres(centres, centres)
    assert [line.get_label() for line in plt.gca().lines[-12:]] == [f"place {place}" for place in range(12)]
