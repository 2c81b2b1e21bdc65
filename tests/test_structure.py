"""Rules that keep a notebook a lesson: skeleton, minutes, links, questions, short cells and a sentence for each.

Each rule is proven on a small lesson that breaks it.
"""

import re
from pathlib import Path
from statistics import median

import nbformat
import pytest
from test_notebooks import code_cells, name

from utils.files import REPO
from utils.run import NOTEBOOKS, SOLUTIONS

MEDIAN, LONGEST = 10, 30  # lines of a code cell
PARTS = ["Overview", "Prerequisites", "Setup", ..., "Exercises", "Summary", "What's next?"]  # ... are the sections
TIME = re.compile(
    r"^\*\*Time to learn:\*\* about (\d+) minutes, and (\d+) more for the exercises; the computer needs .+\.$", re.M
)
THINK = "**Stop and think.**"
FOLDED = re.compile(
    r"^\*\*Stop and think\.\*\* [^\n]+(?:\n[^\n]+)*\n\n<details><summary>Answer</summary>\n\n.+?\n\n</details>$",
    re.M | re.S,
)
PICTURE = re.compile(r"\bfigures\.[a-z]\w*\(|\bplt\.(show|subplots|figure)\(|(?<!def )\bshow_\w+\(")


def markdown(nb) -> str:
    return "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def sections(nb) -> dict[str, str]:
    """The text below each heading of the second level, code left out."""
    _, *parts = re.split(r"^## (.*)$", markdown(nb), flags=re.M)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def structure_problems(nb, folder: Path) -> list[str]:
    """Everything that is wrong with how a lesson is built, one line each. Its links count from ``folder``."""
    return [
        *skeleton_problems(nb),
        *prerequisite_problems(sections(nb).get("Prerequisites", "")),
        *question_problems(nb),
        *cell_problems(nb),
        *link_problems(markdown(nb), folder),
    ]


def skeleton_problems(nb) -> list[str]:
    """Title, introduction, the parts in their order, and sections numbered as in the overview."""
    text, found = markdown(nb), []
    if not re.match(r"# \d\. .+\n\n\w", text) or len(re.findall(r"^# ", text, re.M)) != 1:
        found.append("does not begin with one title such as `# 3. Train AlexNet` and an introduction")
    headings = re.findall(r"^## (.*)$", text, re.M)
    numbered = [heading for heading in headings if re.match(r"\d", heading)]
    expected = [*PARTS[:3], *numbered, *PARTS[4:]]
    if headings != expected:
        found.append(f"has the parts {headings} instead of {expected}")
    items = re.findall(r"^(\d+)\. ", sections(nb).get("Overview", ""), re.M)
    if not items or items != [heading.partition(".")[0] for heading in numbered]:
        found.append(f"the overview counts {items}, and the sections are {numbered}")
    if items != [str(number) for number in range(1, len(items) + 1)]:
        found.append("the overview does not count from 1")
    if "parameters" not in [tag for cell in code_cells(nb)[1:2] for tag in cell.metadata.get("tags", [])]:
        found.append("the second code cell is not tagged `parameters`")
    if "\n- " not in sections(nb).get("Summary", ""):
        found.append("the summary is no list")
    return found


def prerequisite_problems(text: str) -> list[str]:
    """A table of concepts with links, and the minutes: to read, for the exercises, and the computer's."""
    found = []
    head, *rows = re.findall(r"^\|(.*)\|$", text, re.M) or [""]
    if [column.strip() for column in head.split("|")] != ["concept", "needed?", "where to read about it"]:
        found.append("the prerequisites are no table of concept, needed? and where to read about it")
    for row in rows[1:]:
        if not re.search(r"\| (necessary|helpful)\b[^|]*\|.*\]\(", row):
            found.append(f"a prerequisite is neither necessary nor helpful, or has no link: {row.strip()}")
    if not TIME.search(text):
        found.append("no `**Time to learn:** about M minutes, and N more for the exercises; the computer needs ...`")
    return found


def question_problems(nb) -> list[str]:
    """Every `Stop and think` has its answer, folded, with blank lines around it, or its Markdown would not be read."""
    text = markdown(nb)
    asked, folded = len(re.findall("stop and think", text, re.I)), len(FOLDED.findall(text))
    if asked != folded or text.count("<details>") != folded:
        return [f"{asked} times `{THINK}`, and {folded} answers folded as in notebook 01"]
    if not asked and not text.startswith("# 0."):
        return [f"there is no `{THINK}`"]
    return []


def cell_problems(nb) -> list[str]:
    """Short code, a sentence before every cell, and one after every picture that says what to see."""
    found, codes = [], code_cells(nb)
    lengths = [len(cell.source.splitlines()) for cell in codes]
    if median(lengths) > MEDIAN:
        found.append(f"the median length of a code cell is {median(lengths)} lines")
    found += [f"a code cell is {length} lines long" for length in lengths if length > LONGEST]
    around = [None, *nb.cells, None]
    for before, cell, after in zip(around, around[1:], around[2:], strict=False):
        if cell not in codes:
            continue
        first_line, setup = cell.source.partition("\n")[0], any(cell is one for one in codes[:3])
        if not setup and (not is_prose(before) or before.source.rstrip().splitlines()[-1].startswith("#")):
            found.append(f"no sentence stands directly before: {first_line}")
        if shows_picture(cell) and not (is_prose(after) and re.match(r"[^#*\s]", after.source)):
            found.append(f"no sentence after a picture says what to see: {first_line}")
    return found


def is_prose(cell) -> bool:
    return cell is not None and cell.cell_type == "markdown"


def shows_picture(cell) -> bool:
    stored = any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    return stored or bool(PICTURE.search(cell.source))


def anchors(path: Path) -> set[str]:
    """What a link into this file may point at. GitHub and Jupyter name the places of a notebook differently."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        return {heading.replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", markdown(read(path)), re.M)}
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def link_problems(text: str, folder: Path) -> list[str]:
    """Links to files and places in them that do not exist, and web addresses that are none."""
    found = []
    for link in re.findall(r"\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)|(?:src|href)=\"([^\"]*)\"", text):
        target = link[0] or link[1]
        if re.match(r"https?://", target):
            if not re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", target):
                found.append(f"no web address: {target}")
            continue
        path, _, anchor = target.partition("#")
        if not path or not (folder / path).exists():
            found.append(f"a link leads nowhere: {target}")
        elif anchor and anchor not in anchors(folder / path):
            found.append(f"there is no such place: {target}")
    return found


def read(path: Path):
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_lessons(path):
    assert structure_problems(read(path), path.parent) == []


@pytest.mark.parametrize("path", SOLUTIONS, ids=name)
def test_solutions(path):
    nb = read(path)
    assert cell_problems(nb) + link_problems(markdown(nb), path.parent) == []
    assert nb.cells[0].source.startswith(f"# Solutions to notebook {int(path.name[:2])}. ")


@pytest.mark.parametrize(
    "path", [REPO / "README.md", *sorted((REPO / "docs").glob("*.md"))], ids=lambda path: path.name
)
def test_documents(path):
    assert link_problems(path.read_text(encoding="utf-8"), path.parent) == []


def test_readme_tells_the_minutes_of_each_lesson():
    readme = (REPO / "README.md").read_text(encoding="utf-8")
    for path in NOTEBOOKS:
        row = next(line for line in readme.splitlines() if f"| [{path.name[:2]} " in line)
        assert "| {} + {} min |".format(*TIME.search(markdown(read(path))).groups()) in row, path.name


# A lesson with nothing wrong, to be spoilt.
LESSON = """# 1. Small

A lesson, only for its tests.

## Overview

1. look at a picture.

## Prerequisites

| concept | needed? | where to read about it |
| --- | --- | --- |
| Python | necessary | [the tutorial](https://docs.python.org/3/tutorial/) |
| the course | helpful | [all of it](../README.md#run-it) |

**Time to learn:** about 15 minutes, and 5 more for the exercises; the computer needs less than one.

## Setup
---
import utils
---
seed = 0  # decides everything
---
from utils import figures
---
## 1. A picture

Here it comes.
---
figures.show_pictures(pictures, titles)
---
It is gray.

**Stop and think.** Why
is it gray?

<details><summary>Answer</summary>

Because it has *one* channel.

</details>
---
## Exercises

**1.** Count to one.
---
number = None  # your answer
---
## Summary

- A picture was shown.

## What's next?

[The next one](02-write-tfrecords.ipynb#3.-Split-and-write).
"""


def lesson(text: str = LESSON):
    """A notebook out of text, its cells between lines of dashes: code, unless they begin like prose."""
    nb = nbformat.v4.new_notebook()
    for source in text.strip().split("\n---\n"):
        prose = re.search(r"^(#+ |It is|Here)", source, re.M)
        nb.cells.append(nbformat.v4.new_markdown_cell(source) if prose else nbformat.v4.new_code_cell(source))
    for cell in code_cells(nb)[1:2]:
        cell.metadata["tags"] = ["parameters"]
    return nb


def long_cells(nb):
    for cell in code_cells(nb):
        cell.source = "x = 1\n" * 11


def one_long_cell(nb):
    code_cells(nb)[-1].source = "x = 1\n" * 31


def no_parameters(nb):
    code_cells(nb)[1].metadata.clear()


def picture_last(nb):
    nb.cells.append(nb.cells[5])


def picture_without_its_function(nb):
    picture = nbformat.v4.new_output("display_data", data={"image/png": "", "text/plain": ""})
    nb.cells[-2].outputs = [picture]
    nb.cells[-1].source = "## Summary\n\n- A picture.\n\n## What's next?\n\nNothing."


def two_code_cells(nb):
    nb.cells.insert(6, nbformat.v4.new_code_cell("x = 1"))


def replaced(old: str, new: str):
    def spoil(nb):
        assert sum(old in cell.source for cell in nb.cells) == 1, old
        for cell in nb.cells:
            cell.source = cell.source.replace(old, new)

    spoil.__name__ = f"{old[:20]!r}"
    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (replaced("# 1. Small", "# Small"), "does not begin with one title"),
        (replaced("A lesson, only for its tests.\n\n", ""), "does not begin with one title"),
        (replaced("## Summary", "# Summary"), "does not begin with one title"),
        (replaced("## Overview", "## What you learn"), "has the parts"),
        (replaced("## Prerequisites", "## Needed"), "has the parts"),
        (replaced("## Setup", ""), "has the parts"),
        (replaced("## Exercises", "## Resources\n\n## Exercises"), "has the parts"),
        (replaced("## Exercises", "### Exercises"), "has the parts"),
        (replaced("## Summary", "## 2. Summary"), "has the parts"),
        (replaced("## What's next?", "## And now?"), "has the parts"),
        (replaced("## 1. A picture", "## 2. A picture"), "the overview counts"),
        (replaced("1. look", "1. draw;\n2. look"), "the overview counts"),
        (replaced("1. look", "- look"), "the overview counts"),
        (replaced("- A picture was shown.", "A picture was shown."), "the summary is no list"),
        (no_parameters, "not tagged `parameters`"),
        (replaced("| concept | needed? |", "| concept | why |"), "the prerequisites are no table"),
        (replaced("| necessary |", "| very |"), "neither necessary nor helpful"),
        (replaced("[the tutorial](https://docs.python.org/3/tutorial/)", "the tutorial"), "has no link"),
        (replaced("about 15 minutes, and", "not long, and"), "Time to learn"),
        (replaced(", and 5 more for the exercises", ""), "Time to learn"),
        (replaced("; the computer needs less than one", ""), "Time to learn"),
        (replaced("**Stop and think.** Why\nis it gray?\n\n", ""), "0 times"),
        (replaced("**Stop and think.**", "**Stop and Think:**"), "0 answers folded"),
        (replaced("<details><summary>Answer</summary>\n\n", "<details><summary>Answer</summary>\n"), "0 answers"),
        (replaced("channel.\n\n</details>", "channel.\n</details>"), "0 answers"),
        (replaced("<details><summary>Answer</summary>\n\n", ""), "0 answers"),
        (replaced("gray?\n\n", "gray?\n\nThink.\n\n"), "0 answers"),
        (replaced("It is gray.", "It is.\n\n<details>\n\n</details>\n"), "1 answers"),
        (replaced("**Stop and think.** Why\nis it gray?\n\n<details><summary>Answer</summary>\n\nBecause it has *one* "
                  "channel.\n\n</details>", ""), "there is no `**Stop and think.**`"),
        (long_cells, "the median length"),
        (one_long_cell, "31 lines long"),
        (two_code_cells, "no sentence stands directly before: x = 1"),
        (two_code_cells, "no sentence after a picture"),
        (replaced("\n\nHere it comes.", ""), "no sentence stands directly before: figures"),
        (replaced("It is gray.\n\n", ""), "no sentence after a picture"),
        (replaced("It is gray.", "### It is gray."), "no sentence after a picture"),
        (picture_last, "no sentence after a picture"),
        (picture_without_its_function, "no sentence after a picture"),
        (replaced("02-write-tfrecords.ipynb#3.-Split-and-write", "99-nothing.ipynb"), "leads nowhere: 99-nothing"),
        (replaced("#3.-Split-and-write", "#3.-Nothing"), "there is no such place"),
        (replaced("README.md#run-it", "README.md#nothing"), "there is no such place"),
        (replaced("https://docs.python.org/3/tutorial/", "http://docs.python.org"), "no web address"),
        (replaced("https://docs.python.org/3/tutorial/", "https://localhost"), "no web address"),
        (replaced("[The next one](02-write-tfrecords.ipynb#3.-Split-and-write)", '<img src="none.png">'), "none.png"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.__name__,
)  # fmt: skip
def test_each_rule_can_fail(spoil, message):
    nb = lesson()
    assert structure_problems(nb, REPO / "notebooks") == []
    spoil(nb)
    assert any(message in problem for problem in structure_problems(nb, REPO / "notebooks"))
