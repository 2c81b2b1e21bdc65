"""The course as a book of static pages: complete, linked, and readable without a network, in light and in dark."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import nbformat
import pytest

from utils.files import REPO
from utils.run import NOTEBOOKS, SOLUTIONS

SHOTS = REPO / "runs" / "book"
OUTSIDE = re.compile(r"(https?:)?//", re.I)


def make_book(folder, **variables):
    """Make the book in ``folder``; a warning of its maker, such as a link that leads nowhere, is an error."""
    command = ["-M", "html", str(REPO), str(folder), "-c", str(REPO / "docs"), "-q", "-W", "--keep-going"]
    environment = {name: value for name, value in os.environ.items() if name != "TEACHER"} | variables
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", *command], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder / "html"


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return make_book(tmp_path_factory.mktemp("book"))


class Page(HTMLParser):
    """What a page loads by itself, where its links lead, and its pictures with their descriptions."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.pictures, self.text = [], [], {}, path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.loads += [found[name] for name in ("src", "srcset", "poster", "data") if found.get(name)]
        if tag == "a":
            self.links.append(found.get("href", ""))
        elif found.get("href"):
            self.loads.append(found["href"])
        if tag == "img":
            self.pictures[found["src"]] = found.get("alt", "")


def outside_references(folder) -> list[str]:
    """Whatever a browser would load from another host to show the pages in ``folder``."""
    found = []
    for path in (path for path in folder.rglob("*") if path.suffix in {".html", ".css", ".js"}):
        text = path.read_text(encoding="utf-8")
        loads = re.findall(r"url\(\s*['\"]?([^'\")]+)", text) + re.findall(r"@import\s+['\"]([^'\"]+)", text)
        loads += re.findall(r"(?:\bfrom|\bimport|\bsrc\s*=|\bimport\(|\bfetch\()\s*['\"]([^'\"]+)", text)
        if path.suffix == ".html":
            loads += Page(path).loads
        found += [f"{path.name}: {load}" for load in loads if OUTSIDE.match(load.strip())]
    return found


def test_nothing_comes_from_another_host(book):
    assert outside_references(book) == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("page.html", '<script src="https://example.org/mathjax.js"></script>'),
        ("page.html", '<link href="//example.org/font.css" rel="stylesheet">'),
        ("page.html", '<img src="http://example.org/picture.png">'),
        ("page.html", '<script>import("https://example.org/module.js")</script>'),
        ("page.html", '<p style="background: url(https://example.org/picture.png)">'),
        ("style.css", "@import 'https://example.org/font.css';"),
        ("style.css", '@font-face { src: url("https://example.org/font.woff2") }'),
        ("code.js", 'script.src = "https://example.org/thebe.js"'),
    ],
)
def test_another_host_would_be_noticed(tmp_path, name, text):
    (tmp_path / "good.html").write_text('<a href="https://example.org">a link</a> <img src="picture.png">')
    assert outside_references(tmp_path) == []
    (tmp_path / name).write_text(text)
    assert len(outside_references(tmp_path)) >= 1


def test_every_notebook_has_its_page_with_its_pictures(book):
    for notebook in NOTEBOOKS + SOLUTIONS:
        path = (book / notebook.relative_to(REPO)).with_suffix(".html")
        page = Page(path)
        cells = nbformat.read(notebook, as_version=4).cells
        shown = [cell for cell in cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
        in_text = sum(cell.source.count("![") for cell in cells if cell.cell_type == "markdown")
        assert len(page.pictures) == len(shown) + in_text, notebook.name
        assert all(page.pictures.values()), f"{notebook.name}: a picture without a description"
        assert all((path.parent / source).stat().st_size > 1000 for source in page.pictures)
        for cell in shown:
            assert cell.metadata.get("alt") in page.pictures.values(), f"{notebook.name}: {cell.source[:40]}"


def test_the_answers_to_guesses_are_folded(book):
    for notebook in NOTEBOOKS:
        cells = nbformat.read(notebook, as_version=4).cells
        folded = [cell for cell in cells if "hide-output" in cell.metadata.get("tags", []) and cell.outputs]
        text = (book / notebook.relative_to(REPO)).with_suffix(".html").read_text(encoding="utf-8")
        assert len(re.findall(r"<details class=\"[^\"]*\bhide\b", text)) == len(folded), notebook.name


def test_notes_for_teachers_are_shown_to_teachers_only(book, tmp_path):
    pages = [notebook.relative_to(REPO).with_suffix(".html") for notebook in NOTEBOOKS]
    assert not any("For the teacher" in (book / page).read_text(encoding="utf-8") for page in pages)
    theirs = make_book(tmp_path, TEACHER="1")
    for notebook, page in zip(NOTEBOOKS, pages, strict=True):
        text = "\n".join(cell.source for cell in nbformat.read(notebook, as_version=4).cells)
        notes = len(re.findall(r"^<!-- teacher: ", text, re.M))
        assert (theirs / page).read_text(encoding="utf-8").count("For the teacher") == notes, page


def test_every_page_leads_to_every_other(book):
    pages = {path for path in book.rglob("*.html") if path.name not in {"index.html", "search.html"}}
    pages = {path for path in pages if "_static" not in path.parts}
    sources = [
        *NOTEBOOKS,
        *SOLUTIONS,
        REPO / "README.md",
        REPO / "CONTRIBUTING.md",
        *REPO.glob("docs/*.md"),
        *REPO.glob("teaching/*.md"),
    ]
    assert len(pages) == len(sources)
    for path in pages:
        links = [link.partition("#")[0] for link in Page(path).links if not OUTSIDE.match(link)]
        targets = {(path.parent / link).resolve() for link in links if link}
        assert all(target.exists() for target in targets), path
        assert pages - targets - {path} == set(), path
        assert not [target for target in targets if target.suffix == ".ipynb"], path
    order = re.findall(r"notebooks/(\d\d)-[^/\"]*\.html", (book / "README.html").read_text(encoding="utf-8"))
    assert sorted(set(order)) == [notebook.name[:2] for notebook in NOTEBOOKS]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_in_a_browser_without_a_network(browser, book, scheme):
    context = browser.new_context(offline=True, color_scheme=scheme, viewport={"width": 1300, "height": 900})
    page, wanted, failed = context.new_page(), [], []
    page.on("request", lambda request: wanted.append(request.url))
    page.on("requestfailed", lambda request: failed.append(request.url))
    page.on("pageerror", lambda error: failed.append(str(error)))
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.goto((book / "index.html").as_uri())
    page.wait_for_url("**/README.html")
    page.screenshot(path=SHOTS / f"README-{scheme}.png")
    for notebook in NOTEBOOKS:
        page.locator(f".bd-sidebar-primary a[href*='{notebook.stem}']").first.click()
        page.wait_for_url(f"**/{notebook.stem}.html")
        page.wait_for_load_state("load")
        widths = page.evaluate(
            "[...document.querySelectorAll('.cell_output img')].map(picture => picture.naturalWidth)"
        )
        assert widths and min(widths) > 100, notebook.name
    page.screenshot(path=SHOTS / f"{NOTEBOOKS[-1].stem}-{scheme}.png", full_page=True)
    answer = page.locator("details:not(.hide)").first
    assert answer.locator("p").first.is_hidden()
    answer.locator("summary").click()
    assert answer.locator("p").first.is_visible()
    page.goto((book / "search.html").as_uri() + "?q=dropout")
    page.locator("#search-results li a").first.wait_for()
    page.screenshot(path=SHOTS / f"search-{scheme}.png")
    assert failed == []
    assert [address for address in wanted if not address.startswith(("file:", "data:"))] == []
    context.close()
