"""How far a class is with the exercises: ``python -m utils.room FOLDER``, and ``python -m utils.room --help``.

`exercises.check` notes every answer in the learner's workspace, in a file ``tally.json``: for each exercise how many
answers were tried until one was right, and whether one was. The answers themselves are not kept.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

from utils.files import REPO, CourseError, read_json, shown, write_json
from utils.workspace import Folders

TALLY = "tally.json"


def note(workspace: Path, exercise: str, solved: bool) -> None:
    """Add one answer to the tally of a workspace. Once an exercise is solved, its line stays as it is.

    Raises:
        CourseError: the workspace cannot be written to.
    """
    tally = _lines(workspace / TALLY)
    tries, before = tally.get(exercise, (0, False))
    if not before:
        tally[exercise] = (tries + 1, solved)
        lines = {name: {"tries": tries, "solved": solved} for name, (tries, solved) in tally.items()}
        write_json(workspace / TALLY, lines)


def read_tally(path: Path) -> dict[str, tuple[int, bool]]:
    """Tries, and whether it is solved, for each exercise of a tally; none where the file is missing or damaged."""
    try:
        return _lines(path)
    except CourseError:
        return {}


def _lines(path: Path) -> dict[str, tuple[int, bool]]:
    try:
        found = read_json(path)
    except CourseError as error:
        if isinstance(error.__cause__, OSError) and not isinstance(error.__cause__, FileNotFoundError):
            raise  # another program looks at it just now: then it is not written anew either
        return {}
    lines = {}
    for name, line in found.items():
        with suppress(KeyError, TypeError, ValueError, OverflowError):  # a damaged line costs no other
            lines[name] = int(line["tries"]), bool(line["solved"])
    return lines


def find_tallies(folder: Path) -> Iterator[Path]:
    """All tallies in the folder, at any depth, also of a workspace in another, such as ``workspace/quick``.

    Hidden folders, and those for the many files of a workspace, are not searched.
    """
    for place, folders, files in os.walk(folder):
        if TALLY in files:
            yield Path(place) / TALLY
            folders[:] = [name for name in folders if name not in Folders._fields]
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def read_room(folder: Path) -> dict[str, dict[str, tuple[int, bool]]]:
    """The tally of every learner. A learner is a folder directly in ``folder``; several workspaces in it are added up.

    Raises:
        CourseError: there is no such folder, or no tally in it.
    """
    if not folder.is_dir():
        raise CourseError(f"There is no folder {shown(folder)}.")
    room: dict[str, dict[str, tuple[int, bool]]] = {}
    for path in find_tallies(folder):
        inside = path.relative_to(folder).parts
        learner = room.setdefault(inside[0] if len(inside) > 1 else folder.resolve().name, {})
        for name, (tries, solved) in read_tally(path).items():
            tries_before, solved_before = learner.get(name, (0, False))
            learner[name] = (tries_before + tries, solved_before or solved)
    if not room:
        raise CourseError(f"There is no {TALLY} in {shown(folder)} yet: nobody has answered an exercise.")
    return room


def exercises_in_order() -> dict[str, str]:
    """The names of all exercises in the order of the course, each with the number of its notebook."""
    return {
        name: path.name[:2]
        for path in sorted((REPO / "notebooks").glob("[0-9][0-9]-*.ipynb"))
        for name in re.findall(r'exercises\.check\(\\?"(\w+)', path.read_text(encoding="utf-8"))
    }


def progress_table(room: dict[str, dict[str, tuple[int, bool]]], names: bool = False) -> str:
    """One line for each exercise that somebody tried: how many tried and solved it, and the usual number of tries.

    With ``names``, a line also says who has tried and not solved it yet.
    """
    order = exercises_in_order()
    tried = {name for tally in room.values() for name in tally}
    lines = [f"{'notebook':8}  {'exercise':22}  {'tried':>5}  {'solved':>6}  {'tries':>5}"]
    for name in [*(name for name in order if name in tried), *sorted(tried - order.keys())]:
        answers = {learner: tally[name] for learner, tally in room.items() if name in tally}
        tries = [count for count, solved in answers.values() if solved]
        usual = f"{median(tries):g}" if tries else "-"
        line = f"{order.get(name, '-'):8}  {name:22}  {len(answers):5}  {len(tries):6}  {usual:>5}"
        stuck = [f"{learner} ({count})" for learner, (count, solved) in sorted(answers.items()) if not solved]
        lines.append(line + (f"  not yet: {', '.join(stuck)}" if names and stuck else ""))
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m utils.room", description="How far a class is with the exercises.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="a folder with one folder for each learner")
    parser.add_argument("--names", action="store_true", help="also say who has tried an exercise and not solved it")
    options = parser.parse_args(arguments)
    try:
        room = read_room(options.folder)
    except CourseError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{len(room)} learner{'s' if len(room) > 1 else ''} in {shown(options.folder)}\n")
    print(progress_table(room, options.names))
    print("\ntries: the median number of answers until the right one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
