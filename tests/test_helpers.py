"""Each helper is defined in one place, and each public one is introduced by a lesson; and proof that this can fail."""

import ast
import re
from collections import defaultdict
from pathlib import Path

import nbformat
import pytest
from test_notebooks import code_cells

from utils.files import REPO
from utils.run import NOTEBOOKS, SOLUTIONS

MODULES = sorted((REPO / "utils").glob("*.py"))


def definitions(source: str) -> list[ast.FunctionDef | ast.ClassDef]:
    return [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)]


def code(path: Path) -> str:
    """The Python of a module or of a notebook."""
    if path.suffix == ".py":
        return path.read_text(encoding="utf-8")
    return "\n".join(cell.source for cell in code_cells(nbformat.read(path, as_version=4)))


def is_stub(node) -> bool:
    """A function that the learner shall write, whose solution has its name."""
    return ast.unparse(node.body[-1]) == "return None"


def same_work(node) -> str:
    """What a function or class does, without its name and docstring: a copy gives the same, under any name."""
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return ast.unparse([*getattr(node, "bases", []), getattr(node, "args", None) or ast.Pass(), *body])


# These are different functions that are called the same on purpose.
ONE_NAME = {
    "main": "every program has one",
    "check": "`files.check` raises a CourseError, `exercises.check` judges an answer: neither could be called better",
}


def definition_problems(sources: dict[str, str]) -> list[str]:
    """Functions and classes that are defined in two places, or twice in one, by name or by what they do."""
    names, works = defaultdict(list), defaultdict(list)
    for place, source in sources.items():
        for node in definitions(source):
            if is_stub(node):
                continue
            if node.name not in ONE_NAME:
                names[node.name].append(place)
            works[same_work(node)].append(f"{node.name} in {place}")
    twice = [f"{what} is defined in {' and '.join(places)}" for what, places in names.items() if len(places) > 1]
    return twice + [f"the same code: {' and '.join(places)}" for places in works.values() if len(places) > 1]


def test_no_function_is_defined_in_two_places():
    paths = [*MODULES, *sorted((REPO / "benchmarks").glob("*.py")), *NOTEBOOKS, *SOLUTIONS]
    assert definition_problems({path.relative_to(REPO).as_posix(): code(path) for path in paths}) == []


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("def one(b):\n    return 2 * b", "one is defined in a and b"),
        ("def two(x):\n    return x + 1", "the same code: one in a and two in b"),
        ("def two(x):\n    '''Explained.'''\n    return x + 1", "the same code: one in a and two in b"),
        ("class one:\n    pass", "one is defined in a and b"),
        ("def two(): pass\ndef two(x): return x", "two is defined in b and b"),
    ],
)
def test_a_function_in_two_places_is_found(other, message):
    assert message in definition_problems({"a": "def one(x):\n    return x + 1", "b": other})


def test_stub_and_solution_are_one():
    sources = {"lesson": "def one(x):\n    return None  # your answer", "solution": "def one(x):\n    return x"}
    assert definition_problems(sources) == []


# Helpers that no lesson needs to name, and why.
NOT_INTRODUCED = {
    "exercises.Exercise": "what a checker is made of: to read it is to read the answer",
    "exercises.near": "the same",
    "exercises.gives": "the same",
    "files.check_settings": "its error is shown where it happens; the learner never calls it",
    "model.save_compact": "only `python -m benchmarks.catch_up` calls it, to make the model that comes with the course",
    "progress.Progress": "the bar that `progress` moves, for the one loop that is not ours: Keras's",
    "progress.duration": "how `progress` writes seconds",
}


def used_in(source: str) -> set[str]:
    """Names such as ``captchas.draw_captcha`` that a notebook uses, whichever way it has imported them."""
    tree, used, modules = ast.parse(source), set(), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "utils":
            modules |= {alias.asname or alias.name: alias.name for alias in node.names}
            used |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("utils."):
            module = node.module.removeprefix("utils.")
            used |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            used.add(f"{modules[node.value.id]}.{node.attr}")
    return used


def shown_in(source: str) -> set[str]:
    """Names such as ``captchas.draw_captcha`` whose source a notebook shows."""
    return {".".join(found) for found in re.findall(r"inspect\.getsource\((\w+)\.(\w+)", source)}


def introduction_problems(modules: dict[str, str], lessons: dict[str, str]) -> list[str]:
    """Public helpers that no lesson uses, nor names in source that it shows; and introductions promised in vain.

    A class that a helper says it returns is introduced with it.

    Args:
        modules: the source of each module of `utils`, by its name.
        lessons: the Python of each lesson, by its number.
    """
    used = {number: used_in(source) for number, source in lessons.items()}
    known = {f"{module}.{node.name}": node for module, source in modules.items() for node in definitions(source)}
    shown = set().union(*(shown_in(source) for source in lessons.values())) & known.keys()
    seen = set(re.findall(r"\w+", " ".join(ast.unparse(known[what]) for what in shown)))
    seen |= set(re.findall(r"\w+", " ".join(ast.unparse(node.returns) for node in known.values() if returns(node))))
    promised = {module: promise(ast.parse(source)) for module, source in modules.items()}
    promised |= {what: promise(node) for what, node in known.items()}
    found = []
    for what, node in known.items():
        module = what.partition(".")[0]
        if node.name.startswith("_") or is_program(modules[module]) or what in NOT_INTRODUCED:
            continue
        if not (node.name in seen or any(what in names for names in used.values())):
            found.append(f"no notebook introduces {what}")
    for what, number in promised.items():
        if number and what not in used.get(number, set()):
            found.append(f"{what} says that notebook {number} introduces it")
    return found


def returns(node) -> bool:
    return isinstance(node, ast.FunctionDef) and node.returns is not None


def is_program(source: str) -> bool:
    """Whether a module is run by ``python -m``: then the README introduces it, not a notebook."""
    return '__name__ == "__main__"' in source


def promise(node) -> str | None:
    """The number of the notebook that a docstring names as the one that introduces the module or function."""
    found = re.search(r"[Ii]ntroduced\s+in\s+notebook\s+(\d\d)", ast.get_docstring(node) or "")
    return found.group(1) if found else None


def test_every_public_helper_is_introduced():
    modules = {path.stem: code(path) for path in MODULES}
    lessons = {path.name[:2]: code(path) for path in NOTEBOOKS}
    assert introduction_problems(modules, lessons) == []


def test_every_program_is_in_the_readme():
    said = "".join((REPO / name).read_text(encoding="utf-8") for name in ("README.md", "Makefile"))
    for path in MODULES:
        assert not is_program(code(path)) or f"python -m {path.parent.name}.{path.stem}" in said, path


def test_every_exception_is_needed():
    """An exception for a helper that is gone, or that a notebook has come to use, would hide the next mistake."""
    known = {f"{path.stem}.{node.name}" for path in MODULES for node in definitions(code(path))}
    assert NOT_INTRODUCED.keys() <= known
    assert not NOT_INTRODUCED.keys() & set().union(*(used_in(code(path)) for path in NOTEBOOKS))


HELPER = '"""Draw. Introduced in notebook 01."""\ndef draw():\n    return line()\ndef line():\n    pass\n'
PROMISE = '"""Draw."""\ndef draw():\n    """Draw. Introduced in\n    notebook {}."""'


@pytest.mark.parametrize(
    ("module", "notebook", "expected"),
    [
        (HELPER, "from utils import m\nm.draw()\nm.line()", []),
        (HELPER, "from utils.m import draw, line", []),
        (HELPER, "from utils import m\nprint(inspect.getsource(m.draw))", []),  # the source shown names `line`
        (HELPER.replace("line", "_line"), "from utils import m\nm.draw()", []),
        ("def draw() -> Line:\n    pass\nclass Line:\n    pass", "from utils.m import draw", []),
        ("def draw():\n    pass\nclass Line:\n    pass", "from utils.m import draw", ["no notebook introduces m.Line"]),
        (HELPER, "from utils import m\nm.draw()", ["no notebook introduces m.line"]),
        (HELPER, "from utils import m as other\nother.draw()", ["no notebook introduces m.line"]),
        (HELPER, "from utils import m\nm.line()  # draw", ["no notebook introduces m.draw"]),
        (HELPER.replace("01", "99"), "from utils.m import draw, line", ["m says that notebook 99 introduces it"]),
        ('"""D. Introduced in notebook 01."""', "", ["m says that notebook 01 introduces it"]),
        (PROMISE.format("01"), "", ["no notebook introduces m.draw", "m.draw says that notebook 01 introduces it"]),
    ],
)
def test_a_helper_that_nobody_introduces_is_found(module, notebook, expected):
    assert introduction_problems({"m": module}, {"01": notebook}) == expected
