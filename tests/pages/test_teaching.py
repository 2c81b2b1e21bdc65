"""The pages that help people: schedules that add up, notes and questions for every notebook, messages that exist."""

import re

import pytest

from utils.files import REPO
from utils.run import NOTEBOOKS

TEACHING = REPO / "teaching"
PARTS = ("Goal", "What people stumble on", "Questions to ask", "While the computer works", "When you are late")


def page(name):
    return (TEACHING / name).read_text(encoding="utf-8")


def sections(text, level):
    """What stands below each heading of this level."""
    _, *parts = re.split(rf"^{'#' * level} (.*)\n", text, flags=re.M)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def section_of(notebook, text):
    """The title and the text of the one section about this notebook, whose heading begins with its number."""
    ((title, text),) = [
        (title, text) for title, text in sections(text, 2).items() if title[:3] == notebook.name[:2] + " "
    ]
    return title, text


def rows(text):
    """The cells of each row of the first table in the text, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def schedule_problems(text, minutes):
    """What is wrong with a schedule: each row starts where the one before ends, and they add up."""
    found, now = [], 0
    for at, what, *parts in rows(text):
        if at != f"{now // 60}:{now % 60:02d}":
            found.append(f"{at} {what}: should start at {now // 60}:{now % 60:02d}")
        now += sum(int(part) for part in parts)
    return found + ([f"{now} minutes instead of {minutes}"] if now != minutes else [])


@pytest.mark.parametrize(
    ("name", "minutes"),
    [("Ninety minutes", 90), ("Three hours", 180), ("Half a day for novices", 240), ("A whole day", 460)],
)
def test_schedules_add_up(name, minutes):
    text = sections(page("schedule.md"), 2)[name]
    assert schedule_problems(text, minutes) == []
    assert sum(int(row[3]) for row in rows(text)) >= minutes / 5, "too little time for exercises"
    for notebook in NOTEBOOKS:
        assert f"**{notebook.name[:2]}**" in text, f"{notebook.name} has no place in the schedule"


def test_a_schedule_that_does_not_add_up_is_found():
    head = "| at | what | teaching | exercises | break |\n| --- | --- | --: | --: | --: |\n"
    good = head + "| 0:00 | a | 10 | 5 | 0 |\n| 0:15 | b | 60 | 0 | 15 |\n"
    assert schedule_problems(good, 90) == []
    assert schedule_problems(good, 80) == ["90 minutes instead of 80"]
    assert schedule_problems(good.replace("0:15", "0:20"), 90) == ["0:20 b: should start at 0:15"]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_there_are_notes_for_every_notebook(notebook):
    _, text = section_of(notebook, page("notes.md"))
    for part in PARTS:
        assert f"**{part}.**" in text, f"{notebook.name[:2]}: {part}"
    assert text.count("?") >= 2, "questions to ask"


def question_problems(text):
    """What is wrong with the questions of a section: four answers, one right, a misconception for each other."""
    found = []
    for title, question in sections(text, 3).items():
        answers = rows(question)
        if [answer[0] for answer in answers] != ["A", "B", "C", "D"]:
            found.append(f"{title}: has no four answers")
        if [answer[-1] for answer in answers].count("**right**") != 1:
            found.append(f"{title}: not one right answer")
        if any(len(answer) != 3 or not answer[2] for answer in answers):
            found.append(f"{title}: an answer without what it shows")
    return found


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_there_are_questions_for_every_notebook(notebook):
    _, text = section_of(notebook, page("questions.md"))
    assert question_problems(text) == []
    assert len(sections(text, 3)) >= 2


def test_the_right_answer_has_no_favourite_letter():
    letters = re.findall(r"^\| ([A-D]) \|.*\| \*\*right\*\* \|$", page("questions.md"), re.M)
    assert len(letters) >= 2 * len(NOTEBOOKS)
    assert all(letters.count(letter) >= len(letters) / 6 for letter in "ABCD"), letters


def test_a_wrong_question_is_found():
    good = "### One\n\nWhy?\n\n| | answer | what it shows |\n| --- | --- | --- |\n" + "".join(
        f"| {letter} | yes | {shows} |\n" for letter, shows in zip("ABCD", ["a", "**right**", "b", "c"], strict=True)
    )
    assert question_problems(good) == []
    assert question_problems(good.replace("| D | yes | c |\n", "")) == ["One: has no four answers"]
    assert question_problems(good.replace("| c |", "| **right** |")) == ["One: not one right answer"]
    assert question_problems(good.replace("| c |", "|  |")) == ["One: an answer without what it shows"]


# Messages in the page on troubles that are not ours.
FOREIGN = (
    *("No module named", "No matching distribution found", "NameError:", "Your local changes", "Error displaying"),
    *("ensurepip is", "running scripts is disabled", "Python was not found", "DLL load failed", "No such file"),
    *("No rule to make", "Could not open requirements", "make: command not found"),
    *("appears to have died", "Server Connection Error"),
)


def message_problems(text, sources):
    """Messages in the first column of the page on troubles that neither the course nor a known program says."""
    first = "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
    return [
        message
        for message in re.findall(r"`([^`]+)`", first)
        if len(message.split()) > 2 and not message.startswith(FOREIGN)
        if any(part.strip() not in sources for part in message.split("...") if part.strip())
    ]


def test_the_messages_in_the_page_on_troubles_exist():
    sources = "".join(path.read_text(encoding="utf-8") for path in [*(REPO / "utils").glob("*.py"), REPO / "Makefile"])
    text = (REPO / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
    sources = re.sub(r'" ?\n\s*f?"', "", sources)  # a sentence over two lines of code
    assert message_problems(text, sources) == []
    assert "`No module named 'utils'`" in text


def test_a_message_that_nobody_says_is_found():
    text = "| `It is ... damaged by The Cat` | why |\n| `No module named 'x'` | why |\n| `[*]` | why |"
    assert message_problems(text, "The Cat") == ["It is ... damaged by The Cat"]
    assert message_problems(text, "It is not; damaged by The Cat") == []
