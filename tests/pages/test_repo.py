"""What surrounds the course agrees with itself: requirements, lock, installation, workflows, map of modules, README."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

from utils.files import REPO
from utils.run import NOTEBOOKS, SOLUTIONS, store_picture


def text(name):
    return (REPO / name).read_text(encoding="utf-8")


def lines(name):
    return [line for line in text(name).splitlines() if line and not line.startswith("#")]


def pinned(name):
    return [Requirement(line) for line in lines(name) if not line.startswith("-")]


def test_requirements_are_pinned_and_locked():
    assert lines("requirements.txt")[0] == "-c requirements.lock"
    locked = {(lock.name.lower(), str(lock.specifier)) for lock in pinned("requirements.lock")}
    for requirement in pinned("requirements.txt"):
        assert re.fullmatch(r"==[\d.]+", str(requirement.specifier)), requirement
        assert (requirement.name.lower(), str(requirement.specifier)) in locked, requirement


def test_the_lock_holds_names_and_versions_only():
    for lock in pinned("requirements.lock"):
        assert lock.url is None and re.fullmatch(r"==[\w.]+", str(lock.specifier)), lock
    assert not re.search(r"://|file:|--index|--find", text("requirements.lock"))


def test_the_lock_is_unambiguous_on_every_python():
    for minor in (11, 12, 13):
        environment = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.9", "sys_platform": "linux"}
        names = [
            lock.name
            for lock in pinned("requirements.lock")
            if lock.marker is None or Marker(str(lock.marker)).evaluate(environment)
        ]
        assert len(names) == len(set(names))


def test_the_conda_environment_takes_the_same_requirements():
    python, pip, packages = yaml.safe_load(text("environment.yml"))["dependencies"]
    assert python in {"python=3.11", "python=3.12", "python=3.13"} and pip == "pip"
    assert packages == {"pip": ["-r requirements.txt"]}


def test_what_is_imported_is_what_is_installed():
    assert (3, 11) <= sys.version_info[:2] <= (3, 13)
    named, provided = {requirement.name for requirement in pinned("requirements.txt")}, packages_distributions()
    for module in imported() - sys.stdlib_module_names - {"utils", "benchmarks", "conftest", "ddddocr"}:
        packages = {name.lower().replace("_", "-") for name in provided[module]}
        assert packages & named, f"{module} is imported, but {', '.join(packages)} is not in requirements.txt"


def imported():
    """The modules that the course's programs, tests and notebooks import."""
    sources = [path.read_text(encoding="utf-8") for path in REPO.glob("[ubt]*s/**/*.py")]
    for path in [*NOTEBOOKS, *SOLUTIONS]:
        sources += [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names}


def test_the_course_installs_itself_with_a_builder_that_is_locked():
    assert lines("requirements.txt")[-1] == lines("teaching/colab.txt")[-1] == "-e ."
    assert tomllib.loads(text("pyproject.toml"))["build-system"]["requires"] == [
        str(requirement) for requirement in pinned("requirements.txt") if requirement.name == "setuptools"
    ]


def test_the_course_can_be_imported_from_any_folder(tmp_path):
    """By the interpreter that runs the tests, started in a folder that is not the course's and without PYTHONPATH."""
    command = [sys.executable, "-c", "import benchmarks, utils; print(utils.__file__)"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).resolve() == REPO / "utils" / "__init__.py"


def test_nothing_looks_for_the_course_by_hand():
    programs = [*REPO.glob("utils/*.py"), *REPO.glob("benchmarks/*.py"), *NOTEBOOKS, *SOLUTIONS]
    for path in [*programs, REPO / "Makefile", REPO / "pyproject.toml", REPO / "tests" / "conftest.py"]:
        found = re.findall(r"PYTHONPATH|sys\.path\b|^pythonpath", path.read_text(encoding="utf-8"), re.M)
        assert not found, path.name


def schema_problems(schema, *paths):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_workflows_and_citation_fit_their_schemas(tmp_path):
    workflows = sorted(REPO.glob(".github/workflows/*.yml"))
    assert [path.stem for path in workflows] == ["tests", "weekly"]
    assert schema_problems("github-workflows", *workflows) == ""
    assert schema_problems("citation-file-format", REPO / "CITATION.cff") == ""
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(workflows[0].read_text().replace("runs-on:", "runs-at:"))
    assert "runs-at" in schema_problems("github-workflows", wrong)


def test_the_workflows_cover_every_system_and_every_python():
    matrix = yaml.safe_load(text(".github/workflows/tests.yml"))["jobs"]["test"]["strategy"]["matrix"]
    assert [name.partition("-")[0] for name in matrix["os"]] == ["ubuntu", "macos", "windows"]
    assert matrix["python"] == ["3.11", "3.12", "3.13"]
    steps = yaml.safe_load(text(".github/workflows/tests.yml"))["jobs"]["test"]["steps"]
    commands = "\n".join(step.get("run", "") for step in steps)
    assert "-m pip install -r requirements.txt" in commands and "-m pytest" in commands


def test_the_linter_before_a_commit_is_the_one_that_is_installed():
    (repo,) = yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]
    assert repo["repo"] == "local"  # so that it has no version of its own
    assert {hook["id"] for hook in repo["hooks"]} >= {"ruff", "ruff-format"}


@pytest.mark.skipif(shutil.which("sed") is None, reason="there is no sed")
def test_the_newest_versions_are_asked_for_without_pins():
    """The commands of the weekly workflow, tried on the file."""
    steps = yaml.safe_load(text(".github/workflows/weekly.yml"))["jobs"]["newest"]["steps"]
    (command,) = re.findall(r"sed .* > newest\.txt", "\n".join(step.get("run", "") for step in steps))
    done = subprocess.run(command.removesuffix("> newest.txt"), shell=True, cwd=REPO, capture_output=True, text=True)
    found = [line for line in done.stdout.splitlines() if line and not line.startswith("#")]
    assert found[-1] == "-e ." and "==" not in done.stdout and "-c " not in done.stdout
    assert len(found) == len(lines("requirements.txt")) - 1


def module_map(page: str) -> dict[str, list[str]]:
    """The modules in each group of the map in CONTRIBUTING.md, in their order."""
    below = page.partition("## The map of the modules")[2].partition("\n## ")[0]
    _, *parts = re.split(r"^\*\*(\d\. [^.]+)\.\*\*", below, flags=re.M)
    groups = zip(parts[::2], parts[1::2], strict=True)
    return {name: re.findall(r"^\| `(\w+)` \| \w", rows, re.M) for name, rows in groups}


def imports_at_top(source: str) -> set[str]:
    """The modules of `utils`, and TensorFlow and Keras, that a module imports as soon as it is imported itself."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module == "utils":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found |= {name.removeprefix("utils.") for name in names if re.match(r"utils\.|tensorflow|keras", name)}
    return found


def map_problems(page: str, sources: dict[str, str]) -> list[str]:
    """Modules that the map lacks or invents, and imports that go against its order."""
    groups = module_map(page)
    above, found = [], []
    in_map = [name for group in groups.values() for name in group]
    found += [f"{name} is not in the map" for name in sources if name not in in_map]
    found += [f"there is no module {name}" for name in in_map if name not in sources]
    for group, names in groups.items():
        for name in names:
            for other in sorted(imports_at_top(sources.get(name, "")) - set(above)):
                if other.partition(".")[0] in {"tensorflow", "keras"}:
                    if group[0] in "12":
                        found.append(f"{name} loads {other}, but stands in group {group}")
                else:
                    found.append(f"{name} imports {other}, which does not stand above it")
            above.append(name)
    return found


def test_the_map_of_the_modules_fits_the_imports():
    sources = {path.stem: path.read_text(encoding="utf-8") for path in REPO.glob("utils/[a-z]*.py")}
    assert map_problems(text("CONTRIBUTING.md"), sources) == []


@pytest.mark.parametrize(
    ("name", "source", "message"),
    [
        ("b", "from utils.c import x", "b imports c, which does not stand above it"),
        ("b", "from utils import a, c", "b imports c, which does not stand above it"),
        ("b", "import tensorflow as tf", "b loads tensorflow, but stands in group 1. First"),
        ("d", "", "d is not in the map"),
        ("b", "def f():\n    from utils import c", None),
        ("c", "import keras\nfrom utils.a import x", None),
    ],
)
def test_an_import_against_the_map_is_found(name, source, message):
    page = "## The map of the modules\n\n**1. First.** x\n\n| `a` | what |\n| `b` | what |\n\n**2. "
    page = page.replace("**2. ", "**3. Network.** y\n\n| `c` | what |\n\n## Next\n\n| `e` | what |\n")
    found = map_problems(page, {"a": "", "b": "", "c": ""} | {name: source})
    assert found == ([message] if message else [])


def test_readme_is_short_and_shows_the_picture_of_the_stored_run(tmp_path):
    assert len(text("README.md").splitlines()) <= 110
    store_picture(REPO / "notebooks" / "06-predict.ipynb", tmp_path / "predictions.png")
    assert (REPO / "docs" / "predictions.png").read_bytes() == (tmp_path / "predictions.png").read_bytes()


def test_the_lines_to_paste_on_a_slow_machine_are_the_recipe_quick():
    first, *others = re.findall(r"^```\n((?:\w+ = .+\n)+)```", text("docs/run-elsewhere.md"), re.M)
    recipe = yaml.safe_load(text("benchmarks/recipes/quick.yaml")) | {"workspace": "workspace/quick"}
    pasted = [dict(re.findall(r"^(\w+) = (.+)$", block, re.M)) for block in (first, *others)]
    pasted = [{name: yaml.safe_load(value) for name, value in block.items()} for block in pasted]
    assert pasted[0] == recipe
    assert pasted[1:] == [{name: recipe[name] for name in ("image_height", "image_width", "workspace")}]
