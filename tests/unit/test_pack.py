"""Packing for a room without internet: the right packages for each machine, and never installed half packed.

Nothing is downloaded here: pip's calls are looked at, or replaced by a stand-in.
"""

import errno
import os
import shutil
import subprocess
import sys
import tomllib
from functools import partial
from itertools import pairwise

import pytest

from utils import pack
from utils.files import REPO, CourseError


def packages(machine):
    commands = pack.download_commands(machine)
    for command in commands:
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert "--no-deps" in command and command[command.index("--only-binary") + 1] == ":all:"
        assert command[command.index("--dest") + 1] == str(REPO / "wheels")
        names = [part.split("==")[0] for part in command if "==" in part]
        assert len(set(names)) == len(names)  # pip takes one version of each in one call
    return {part for command in commands for part in command if "==" in part}


def platforms(machine):
    command = pack.download_commands(machine)[0]
    return [value for option, value in pairwise(command) if option == "--platform"]


def test_every_machine_gets_its_own_packages():
    windows, mac, linux = (packages(f"{system}-3.12") for system in ("windows", "mac", "linux"))
    assert {"colorama==0.4.6", "pywinpty==3.1.2"} <= windows - mac - linux
    assert {"appnope==1.0.0"} <= mac - windows - linux
    assert any(package.startswith("pexpect==") for package in linux & mac - windows)
    assert any(package.startswith("tensorflow==") for package in windows & mac & linux)
    assert platforms("windows-3.12") == ["win_amd64"]
    assert "manylinux_2_28_x86_64" in platforms("linux-3.12")


@pytest.mark.parametrize("machine", [None, *pack.MACHINES])
def test_what_builds_the_course_is_packed_too(machine):
    (builder,) = tomllib.loads((REPO / "pyproject.toml").read_text())["build-system"]["requires"]
    assert builder.startswith("setuptools==") and builder in packages(machine)


def test_every_python_gets_its_own_packages():
    old, new = packages("linux-3.11"), packages("linux-3.13")
    assert "contourpy==1.3.3" in old - new and "contourpy==1.4.0" in new - old
    for machine, releases in (("linux-3.13", ["3.13.99"]), ("linux-3.11", ["3.11.99", "3.11.0"])):
        calls = pack.download_commands(machine)
        assert [call[call.index("--python-version") + 1] for call in calls] == releases


@pytest.mark.parametrize("machine", pack.MACHINES)
def test_every_release_of_a_python_finds_its_packages(machine):
    system, python = machine.split("-")
    packed = packages(machine)
    for patch in range(20):
        release = {"python_version": python, "python_full_version": f"{python}.{patch}"}
        assert set(pack.locked(pack.SYSTEMS[system][1] | release)) <= packed, f"{python}.{patch}"


def test_this_machine_gets_what_is_installed_here():
    from importlib.metadata import version

    assert platforms(None) == [] and "--python-version" not in pack.download_commands(None)[0]
    for package in packages(None):
        name, pin = package.split("==")
        assert version(name) == pin


def test_a_folder_counts_as_packed_only_when_all_is_there(tmp_path, monkeypatch):
    calls, codes = [], [0, 0, 0, 0, 0, 1]
    monkeypatch.setattr(pack, "download_commands", lambda machine, wheels: [[machine or "here"]])
    monkeypatch.setattr(
        subprocess,
        "run",
        lambda command, **options: calls.append(command[0]) or subprocess.CompletedProcess(command, codes.pop(0)),
    )
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    pack.download(["mac-3.13"], wheels)
    assert (wheels / pack.PACKED).read_text().splitlines() == sorted([pack.this_machine(), "mac-3.13"])
    with (wheels / pack.PACKED).open("a") as packed:
        packed.write("Linux x86_64, Python 3.1\n")  # by a Python that is not here any more
    pack.download([], wheels)  # with a new lock, what was packed before needs packages too
    assert (wheels / pack.PACKED).read_text().splitlines() == sorted([pack.this_machine(), "mac-3.13"])
    with pytest.raises(CourseError, match=r"windows-3\.11 are not all there"):
        pack.download(["windows-3.11"], wheels)
    assert not (wheels / pack.PACKED).exists()
    assert calls == ["here", "mac-3.13"] * 2 + ["here", "windows-3.11"]


def test_the_copy_leaves_out_what_belongs_to_one_machine(tmp_path, monkeypatch):
    course = tmp_path / "course"
    for name in (
        ".git/config",
        ".venv/x",
        "workspace/x",
        "my-course/x",
        "captcha_course.egg-info/x",
        "wheels/a.whl",
        "utils/__pycache__/x",
        "utils/pack.py",
    ):
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        (course / name).write_text("")
    (course / ".gitignore").write_text((REPO / ".gitignore").read_text())
    monkeypatch.setattr(pack, "REPO", course)
    pack.copy_course(tmp_path / "stick" / "course")
    copied = {path.relative_to(tmp_path / "stick" / "course").as_posix() for path in tmp_path.glob("stick/**/*.*")}
    assert {"wheels/a.whl", "utils/pack.py", ".gitignore"} == copied
    with pytest.raises(CourseError, match="outside the course"):
        pack.copy_course(course / "stick")


def test_a_stick_that_is_full_is_told_in_one_sentence(tmp_path, monkeypatch):
    def full(source, target, **_):
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    course = tmp_path / "course"
    course.mkdir()
    for name in (".gitignore", "README.md", "Makefile"):
        (course / name).write_text("x")
    monkeypatch.setattr(pack, "REPO", course)
    monkeypatch.setattr(pack.shutil, "copytree", partial(shutil.copytree, copy_function=full))
    with pytest.raises(CourseError, match=r"Cannot copy 3 files, .* among them \(No space left on device\): free"):
        pack.copy_course(tmp_path / "stick")


def test_a_folder_of_the_course_is_refused_before_anything_is_downloaded(monkeypatch, capsys):
    monkeypatch.setattr(pack, "download", lambda machines: pytest.fail("downloaded"))
    assert pack.main(["--to", str(REPO / "docs")]) == 1
    assert "Choose a folder outside the course" in capsys.readouterr().err


def test_an_unknown_machine_is_refused(capsys):
    assert pack.main(["amiga-3.12"]) == 1
    assert "There are no packages for 'amiga-3.12'" in capsys.readouterr().err


needs_make = pytest.mark.skipif(shutil.which("make") is None or os.name == "nt", reason="Windows goes without make")


@needs_make
@pytest.mark.parametrize("packed", [False, True])
def test_make_installs_from_the_wheels_that_are_packed(packed, tmp_path):
    for name in ("Makefile", "requirements.txt", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text((REPO / name).read_text())
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / "a.whl").write_text("")  # half packed: to be ignored
    if packed:
        (tmp_path / "wheels" / pack.PACKED).write_text("windows-3.12\n")
    shown = subprocess.run(["make", "--dry-run", "run"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ("--no-index --find-links wheels" in shown.stdout) == packed


@needs_make
@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (["run", "RECIPE=quick"], ["-m utils.run -f benchmarks/recipes/quick.yaml -p workspace workspace/quick"]),
        (["run", "ARGS=01 -p epochs 3"], ["-m utils.run 01 -p epochs 3"]),
        (["lab"], ["-m utils.copies", "my-course/00-start-here.ipynb"]),
    ],
    ids=" ".join,
)
def test_make_runs_what_the_readme_says(given, parts):
    shown = subprocess.run(["make", "--dry-run", *given], cwd=REPO, capture_output=True, text=True, check=True)
    assert all(part in " ".join(shown.stdout.split()) for part in parts), shown.stdout


@needs_make
def test_make_installs_anew_where_the_python_is_gone(tmp_path):
    for name in ("Makefile", "requirements.txt", "requirements.lock", "pyproject.toml"):
        shutil.copy(REPO / name, tmp_path)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "installed").write_text(f"{tmp_path}\n")
    python = tmp_path / ".venv" / "bin" / "python"
    for target, anew in ((sys.executable, False), (tmp_path / "gone", True)):
        python.unlink(missing_ok=True)
        python.symlink_to(target)
        shown = subprocess.run(["make", "--dry-run", "run"], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert ("pip install" in shown.stdout) == anew
