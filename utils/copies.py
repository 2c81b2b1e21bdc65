"""Copies of the notebooks to work in: ``python -m utils.copies``. The course's own notebooks stay as they are.

So nothing that a learner writes stands in the way of ``git pull`` or of the tests. A copy that nobody has changed is
brought up to date by itself. ``python -m utils.copies --fresh`` lays aside what you changed, and copies all anew.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from utils.files import REPO, CourseError, cause, read_json, shown, write_aside, write_json

NOTEBOOKS = REPO / "notebooks"
COPIES = REPO / "my-course"  # beside notebooks/, so that links such as ../docs/glossary.md fit in it too
MADE = ".made-from.json"


def cells_of(notebook: Path) -> str | None:
    """A fingerprint of all cells of a notebook, without their outputs; None where the file is no notebook.

    JupyterLab saves a notebook when it is only looked at, so a file's bytes do not say whether somebody changed it.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        sources = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()[:16]


def make_copies(notebooks: Path = NOTEBOOKS, copies: Path = COPIES, fresh: bool = False) -> list[str]:
    """Make the copies that are missing or out of date, and say in sentences what was done.

    Args:
        fresh: move every copy that somebody has changed into a folder ``before-1`` (or 2, ...), and copy all anew.

    Raises:
        CourseError: the folder of the copies cannot be written to.
    """
    record, said, kept = copies / MADE, [], []
    made = {}
    with suppress(CourseError):  # a damaged note never costs a copy
        made = read_json(record) if record.exists() else {}
    aside = next(
        copies / f"before-{number}" for number in range(1, 10_000) if not (copies / f"before-{number}").exists()
    )
    for original in sorted([*notebooks.glob("[0-9][0-9]-*.ipynb"), *notebooks.glob("solutions/[0-9][0-9]-*.ipynb")]):
        name = original.relative_to(notebooks).as_posix()
        copy, newest = copies / name, cells_of(original)
        if copy.exists() and cells_of(copy) not in (made.get(name, ""), newest):  # the learner has changed it
            if not fresh:
                kept += [name] if newest != made.get(name) else []
                continue
            _move(copy, aside / name)
            said.append(f"Your {shown(copy)} is now {shown(aside / name)}.")
        if not copy.exists() or fresh or made.get(name) != newest:
            with write_aside(copy) as part:
                shutil.copyfile(original, part)
            made[name] = newest
    write_json(record, made)
    if kept:
        said.append(f"The course has newer versions of notebooks that you changed: {', '.join(kept)}.")
        said.append("To get them run `python -m utils.copies --fresh`, or `make fresh`: it lays yours aside.")
    return said


def _move(copy: Path, aside: Path) -> None:
    try:
        aside.parent.mkdir(parents=True, exist_ok=True)
        copy.replace(aside)
    except OSError as error:
        raise CourseError(f"Cannot move {shown(copy)} to {shown(aside)}: {cause(error)}.") from error


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m utils.copies", description="Copy the notebooks to work in them.")
    parser.add_argument("--fresh", action="store_true", help="lay your copies aside, and make new ones")
    options = parser.parse_args(arguments)
    try:
        for sentence in make_copies(fresh=options.fresh):
            print(sentence)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Your notebooks are in {shown(COPIES)}. The course's own, in {shown(NOTEBOOKS)}, stay as they are.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
