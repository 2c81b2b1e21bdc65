"""The programs that measure: right arithmetic, honest data, and tables that agree with their results."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import SIZE
from PIL import Image, ImageDraw

from benchmarks import accuracy, bench, catch_up, columns, endless, field, letters, transfer, tried
from benchmarks.peers import __main__ as peers
from utils import figures_results, numbers, results
from utils.captchas import DIGITS, draw_captcha, draw_texts
from utils.files import REPO, CourseError
from utils.fresh import fresh_captchas, fresh_texts
from utils.machine import gflop
from utils.model import alexnet, load_compact, probabilities
from utils.pictures import gray
from utils.prepare import CATCH_UP
from utils.results import RESULTS, TRIED, cost_table, mean_and_range, read_results
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


def test_older_captchas_are_warped_as_far_as_older_versions_did():
    """By 10 to 30 % of the width of a character, and by 20 to 30 % of its height."""
    wanted = [("2026", "a"), ("0718", "b")]
    (pictures, labels), (again, _) = (accuracy.older_captchas(wanted, SIZE) for _ in range(2))
    assert pictures.shape == (2, *SIZE, 1) and np.array_equal(pictures, again)
    assert labels.tolist() == [[2, 0, 2, 6], [0, 7, 1, 8]]
    assert not np.array_equal(pictures[0, ..., 0], gray(draw_captcha("2026", "a"), SIZE))
    painter, canvas = accuracy.older_painter(160, 60, ""), ImageDraw.Draw(Image.new("RGB", (160, 60)))
    boxes = [canvas.multiline_textbbox((1, 1), char, font) for char in DIGITS for font in painter.truefonts]
    for size, (low, high), shares in zip(
        np.mean(boxes, axis=0)[2:], (painter.character_warp_dx, painter.character_warp_dy), ((0.1, 0.3), (0.2, 0.3)),
        strict=True,
    ):  # fmt: skip
        assert [low, low + (high - low) * size] == pytest.approx([share * size for share in shares], rel=0.05)


def test_growth_is_drawn_from_its_rows(tmp_path, monkeypatch):
    rows = [bench.row("draw, one core", {"value": 1.0, "peak_mb": 2.0}, "captchas/s", None, "")]  # not of growth
    for count, more in (("1,000", 0), ("10,000", 50)):
        for number, work in enumerate(("draw", "write", "feed"), 1):
            found = {"value": 10.0 * number + more, "peak_mb": 100.0 * number + more}
            rows.append(bench.row(f"{work} {count}", found, "captchas/s", None, ""))
    drawn = []
    monkeypatch.setattr(figures_results, "plot_sizes", lambda *given: drawn.append(given))
    monkeypatch.setattr(figures_results, "save_picture", lambda path, dpi: drawn.append(path))
    bench.draw_growth(rows, tmp_path / "growth.png")
    (speeds, memory, counts), path = drawn
    assert speeds == {"draw": [10, 60], "write": [20, 70], "feed": [30, 80]}
    assert memory == {"draw": [100, 150], "write": [200, 250], "feed": [300, 350]}
    assert counts == [1000, 10_000] and path == tmp_path / "growth.png"


def test_forward_work_is_that_of_the_network():
    """Multiply-adds of AlexNet v2 at 224x224, counted layer by layer; 1.375 GFLOP are twice as many."""
    adds = 54**2 * 64 * 11 * 11 + 26**2 * 192 * 25 * 64 + 12**2 * 9 * (384 * 192 + 384 * 384 + 256 * 384)
    adds += 4096 * 6400 + 4096 * 4096 + 40 * 4096
    assert gflop(alexnet()) == pytest.approx(2 * adds / 1e9)
    default, quick = bench.read_recipes().values()
    assert bench.measure("picture_gflop", default)["value"] == pytest.approx(1.375, abs=0.001)
    assert bench.picture_gflop(quick) == pytest.approx(gflop(alexnet((96, 160), fc_units=1024, strides=(4, 2))))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_speed_follows_from_the_work_and_the_time(dtype, monkeypatch):
    monkeypatch.setattr(bench, "best", lambda work, repeats: work() is None or 0.5)
    assert bench.best_product(dtype, (100, 200, 300))[0] == pytest.approx(2 * 100 * 200 * 300 / 1e9 / 0.5)


def test_the_best_of_several_products_is_the_limit():
    """A product of two numbers is slower than one of large matrices, whatever the machine."""
    found = bench.measure("best_product", "float32", [1, 1, 1], [256, 256, 256])
    assert found["value"][1] == "256 x 256 by 256 x 256" and found["value"][0] > 0.1
    assert found["instructions"] in {"AVX-512", "AVX2", "not known"}


@pytest.mark.parametrize(
    ("said", "flags", "word"),
    [
        ("exec,cpu,matmul,brg_matmul:avx10_1_512_amx,undef", "avx512f amx_bf16", "AMX with bfloat16"),
        ("exec,cpu,matmul,brg_matmul:avx512_core_bf16,undef", "avx512f amx_bf16", "AVX-512 with bfloat16"),
        ("exec,cpu,inner_product,brgconv_ip:avx2,forward", "avx512f", "AVX2"),
        ("exec,cpu,gemm_api,,undef", "fma avx2 avx512f", "AVX-512"),  # it does not say what it used
        ("", "fma avx2", "AVX2"),
        ("", "", "not known"),
    ],
)
def test_the_instructions_are_named_in_plain_words(said, flags, word):
    assert bench.instructions(f"onednn_verbose,v1,primitive,{said},src:bf16", flags) == word


def test_score():
    right = np.array([[True, True], [True, False], [True, True], [False, True]])
    found = accuracy.score(right)
    assert (found["captchas"], found["whole"], found["digit_0"], found["digit_1"]) == (4, 0.5, 0.75, 0.75)
    assert found["low"] < 0.5 < found["high"]


def test_every_table_has_its_place():
    tables = ((bench.PAGE, "bench"), (accuracy.PAGE, "accuracy"), (accuracy.PAGE, "cost"), (field.PAGE, "field"))
    for page, name in (*tables, (field.PAGE, "field-settings")):
        assert name in numbers.names_in(page.read_text(encoding="utf-8"))


def test_a_table_shows_what_differs_between_recipes():
    found = [{"name": name, "parameters": {"epochs": 3, "dropout": drop}} for name, drop in (("a-b", 0.1), ("c", 0.5))]
    assert results.settings_table(found).splitlines() == [
        "| parameter | a\N{NON-BREAKING HYPHEN}b | c |", "| --- | --: | --: |", "| dropout | 0.1 | 0.5 |"
    ]  # fmt: skip


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
        CourseError,
        match=r"There is no recipe 'best'\. There are: bent, catch-up, default, default-no-decay, letters-34, "
        r"letters-36, letters-36-augmented, letters-62, long, quick, short, small",
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
    command = [sys.executable, "-m", "benchmarks.accuracy", "best"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.strip().startswith("There is no recipe 'best'. There are: ")
    assert len(done.stderr.strip().splitlines()) == 1


def test_results_of_another_recipe_are_dropped_and_a_seed_counts_once(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    monkeypatch.setattr(accuracy, "best_product", lambda dtype, shape: [399.6, ""])
    scores = {name: {"whole": 0.5} for name in ("fresh", "fresh_averaged", "test", "test_averaged")}
    run = {"seed": 0, "minutes": 1.0} | scores
    for values, seed in (({"epochs": 1}, 0), ({"epochs": 2}, 1), ({"epochs": 2}, 0), ({"epochs": 2}, 1)):
        accuracy.save("x", values, run | {"seed": seed})
    found = json.loads((tmp_path / "x.json").read_text())
    assert found["parameters"] == {"epochs": 2} and [run["seed"] for run in found["runs"]] == [0, 1]
    assert all(run["gflops"] == 400 for run in found["runs"])


@pytest.mark.parametrize(("minutes", "gflops"), [(1.0, 400), (2.0, 500)], ids=["scored again", "trained again"])
def test_a_model_that_is_only_scored_again_keeps_the_speed_of_its_training(minutes, gflops, tmp_path, monkeypatch):
    scores = {"fresh": {"whole": 0.5}}
    for speed, spent in ((400, 1.0), (500, minutes)):
        monkeypatch.setattr(accuracy, "best_product", lambda dtype, shape, speed=speed: [speed, ""])
        saved = accuracy.save("x", {"epochs": 1}, {"seed": 0, "minutes": spent} | scores, tmp_path)
    assert saved["gflops"] == gflops
    assert json.loads((tmp_path / "x.json").read_text())["runs"] == [saved]


def test_mean_and_range():
    assert mean_and_range([0.9777]) == "97.77 %"
    assert mean_and_range([]) == "not measured"
    assert mean_and_range([0.98, 0.97, 0.99]) == "98.00 % (97.00 to 99.00)"
    assert mean_and_range([0.98, 0.97, 0.99], 3) == "98.00 % (97.00 to 99.00)"
    assert mean_and_range([0.9777], 3) == "97.77 %, 1 seed"
    assert mean_and_range([0.98, 0.97], 3) == "97.50 % (97.00 to 98.00), 2 seeds"


def measured(name="x", **run):
    """A result as `benchmarks.accuracy` stores it."""
    values = {"captcha_count": 500, "test_count": 50, "image_height": 96, "image_width": 160}
    values |= {"batch_size": 100, "epochs": 10}
    scores = {"captchas": 100, "whole": 0.5, "low": 0.4, "high": 0.6}
    run = {"seed": 0, "minutes": 8.0, "tflop": 8.0} | {"test": scores, "fresh": scores, "fresh_averaged": scores} | run
    return {"name": name, "parameters": values, "runs": [run]}


def test_the_cost_says_how_fast_the_machine_was_if_all_runs_know_it():
    one, two = measured("quick-one", gflops=300), measured()
    one["runs"].append(one["runs"][0] | {"seed": 1, "minutes": 9.0, "gflops": 500})
    two["runs"].append(one["runs"][0])
    first, second = cost_table([one, two]).splitlines()[2:]
    assert first == "| quick\N{NON-BREAKING HYPHEN}one | 96 x 160 | 2.00 | 8 | 8.5 | 400 |"  # 4,000 pictures were seen
    assert second.endswith("| not measured |")


def test_the_field_holds_recipes_and_others_beside_each_other(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "accuracy")
    monkeypatch.setattr(results, "PEERS", tmp_path / "peers")
    assert results.field() == [] and results.read_peers() == []  # nothing was measured yet
    ours, other, ready = measured("quick"), measured("three", cut_short=True), measured("ocr")
    about = {"project": "Name: what", "address": "https://x.org", "claim": "98 %", "settings": "Adam"}
    for result in (other, ready):
        result["about"] = about
    del ready["runs"][0]["tflop"], ready["runs"][0]["minutes"]
    other["runs"][0]["epochs"] = 3.5
    for folder, result in (("accuracy", ours), ("peers", other), ("peers", ready)):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / f"{result['name']}.json").write_text(json.dumps(result))
    places = results.field()
    assert [(place.name, place.ours, place.tflop) for place in places] == [
        ("quick", True, 8.0), ("Name", False, None), ("Name", False, 8.0)
    ]  # fmt: skip
    assert places[0][3:] == (0.5, 0.4, 0.6)
    rows = results.field_table().splitlines()[2:]
    assert rows[0] == "| *quick* | 1 | 96 x 160 | 8 | 50.00 % (40.00 to 60.00) |  |"
    assert rows[1] == "| [Name: what](https://x.org) | 1 | 96 x 160 | not known | 50.00 % (40.00 to 60.00) | 98 % |"
    assert "| 8 in the time allowed |" in rows[2]
    assert results.peers_settings().splitlines()[1] == "- Name: what: Adam, 3.5 epochs in 8.0 minutes."


def test_a_result_that_is_not_there_names_the_command():
    with pytest.raises(CourseError, match=r"run python -m benchmarks\.accuracy never$"):
        read_results("default", "never")
    with pytest.raises(CourseError, match=r"run python -m benchmarks\.endless quick$"):
        read_results("quick-endless")
    with pytest.raises(CourseError, match=r"run python -m benchmarks\.endless quick --augmented$"):
        read_results("quick-endless-augmented")


def test_recipes_that_were_scored_on_other_drawings_are_named():
    def scored(name, *seeds):
        return {"name": name, "runs": [{"fresh_seeds": [seed]} for seed in seeds]}

    new = [scored("a", "fresh 2"), scored("b", "fresh 2", "fresh 2")]
    assert results.older_drawings(new) == "- All fresh captchas are drawn with the seeds fresh 2."
    said = results.older_drawings([*new, scored("c", "fresh 0", "fresh 2")])
    assert "with the seeds fresh 2. Those of *c* are" in said


@pytest.mark.parametrize(
    "program", [accuracy, bench, catch_up, columns, endless, field, letters, peers, transfer, tried]
)
def test_asked_for_help_a_program_measures_nothing(program, monkeypatch, capsys):
    """Nor where it is given something that it does not know."""
    for argument, code in (("--help", 0), ("--sees", 2)):
        monkeypatch.setattr(sys, "argv", ["program", argument])
        with pytest.raises(SystemExit) as ended:
            program.main()
        assert ended.value.code == code and "usage:" in "".join(capsys.readouterr())


def test_a_damaged_result_is_told_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(accuracy, "RESULTS", tmp_path)
    monkeypatch.setattr(accuracy, "train_and_score", lambda *_: pytest.fail("trained"))
    monkeypatch.setattr(sys, "argv", ["accuracy", "small", "--seeds", "0"])
    (tmp_path / "small.json").write_text("<<<<<<< HEAD")
    with pytest.raises(CourseError, match="restore this file"):
        accuracy.main()


def test_a_measurement_of_columns_ends_with_its_shares(monkeypatch, capsys):
    """The result also says on which machine it was measured, and that is no share."""
    result = {"minutes": 1.5, "machine": {"cores": 2}} | columns.score_texts(["12", "123"], ["12", "124"])
    monkeypatch.setattr(columns, "train", lambda *_: result)
    monkeypatch.setattr(columns, "earlier", lambda *_: [])
    monkeypatch.setattr(columns, "save", lambda *_: result)
    monkeypatch.setattr(sys, "argv", ["columns", "--seeds", "0"])
    columns.main()
    said = capsys.readouterr().out
    assert said.startswith("columns, seed 0, after 1.5 minutes") and "'fresh': '50.00%'" in said and "cores" not in said


def test_endless_drawings_come_never_again():
    texts = ("0000", "1234", "5678", "9999", "2222")
    wanted = endless.drawings(texts, seed=0, batch_size=2, epochs=3)  # a last batch that is not full is left out
    assert len(wanted) == len(set(wanted)) == 3 * 4
    for epoch in range(3):
        said = wanted[4 * epoch : 4 * epoch + 4]
        assert len({text for text, _ in said} & {*texts}) == 4 and {seed for _, seed in said} == {f"endless 0 {epoch}"}
    images = np.concatenate([some for some, _ in fresh_captchas(wanted, SIZE, 2)])
    assert len({image.tobytes() for image in images}) == 12
    assert np.array_equal(images[0, ..., 0], gray(draw_captcha(wanted[0][0], "endless 0 0"), SIZE))


def test_each_attempt_changes_the_pictures_as_it_says():
    """On three pictures, each of one gray, whose four labels are 0, 1 or 2: who is where in the result?"""
    grays = [-0.5, 0.0, 0.5]
    images = np.ones((3, 40, 80, 1), "float32") * np.reshape(grays, (3, 1, 1, 1)).astype("float32")
    labels, seed = tuple(np.arange(3) for _ in range(4)), np.array([0, 1], np.int64)
    changed = {name: change(images, labels, seed) for name, (_, change) in tried.ATTEMPTS.items() if change}
    for name, (pictures, said) in changed.items():
        assert pictures.shape == images.shape and len(said) == 4, name
    pictures, said = changed["splice"]
    assert [np.unique(half).tolist() for half in np.split(pictures, 2, axis=2)] == [grays, grays]
    for picture, *places in zip(np.asarray(pictures), *map(np.asarray, said), strict=True):
        assert [grays[place] for place in places] == picture[0, [0, 39, 40, 79], 0].tolist() and len(set(places)) == 2
    pictures, said = changed["erase"]
    assert [int((picture == 1).sum()) for picture in np.asarray(pictures)] == [10 * 10] * 3
    pictures, said = changed["overlay"]
    assert np.allclose(np.asarray(pictures)[:, 0, 0, 0], [-0.3, -0.1, 0.4]) and np.array_equal(said, labels)


def test_attempts_are_measured_beside_the_recipe_as_it_is():
    base = accuracy.known_parameters() | accuracy.read_recipe(tried.BASE)
    assert {path.stem for path in TRIED.glob("*.json")} == set(tried.ATTEMPTS)
    for name, (said, _) in tried.ATTEMPTS.items():
        found = read_results(name, folder=TRIED)[0]
        assert found["parameters"] == base and found["runs"], f"measure {name} again"
        assert found["about"] == {"tried": said}
        seeds = {run["seed"] for run in found["runs"]}  # beside the same seeds of the recipe, and no others
        same = [run["fresh"] for run in read_results("small")[0]["runs"] if run["seed"] in seeds]
        assert f"| {said} | {results.mean_and_interval(same)} | " in results.tried_table()


def test_the_model_that_comes_with_the_course_is_small_and_as_good_as_said():
    """Its file and its result agree; and it reads fresh captchas here as well as where it was made."""
    result = json.loads(catch_up.RESULT.read_text())
    megabytes = CATCH_UP.stat().st_size / 1e6
    assert result["megabytes"] == round(megabytes, 1)
    assert result["fresh"]["captchas"] == 10_000 and result["fresh"]["whole"] >= 0.97
    model, _ = load_compact(CATCH_UP, (224, 224))
    images, labels = next(fresh_captchas(fresh_texts(draw_texts(5000, 0), 300), (224, 224)))
    assert whole_accuracy(probabilities(model, images).argmax(axis=-1), labels) >= 0.95
