"""The whole course, run by papermill and replayed by nbval, at the small values of small.yaml.

papermill proves that the notebooks run in order, with parameters from outside, from any folder, and that what they make
is right. nbval then proves that they are reproducible: replayed from nothing, every cell prints again what it printed.
"""

import filecmp
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import nbformat
import numpy as np
import pytest
import yaml
from conftest import SMALL, kill_tree, run_course

from utils.captchas import find_captchas, text_from
from utils.checkpoints import read_history
from utils.files import REPO, CourseError, shown
from utils.model import load_model, probabilities
from utils.pictures import gray_picture
from utils.run import NOTEBOOKS, SOLUTIONS, find_notebook, run_notebook
from utils.scores import place_accuracies
from utils.tfrecords import read_records


def size_of(course):
    return course.values["image_height"], course.values["image_width"]


def test_it_made_the_captchas(course):
    paths = find_captchas(course.workspace / "captchas")
    assert len(paths) == len({path.stem for path in paths}) == course.values["captcha_count"]


def test_labels_fit_their_pictures(course):
    size, test_count = size_of(course), course.values["test_count"]
    for split, count in (("train", course.values["captcha_count"] - test_count), ("test", test_count)):
        images, labels = read_records(course.workspace / "records", split, size)
        assert len(images) == count
        for image, label in zip(images[::20], labels[::20], strict=True):
            path = course.workspace / "captchas" / f"{text_from(label)}.png"
            assert np.array_equal(image[..., 0], gray_picture(path, size))


def test_every_output_learnt_its_own_digit(course):
    """Each of the four must be far above the 10 % of chance; with 200 test captchas, 25 % is seven sigma above it."""
    history = read_history(course.workspace / "model")
    assert len(history) == course.values["epochs"]
    assert history[-1]["loss"] < history[0]["loss"] < 2.5
    for place in range(4):
        assert history[-1][f"test_digit_{place}"] > 0.25


def test_the_saved_model_is_the_one_that_was_scored(course):
    history = read_history(course.workspace / "model")
    size = size_of(course)
    images, labels = read_records(course.workspace / "records", "test", size)
    read = probabilities(load_model(course.workspace / "model" / "alexnet.keras", size), images).argmax(axis=-1)
    assert place_accuracies(read, labels).tolist() == [history[-1][f"test_digit_{place}"] for place in range(4)]


def test_the_last_lines_say_where_to_look_and_what_was_reached(course):
    whole = read_history(course.workspace / "model")[-1]["test_whole"]
    assert NOTEBOOKS[-1].name in course.printed
    for line in (
        "Drawing: 1,500 of 1,500 captchas in",
        "Writing: 1,500 of 1,500 records in",
        "Training: 400 of 400 steps in",
    ):
        assert line in course.progress
    assert f"reads {whole:.1%} of the test captchas whole" in course.printed


def test_nothing_half_written_is_left(course):
    left = [path.name for path in course.workspace.rglob("*")]
    assert not [name for name in left if name.startswith(".part") or name == "checkpoint"]


def test_executed_notebooks_have_pictures_and_no_log_lines(course):
    for notebook in NOTEBOOKS:
        nb = nbformat.read(course.runs / notebook.name, as_version=4)
        outputs = [output for cell in nb.cells if cell.cell_type == "code" for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
        assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2, notebook.name


def test_a_second_run_has_nothing_to_do_and_says_so(course, tmp_path):
    """Of the notebooks that make files; `test_alone` runs each notebook twice, and compares its results."""
    runs, making = tmp_path / "runs", ("01", "02", "05")
    done = run_course(tmp_path, *making, "-f", str(SMALL), "-p", "workspace", str(course.workspace), "-o", str(runs))
    assert done.returncode == 0, done.stderr[-3000:]
    said = "".join((runs / find_notebook(number).name).read_text(encoding="utf-8") for number in making)
    assert "All 1,500 captchas were already in" in said
    assert "Already there, nothing to do" in said
    assert "10 of 10 epochs with these settings were done before" in said


def replay(folder):
    """nbval executes every notebook in ``folder`` again, in order, and compares the outputs with those stored in it."""
    command = [
        sys.executable, "-m", "pytest", "-q", "-c", str(REPO / "pyproject.toml"), "--rootdir", str(folder),
        "--nbval", "--nbval-sanitize-with", str(REPO / "tests" / "nbval.cfg"), "--nbval-cell-timeout", "600",
        *map(str, sorted(folder.glob("*.ipynb"))),
    ]  # fmt: skip
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=1800)


class Again(NamedTuple):
    """What was done with the small course once it was there: replayed by nbval, and its exercises solved."""

    first: Path  # the workspace as papermill left it
    solutions: Path
    replayed: subprocess.CompletedProcess
    solved: subprocess.CompletedProcess


@pytest.fixture(scope="module")
def again(course, tmp_path_factory) -> Again:
    """Both at once, since a notebook that imports TensorFlow keeps only one core busy."""
    first, runs = course.workspace.with_name("papermill"), tmp_path_factory.mktemp("solutions")
    course.workspace.rename(first)  # the replay starts with nothing, as papermill did, and in the same place
    solving = ["--solutions", "-f", str(SMALL), "-p", "workspace", str(first), "-o", str(runs)]
    with ThreadPoolExecutor(2) as pool:
        replayed, solved = pool.submit(replay, course.runs), pool.submit(run_course, runs, *solving)
    return Again(first, runs / "solutions", replayed.result(), solved.result())


def test_every_solution_is_right(course, again):
    """Solved on the small course, each exercise must turn ✅; the lesson, where nobody answered, must say just that."""
    assert again.solved.returncode == 0, again.solved.stderr[-3000:]
    for folder, paths, mark in ((again.solutions, SOLUTIONS, "✅"), (course.runs, NOTEBOOKS, "…")):
        for path in paths:
            nb = nbformat.read(folder / path.name, as_version=4)
            printed = "".join(o.get("text", "") for cell in nb.cells for o in cell.get("outputs", []))
            marks = re.findall(r"^([✅❌…]) \w+:", printed, re.M)
            assert len(marks) >= 3 and set(marks) == {mark}, (path, printed[-2000:])


def test_nbval_gets_the_same_outputs_again(course, again):
    """Replayed in a workspace that is empty again, every cell must print what papermill has stored."""
    assert again.replayed.returncode == 0, again.replayed.stdout[-5000:]
    for name in ("train.tfrecord", "test.tfrecord"):
        one, other = (workspace / "records" / name for workspace in (course.workspace, again.first))
        assert filecmp.cmp(one, other, shallow=False), f"{name} has other bytes"


def test_nbval_would_notice_another_result(course, tmp_path):
    """The replay is only worth something if it can fail: a stored number that was changed must be found."""
    nb = nbformat.read(course.runs / "01-generate-captchas.ipynb", as_version=4)
    outputs = [output for cell in nb.cells for output in cell.get("outputs", []) if "are different" in str(output)]
    outputs[0]["text"] = outputs[0]["text"].replace("1,500 texts", "1,501 texts")
    nbformat.write(nb, tmp_path / "changed.ipynb")
    replayed = replay(tmp_path)
    assert replayed.returncode == 1 and "1,501 texts" in replayed.stdout


def test_a_failed_notebook_stops_the_series_and_is_kept(tmp_path):
    """The folder of the captchas holds a picture of somebody: notebook 02 says so, and 05 does not run."""
    captchas, runs = tmp_path / "workspace" / "captchas", tmp_path / "runs"
    captchas.mkdir(parents=True)
    (captchas / "cat.jpg").write_bytes(b"a cat")
    done = run_course(tmp_path, "02", "05", "-p", "workspace", str(captchas.parent), "-o", str(runs))
    assert done.returncode == 1
    assert "02-write-tfrecords.ipynb failed in cell" in done.stderr
    assert "cat.jpg" in done.stderr and "Traceback" not in done.stderr
    kept = json.loads((runs / "02-write-tfrecords.ipynb").read_text())
    errors = [o for cell in kept["cells"] for o in cell.get("outputs", []) if o["output_type"] == "error"]
    assert len(errors) == 1 and len(errors[0]["traceback"]) == 1  # one sentence, no stack
    assert not (runs / "05-train-alexnet.ipynb").exists()


def test_a_kernel_that_dies_is_told_in_a_sentence(tmp_path):
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import os; os._exit(1)")])
    nbformat.write(nb, tmp_path / "dies.ipynb")
    with pytest.raises(CourseError, match=r"dies\.ipynb: its kernel died"):
        run_notebook(tmp_path / "dies.ipynb", tmp_path / "out.ipynb", {})


def test_a_training_that_is_killed_again_and_again_goes_on(course, tmp_path):
    """Kill notebook 05 at random moments, once surely after an epoch; run again, it ends as an unbroken run did."""
    arguments = ["05", "-f", str(SMALL), "-p", "workspace", str(tmp_path / "workspace"), "-o", str(tmp_path / "runs")]
    made = next(folder for folder in (course.workspace.with_name("papermill"), course.workspace) if folder.exists())
    (tmp_path / "workspace").mkdir()
    shutil.copytree(made / "records", tmp_path / "workspace" / "records")
    checkpoint, seed = tmp_path / "workspace" / "model" / "checkpoint", int.from_bytes(os.urandom(4), "big")
    print(f"moments of seed {seed}")  # pytest shows it if this fails
    moments, longest = random.Random(seed), 0.7 * min(epoch["seconds"] for epoch in read_history(made / "model"))
    for kill in range(4):
        process = subprocess.Popen(
            [sys.executable, "-m", "utils.run", *arguments], cwd=tmp_path,
            start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        before, deadline = set(checkpoint.glob("epoch-*.npz")), time.monotonic() + 120
        if kill != 1:  # the second kill is free to come before anything was done
            while set(checkpoint.glob("epoch-*.npz")) == before and time.monotonic() < deadline:
                time.sleep(0.02)
        time.sleep(moments.uniform(0, longest))
        kill_tree(process.pid)
        assert not (tmp_path / "workspace" / "model" / "history.json").exists(), "it was too fast to be killed"
    done = run_course(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr[-3000:]
    said = (tmp_path / "runs" / "05-train-alexnet.ipynb").read_text(encoding="utf-8")
    assert re.search(r"[1-9] of 10 epochs with these settings were done before", said)
    broken, unbroken = read_history(tmp_path / "workspace" / "model"), read_history(made / "model")
    for one, other in zip(broken, unbroken, strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}
    left = sorted(path.name for path in (tmp_path / "workspace" / "model").iterdir() if path.name != ".lock")
    assert left == ["alexnet.keras", "history.json"], "half-written files of the killed runs are left"


def test_no_path_of_this_machine_is_shown(course):
    for notebook in NOTEBOOKS:
        nb = nbformat.read(course.runs / notebook.name, as_version=4)
        for cell in nb.cells:
            for output in cell.get("outputs", []):
                path = json.dumps(str(course.workspace))[1:-1]  # on Windows it has its backslashes twice
                assert path not in json.dumps(output), (notebook.name, shown(course.workspace))


def edited_training(tmp_path, old, new):
    """Notebook 05 with one thing changed in a cell, as a learner would change it."""
    nb = nbformat.read(find_notebook("05"), as_version=4)
    cells = [cell for cell in nb.cells if cell.cell_type == "code" and old in cell.source]
    assert len(cells) == 1, old
    cells[0].source = cells[0].source.replace(old, new)
    nbformat.write(nb, tmp_path / "05-train-alexnet.ipynb")
    return tmp_path / "05-train-alexnet.ipynb"


def test_a_learner_who_changes_a_layer_trains_a_new_network_and_is_told_so(course, tmp_path):
    """One number in the cell of AlexNet changes the parameters, the training, and the saved model."""
    workspace, made = tmp_path / "workspace", course.workspace
    if not made.exists():
        made = course.workspace.with_name("papermill")
    workspace.mkdir()
    shutil.copytree(made / "records", workspace / "records")
    values = yaml.safe_load(SMALL.read_text()) | {"epochs": 1, "workspace": str(workspace)}
    printed = []
    for filters in (64, 48):
        path = edited_training(tmp_path, "layers.Conv2D(64, 11", f"layers.Conv2D({filters}, 11")
        run_notebook(path, tmp_path / f"{filters}.ipynb", values, bars=False)
        nb = nbformat.read(tmp_path / f"{filters}.ipynb", as_version=4)
        printed.append("".join(output.get("text", "") for cell in nb.cells for output in cell.get("outputs", [])))
        model = load_model(workspace / "model" / "alexnet.keras", size_of(course))
        assert model.get_layer("conv1").filters == filters
        assert f"{model.count_params():,}" in printed[-1]
    assert "trained with other settings" not in printed[0]
    assert "was trained with other settings (another network" in printed[1]
    kept = load_model(workspace / "model-1" / "alexnet.keras", size_of(course))
    assert kept.get_layer("conv1").filters == 64
