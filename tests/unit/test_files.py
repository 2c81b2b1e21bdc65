"""Writing aside, kind errors, and an import that costs nothing."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from uuid import UUID

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
def test_a_picture_on_a_really_full_device(tmp_path, monkeypatch):
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=0))
    (tmp_path / ".part-00000000-0000.png").symlink_to("/dev/full")
    from utils.captchas import write_captcha

    with pytest.raises(CourseError, match=r"No space left on device\. Free some space"):
        write_captcha("0000", tmp_path, 0)
    assert not os.listdir(tmp_path)


def test_each_process_has_its_own_temporary_name(tmp_path):
    """Two runs in one folder: neither renames or deletes the half-written file of the other."""
    others = tmp_path / ".part-1-a.txt"
    others.write_text("ha")
    with files.write_aside(tmp_path / "a.txt") as part:
        assert part != others and part.suffix == ".txt"
        part.write_text("whole")
    assert others.read_text() == "ha" and (tmp_path / "a.txt").read_text() == "whole"


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "Free some space"),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES)), "where you may write"),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)), "deleted or moved"),
        (OSError("something\nelse"), r"Cannot write .*a.txt: something else\. Choose another `workspace`"),
    ],
)
def test_the_advice_fits_the_cause(tmp_path, error, advice):
    with pytest.raises(CourseError, match=advice) as caught, files.write_aside(tmp_path / "a.txt"):
        raise error
    assert ("Free some space" in str(caught.value)) == (error.errno == errno.ENOSPC)


def test_a_folder_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CourseError, match=r"Cannot write .*captchas.*: .*Choose another `workspace`"):
        write_captchas(tmp_path / "file" / "captchas", 5, 0)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root and Windows ignore these permissions")
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(CourseError, match="Permission denied"):
        write_captchas(tmp_path / "captchas", 5, 0)


@pytest.mark.parametrize("damage", [b"\xff\xfe", b"3", b"[]", b'{"seed": ', b"[" * 100_000, b'{"seed": ' + b"1" * 5000])
def test_any_damage_is_named(tmp_path, damage):
    path = tmp_path / "records" / "records.json"
    path.parent.mkdir()
    path.write_bytes(damage)
    with pytest.raises(CourseError, match=r"records/records\.json is damaged: delete .*records and run this again\."):
        files.read_json(path)


def test_names_that_must_stand_in_a_file(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"seed": 3, "rate": 1, "share": 0.5, "on": true}')
    assert files.read_json(path, seed=int, rate=float, share=float, on=bool)["seed"] == 3
    for wrong in ({"seeds": int}, {"share": int}, {"on": int}, {"seed": str}, {"on": float}):
        with pytest.raises(CourseError, match=f"damaged at {next(iter(wrong))!r}"):
            files.read_json(path, **wrong)


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(CourseError, match=r"Cannot read .*: (Is a directory|Permission denied)"):
        files.read_json(tmp_path)


def test_a_cause_is_one_line_without_paths():
    assert files.cause(FileNotFoundError(errno.ENOENT, "No such file or directory", "/home/me/x")) == (
        "No such file or directory"
    )
    assert files.cause(ValueError("a\nb.")) == "a b" and files.cause(AssertionError()) == "AssertionError"


def test_settings(tmp_path):
    path = tmp_path / "settings.json"
    assert not files.check_settings(path, {"seed": 0}, "this")
    files.write_json(path, {"seed": 0, "more": 1})
    assert json.loads(path.read_text()) == {"seed": 0, "more": 1}
    assert files.check_settings(path, {"seed": 0}, "this")
    with pytest.raises(CourseError, match=r"\(seed 0 instead of 1\)"):
        files.check_settings(path, {"seed": 1}, "this")


def test_a_path_is_shown_without_the_machine():
    assert files.shown(REPO / "workspace" / "captchas") == "workspace/captchas"
    assert files.shown("/somewhere/else/data/captchas") == "data/captchas"
    root = Path("/").absolute()
    assert files.shown(root / "out") == (root / "out").as_posix()  # there is no more of it
    assert files.shown(".") != ""


def test_paths_are_counted_from_the_course_or_from_home():
    assert files.in_course("own.png") == REPO / "own.png"
    assert files.in_course("~/own.png") == Path.home() / "own.png"


def test_require():
    files.require(True, "never")
    with pytest.raises(CourseError, match="say so"):
        files.require(False, "say so")


def test_a_course_error_shows_its_sentence_instead_of_a_stack():
    assert CourseError("Do this.")._render_traceback_() == ["CourseError: Do this."]


def in_python(code, cwd, **environment):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_importing_utils_is_cheap(tmp_path):
    names = [
        "files",
        "workspace",
        "parameters",
        "pictures",
        "machine",
        "captchas",
        "scores",
        "figures",
        "copies",
        "fresh",
    ]
    modules = ", ".join(f"utils.{name}" for name in names)
    out = in_python(f"import sys, {modules}; print('tensorflow' in sys.modules)", tmp_path)
    assert out.stdout.strip() == "False", out.stderr


@pytest.mark.parametrize("name", ["captcha", "tensorflow"])
def test_a_file_beside_the_notebook_that_hides_a_package_is_named(tmp_path, name):
    (tmp_path / f"{name}.py").write_text("")
    out = in_python("import utils.files", tmp_path)
    assert f"{name}.py hides the package {name}, which the course needs: rename that file" in out.stderr


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ('{"image_data_format": "channels_first", "floatx": "float16", "epsilon": 0.1, "backend": "jax"}', ""),
        ("{{", ""),
        ('{"floatx": "float99"}', "delete the file keras.json"),
        ("[1]", "delete the file keras.json"),
    ],
)
def test_the_settings_of_keras_are_pinned_or_refused(tmp_path, settings, says):
    (tmp_path / "keras.json").write_text(settings)
    values = "c.backend(), c.image_data_format(), c.floatx(), c.epsilon()"
    code = f"from utils.quiet import keras; c = keras.config; print({values})"
    out = in_python(code, tmp_path, KERAS_HOME=str(tmp_path), KERAS_BACKEND="torch")
    assert out.stdout.strip() == ("" if says else "tensorflow channels_last float32 1e-07"), out.stderr
    assert says in out.stderr


def test_settings_of_keras_are_not_blamed_for_a_missing_tensorflow(tmp_path):
    (tmp_path / "keras.json").write_text("{}")
    code = "import sys; sys.modules['tensorflow'] = None; import utils.quiet"
    out = in_python(code, tmp_path, KERAS_HOME=str(tmp_path))
    assert "ModuleNotFoundError" in out.stderr and "keras.json" not in out.stderr


def test_the_settings_of_matplotlib_do_not_reach_the_figures(tmp_path):
    """With text.usetex, every figure would need a LaTeX installation."""
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfigure.dpi: 30\nfont.size: 40\n")
    values = "p['text.usetex'], p['font.size'], p['figure.dpi'] > 60"
    out = in_python(f"from utils.figures import plt; p = plt.rcParams; print({values})", tmp_path)
    assert out.stdout.strip() == "False 11.0 True", out.stderr
