"""Where things are, how they are written, and how the course says that something is wrong."""

from __future__ import annotations

import errno
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PART = ".part-"  # so begins the name of a file that is being written
# For `read_json`, of the history of a training.
MEND_HISTORY = (
    "delete this file. The model beside it can still be used, but lesson 05 would lay it aside and train a new one."
)


class CourseError(Exception):
    """Something the reader can mend. The message says what is wrong and what to run or change."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks an exception for its own traceback: the reader needs the sentence, not the stack.
        return [f"{type(self).__name__}: {self}"]


def shown(path: str | Path) -> str:
    """``path`` as the reader should see it: from the repository if it lies inside, else only its last two parts."""
    path = Path(path)
    if path.is_relative_to(REPO):
        return path.relative_to(REPO).as_posix()
    whole = path.absolute()
    return "/".join(whole.parts[-2:]) if len(whole.parts) > 2 else whole.as_posix()


def in_course(path: str | Path) -> Path:
    """``path``, counted from the course's folder; ``~`` is the reader's own, and an unknown user stays as written."""
    return REPO / os.path.expanduser(path)


def require(fits: bool, sentence: str) -> None:
    """Raise a `CourseError` that says ``sentence``, unless all is well."""
    if not fits:
        raise CourseError(sentence)


def cause(error: BaseException) -> str:
    """What went wrong, in a few words, on one line and without the paths of this machine."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200].rstrip(".")


def brief(value: object) -> str:
    """``value`` for a sentence, whatever it is: on one line, and cut where it is long."""
    return " ".join(str(value).split())[:60]


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, and rename it to ``path`` when the block ends well.

    A block that fails leaves no file behind. A killed process leaves a ``.part-`` file: the next run that holds the
    folder removes it. The temporary name is unique, also on a disk of many machines. It keeps the
    ending, because Keras looks at it.

    Raises:
        CourseError: the folder cannot be written to, or the disk is full.
    """
    part = path.with_name(f"{PART}{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        _part_removed(part)
        raise cannot_write(path, error) from error
    except BaseException:
        _part_removed(part)
        raise


def cannot_write(path: Path, error: OSError) -> CourseError:
    """The sentence for a file or folder that could not be written, with its cause and what helps against it."""
    return CourseError(f"Cannot write {shown(path)}: {cause(error)}. {_advice(error)}")


def _advice(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", None)):
        return "Free some space or choose another `workspace`, then run this again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "Choose another `workspace`, or copy the course to a folder where you may write, then run this again."
    if error.errno == errno.ENOENT:
        return "Something has deleted or moved that folder meanwhile: run this again."
    return "Choose another `workspace`, then run this again."


def _part_removed(part: Path) -> None:
    """Delete a half-written file; where even that is impossible, the first error is the one worth telling."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as JSON, all or nothing."""
    with write_aside(path) as part:
        part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path, mend: str = "", **kinds: type) -> dict:
    """Read a JSON file that this course wrote.

    Args:
        mend: what to do about a damaged file, if it is not to delete its folder.
        kinds: names that must stand in it, each with the type of its value.

    Raises:
        CourseError: the file cannot be read, is not JSON, or lacks one of these names.
    """
    again = mend or f"delete {shown(path.parent)} and run this again."
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CourseError(f"Cannot read {shown(path)}: {cause(error)}.") from error
    except (ValueError, RecursionError) as error:  # bad UTF-8, bad JSON, or brackets without end
        raise CourseError(f"{shown(path)} is damaged: {again}") from error
    require(isinstance(found, dict), f"{shown(path)} is damaged: {again}")
    for name, kind in kinds.items():
        fits = type(found.get(name)) in ((int, float) if kind is float else (kind,))
        require(fits, f"{shown(path)} is damaged at {name!r}: {again}")
    return found


def check_settings(path: Path, settings: dict, made_by: str) -> bool:
    """Whether ``path`` already records these ``settings`` (False where there is no such file yet).

    Names that only the file has do not count: give None for a name that must not stand in it.

    Raises:
        CourseError: the file records other settings, so that going on would mix two data sets.
    """
    if not path.exists():
        return False
    found = read_json(path)
    different = [key for key in settings if found.get(key) != settings[key]]
    if different:
        words = {"drawn_by": "another function draws", "made_by": "another function makes them"}
        words |= {"captchas": "other captchas", "font_files": "other fonts under the same names"}
        what = ", ".join(
            words.get(key) or f"{key} {brief(found.get(key))} instead of {brief(settings[key])}" for key in different
        )
        raise CourseError(
            f"{shown(path.parent)} was made with other settings ({what}): "
            f"change that back, delete that folder, or choose another `workspace`, and run {made_by} again."
        )
    return True
