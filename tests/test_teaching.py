"""The teacher's pages: schedules that add up, times that were measured, notes for every notebook, sizes that exist."""

import re

import nbformat
import pytest
import yaml

from utils.files import REPO
from utils.progress import duration
from utils.run import NOTEBOOKS, check_values, defaults

TEACHING = REPO / "teaching"
PAGES = sorted(TEACHING.glob("*.md"))
PARTS = ("Goal", "What people stumble on", "Questions to ask", "While the computer works", "When you are late")


def page(name):
    return (TEACHING / name).read_text(encoding="utf-8")


def section(text, heading):
    """What stands below this second-level heading."""
    return re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S).group(1)


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


@pytest.mark.parametrize(("name", "minutes"), [("Three hours", 180), ("Ninety minutes", 90)])
def test_schedules_add_up(name, minutes):
    text = section(page("schedule.md"), name)
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
def test_the_computers_times_are_measured(notebook):
    times = {name[:2]: time for name, time in rows(section(page("schedule.md"), "How long the computer works"))}
    assert times[notebook.name[:2]] == duration(nbformat.read(notebook, as_version=4).metadata["seconds"])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_there_are_notes_for_every_notebook(notebook):
    heading = next(line for line in page("notes.md").splitlines() if line.startswith(f"## {notebook.name[:2]} "))
    text = section(page("notes.md"), heading.removeprefix("## "))
    for part in PARTS:
        assert f"**{part}.**" in text, f"{notebook.name[:2]}: {part}"
    assert text.count("?") >= 2, "questions to ask"


def test_the_hubs_numbers_follow_from_measured_ones():
    seconds = nbformat.read(REPO / "notebooks" / "03-train-alexnet.ipynb", as_version=4).metadata["seconds"]
    text = section(page("rooms.md"), "One JupyterHub for 25 people")
    for cores, minutes in rows(text):
        most = max(seconds, 25 * 2 * seconds / int(cores))  # measured on two cores
        assert minutes == f"{most / 60:.0f} min", f"{cores} cores: {most / 60:.0f} min"
    memory = re.search(r"No notebook took more than ([\d.]+) GB", (REPO / "README.md").read_text(encoding="utf-8"))[1]
    assert f"25 × {memory} GB = {25 * float(memory):.0f} GB" in text


def test_binder_sizes_are_parameters_and_smaller_than_the_defaults():
    known = {name: value for notebook in NOTEBOOKS for name, value in defaults(notebook).items()}
    values = yaml.safe_load((TEACHING / "binder.yaml").read_text(encoding="utf-8"))
    assert check_values(values, known) == values
    assert all(value < known[name] for name, value in values.items())
    text = section(page("rooms.md"), "Binder")
    assert all(f"`{name} = {value}`" in text for name, value in values.items())


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_links_and_commands_exist(path):
    text = path.read_text(encoding="utf-8")
    for target, anchor in re.findall(r"\]\(([^):#]*)(#[^)]*)?\)", text):
        linked = (path.parent / target) if target else path
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)", linked.read_text(encoding="utf-8"), re.M)
            assert anchor[1:] in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in headings}, anchor
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"\bmake (\w+)", "\n".join(re.findall(r"`[^`]+`|^    .*|^make .*", text, re.M))):
        assert re.search(rf"^{target}:", makefile, re.M), target
