"""Rules that keep a notebook a lesson: skeleton, questions, exercises, short cells and a sentence for each.

Each rule is proven on a small lesson that breaks it.
"""

import re
from statistics import median

import nbformat
import pytest
from conftest import code_cells, name, prose

from utils.run import NOTEBOOKS, SOLUTIONS

MEDIAN = 10  # lines of a code cell
PARTS = ["Overview", "Prerequisites", "Setup", ..., "Exercises", "Summary", "What's next?"]  # ... are the sections
TIME = re.compile(
    r"^\*\*Time to learn:\*\* about\s+<!-- minutes -->\d+<!-- end -->\s+minutes,\s+and\s+\d+\s+more\s+for\s+the"
    r"\s+exercises;\s+the\s+computer\s+needs\s+<!-- seconds -->.*<!-- end -->\.$",
    re.M,
)
FOLDED = r"<details><summary>%s</summary>\n\n.+?\n\n</details>"
LEVELS = ["easy", "medium", "hard"]


def sections(nb) -> dict[str, str]:
    """The text below each heading of the second level, code left out."""
    _, *parts = re.split(r"^## (.*)$", prose(nb), flags=re.M)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def structure_problems(nb) -> list[str]:
    """Everything that is wrong with how a lesson is built, one line each."""
    return [*skeleton_problems(nb), *question_problems(nb), *exercise_problems(nb), *cell_problems(nb)]


def skeleton_problems(nb) -> list[str]:
    """Title, introduction, the parts in their order, sections numbered as in the overview, prerequisites, minutes."""
    text, found = prose(nb), []
    if not re.match(r"# \d+\. .+\n\n[\w!]", text) or len(re.findall(r"^# ", text, re.M)) != 1:
        found.append("does not begin with one title such as `# 5. Train AlexNet` and an introduction")
    headings = re.findall(r"^## (.*)$", text, re.M)
    numbered = [heading for heading in headings if re.match(r"\d", heading)]
    expected = [*PARTS[:3], *numbered, *PARTS[4:]]
    if headings != expected:
        found.append(f"has the parts {headings} instead of {expected}")
    items = re.findall(r"^(\d+)\. ", sections(nb).get("Overview", ""), re.M)
    if items != [heading.partition(".")[0] for heading in numbered] or items != [
        str(number) for number in range(1, len(items) + 1)
    ]:
        found.append(f"the overview counts {items}, and the sections are {numbered}")
    table = sections(nb).get("Prerequisites", "")
    rows = re.findall(r"^\|(.*)\|$", table, re.M)[2:]
    if not rows or not all(re.search(r"\| (necessary|helpful)\b[^|]*\|.*\]\(", row) for row in rows):
        found.append("the prerequisites are no table of concepts, each necessary or helpful, with a link")
    if not TIME.search(table):
        found.append("no `**Time to learn:** about M minutes, and N more for the exercises; the computer needs ...`")
    if "\n- " not in sections(nb).get("Summary", ""):
        found.append("the summary is no list")
    return found


def question_problems(nb) -> list[str]:
    """Every question to think about has its answer, folded, with blank lines around it, or it would not be read."""
    text = prose(nb)
    asked = len(re.findall(r"^\*\*Stop and think\.\*\*", text, re.M))
    answered = len(re.findall(FOLDED % "Answer", text, re.S))
    opened, whole = text.count("<details>"), len(re.findall(FOLDED % r"[^<]+", text, re.S))
    found = [] if asked and asked <= answered else [f"{asked} questions to think about, and {answered} folded answers"]
    return found + ([f"{opened} folded parts, of which {whole} are whole"] if opened != whole else [])


def exercise_problems(nb) -> list[str]:
    """Three to six exercises, each with its level and a folded hint; they do not get easier."""
    text = sections(nb).get("Exercises", "")
    levels = re.findall(r"^\*\*\d\. \((\w+)\b[^)]*\)", text, re.M)
    found = []
    if not 3 <= len(levels) <= 6 or levels != sorted(levels, key=lambda level: (*LEVELS, level).index(level)):
        found.append(f"the exercises are {levels}")
    if not set(levels) <= set(LEVELS):
        found.append(f"an exercise is none of {LEVELS}")
    if len(re.findall(FOLDED % "Hint", text, re.S)) != len(levels):
        found.append("not every exercise has its folded hint")
    return found


def cell_problems(nb) -> list[str]:
    """Short code, a sentence before every cell, and one after every picture that says what to see."""
    found, codes = [], code_cells(nb)
    lengths = [len(cell.source.splitlines()) for cell in codes]
    if median(lengths) > MEDIAN:
        found.append(f"the median length of a code cell is {median(lengths)} lines")
    around = [None, *nb.cells, None]
    for before, cell, after in zip(around, around[1:], around[2:], strict=False):
        if cell not in codes:
            continue
        first_line, setup = cell.source.partition("\n")[0], any(cell is one for one in codes[:2])
        if not setup and (not is_prose(before) or before.source.rstrip().splitlines()[-1].startswith("#")):
            found.append(f"no sentence stands directly before: {first_line}")
        if shows_picture(cell) and not (is_prose(after) and re.match(r"[^#\s]", after.source)):
            found.append(f"no sentence after a picture says what to see: {first_line}")
    return found


def is_prose(cell) -> bool:
    return cell is not None and cell.cell_type == "markdown"


def shows_picture(cell) -> bool:
    return "alt" in cell.metadata or any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_lessons(path):
    assert structure_problems(nbformat.read(path, as_version=4)) == []


def unexplained(nb) -> list[str]:
    """The solutions without some words around them that say why, besides the statement of the exercise."""
    found = []
    for number, cell in enumerate(nb.cells):
        if "exercises.check(" in cell.source:
            around = [other for other in (nb.cells[number - 1], *nb.cells[number + 1 : number + 2]) if is_prose(other)]
            why = " ".join(re.sub(r"^\*\*\d\. \(.*", "", other.source, flags=re.M | re.S) for other in around)
            if len(why.split()) < 8:
                found.append(cell.source.splitlines()[0])
    return found


@pytest.mark.parametrize("path", SOLUTIONS, ids=name)
def test_solutions_say_why(path):
    """Each solution stands between words; and the title is that of its lesson."""
    nb = nbformat.read(path, as_version=4)
    assert cell_problems(nb) == []
    assert nb.cells[0].source.startswith(f"# Solutions to notebook {int(path.name[:2])}. ")
    assert unexplained(nb) == []


def test_a_solution_without_a_reason_is_found():
    cells = [
        nbformat.v4.new_markdown_cell("**1. (easy)** Which one?\n\nThere are many of them, and only one is right."),
        nbformat.v4.new_code_cell('which = 3\nexercises.check("which", which)'),
        nbformat.v4.new_markdown_cell("All others are larger, since each of them is twice the one before it."),
    ]
    assert unexplained(nbformat.v4.new_notebook(cells=cells)) == []
    assert unexplained(nbformat.v4.new_notebook(cells=cells[:2])) == ["which = 3"]


# A lesson with nothing wrong, to be spoilt.
LESSON = """# 1. Small

A lesson, only for its tests.

## Overview

1. look at a picture.

## Prerequisites

| concept | needed? | where to read about it |
| --- | --- | --- |
| Python | necessary | [the tutorial](https://docs.python.org/3/tutorial/) |

**Time to learn:** about <!-- minutes -->15<!-- end --> minutes, and 5 more for the exercises; the computer needs <!-- seconds -->9 s<!-- end -->.

## Setup
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

**1. (easy)** Count to one.

**2. (medium)** Count to two.

**3. (hard)** Count to three.

<details><summary>Hint</summary>

One.

</details>

<details><summary>Hint</summary>

Two.

</details>

<details><summary>Hint</summary>

Three.

</details>
---
number = None  # your answer
---
## Summary

- A picture was shown.

## What's next?

The next one.
"""  # noqa: E501


def lesson(text: str = LESSON):
    """A notebook out of text, its cells between lines of dashes: code, unless they begin like prose."""
    nb = nbformat.v4.new_notebook()
    for source in text.strip().split("\n---\n"):
        is_text = re.search(r"^(#+ |It is|Here)", source, re.M)
        nb.cells.append(nbformat.v4.new_markdown_cell(source) if is_text else nbformat.v4.new_code_cell(source))
    code_cells(nb)[2].metadata["alt"] = "A gray square"
    return nb


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# 1. Small", "# Small", "does not begin with one title"),
        ("## Summary", "# Summary", "does not begin with one title"),
        ("## Overview", "## What you learn", "has the parts"),
        ("## Exercises", "## Resources\n\n## Exercises", "has the parts"),
        ("## 1. A picture", "## 2. A picture", "the overview counts"),
        ("- A picture was shown.", "A picture was shown.", "the summary is no list"),
        ("| necessary |", "| very |", "the prerequisites are no table"),
        ("[the tutorial](https://docs.python.org/3/tutorial/)", "the tutorial", "the prerequisites are no table"),
        (", and 5 more for the exercises", "", "Time to learn"),
        ("<details><summary>Answer</summary>\n\n", "<details><summary>Answer</summary>\n", "0 folded answers"),
        ("**Stop and think.** ", "", "0 questions to think about"),
        ("Three.\n\n</details>", "Three.\n</details>", "4 folded parts, of which 3 are whole"),
        ("**3. (hard)**", "**3. (easy)**", "the exercises are"),
        ("(medium)", "(nasty)", "an exercise is none of"),
        ("**3. (hard)** Count to three.", "**3.** Count to three.", "not every exercise has its folded hint"),
        ("\n\nHere it comes.", "", "no sentence stands directly before: figures"),
        ("It is gray.\n\n", "## It is gray.\n\n", "no sentence after a picture"),
    ],
)
def test_each_rule_can_fail(old, new, message):
    assert structure_problems(lesson()) == []
    assert LESSON.count(old) == 1, old
    found = structure_problems(lesson(LESSON.replace(old, new)))
    assert any(message in problem for problem in found), found


def test_long_cells_are_noticed():
    nb = lesson()
    for cell in code_cells(nb):
        cell.source = "x = 1\n" * 11
    assert any("the median length" in problem for problem in structure_problems(nb))
