"""Writing aside, kind errors, and an import that costs nothing."""

import errno
import json
import os
import subprocess
import sys

import pytest

from utils import files
from utils.captchas import write_captchas
from utils.files import REPO, CourseError


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), files.write_aside(path) as part:
        part.write_text("ne")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path):
    full = pytest.raises(CourseError, match="No space left on device")
    with full as caught, files.write_aside(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert "\n" not in str(caught.value)
    assert not os.listdir(tmp_path)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is a Linux thing")
def test_a_picture_on_a_really_full_device(tmp_path):
    (tmp_path / ".part-0000.png").symlink_to("/dev/full")
    from utils.captchas import write_captcha

    with pytest.raises(CourseError, match="No space left on device"):
        write_captcha("0000", tmp_path, 0)
    assert not os.listdir(tmp_path)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CourseError, match=r"Cannot write .*choose another `workspace`"):
        write_captchas(tmp_path / "file" / "captchas", 5, 0)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root and Windows ignore these permissions")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CourseError, match="Permission denied"):
        write_captchas(tmp_path / "captchas", 5, 0)


def test_damaged_settings_are_named(tmp_path):
    path = tmp_path / "settings.json"
    path.write_text('{"seed": ')
    with pytest.raises(CourseError, match=r"settings\.json is damaged"):
        files.check_settings(path, {"seed": 0}, "this")


def test_settings(tmp_path):
    path = tmp_path / "settings.json"
    assert not files.check_settings(path, {"seed": 0}, "this")
    files.write_json(path, {"seed": 0, "more": 1})
    assert json.loads(path.read_text()) == {"seed": 0, "more": 1}
    assert files.check_settings(path, {"seed": 0}, "this")
    with pytest.raises(CourseError, match=r"\(seed 0 instead of 1\)"):
        files.check_settings(path, {"seed": 1}, "this")


def test_paths_count_from_the_repository_and_are_shown_without_the_machine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert files.workspace_path("workspace") == REPO / "workspace"
    assert files.workspace_path(tmp_path) == tmp_path.resolve()
    assert files.shown(REPO / "workspace" / "captchas") == "workspace/captchas"
    assert files.shown("/somewhere/else/data/captchas") == "data/captchas"


def test_a_course_error_shows_its_sentence_instead_of_a_stack():
    assert CourseError("Do this.")._render_traceback_() == ["CourseError: Do this."]


def test_importing_utils_is_cheap():
    modules = "utils, utils.files, utils.machine, utils.captchas, utils.scores, utils.progress, utils.figures"
    code = f"import sys, {modules}; print('tensorflow' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "False"


def test_importing_tensorflow_through_quiet_prints_nothing():
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    code = "from utils.quiet import tf; import utils.training; print(tf.add(1, 2).numpy())"
    out = subprocess.run([sys.executable, "-c", code], cwd=REPO, env=environment, capture_output=True, text=True)
    assert (out.stdout.strip(), out.stderr) == ("3", "")
