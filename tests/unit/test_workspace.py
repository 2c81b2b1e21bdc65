"""Which folders a workspace may be, and one writer at a time."""

import os
import subprocess
import sys
import time

import pytest
from conftest import POSIX, kill_tree

from utils.files import REPO, CourseError
from utils.workspace import OWN, held, open_workspace, outside_course

HOLD = "import sys, time; from pathlib import Path; from utils.workspace import held\n"
HOLD += "with held(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"


def test_the_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = open_workspace("workspace")
    assert folders.root == REPO / "workspace"  # wherever the notebook lies
    assert folders.captchas == REPO / "workspace" / "captchas" and folders._fields[1:] == (
        "captchas", "records", "model", "own", "trials", "autopsy"
    )  # fmt: skip
    assert open_workspace(tmp_path).root == tmp_path.resolve()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("workspace", "says"),
    [
        ("", "workspace is empty"),
        ("  ", "workspace is empty"),
        (None, "workspace is None, but must be the path of a folder"),
        (7, "workspace is 7, but must be the path of a folder"),
        pytest.param("~nosuchuser/x", "leads nowhere", marks=POSIX),
        pytest.param("x" * 300, "File name too long", marks=POSIX),
        pytest.param("x/" * 4000, "File name too long", marks=POSIX),
        ("a\0b", "no folder can have that name"),
        ("\udc80", "no folder can have that name"),
        ("README.md", "which is a file"),
        ("README.md/x", "a part of that path is a file"),
        (".", "belongs to the course itself"),
        (str(REPO), "belongs to the course itself"),
        ("notebooks", "belongs to the course itself"),
        ("workspace/../utils/x", "belongs to the course itself"),
        ("Tests", "belongs to the course itself"),
        (".git", "belongs to the course itself"),
    ],
)
def test_a_workspace_that_cannot_be_one_is_refused_in_a_sentence(workspace, says):
    with pytest.raises(CourseError, match=says) as caught:
        open_workspace(workspace)
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


def test_the_course_inside_a_folder_of_the_workspace(tmp_path, monkeypatch):
    monkeypatch.setattr("utils.workspace.REPO", tmp_path / "captchas")
    with pytest.raises(CourseError, match="the course itself would lie in its folder captchas"):
        open_workspace(tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="links need special rights on Windows")
def test_links(tmp_path):
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    with pytest.raises(CourseError, match="workspace is"):
        open_workspace(tmp_path / "circle")
    (tmp_path / "link").symlink_to(REPO / "notebooks")
    with pytest.raises(CourseError, match=r"--output is .* belongs to the course itself"):
        outside_course(tmp_path / "link" / "deep", "--output")


def test_who_comes_second_hears_it_at_once_and_a_killed_run_holds_nothing(tmp_path):
    folder = tmp_path / "captchas"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        (folder / ".part-1-0000.png").write_text("half")
        start = time.monotonic()
        with pytest.raises(CourseError, match=r"Another run is writing in .*captchas right now\. Wait .*`workspace`"):
            held(folder).__enter__()
        assert time.monotonic() - start < 1
        assert (folder / ".part-1-0000.png").exists()
        kill_tree(process.pid)
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / ".part-1-epoch.npz").write_text("half")
    (folder / "other").mkdir()
    (folder / "other" / ".lock").write_text("")
    (folder / "other" / ".part-2-a.png").write_text("of a run that may be writing right now")
    with held(folder):  # free at once, and what was left half-written is removed
        assert [path.name for path in folder.rglob(".part-*")] == [".part-2-a.png"]


def test_the_same_process_may_hold_a_folder_twice_and_again(tmp_path):
    with held(tmp_path):
        (tmp_path / ".part-1-mine").write_text("half")
        with held(tmp_path):
            assert (tmp_path / ".part-1-mine").exists()
        with pytest.raises(subprocess.CalledProcessError):
            subprocess.run([sys.executable, "-c", HOLD, str(tmp_path)], stderr=subprocess.DEVNULL, check=True)
    with pytest.raises(KeyboardInterrupt), held(tmp_path):
        raise KeyboardInterrupt
    with held(tmp_path):
        assert not (tmp_path / ".part-1-mine").exists()


@pytest.mark.parametrize("folder", ["captchas", "records", "model"])
def test_every_writer_of_a_workspace_stops_at_once_where_another_run_is_writing(tmp_path, captcha_folder, folder):
    from utils import captchas, checkpoints, tfrecords
    from utils.model import keras

    write = {
        "captchas": lambda: captchas.write_captchas(tmp_path / "captchas", 5, 0),
        "records": lambda: tfrecords.write_records(captcha_folder, tmp_path / "records", 5, 0, (67, 67)),
        "model": lambda: checkpoints.resume(keras.Sequential(), tmp_path / "model", {}),
    }[folder]
    command = [sys.executable, "-c", HOLD, str(tmp_path / folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(CourseError, match=rf"Another run is writing in .*{folder} right now"):
            write()
        assert [path.name for path in (tmp_path / folder).iterdir()] == [".lock"]
        kill_tree(process.pid)


def test_a_folder_that_cannot_be_held(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        CourseError,
        match=r"Cannot write .*file: (File exists|Not a directory|Cannot create a file|.*cannot find the path)",
    ):
        held(tmp_path / "file").__enter__()


def test_no_folder_of_the_course_is_a_workspace():
    if not (REPO / ".git").exists():
        pytest.skip("only a repository tells the folders of the course from those that a learner has made")
    files = subprocess.run(["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=True).stdout
    folders = {file.split("/")[0] for file in files.splitlines() if "/" in file and file[0] != "."}
    assert "utils" in folders and folders <= set(OWN)
