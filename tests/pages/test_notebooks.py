"""Rules for the notebooks as they are stored, and proof that each rule can fail."""

import ast
import copy
import importlib
import re

import nbformat
import papermill
import pytest
from conftest import code_cells, name, prose

from utils.code import definitions
from utils.files import REPO
from utils.parameters import PARAMETERS
from utils.run import NOTEBOOKS, SOLUTIONS, defaults, source_hash, store

LARGEST = 2_000_000  # bytes
LINES = 25  # of code in a cell
WIDTH = 110  # columns of prose, links and tables aside
MACHINE = re.compile(r"/(home|root|tmp|Users|work|var|opt|usr)/[\w./-]+|[A-Z]:\\\\")
TAUGHT = "same-as-utils"
# A picture of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
LIBRARY = {
    taught: (path.stem, tree)
    for path in sorted((REPO / "utils").glob("*.py"))
    for taught, tree in definitions(path.read_text(encoding="utf-8")).items()
}


def problems(nb) -> list[str]:
    """Everything that is wrong with a stored notebook, one line each."""
    found = []
    if nb.metadata.get("kernelspec", {}).get("name") != "python3":
        found.append("the kernel is not python3")
    if len(nbformat.writes(nb)) > LARGEST:
        found.append("larger than 2 MB")
    for line in prose(nb).splitlines():
        if len(line) > WIDTH and "|" not in line and "](" not in line:
            found.append(f"a line of prose has {len(line)} columns: {line[:50]}")
    alts = [cell.metadata.alt for cell in code_cells(nb) if cell.metadata.get("alt")]
    found += [f"two cells have the alternative text {alt!r}" for alt in set(alts) if alts.count(alt) > 1]
    for expected, cell in enumerate(code_cells(nb), 1):
        if cell.execution_count != expected:
            found.append(f"cell {cell.id}: execution count {cell.execution_count} instead of {expected}")
        found += [f"cell {cell.id}: {problem}" for problem in code_problems(cell) + output_problems(cell)]
        if "parameters" not in cell.metadata.get("tags", []):
            # a second run in the same kernel would take such a value for that of a parameter
            again = sorted(names_set(cell.source) & set(PARAMETERS))
            found += [f"cell {cell.id}: gives {parameter!r} a value" for parameter in again]
    return found


def names_set(source: str) -> set[str]:
    """The names that stand for something new in the notebook after this code has run."""
    found, nodes = set(), [ast.parse(source)]
    inner = (ast.FunctionDef, ast.ClassDef, ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        if not isinstance(node, inner):
            nodes += ast.iter_child_nodes(node)
    return found


def code_problems(cell) -> list[str]:
    found = []
    if cell.metadata.get("executed") != source_hash(cell.source):
        found.append("changed after its outputs were made; maintainers run `make store`, learners work in copies")
    if len(cell.source.splitlines()) > LINES:
        found.append(f"{len(cell.source.splitlines())} lines of code, and {LINES} are the most")
    for word in ("getsource", "sys.path", "psutil"):
        if word in cell.source:
            found.append(f"uses {word}")
    return found + (same_code_problems(cell.source) if TAUGHT in cell.metadata.get("tags", []) else [])


def same_code_problems(source: str) -> list[str]:
    """Functions and classes of a lesson that do something else than those of `utils` that are called the same."""
    found = []
    for taught, tree in definitions(source).items():
        module, library = LIBRARY.get(taught, (None, None))
        if module is None:
            found.append(f"`{taught}` is tagged {TAUGHT}, but utils has no `{taught}`: add it there, or drop the tag")
        elif tree != library:
            found.append(
                f"`{taught}` does something else than `{taught}` in utils/{module}.py: "
                "decide which of them is right, and copy its code to the other"
            )
    return found


def output_problems(cell) -> list[str]:
    found = []
    for output in cell.outputs:
        text = str(output)
        if output.output_type == "error":
            found.append("an error is stored")
        if output.get("name") == "stderr":
            found.append("stderr is stored")
        if match := MACHINE.search(re.sub(r"'image/png': '[^']*'", "", text)):
            found.append(f"a path of a machine is stored: {match.group()}")
        if "\\x1b" in text or "\\x08" in text or "\\r" in text:
            found.append("control characters are stored")
        if "widget-view" in text:
            found.append("a widget is stored that no static page can show")
        if "image/png" in output.get("data", {}):
            alt = output.metadata.get("image/png", {}).get("alt", "")
            if len(alt) < 30 or alt != cell.metadata.get("alt"):
                found.append("a picture has no alternative text: write it into the cell's metadata, under `alt`")
    return found


@pytest.fixture
def good():
    """A stored notebook with nothing wrong, to be spoilt."""
    source = "def labels_of(text, chars=DIGITS):\n    return [chars.index(char) for char in text]"
    cell = nbformat.v4.new_code_cell(source, execution_count=1)
    alt = "A gray square, which stands here for any picture."
    picture = nbformat.v4.new_output("display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": alt}})
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text="1\n"), picture]
    cell.metadata |= {"executed": source_hash(cell.source), "tags": [TAUGHT], "alt": alt}
    return nbformat.v4.new_notebook(
        cells=[cell, nbformat.v4.new_markdown_cell("Some words.")],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=name)
def test_stored_notebooks(path):
    assert problems(nbformat.read(path, as_version=4)) == []


def replaced(old, new):
    def spoil(cell):
        assert old in cell.source
        cell.source = cell.source.replace(old, new)
        cell.metadata["executed"] = source_hash(cell.source)

    return spoil


def metadata(key, value):
    return lambda cell: cell.metadata.update({key: value})


def output(**values):
    return lambda cell: cell.outputs[0].update(values)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda cell: cell.update(execution_count=2), "execution count 2 instead of 1"),
        (lambda cell: cell.update(execution_count=None), "execution count None"),
        (lambda cell: cell.update(source="print(2)"), "changed after its outputs"),
        (
            replaced("chars.index(char)", "chars.index(char) + 1"),
            "something else than `labels_of` in utils/captchas.py",
        ),
        (replaced("chars=DIGITS", "chars='abc'"), "something else than `labels_of` in utils/captchas.py"),
        (replaced("labels_of", "labels_off"), "utils has no `labels_off`"),
        (replaced("def ", "for seed in (1, 2):\n    pass\ndef "), "gives 'seed' a value"),
        (replaced("return", "import psutil\n    return"), "uses psutil"),
        (replaced("return", "x = 1\n    " * 25 + "return"), "27 lines of code"),
        (metadata("alt", ""), "no alternative text"),
        (output(output_type="error"), "an error is stored"),
        (output(name="stderr"), "stderr is stored"),
        (output(text="saved in /home/somebody/workspace"), "/home/somebody/workspace"),
        (output(text="1/5\x1b[1m\x08\x08"), "control characters"),
        (output(text="application/vnd.jupyter.widget-view+json"), "a widget is stored"),
        (output(text="x" * LARGEST), "larger than 2 MB"),
    ],
)
def test_each_rule_can_fail(good, spoil, message):
    assert problems(good) == []
    bad = copy.deepcopy(good)
    spoil(bad.cells[0])
    assert any(message in problem for problem in problems(bad)), problems(bad)


def test_wide_prose_is_noticed(good):
    good.cells[1].source = "word " * 30
    assert problems(good) == ["a line of prose has 150 columns: " + ("word " * 10)]


# What the lessons are about: each of these must stand in a cell of its notebook, as ordinary code.
IN_CELLS = {
    "01": {"SeededSecrets", "seeded", "draw_captcha", "draw_texts"},
    "02": {"gray", "make_example", "shuffled", "parse_records", "same_as_file"},
    "04": {"cross_entropy", "training_step"},
    "05": {"scaled", "affine", "toned", "augment", "alexnet"},
    "06": {"probabilities"},
    "07": {"averaged_probabilities"},
    "08": {"cover"},
    "11": {"SynchronizedBatchNormalization", "averaged", "worker_step"},
    "10": {"alike", "with_new_outputs", "column_network", "decode", "ctc_loss", "single_loss"},
}


def test_every_public_name_stands_for_one_function():
    names = [
        found
        for path in (REPO / "utils").glob("*.py")
        for found in definitions(path.read_text(encoding="utf-8"))
        if found != "main" and not found.startswith("_")
    ]
    assert len(names) > 100 and sorted(names) == sorted(set(names))


@pytest.mark.parametrize("number", IN_CELLS)
def test_the_code_of_a_lesson_stands_in_its_cells(number):
    path = next(path for path in NOTEBOOKS if path.name.startswith(number))
    cells = [cell for cell in code_cells(nbformat.read(path, as_version=4)) if TAUGHT in cell.metadata.get("tags", [])]
    assert IN_CELLS[number] <= {taught for cell in cells for taught in definitions(cell.source)}


@pytest.mark.parametrize("path", NOTEBOOKS + SOLUTIONS, ids=name)
def test_parameters_are_plain_literals_with_help_and_are_checked(path):
    cells = code_cells(nbformat.read(path, as_version=4))
    assert [number for number, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", [])] == [0]
    for node in ast.parse(cells[0].source).body:
        assert isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.UnaryOp), ast.unparse(node)
    for parameter, found in papermill.inspect_notebook(str(path)).items():
        assert found["help"], f"{parameter} has no comment for `papermill --help-notebook`"
    assert "check_parameters(globals())" in cells[1].source


def test_parameters_of_one_name_have_one_default():
    known = {}
    for path in NOTEBOOKS + SOLUTIONS:
        for parameter, value in defaults(path).items():
            if parameter.startswith("trial_"):
                continue  # each lesson has the sizes of its own small trials
            assert known.setdefault(parameter, value) == value, f"{parameter} in {path.name}"
    assert known["captcha_count"] == 5000 and known["test_count"] == 500
    assert known["image_height"] == known["image_width"] == 224
    assert known["fc_units"] == 4096 and known["seed"] == 0


def test_what_is_stored_follows_the_rules(good, tmp_path):
    good.metadata["papermill"] = {"duration": 1.25}
    nbformat.write(good, tmp_path / "run.ipynb")
    store(tmp_path / "run.ipynb", tmp_path / "stored.ipynb")
    assert problems(nbformat.read(tmp_path / "stored.ipynb", as_version=4)) == []


def test_the_course_is_complete():
    assert [path.stem for path in NOTEBOOKS] == [
        "00-start-here", "01-generate-captchas", "02-write-tfrecords", "03-how-a-network-sees", "04-how-it-learns",
        "05-train-alexnet", "06-predict", "07-better-and-faster", "08-reading-the-mistakes", "09-autopsy-of-a-tutorial",
        "10-your-own-alphabet", "11-more-machines",
    ]  # fmt: skip
    assert [path.name for path in SOLUTIONS] == [path.name for path in NOTEBOOKS]


def test_modules_that_are_named_exist():
    """A solution or lesson imports only what is there; the kernel would say so only after minutes."""
    for path in NOTEBOOKS + SOLUTIONS:
        for cell in code_cells(nbformat.read(path, as_version=4)):
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("utils"):
                    module = importlib.import_module(node.module)
                    for alias in node.names:
                        submodule = REPO / "utils" / f"{alias.name}.py"
                        assert hasattr(module, alias.name) or submodule.exists(), f"{path.name}: {alias.name}"
