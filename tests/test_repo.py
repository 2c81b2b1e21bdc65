"""What surrounds the course agrees with itself: requirements, lock, conda environment, README."""

import re
import sys

import nbformat
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

from utils.files import REPO
from utils.progress import duration
from utils.run import NOTEBOOKS, store_picture


def lines(name):
    text = (REPO / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


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
    assert not re.search(r"://|file:|--index|--find", (REPO / "requirements.lock").read_text())


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
    environment = yaml.safe_load((REPO / "environment.yml").read_text())
    python, pip, packages = environment["dependencies"]
    assert python in {"python=3.11", "python=3.12", "python=3.13"} and pip == "pip"
    assert packages == {"pip": ["-r requirements.txt"]}


def test_what_is_imported_is_what_is_installed():
    from importlib.metadata import version

    for requirement in pinned("requirements.txt"):
        assert requirement.specifier.contains(version(requirement.name)), requirement
    assert (3, 11) <= sys.version_info[:2] <= (3, 13)


def stored(name):
    return nbformat.read(REPO / "notebooks" / name, as_version=4)


def test_readme_tells_the_times_of_the_stored_run():
    readme = (REPO / "README.md").read_text()
    for notebook in NOTEBOOKS:
        row = next(line for line in readme.splitlines() if f"| [{notebook.name[:2]} " in line)
        assert row.endswith(f"| {duration(stored(notebook.name).metadata['seconds'])} |"), notebook.name


def test_readme_tells_the_accuracy_of_the_stored_run():
    printed = " ".join(
        output.text
        for cell in stored("04-predict.ipynb").cells
        for output in cell.get("outputs", [])
        if output.output_type == "stream"
    )
    whole, low, high = re.search(r"([\d.]+)% of 500 .* interval ([\d.]+)% to ([\d.]+)%", printed).groups()
    assert f"**{whole} %** (95 % interval {low} to {high} %)" in (REPO / "README.md").read_text()


def test_readme_shows_the_picture_of_the_stored_run(tmp_path):
    store_picture(REPO / "notebooks" / "04-predict.ipynb", tmp_path / "predictions.png")
    assert (REPO / "docs" / "predictions.png").read_bytes() == (tmp_path / "predictions.png").read_bytes()


def test_readme_links_and_commands_exist():
    readme = (REPO / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#:]+)\)", readme):
        assert (REPO / target).exists(), target
    makefile = (REPO / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)", readme):
        assert re.search(rf"^{target}:", makefile, re.M), target
