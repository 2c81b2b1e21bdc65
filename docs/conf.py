"""How ``make book`` renders the course: the README, the notebooks with their stored outputs, and the pages in docs."""

import ast
import re
from pathlib import Path

from docutils import nodes

REPO = Path(__file__).resolve().parents[1]

project = html_title = "Captchas from nothing"
root_doc = "README"
include_patterns = ["README.md", "docs/*.md", "teaching/*.md", "notebooks/**.ipynb"]
extensions = ["myst_nb"]
nb_execution_mode = "off"
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
        ("Help", "docs/*"),
        ("Teaching", "teaching/*"),
    )
)


def add_contents(app, page, source):
    """Take links to folders away, and give the README the table of contents, which GitHub would show as text."""
    folder = (REPO / page).parent
    links = re.compile(r"\[([^\]]+)\]\(([^):]+)\)")
    source[0] = links.sub(lambda link: link[1] if (folder / link[2]).is_dir() else link[0], source[0])
    if page == root_doc:
        source[0] += CONTENTS


def describe_pictures(app, tree):
    """Say for those who cannot see a picture what the function that has drawn it does, in its own words."""
    functions = ast.parse((REPO / "utils" / "figures.py").read_text(encoding="utf-8")).body
    says = {node.name: ast.get_docstring(node) for node in functions if isinstance(node, ast.FunctionDef)}
    for picture in tree.findall(nodes.image):
        cell = picture
        while cell is not None and "cell" not in cell.get("classes", []):
            cell = cell.parent
        if cell is not None:
            called = re.findall(r"figures\.(\w+)\(", cell.astext())
            picture["alt"] = says[called[-1]].splitlines()[0] if called else "What the code above has drawn."


def add_index(app, error):
    """Let ``index.html`` lead to the README, where everybody looks first."""
    if not error:
        (Path(app.outdir) / "index.html").write_text('<meta http-equiv="refresh" content="0; url=README.html">\n')


def setup(app):
    app.connect("source-read", add_contents)
    app.connect("doctree-read", describe_pictures)
    app.connect("build-finished", add_index)
