"""Write every measured number of the course between its markers: ``python -m utils.numbers``, with ``--check`` to look.

A number in a line stands in ``<!-- name -->13 s<!-- end -->``; a table stands between the lines
``<!-- name: made by a program -->`` and ``<!-- end of name -->``. A marker right after a backtick is code. The values
come from the stored notebooks and from ``results/``. Where a notebook is stored without outputs, the number that stands
between the markers is kept.
"""

from __future__ import annotations

import argparse
import ast
import math
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean

import nbformat

from utils import results
from utils.files import REPO, CourseError, read_json, shown, write_aside
from utils.machine import MEMORY
from utils.progress import duration
from utils.results import of_runs, read_results

LINE = re.compile(r"(?<!`)<!-- ([a-z][a-z0-9-]*) -->((?:(?!<!--).)*)<!-- end -->", re.S)
BLOCK = re.compile(r"<!-- ([a-z][a-z0-9-]*): made by a program -->\n(.*?)<!-- end of \1 -->", re.S)
MARK = re.compile(r"(?<!`)<!-- (?:end of )?([a-z][a-z0-9-]*)(?:: made by a program)? -->")
# What looks measured: three digits or more with a point, or minutes and seconds, and a unit. A shorter number, such as
# 2.5 GB, may be the same as a measured one by chance.
MEASURED = re.compile(
    r"(?<![\d.,])(?:[\d,]*\d\d\.\d+|\d\.\d\d+)"
    r" ?(?:%|[kMG]B|s|ms|min|minutes|\w+/s)(?!\w)|\d+ min \d\d s(?!\w)"
)
EXAMPLES = {"12.3 %", "97.4 %", "98.0 %", "99.9 %", "99.99 %"}  # nobody has measured these
WORDS_A_MINUTE, MINUTES_A_PICTURE = 130, 2
CORES_OF_HUBS, LEARNERS = (8, 16, 32, 64), 25


def pages() -> list[Path]:
    """Every page that may hold measured numbers."""
    solutions = sorted(REPO.glob("notebooks/solutions/[0-9][0-9]-*.ipynb"))
    texts = [REPO / "README.md", REPO / "CONTRIBUTING.md", *REPO.glob("docs/*.md"), *REPO.glob("teaching/*.md")]
    return [*sorted(path for path in texts if path.exists()), *lessons().values(), *solutions]


def lessons() -> dict[str, Path]:
    """The lessons by their numbers, such as ``"05"``."""
    return {path.name[:2]: path for path in sorted((REPO / "notebooks").glob("[0-9][0-9]-*.ipynb"))}


def minutes_to_read(nb: nbformat.NotebookNode) -> int:
    """Minutes that a lesson takes without its exercises: its words, and a while for each picture; in steps of five."""
    words = pictures = 0
    exercises = False
    for cell in nb.cells:
        text = cell.source
        if cell.cell_type == "markdown":
            if re.search(r"^## ", text, re.M):
                exercises = bool(re.search(r"^## Exercises", text, re.M))
            if not exercises:
                words += len(re.sub(r"<!--.*?-->|<[^>]*>|\]\([^)]*\)", " ", text, flags=re.S).split())
        elif not exercises:
            shown_here = sum("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
            pictures += max(shown_here, "alt" in cell.metadata)
    return 5 * math.ceil((words / WORDS_A_MINUTE + MINUTES_A_PICTURE * pictures) / 5)


def of_lesson(nb: nbformat.NotebookNode) -> dict[str, str]:
    """The numbers that stand in a lesson itself: the minutes to read it, and the computer's time."""
    found = {"minutes": str(minutes_to_read(nb))}
    if "seconds" in nb.metadata:
        found["seconds"] = duration(nb.metadata["seconds"])
    return found


def percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def from_lessons() -> dict[str, str]:
    """Times, minutes and memory of each lesson, and how well the stored run reads the test captchas."""
    found, seconds, memory = {}, {}, {}
    for number, path in lessons().items():
        nb = nbformat.read(path, as_version=4)
        own = of_lesson(nb)
        found[f"read-{number}"] = own["minutes"]
        text = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
        for minutes in re.findall(r"and\s(\d+)\smore\sfor\sthe\sexercises", text):
            found[f"exercises-{number}"] = minutes
        if "seconds" in own:
            seconds[number] = nb.metadata["seconds"]
            found[f"seconds-{number}"] = own["seconds"]
            found[f"minutes-{number}"] = f"{seconds[number] / 60:.0f} min"
        if number == "00":
            found |= machine_of(printed_by(nb))
        if number == "06":
            found |= whole_test(printed_by(nb))
        if nb.metadata.get("peak_mb"):
            memory[number] = nb.metadata["peak_mb"] / 1000
            found[f"memory-{number}"] = f"{memory[number]:.1f} GB"
    if seconds.keys() == lessons().keys():
        found["seconds-all"] = duration(sum(seconds.values()))
    most = math.ceil(10 * max(memory.values(), default=MEMORY / 1e9)) / 10
    found |= {"memory": f"{most:.1f} GB", f"memory-{LEARNERS}": f"{LEARNERS * most:.0f} GB"}
    if seconds:
        lines = [f"| {title(number)} | {found.get(f'seconds-{number}', 'not measured')} |" for number in lessons()]
        found["schedule-computer"] = "\n".join(["| notebook | computer |", "| --- | --- |", *lines])
    if "05" in seconds:
        found["hub-cores"] = hub_table(seconds["05"])
    return found


def title(number: str) -> str:
    """``"05 Train AlexNet"``, from the first line of the lesson."""
    first = nbformat.read(lessons()[number], as_version=4).cells[0].source.splitlines()[0]
    return f"{number} {re.sub(r'^#+ *[0-9]*[.] *', '', first)}"


def hub_table(seconds: float) -> str:
    """How long a training that takes ``seconds`` on two cores takes, if many start it at once and share the cores."""
    lines = [f"| {cores} | {max(seconds, LEARNERS * 2 * seconds / cores) / 60:.0f} min |" for cores in CORES_OF_HUBS]
    return "\n".join(["| cores | until all are trained |", "| --- | --- |", *lines])


def whole_test(printed: str) -> dict[str, str]:
    """The share of test captchas that the stored run read whole, with its interval, from what lesson 06 printed."""
    share = r"(\d+\.\d) ?%"
    found = re.search(
        rf"{share} of [\d,]+ test captchas \w+ read whole.{{,40}}interval\D*{share} to {share}", printed, re.S
    )
    if not found:
        return {}
    whole, low, high = found.groups()
    return {"whole-test": f"{whole} %", "whole-interval": f"{low} to {high} %"}


def machine_of(printed: str) -> dict[str, str]:
    """What the stored run ran on, from what lesson 00 printed."""
    found = re.search(r"My machine: (\{.*?\})", printed, re.S)
    if not found:
        return {}
    return {"machine": cores_of(ast.literal_eval(found[1]))}


def cores_of(machine: dict) -> str:
    """Such as ``"2 x86-64 cores with bfloat16"``, of what `utils.machine.machine` returns."""
    kind = machine["system"].split()[-1].replace("_", "-")
    return f"{machine['cores']} {kind} cores with{'' if machine['bfloat16'] else 'out'} bfloat16"


def printed_by(nb: nbformat.NotebookNode) -> str:
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    return "".join("".join(output.text) for output in outputs if output.output_type == "stream")


def speed_table(rows: list[dict]) -> str:
    """What ``python -m benchmarks.bench`` has measured, each speed beside the most that the machine could do."""
    lines = ["| what | measured | limit | share | of | peak memory |", "| --- | --: | --: | --: | --- | --: |"]
    for row in rows:
        limit = f"{row['limit']:,.1f}" if row["limit"] else ""
        share = percent(row["ratio"], 0) if row["ratio"] else ""
        lines.append(
            f"| {row['what']} | {row['value']:,.1f} {row['unit']} | {limit} | {share} | {row['of']} "
            f"| {row['peak_mb']:,.0f} MB |"
        )
    return "\n".join(lines)


def from_results() -> dict[str, str]:
    """What the programs in ``benchmarks/`` have measured."""
    found = {}
    bench, catch_up = REPO / "results" / "bench.json", REPO / "results" / "catch-up.json"
    if bench.exists():
        measured = read_json(bench, "fetch the course again.")
        rows = measured["rows"]
        speeds = {row["what"]: row["value"] for row in rows}
        found |= {"bench": speed_table(rows), "bench-machine": cores_of(measured["machine"])}
        if "train, mixed_bfloat16" in speeds:
            found["float32-times"] = f"{speeds['train, mixed_bfloat16'] / speeds['train, float32']:.1f}"
    if catch_up.exists():
        result = read_json(catch_up, "fetch the course again.")
        found["size-catch-up"] = f"{result['megabytes']} MB"
        found["whole-catch-up"] = percent(result["fresh"]["whole"], 2)
    for path in sorted(results.RESULTS.glob("*.json")):
        (result,) = read_results(path.stem)
        if path.stem != "catch-up":  # its rounded weights, above, are those that come with the course
            found[f"whole-{path.stem}"] = percent(fmean(of_runs(result, "fresh", "whole")), 2)
        if averaged := of_runs(result, "fresh_averaged", "whole"):
            found[f"five-{path.stem}"] = percent(fmean(averaged), 2)
        found[f"minutes-{path.stem}"] = f"{fmean(of_runs(result, 'minutes')):.1f} min"
        found[f"tflop-{path.stem}"] = f"{fmean(of_runs(result, 'tflop')):,.0f} TFLOP"
    return found | result_tables()


def result_tables() -> dict[str, str]:
    """The tables of the recipes, and of other people's networks."""
    recipes = results.read_measured(*results.RECIPES)
    found = {"accuracy": results.accuracy_table(recipes), "cost": results.cost_table(recipes)}
    found |= {"letters": results.letters_table(), "columns": results.columns_table()}
    found["older"] = results.older_drawings(recipes)
    found["older-field"] = results.older_drawings(
        results.read_measured("small", *results.RECIPES) + results.read_peers()
    )
    return found | {"field": results.field_table(), "field-settings": results.peers_settings()}


def values() -> dict[str, str]:
    """Every number and table that can be made now, by the name of its markers."""
    return from_lessons() | from_results()


# Without outputs these have no value, yet their markers are right.
LATER = re.compile(
    r"(seconds|minutes|read|exercises|memory)(-\d\d|-all)?"
    r"|whole-test|whole-interval|machine|schedule-computer|hub-cores"
)


def filled(text: str, known: dict[str, str]) -> str:
    """``text`` with a value from ``known`` between every pair of markers that has one."""

    def line(match: re.Match) -> str:
        name, old = match.groups()
        return f"<!-- {name} -->{known.get(name, old)}<!-- end -->"

    def block(match: re.Match) -> str:
        name, old = match.groups()
        body = f"\n{known[name]}\n\n" if name in known else old
        return f"<!-- {name}: made by a program -->\n{body}<!-- end of {name} -->"

    return BLOCK.sub(block, LINE.sub(line, text))


def names_in(text: str) -> list[str]:
    """The names of all pairs of markers in ``text``."""
    return [match[1] for pattern in (LINE, BLOCK) for match in pattern.finditer(text)]


def without_markers(text: str) -> str:
    """``text`` without what a program has written, and without other comments and code blocks."""
    return re.sub(r"<!--.*?-->", "", BLOCK.sub("", LINE.sub("", text)), flags=re.S)


def texts_of(path: Path) -> list[str]:
    """The text of a page, or of each Markdown cell of a notebook."""
    if path.suffix != ".ipynb":
        return [path.read_text(encoding="utf-8")]
    return [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "markdown"]


def update(paths: Iterable[Path], known: dict[str, str] | None = None) -> list[Path]:
    """Write the current values into these pages and notebooks. Returns those that have changed."""
    known = values() if known is None else known
    changed = []
    for path in paths:
        if path.suffix == ".ipynb":
            nb = nbformat.read(path, as_version=4)
            own = known | of_lesson(nb)
            new = [filled(c.source, own) if c.cell_type == "markdown" else c.source for c in nb.cells]
            if new == [cell.source for cell in nb.cells]:
                continue
            for cell, source in zip(nb.cells, new, strict=True):
                cell.source = source
            with write_aside(path) as part:
                nbformat.write(nb, part)
        else:
            text = path.read_text(encoding="utf-8")
            new = filled(text, known)
            if new == text:
                continue
            with write_aside(path) as part:
                part.write_text(new, encoding="utf-8")
        changed.append(path)
    return changed


def problems(paths: Iterable[Path], known: dict[str, str] | None = None) -> list[str]:
    """What is wrong with the numbers of these pages, a sentence each: stale, unknown, or typed by hand."""
    known = values() if known is None else known
    typed = measured_strings(known)
    found = []
    for path in paths:
        own = known | (of_lesson(nbformat.read(path, as_version=4)) if path.suffix == ".ipynb" else {})
        for text in texts_of(path):
            names = names_in(text)
            for name in names:
                if name not in own:
                    later = LATER.fullmatch(name)
                    why = "has no value yet: run `make store`" if later else "is filled by no program"
                    found.append(f"{shown(path)}: the marker {name} {why}")
            for mark in set(MARK.findall(text)) - {"end", *names}:
                found.append(f"{shown(path)}: the marker {mark} has no end or no beginning")
            if filled(text, own) != text:
                for name in names:
                    part = {name: own[name]} if name in own else {}
                    if filled(text, part) != text:
                        found.append(f"{shown(path)}: {name} is stale: run `python -m utils.numbers`")
            for line in re.findall(r"^ *<!-- [a-z][a-z0-9-]* -->.*<!-- end -->.*$", text, re.M):
                found.append(f"{shown(path)}: a line begins with a marker, so that it is not read as Markdown: {line}")
            rest = re.sub(r"\s+", " ", without_markers(text))
            for match in MEASURED.finditer(rest):
                if match[0] not in EXAMPLES:
                    name = typed.get(_plain(match[0]), "name")
                    found.append(f"{shown(path)}: {match[0]} is typed by hand: write <!-- {name} -->...<!-- end -->")
    return found


def measured_strings(known: dict[str, str]) -> dict[str, str]:
    """Every string in the values that looks measured, with the name of the value that it is from."""
    return {_plain(match[0]): name for name, text in reversed(known.items()) for match in MEASURED.finditer(text)}


def _plain(text: str) -> str:
    return re.sub(r"\s", "", text)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m utils.numbers", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, and say what is stale or typed by hand")
    options = parser.parse_args(arguments)
    try:
        if options.check:
            found = problems(pages())
            print("\n".join(found) if found else "Every measured number is up to date.")
            return 1 if found else 0
        changed = update(pages())
        print("\n".join(f"Updated {shown(path)}" for path in changed) or "Every measured number is up to date.")
    except (CourseError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
