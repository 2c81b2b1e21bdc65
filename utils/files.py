"""Where things are, how they are written, and how the course says that something is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]


class CourseError(Exception):
    """Something the reader can mend. The message says what is wrong and what to run or change."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks an exception for its own traceback: the reader needs the sentence, not the stack.
        return [f"{type(self).__name__}: {self}"]


def workspace_path(workspace: str | Path) -> Path:
    """The folder that holds everything the course makes; a relative path counts from the repository."""
    return (REPO / Path(workspace).expanduser()).resolve()


def shown(path: str | Path) -> str:
    """``path`` as the reader should see it: from the repository if it lies inside, else only its last two parts."""
    path = Path(path)
    if path.is_relative_to(REPO):
        return path.relative_to(REPO).as_posix()
    return "/".join(path.parts[-2:])


def check(fits: bool, sentence: str) -> None:
    """Raise a `CourseError` that says ``sentence``, unless all is well."""
    if not fits:
        raise CourseError(sentence)


@contextmanager
def write_aside(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path``, and rename it to ``path`` when the block ends well.

    A block that fails leaves no file behind; a killed process leaves a ``.part-`` file, which the next run replaces.
    The temporary name keeps the ending of ``path``, because Keras looks at it.

    Raises:
        CourseError: the folder cannot be written to, or the disk is full.
    """
    part = path.with_name(f".part-{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        os.replace(part, path)
    except OSError as error:
        _part_removed(part)
        reason = error.strerror or str(error)
        raise CourseError(
            f"Cannot write {shown(path)}: {reason}. Free some space or choose another `workspace`, then run this again."
        ) from error
    except BaseException:
        _part_removed(part)
        raise


def _part_removed(part: Path) -> None:
    """Delete a half-written file; where even that is impossible, the first error is the one worth telling."""
    with suppress(OSError):
        part.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as JSON, all or nothing."""
    with write_aside(path) as part:
        part.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict:
    """Read a JSON file that this course wrote.

    Raises:
        CourseError: the file is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CourseError(f"{shown(path)} is damaged: delete {shown(path.parent)} and run this again.") from error


def check_settings(path: Path, settings: dict, made_by: str) -> bool:
    """Whether ``path`` already records exactly these ``settings`` (False where there is no such file yet).

    Raises:
        CourseError: the file records other settings, so that going on would mix two data sets.
    """
    if not path.exists():
        return False
    found = read_json(path)
    different = [key for key in settings if found.get(key) != settings[key]]
    if different:
        what = ", ".join(f"{key} {found.get(key)} instead of {settings[key]}" for key in different)
        raise CourseError(
            f"{shown(path.parent)} was made with other settings ({what}): "
            f"delete that folder, or choose another `workspace`, and run {made_by} again."
        )
    return True
