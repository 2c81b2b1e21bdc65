"""Every notebook stands alone: opened first, in an empty workspace, from any folder, and a second time.

test_course.py runs them in order. Here each has a workspace of its own, with few and small captchas. Those that need
a trained model get the one that comes with the course.
"""

import configparser
import hashlib
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
import yaml
from conftest import SMALL, code_cells, name

from utils.captchas import find_captchas
from utils.checkpoints import read_history
from utils.files import REPO
from utils.run import NOTEBOOKS, SOLUTIONS, find_notebook, run_notebook

FEW = {"captcha_count": 60, "test_count": 20, "epochs": 1, "fc_units": 64, "batch_size": 20, "trial_captchas": 200}
FEW |= {"letter_captchas": 100, "trial_epochs": 1, "trial_steps": 20, "fresh_count": 150, "looking_count": 10}
LIGHT = next(path for path in NOTEBOOKS if path.name.startswith("01"))
FOLDERS = ("the repository", "notebooks", "elsewhere")

# Lines that may differ between a first and a second run: they say what was made now, what was there, or a state
# before training. Everything else must be the same.
WHAT_WAS_THERE = re.compile(
    r"There (is|are) no .* yet\b|Drew \d|All .* were already in|Written now|Already there, |"
    r"\d+ of \d+ epochs with these settings were done before"
)


def values_for(path) -> dict[str, object]:
    """The values of small.yaml, but fewer captchas; as large as the model of the course, where that is needed."""
    size = {"image_height": 224, "image_width": 224} if needs_a_model(path) else {}
    return yaml.safe_load(SMALL.read_text()) | FEW | size


def needs_a_model(path) -> bool:
    return any("ready_model(" in cell.source for cell in code_cells(nbformat.read(path, as_version=4)))


def test_the_notebooks_that_need_a_model():
    """Those that the README names: they use the model that comes with the course if there is no other one."""
    assert {path.name[:2] for path in NOTEBOOKS if needs_a_model(path)} == {"06", "07", "08"}


def every_cell_twice(path, folder):
    """A copy of a notebook in which each cell is followed by itself, as if a learner ran it twice in a row."""
    nb, cells = nbformat.read(path, as_version=4), []
    for cell in nb.cells:
        cells.append(cell)
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []):
            again = nbformat.v4.new_code_cell(cell.source, metadata={"tags": ["again", *cell.metadata.get("tags", [])]})
            cells.append(again)
    nb.cells = cells
    nbformat.write(nb, folder / path.name)
    return folder / path.name


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """For each notebook, its executed copies: a solution runs once; a lesson twice, the second time each cell twice."""
    root = tmp_path_factory.mktemp("alone")

    def run(path):
        folder, copies = root / name(path), []
        folder.mkdir(parents=True)
        for number in range(2 if path in NOTEBOOKS else 1):
            source = every_cell_twice(path, folder) if number else path
            copies.append(folder / f"run-{number}.ipynb")
            run_notebook(source, copies[-1], values_for(path) | {"workspace": str(folder / "workspace")}, bars=False)
        return [nbformat.read(copy, as_version=4) for copy in copies]

    with ThreadPoolExecutor(2) as pool:  # importing TensorFlow keeps only one core busy
        yield {path: pool.submit(run, path) for path in NOTEBOOKS + SOLUTIONS}
        pool.shutdown(cancel_futures=True)


def printed(nb) -> str:
    return "".join(output.text for cell in code_cells(nb) for output in cell.outputs if output.output_type == "stream")


def results(nb, again: bool = False) -> list[str]:
    """Every line that a notebook printed and every picture that it showed, without what may differ.

    Args:
        again: of the repeated cells instead of all others.
    """
    chosen = [cell for cell in nb.cells if ("again" in cell.metadata.get("tags", [])) == again]
    nb = nbformat.v4.new_notebook(cells=chosen)
    text, masks = printed(nb), configparser.ConfigParser(interpolation=None)
    masks.read(REPO / "tests" / "nbval.cfg")
    for mask in masks.sections():
        text = re.sub(masks[mask]["regex"], masks[mask]["replace"], text)
    # Only in notebook 01 are some captchas drawn without a seed, to show how they then differ.
    # The live picture of a training that is done has no steps; and times differ.
    seeded = [
        cell
        for cell in code_cells(nb)
        if "unseeded" not in cell.metadata.get("tags", [])
        and not re.search(r"(LiveCurves|plot_times|plot_speed_ups)\(", cell.source)
    ]
    pictures = [output.get("data", {}).get("image/png") for cell in seeded for output in cell.outputs]
    lines = [line for line in text.splitlines() if not WHAT_WAS_THERE.match(line)]
    return lines + [hashlib.sha256(picture.encode()).hexdigest() for picture in pictures if picture]


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=name)
def test_it_stands_alone(executed, path):
    first = printed(executed[path].result()[0])
    if needs_a_model(path):
        assert re.search(r"so the model is models/catch-up\.npz, which comes with the course", first)
    if any(f"ready_{what}(" in cell.source for what in ("captchas", "records")
           for cell in code_cells(nbformat.read(path, as_version=4))):  # fmt: skip
        assert "yet: drawing 60, as lesson 01 does" in first


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_second_run_and_each_cell_run_twice_have_the_same_results(executed, path):
    first, second = executed[path].result()
    assert results(first) == results(second)
    assert results(first)
    assert results(second, again=True) == results(second), "a cell that is run twice in a row gives something else"
    assert "yet: drawing" not in printed(second) and "yet: writing" not in printed(second)


def test_lessons_about_mistakes_also_run_where_there_is_none(tmp_path):
    few = {"captcha_count": 60, "test_count": 12, "fresh_count": 12, "looking_count": 2, "workspace": str(tmp_path)}
    says = {"06": "0 of 12 captchas are misread", "08": "0 captchas were misread"}
    for number, line in says.items():
        path = find_notebook(number)
        run_notebook(path, tmp_path / path.name, few, bars=False)
        said = printed(nbformat.read(tmp_path / path.name, as_version=4))
        assert line in said, "if the course's network is a new one, choose a seed with which it reads all of these"


def test_plain_epochs_train_on_pictures_as_they_are(tmp_path):
    """With as many of them as epochs, the training is that without augmentation, to the last digit."""
    path, trained = find_notebook("05"), []
    for choice in ({"plain_epochs": 2}, {"augmentation": False}):
        folder = tmp_path / next(iter(choice))
        run_notebook(path, folder / path.name, values_for(path) | choice | {"epochs": 2, "workspace": str(folder)})
        trained.append([epoch | {"seconds": 0} for epoch in read_history(folder / "model")])
    assert trained[0] == trained[1] and len(trained[0]) == 2


def test_another_result_would_be_noticed():
    def run(text, picture):
        stream = nbformat.v4.new_output("stream", name="stdout", text=text)
        shown = nbformat.v4.new_output("display_data", data={"image/png": picture})
        return results(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x", outputs=[stream, shown])]))

    first = run("Drew 60 captchas\n97 % read whole\n", "gray")
    assert first == run("All 60 captchas were already in workspace\n97 % read whole\n", "gray")
    assert first != run("Drew 60 captchas\n96 % read whole\n", "gray")
    assert first != run("Drew 60 captchas\n97 % read whole\n", "black")


def folder_of(where, tmp_path):
    return {"the repository": REPO, "notebooks": REPO / "notebooks", "elsewhere": tmp_path}[where]


def started_in(folder, *command) -> subprocess.CompletedProcess:
    """What a program does that is started in this folder, and not told where the course is."""
    return subprocess.run([sys.executable, *map(str, command)], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize("where", FOLDERS)
def test_plain_papermill_works_from(where, tmp_path):
    done = started_in(
        folder_of(where, tmp_path), "-m", "papermill", "--no-progress-bar", LIGHT, tmp_path / "out.ipynb",
        "-p", "captcha_count", "20", "-p", "workspace", tmp_path / "workspace",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(find_captchas(tmp_path / "workspace" / "captchas")) == 20
