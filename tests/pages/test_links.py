"""Every link in a notebook or on a page leads somewhere: to a file, to a place in it, or to a web address."""

import re
from pathlib import Path

import nbformat
import pytest

from utils import numbers
from utils.files import REPO

PAGES = numbers.pages()
LINK = re.compile(r"\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)\)|(?:src|href)=\"([^\"]*)\"")


def text_of(path: Path) -> str:
    """The text of a page or notebook, without its code."""
    text = "\n\n".join(numbers.texts_of(path))
    return re.sub(r"^```.*?^```|`[^`\n]+`", "", text, flags=re.M | re.S)


def anchors(path: Path) -> set[str]:
    """What a link into this file may point at. GitHub and Jupyter name the places of a notebook differently."""
    headings = re.findall(r"^#+ (.*)$", "\n\n".join(numbers.texts_of(path)), re.M)
    if path.suffix == ".ipynb":
        return {heading.replace(" ", "-") for heading in headings}
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def link_problems(text: str, page: Path) -> list[str]:
    """Links on a page to files and places in them that do not exist, and web addresses that are none."""
    found = []
    for link in LINK.findall(text):
        target = link[0] or link[1]
        if re.match(r"https?://", target):
            if not re.fullmatch(r"https://[\w.-]+\.\w+(/\S*)?", target):
                found.append(f"no web address: {target}")
            continue
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        if not target or not there.exists():
            found.append(f"a link leads nowhere: {target}")
        elif anchor and anchor not in anchors(there):
            found.append(f"there is no such place: {target}")
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPO).as_posix())
def test_links_lead_somewhere(path):
    assert link_problems(text_of(path), path) == []


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ("[a](99-nothing.ipynb)", "leads nowhere: 99-nothing"),
        ("[a]()", "leads nowhere"),
        ("[a](README.md#nothing)", "no such place: README.md#nothing"),
        ("[a](#nothing)", "no such place: #nothing"),
        ("[a](notebook.ipynb#2.-Nothing)", "no such place: notebook"),
        ("[a](http://docs.python.org)", "no web address"),
        ("[a](https://localhost)", "no web address"),
        ('<img src="none.png">', "leads nowhere: none.png"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(link, message, tmp_path):
    page = tmp_path / "README.md"
    page.write_text("# A page\n\n## Run it\n")
    nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# 1. One\n\n## 1. A picture")])
    nbformat.write(nb, tmp_path / "notebook.ipynb")
    good = "[a](README.md#run-it) [b](#run-it) [c](notebook.ipynb#1.-A-picture) [d](https://python.org/a_(b)) `[e](f)`"
    page.write_text(page.read_text() + good)
    assert link_problems(text_of(page), page) == []
    page.write_text(page.read_text() + "\n\n" + link)
    (problem,) = link_problems(text_of(page), page)
    assert message in problem


def unknown_commands(text: str) -> list[str]:
    """The targets of make and the modules of Python that a page wants to be run, and that do not exist."""
    makefile = (REPO / "Makefile").read_text(encoding="utf-8")
    blocks = "\n".join(re.findall(r"^```.*?^```|^    [^\n]*", text, re.M | re.S))
    targets = re.findall(r"`(?:\w+=\w+ )?make (\w+)", text) + re.findall(r"^ *make (\w+)", blocks, re.M)
    found = [f"make {target}" for target in targets if not re.search(rf"^{target}:", makefile, re.M)]
    for folder, module in re.findall(r"-m\s+(utils|benchmarks)\.(\w+)", text):
        if not any((REPO / folder / name).exists() for name in (f"{module}.py", f"{module}/__main__.py")):
            found.append(f"{folder}.{module}")
    return found


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(REPO).as_posix())
def test_commands_exist(path):
    assert unknown_commands("\n".join(numbers.texts_of(path))) == []


def test_an_unknown_command_is_found():
    assert unknown_commands("`make run`, `TEACHER=1 make book`, `python -m\nutils.run`, `-m benchmarks.peers`") == []
    text = "`make a`, `X=1 make b`\n\n    make c\n\n```\nmake d\n```\n`python -m utils.e`, `-m benchmarks.f`"
    assert unknown_commands(text) == ["make a", "make b", "make c", "make d", "utils.e", "benchmarks.f"]
