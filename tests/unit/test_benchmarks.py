"""The programs that measure: right arithmetic, honest data, and tables that agree with their results."""

import json

import numpy as np
import pytest
from conftest import SIZE

from benchmarks import accuracy, bench, catch_up, endless, programs
from utils import numbers
from utils.captchas import draw_captcha, draw_texts
from utils.files import CourseError
from utils.fresh import fresh_captchas, fresh_texts
from utils.machine import gflop
from utils.model import alexnet, load_compact, probabilities
from utils.pictures import gray
from utils.prepare import CATCH_UP
from utils.results import RESULTS, mean_and_range, minutes, read_results
from utils.scores import whole_accuracy


def test_a_row_compares_with_its_limit():
    found = {"value": 80.0, "peak_mb": 100.0}
    assert bench.row("x", found, "pictures/s", 100.0, "y")["ratio"] == 0.8
    assert bench.row("x", found, "ms", 20.0, "y")["ratio"] == 0.25  # four times as long as it must be
    assert bench.row("x", found, "ms", None, "")["ratio"] is None
    assert "| x | 80.0 pictures/s | 100.0 | 80 % | y | 100 MB |" in numbers.speed_table(
        [bench.row("x", found, "pictures/s", 100.0, "y")]
    )


def test_a_measurement_runs_in_a_process_of_its_own(tmp_path):
    found = bench.measure("draw", tmp_path / "captchas", 20, 1)
    assert len(list((tmp_path / "captchas").glob("*.png"))) == 20
    assert found["value"] > 10 and 10 < found["peak_mb"] < 4000


def test_forward_work_is_that_of_the_network():
    """Multiply-adds of AlexNet v2 at 224x224, counted layer by layer; 1.375 GFLOP are twice as many."""
    adds = 54**2 * 64 * 11 * 11 + 26**2 * 192 * 25 * 64 + 12**2 * 9 * (384 * 192 + 384 * 384 + 256 * 384)
    adds += 4096 * 6400 + 4096 * 4096 + 40 * 4096
    assert gflop(alexnet()) == pytest.approx(2 * adds / 1e9)
    assert bench.measure("picture_gflop")["value"] == pytest.approx(1.375, abs=0.001)


def test_score():
    right = np.array([[True, True], [True, False], [True, True], [False, True]])
    found = accuracy.score(right)
    assert (found["captchas"], found["whole"], found["digit_0"], found["digit_1"]) == (4, 0.5, 0.75, 0.75)
    assert found["low"] < 0.5 < found["high"]


def test_every_table_has_its_place():
    for page, name in ((bench.PAGE, "bench"), (accuracy.PAGE, "accuracy")):
        assert name in numbers.names_in(page.read_text(encoding="utf-8"))
    assert numbers.IN_TABLE == ("quick", "default", "catch-up", "long")


def test_results_are_of_the_recipes_as_they_are():
    """Whoever changes a recipe, or a default that it rests on, must measure again."""
    for path in sorted(RESULTS.glob("*.json")):
        name, endlessly, _ = path.stem.partition(f"-{endless.ENDLESS}")
        recipe = accuracy.known_parameters() | accuracy.read_recipe(name)
        if endlessly and not path.stem.endswith("-augmented"):
            recipe["augmentation"] = False
        assert read_results(path.stem)[0]["parameters"] == recipe, f"measure {path.stem} again"
        assert read_results(path.stem)[0]["runs"]


def test_every_recipe_can_be_read():
    for path in accuracy.RECIPES.glob("*.yaml"):
        assert accuracy.read_recipe(path.stem).keys() <= accuracy.known_parameters().keys()
    with pytest.raises(
        CourseError, match=r"There is no recipe 'best'\. There are: catch-up, default, long, quick, small"
    ):
        accuracy.read_recipe("best")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image_size: 96", "No notebook has a parameter called 'image_size'"),
        ("epochs: 0", "epochs is 0, but must be"),
        ("image_height: 96\nstride_down: 8", "image_height is 96, too small for stride_down 8"),
    ],
)
def test_a_recipe_is_checked_before_anything_runs(text, message, tmp_path, monkeypatch):
    (tmp_path / "wrong.yaml").write_text(text)
    monkeypatch.setattr(accuracy, "RECIPES", tmp_path)
    with pytest.raises(CourseError, match=message):
        accuracy.read_recipe("wrong")


def test_a_program_ends_in_a_sentence():
    with pytest.raises(SystemExit, match=r"There is no recipe 'best'"):
        programs.run(lambda: accuracy.read_recipe("best"))


def test_results_of_another_recipe_are_dropped_and_a_seed_counts_once(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    monkeypatch.setattr(accuracy, "matrix_product", lambda dtype: 399.6)
    scores = {name: {"whole": 0.5} for name in ("fresh", "fresh_averaged", "test", "test_averaged")}
    run = {"seed": 0, "minutes": 1.0} | scores
    for values, seed in (({"epochs": 1}, 0), ({"epochs": 2}, 1), ({"epochs": 2}, 0), ({"epochs": 2}, 1)):
        accuracy.save("x", values, run | {"seed": seed})
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["parameters"] == {"epochs": 2} and [run["seed"] for run in found["runs"]] == [0, 1]
    assert all(run["gflops"] == 400 for run in found["runs"])


def test_mean_and_range():
    assert mean_and_range([0.9777]) == "97.77 %"
    assert mean_and_range([]) == "not measured"
    assert mean_and_range([0.98, 0.97, 0.99]) == "98.00 % (97.00 to 99.00)"


def test_minutes_say_how_fast_the_machine_was_if_all_runs_know_it():
    assert (
        minutes({"runs": [{"minutes": 8.0, "gflops": 300}, {"minutes": 9.0, "gflops": 500}]})
        == "8.5 min at 400 GFLOP/s"
    )
    assert minutes({"runs": [{"minutes": 8.0, "gflops": 300}, {"minutes": 9.0}]}) == "8.5 min"


def test_a_result_that_is_not_there_names_the_command():
    with pytest.raises(CourseError, match=r"run python -m benchmarks\.accuracy never"):
        read_results("default", "never")


def test_endless_drawings_come_never_again():
    texts = ["0000", "1234", "5678", "9999"]
    batches = endless.drawings(texts, 0, SIZE, 2)
    first = [next(batches) for _ in range(4)]  # two epochs
    batches.close()
    said = ["".join(map(str, row)) for _, labels in first for row in labels]
    assert sorted(said[:4]) == sorted(said[4:]) == texts
    assert len({image.tobytes() for images, _ in first for image in images}) == 8
    assert np.array_equal(first[0][0][0, ..., 0], gray(draw_captcha(said[0], "endless 0 0"), SIZE))


def test_the_model_that_comes_with_the_course_is_small_and_as_good_as_said():
    """Its file and its result agree; and it reads fresh captchas here as well as where it was made."""
    result = json.loads(catch_up.RESULT.read_text())
    megabytes = CATCH_UP.stat().st_size / 1e6
    assert megabytes <= 15 and result["megabytes"] == round(megabytes, 1)
    assert result["fresh"]["captchas"] == 10_000 and result["fresh"]["whole"] >= 0.97
    model, _ = load_compact(CATCH_UP, (224, 224))
    images, labels = next(fresh_captchas(fresh_texts(draw_texts(5000, 0), 300), (224, 224)))
    assert whole_accuracy(probabilities(model, images).argmax(axis=-1), labels) >= 0.95
