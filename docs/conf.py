"""How ``make book`` renders the course: the README, the notebooks with their stored outputs, and all other pages.

``TEACHER=1 make book`` shows the notes for teachers too, which are comments in the notebooks.
"""

import json
import os
import re
from pathlib import Path

import nbformat
from docutils import nodes

REPO = Path(__file__).resolve().parents[1]
TEACHER = re.compile(r"^<!-- teacher: (.*?) -->$", re.M | re.S)

project = html_title = "Captchas from nothing"
root_doc = "README"
include_patterns = ["README.md", "CONTRIBUTING.md", "docs/*.md", "teaching/*.md", "notebooks/**.ipynb"]
exclude_patterns = ["my-course", "workspace", "runs", "book", "wheels", ".venv"]
extensions = ["myst_nb"]
nb_execution_mode = "off"
nb_ipywidgets_js = {}  # it would come from another host
myst_enable_extensions = []  # no formulas: MathJax would come from another host
myst_heading_anchors = 3
html_theme = "sphinx_book_theme"
html_theme_options = {"home_page_in_toc": True, "use_download_button": False, "navbar_persistent": []}
html_static_path = ["book.css"]
html_css_files = ["book.css"]
html_copy_source = html_use_index = False
html_show_search_summary = False  # a page that was opened from a folder may not read the others

CONTENTS = "".join(
    f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n{pages}\n```\n"
    for caption, pages in (
        ("The course", "notebooks/*"),
        ("Solutions", "notebooks/solutions/*"),
        ("More", "docs/*\nCONTRIBUTING"),
        ("Teaching", "teaching/*"),
    )
)


def with_teachers_notes(text):
    """The text of a page, or of a notebook, with its notes for teachers set in boxes."""
    if not text.lstrip().startswith("{"):
        return TEACHER.sub("```{admonition} For the teacher\n:class: tip\n\\1\n```", text)
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = with_teachers_notes("".join(cell["source"]))
    return json.dumps(notebook)


def prepare_page(app, page, source):
    """Take links to folders away, and give the README the table of contents, which GitHub would show as text."""
    folder = (REPO / page).parent
    links = re.compile(r"\[([^\]]+)\]\(([^):]+)\)")
    source[0] = links.sub(lambda link: link[1] if (folder / link[2]).is_dir() else link[0], source[0])
    if os.environ.get("TEACHER"):
        source[0] = with_teachers_notes(source[0])
    if page == root_doc:
        source[0] += CONTENTS


def describe_pictures(app, tree):
    """Give every picture in an output the text that its cell has for those who cannot see it."""
    path = Path(tree["source"])
    if path.suffix != ".ipynb":
        return
    stored = nbformat.read(path, as_version=4).cells
    for cell in tree.findall(lambda node: node.get("nb_element") == "cell_code" if hasattr(node, "get") else False):
        texts = alternative_texts(stored[cell["cell_index"]])
        for picture, text in zip(cell.findall(nodes.image), texts, strict=True):
            picture["alt"] = text


def alternative_texts(cell):
    """The alternative text of each picture in the outputs of a cell: that of the output, or else that of the cell."""
    pictures = [output for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    of_cell = cell.metadata.get("alt", "What the code above has drawn.")
    return [picture.metadata.get("image/png", {}).get("alt", of_cell) for picture in pictures]


def add_index(app, error):
    """Let ``index.html`` lead to the README, where everybody looks first."""
    if not error:
        (Path(app.outdir) / "index.html").write_text('<meta http-equiv="refresh" content="0; url=README.html">\n')


def setup(app):
    app.connect("source-read", prepare_page)
    app.connect("doctree-read", describe_pictures)
    app.connect("build-finished", add_index)
