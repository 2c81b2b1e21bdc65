"""Rules for the notebooks as they are stored, and proof that each rule can fail."""

import ast
import copy
import importlib
import inspect
import re

import nbformat
import papermill
import pytest

from utils.run import NOTEBOOKS, SOLUTIONS, defaults, source_hash, store

LARGEST = 1_000_000  # bytes
MACHINE = re.compile(r"/(home|root|tmp|Users|work|var|opt|usr)/[\w./-]+|[A-Z]:\\\\")


def code_cells(nb):
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def problems(nb) -> list[str]:
    """Everything that is wrong with a stored notebook, one line each."""
    found = []
    if nb.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel is not python3")
    for expected, cell in enumerate(code_cells(nb), 1):
        where = f"cell {cell.id}"
        if cell.execution_count != expected:
            found.append(f"{where}: execution count {cell.execution_count} instead of {expected}")
        if cell.metadata.get("executed") != source_hash(cell.source):
            found.append(f"{where}: changed after its outputs were made; run `make store`")
        for output in cell.outputs:
            text = str(output)
            if output.output_type == "error":
                found.append(f"{where}: an error is stored")
            if output.get("name") == "stderr":
                found.append(f"{where}: stderr is stored")
            if match := MACHINE.search(re.sub(r"'image/png': '[^']*'", "", text)):
                found.append(f"{where}: a path of a machine is stored: {match.group()}")
            if "\\x1b" in text or "\\x08" in text or "\\r" in text:
                found.append(f"{where}: control characters are stored")
    if len(nbformat.writes(nb)) > LARGEST:
        found.append("larger than 1 MB")
    return found


@pytest.fixture
def good():
    """A stored notebook with nothing wrong, to be spoilt."""
    cell = nbformat.v4.new_code_cell("print(1)", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n")]
    cell.metadata["executed"] = source_hash(cell.source)
    return nbformat.v4.new_notebook(
        cells=[cell], metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    )


def name(path):
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=name)
def test_stored_notebooks(path):
    assert problems(nbformat.read(path, as_version=4)) == []


def spoil_order(nb):
    nb.cells[0].execution_count = 2


def spoil_never_run(nb):
    nb.cells[0].execution_count = None


def spoil_source(nb):
    nb.cells[0].source = "print(2)"


def spoil_error(nb):
    nb.cells[0].outputs = [nbformat.v4.new_output("error", ename="E", evalue="v", traceback=[])]


def spoil_stderr(nb):
    nb.cells[0].outputs[0].name = "stderr"


def spoil_path(nb):
    nb.cells[0].outputs[0].text = "saved in /home/somebody/workspace"


def spoil_control(nb):
    nb.cells[0].outputs[0].text = "1/5\x1b[1m\x08\x08"


def spoil_kernel(nb):
    nb.metadata.kernelspec.name = "conda-env"


def spoil_size(nb):
    nb.cells[0].outputs[0].text = "x" * LARGEST


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_order, "execution count 2 instead of 1"),
        (spoil_never_run, "execution count None"),
        (spoil_source, "changed after its outputs"),
        (spoil_error, "an error is stored"),
        (spoil_stderr, "stderr is stored"),
        (spoil_path, "/home/somebody/workspace"),
        (spoil_control, "control characters"),
        (spoil_kernel, "not python3"),
        (spoil_size, "larger than 1 MB"),
    ],
)
def test_each_rule_can_fail(good, spoil, message):
    assert problems(good) == []
    bad = copy.deepcopy(good)
    spoil(bad)
    assert any(message in problem for problem in problems(bad))


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=name)
def test_parameters_are_plain_literals_with_help(path):
    cells = [
        cell for cell in code_cells(nbformat.read(path, as_version=4)) if "parameters" in cell.metadata.get("tags", [])
    ]
    assert len(cells) == 1
    for node in ast.parse(cells[0].source).body:
        assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant), ast.unparse(node)
    for name, parameter in papermill.inspect_notebook(str(path)).items():
        assert parameter["help"], f"{name} has no comment for `papermill --help-notebook`"


def test_parameters_of_one_name_have_one_default():
    known = {}
    for path in NOTEBOOKS + SOLUTIONS:
        for name, value in defaults(path).items():
            assert known.setdefault(name, value) == value, f"{name} in {path.name}"
    assert known["captcha_count"] == 5000 and known["test_count"] == 500 and known["image_size"] == 224
    assert known["fc_units"] == 4096 and known["seed"] == 0


def test_every_notebook_starts_with_the_same_setup():
    first = {code_cells(nbformat.read(path, as_version=4))[0].source for path in NOTEBOOKS + SOLUTIONS}
    assert len(first) == 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_source_that_is_shown_is_the_source_that_is_there(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        shown = "".join(output.get("text", "") for output in cell.outputs)
        for module, name in re.findall(r"inspect\.getsource\((\w+)\.(\w+)\)", cell.source):
            source = inspect.getsource(getattr(importlib.import_module(f"utils.{module}"), name))
            assert source in shown, f"{name} was changed after cell {cell.id} showed it; run `make store`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_skeleton_and_links(path):
    text = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown")
    for part in ("# ", "## Overview", "## Prerequisites", "**Time to learn:**", "## Summary", "## What's next?"):
        assert part in text
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (path.parent / target).exists(), target


def test_only_a_run_at_the_defaults_is_stored(good, tmp_path):
    good.metadata["papermill"] = {"duration": 1.25}
    nbformat.write(good, tmp_path / "run.ipynb")
    store(tmp_path / "run.ipynb", tmp_path / "stored.ipynb")
    assert problems(nbformat.read(tmp_path / "stored.ipynb", as_version=4)) == []
    good.cells[0].metadata["tags"] = ["injected-parameters"]
    nbformat.write(good, tmp_path / "run.ipynb")
    with pytest.raises(Exception, match="only a run at the defaults"):
        store(tmp_path / "run.ipynb", tmp_path / "stored.ipynb")


def test_the_course_is_complete():
    assert [path.stem for path in NOTEBOOKS] == [
        "00-start-here", "01-generate-captchas", "02-write-tfrecords", "03-train-alexnet", "04-predict",
        "05-better-and-faster", "06-reading-the-mistakes", "07-autopsy-of-a-tutorial",
    ]  # fmt: skip
