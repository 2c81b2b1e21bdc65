"""Every notebook stands alone: opened first, in an empty workspace, from any folder, and a second time.

test_course.py runs them in order. Here each has a workspace of its own, with few and small captchas. Those that need
a trained model get the one that comes with the course.
"""

import configparser
import hashlib
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import pytest
import yaml
from conftest import SMALL
from test_notebooks import code_cells, name

from utils.captchas import find_captchas
from utils.files import REPO
from utils.run import NOTEBOOKS, SOLUTIONS, run_notebook

FEW = {"captcha_count": 60, "test_count": 20, "epochs": 1, "fc_units": 64, "batch_size": 20, "trial_captchas": 200}
FEW |= {"trial_epochs": 1, "trial_steps": 20, "fresh_count": 150, "looking_count": 10}
LIGHT = next(path for path in NOTEBOOKS if path.name.startswith("01"))
FOLDERS = ("the repository", "notebooks", "elsewhere")

# Lines that may differ between a first and a second run: they say what was made now, what was there, or a state
# before training. Everything else must be the same.
WHAT_WAS_THERE = re.compile(
    r"There (is|are) no .* yet\b|Drew \d|All .* were already in|Written: |Already there, |"
    r"\d+ of \d+ epochs with these settings were done before|loss on the test captchas: "
)


def values_for(path) -> dict[str, object]:
    """The values of small.yaml, but fewer captchas; as large as the model of the course, where that is needed."""
    size = {"image_size": 224} if needs_a_model(path) else {}
    return yaml.safe_load(SMALL.read_text()) | FEW | size


def needs_a_model(path) -> bool:
    return any("ready_model(" in cell.source for cell in code_cells(nbformat.read(path, as_version=4)))


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """For each notebook, its executed copies: of two runs in a row for a lesson, of one for a solution."""
    root = tmp_path_factory.mktemp("alone")

    def run(path):
        folder, copies = root / name(path), []
        for number in range(2 if path in NOTEBOOKS else 1):
            copies.append(folder / f"run-{number}.ipynb")
            run_notebook(path, copies[-1], values_for(path) | {"workspace": str(folder / "workspace")}, bars=False)
        return [nbformat.read(copy, as_version=4) for copy in copies]

    with ThreadPoolExecutor(2) as pool:  # importing TensorFlow keeps only one core busy
        yield {path: pool.submit(run, path) for path in NOTEBOOKS + SOLUTIONS}
        pool.shutdown(cancel_futures=True)


def printed(nb) -> str:
    return "".join(output.text for cell in code_cells(nb) for output in cell.outputs if output.output_type == "stream")


def results(nb) -> list[str]:
    """Every line that a notebook printed and every picture that it showed, without what may differ."""
    text, masks = printed(nb), configparser.ConfigParser(interpolation=None)
    masks.read(REPO / "tests" / "nbval.cfg")
    for mask in masks.sections():
        text = re.sub(masks[mask]["regex"], masks[mask]["replace"], text)
    # Only in notebook 01 are some captchas drawn without a seed, to show how they then differ.
    seeded = [cell for cell in code_cells(nb) if "unseeded" not in cell.metadata.get("tags", [])]
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
        assert "yet: drawing 60, as notebook 01 does" in first


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_second_run_has_the_same_results(executed, path):
    first, second = executed[path].result()
    assert results(first) == results(second)
    assert results(first)
    assert "yet: drawing" not in printed(second) and "yet: writing" not in printed(second)


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
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("where", FOLDERS)
def test_plain_papermill_works_from(where, tmp_path):
    done = started_in(
        folder_of(where, tmp_path), "-m", "papermill", "--no-progress-bar", LIGHT, tmp_path / "out.ipynb",
        "-p", "captcha_count", "20", "-p", "workspace", tmp_path / "workspace",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert len(find_captchas(tmp_path / "workspace" / "captchas")) == 20


# A program that starts a kernel, as Jupyter and papermill do, and lets it run the first cell of each notebook that its
# command line names. `sys.prefix` is changed, so that an environment inside the course's folder is of no help.
STARTER = """
import sys
import nbformat
from jupyter_client.manager import start_new_kernel

notebooks = [nbformat.read(path, as_version=4) for path in sys.argv[1:]]
sources = [next(cell.source for cell in nb.cells if cell.cell_type == "code") for nb in notebooks]
manager, client = start_new_kernel()
reply = client.execute_interactive(f'''
import sys
sys.prefix = "/nowhere"
for source in {sources!r}:
    before = list(sys.path)
    exec(source)
    import utils.captchas
    print(utils.__file__)
    sys.path[:] = before
    for name in [name for name in sys.modules if name.partition(".")[0] == "utils"]:
        del sys.modules[name]
''', timeout=120)
client.stop_channels()
manager.shutdown_kernel(now=True)
sys.exit(reply["content"]["status"] != "ok")
"""


@pytest.mark.parametrize("where", FOLDERS)
def test_the_first_cell_finds_the_course_from(where, tmp_path):
    (tmp_path / "starter.py").write_text(STARTER)
    done = started_in(folder_of(where, tmp_path), tmp_path / "starter.py", *NOTEBOOKS, *SOLUTIONS)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == [str(REPO / "utils" / "__init__.py")] * len(NOTEBOOKS + SOLUTIONS)


def test_a_first_cell_that_looks_nowhere_is_noticed(tmp_path):
    nb = nbformat.read(LIGHT, as_version=4)
    code_cells(nb)[0].source = "import sys"
    nbformat.write(nb, tmp_path / "changed.ipynb")
    (tmp_path / "starter.py").write_text(STARTER)
    done = started_in(tmp_path, tmp_path / "starter.py", tmp_path / "changed.ipynb")
    assert done.returncode == 1 and "No module named 'utils'" in done.stderr
