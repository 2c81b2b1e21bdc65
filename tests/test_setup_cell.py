"""The first cell of every notebook: it fetches the course on Colab, and nothing anywhere else."""

import builtins
import subprocess
import sys
import types

import nbformat
import psutil
import pytest
from packaging.requirements import Requirement

from utils.files import REPO
from utils.run import NOTEBOOKS

CELL = next(cell for cell in nbformat.read(NOTEBOOKS[0], as_version=4).cells if cell.cell_type == "code").source


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """Run in an empty folder; what the cell calls is noted, and `git clone` leaves a folder with the course's mark."""
    noted = []

    def run(command, check):
        noted.append(command[:2])
        if command[0] == "git":
            (tmp_path / command[-1] / "utils").mkdir(parents=True)
            (tmp_path / command[-1] / "utils" / "captchas.py").write_text("")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(builtins, "input", lambda prompt: noted.append(["input"]) or "the address")
    monkeypatch.setattr(sys, "path", list(sys.path))
    return noted


def colab(monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))


def test_elsewhere_it_fetches_nothing(calls, monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    exec(CELL, {})  # in an empty folder
    monkeypatch.chdir(REPO / "notebooks")
    exec(CELL, {})
    assert calls == [] and sys.path[0] == str(REPO)


def test_on_colab_it_fetches_the_course_and_what_colab_lacks(calls, monkeypatch, tmp_path):
    colab(monkeypatch)
    exec(CELL, {})
    assert calls == [["input"], ["git", "clone"], ["pip", "install"]]
    assert sys.path[0] == str(tmp_path / "captcha-course")


def test_on_colab_it_fetches_only_once(calls, monkeypatch, tmp_path):
    colab(monkeypatch)
    exec(CELL, {})
    calls.clear()
    del sys.path[0]  # the kernel was started anew
    exec(CELL, {})
    assert calls == [] and sys.path[0] == str(tmp_path / "captcha-course")


def test_colab_gets_the_versions_of_the_course():
    def pins(path):
        lines = path.read_text(encoding="utf-8").splitlines()
        return {str(Requirement(line)) for line in lines if line and line[0] not in "#-"}

    assert pins(REPO / "teaching" / "colab.txt") <= pins(REPO / "requirements.txt")


def test_it_works_beside_a_command_that_is_too_long_for_a_file_name(calls, monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    monkeypatch.setattr(psutil.Process, "cmdline", lambda self: ["python", "-c", "x = '" + "a" * 5000 + "'", str(REPO)])
    exec(CELL, {})
    assert sys.path[0] == str(REPO)
