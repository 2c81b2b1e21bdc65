"""Which folder is whose: the folders of a workspace, and one writer at a time in each."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from utils.files import PART, REPO, CourseError, cannot_write, cause, require, shown

# The course's own folders. Nothing that a run makes may go there.
OWN = (
    "benchmarks",
    "docs",
    "examples",
    "models",
    "my-course",
    "notebooks",
    "results",
    "teaching",
    "tests",
    "utils",
    "wheels",
)
LOCK = ".lock"
_held: set[Path] = set()  # by this process


class Folders(NamedTuple):
    """The folders of one workspace. They need not exist yet: whoever writes into one makes it."""

    root: Path
    captchas: Path  # notebook 01 draws into it
    records: Path  # notebook 02
    model: Path  # notebook 05
    own: Path  # pictures of the learner, notebook 06
    trials: Path  # notebook 07
    autopsy: Path  # notebook 09


def open_workspace(workspace: str | Path) -> Folders:
    """The folders of the workspace at this path; a relative path counts from the folder of the course.

    Raises:
        CourseError: no folder can be made there, or the course itself lies there.
    """
    root = outside_course(workspace, "workspace")
    folders = Folders(root, *(root / name for name in Folders._fields[1:]))
    for folder in folders[1:]:
        require(
            not REPO.is_relative_to(folder),
            f"workspace is {_cut(workspace)!r}, where the course itself would lie in its folder {folder.name}: "
            "choose another folder.",
        )
    return folders


def outside_course(path: str | Path, name: str) -> Path:
    """``path`` as a whole path, counted from the course's folder, if a run may make files there.

    Args:
        name: how the reader calls this path, for the sentence.

    Raises:
        CourseError: it is no path, not a folder, or one of the course's own folders.
    """
    require(isinstance(path, str | Path), f"{name} is {_cut(path)}, but must be the path of a folder, as a text.")
    says = f"{name} is {_cut(path)!r}"
    require(bool(str(path).strip()), f"{name} is empty: write the path of a folder, such as 'workspace'.")
    try:
        whole = (REPO / Path(path).expanduser()).resolve()
        str(whole).encode()
    except RuntimeError as error:  # a user who is not there, or links that lead in a circle
        raise CourseError(f"{says}, and that leads nowhere: {cause(error)}.") from error
    except (OSError, ValueError) as error:
        raise CourseError(f"{says}, and no folder can have that name: {cause(error)}.") from error
    try:
        is_folder = whole.is_dir() if os.path.lexists(whole) else None
        (whole / f"{PART}00000000-epoch-0000.keras").exists()  # a name as long as the course needs
        os.stat(whole)
    except FileNotFoundError:
        is_folder = None
    except NotADirectoryError as error:
        raise CourseError(f"{says}, but a part of that path is a file: choose another folder.") from error
    except OSError as error:
        raise CourseError(f"{says}, and that folder cannot be opened: {cause(error)}.") from error
    require(is_folder is not False, f"{says}, which is a file: choose a folder.")
    if whole.is_relative_to(REPO):
        parts = whole.relative_to(REPO).parts
        own = not parts or parts[0].casefold() in OWN or parts[0].startswith(".")
        require(not own, f"{says}, which belongs to the course itself: choose another folder, such as 'workspace'.")
    return whole


def _cut(path: object) -> str:
    """``path`` for a sentence: a very long one is cut."""
    text = str(path)
    return text if len(text) <= 80 else f"{text[:60]}..."


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep ``folder`` for this process while the block writes into it.

    The operating system holds the lock, so it is free again as soon as a process ends, even if it was killed. With the
    lock held, files that killed runs have left half-written are removed. The small file ``.lock`` stays, but not on
    Windows.

    Raises:
        CourseError: another process holds the folder, or it cannot be written to.
    """
    import filelock

    folder = folder.resolve()
    if folder in _held:
        yield
        return
    lock = filelock.FileLock(str(folder / LOCK))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except filelock.Timeout as error:
        raise CourseError(
            f"Another run is writing in {shown(folder)} right now. Wait until it has ended, shut down the kernel of "
            "a notebook that trains there, or choose another `workspace`, then run this again."
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    _held.add(folder)
    try:
        for part in folder.rglob(f"{PART}*"):
            if part.parent == folder or not (part.parent / LOCK).exists():  # that one has a lock of its own
                with suppress(OSError):
                    part.unlink()
        yield
    finally:
        _held.discard(folder)
        lock.release()
