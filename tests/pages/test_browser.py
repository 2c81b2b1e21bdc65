"""The notebooks in a real browser: JupyterLab serves them, and headless Chromium runs them and answers an exercise.

They are small copies in ``runs/browser``, where their first cell has to find the course. The screenshots are there too.
"""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request

import nbformat
import papermill
import pytest
from conftest import kill_tree

from utils.files import REPO
from utils.run import defaults, find_notebook
from utils.workers import free_ports

FOLDER = REPO / "runs" / "browser"
VALUES = {"captcha_count": 300, "test_count": 20, "picture_count": 4}
SETTINGS = {
    # All cells are in the page, also those out of sight, and nothing pops up.
    "notebook-extension/tracker": {"windowingMode": "none", "scrollPastEnd": False, "autoStartDefaultKernel": True},
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
}
# Note every value that a bar has while the notebook runs.
WATCH_BARS = """
window.bars = {};
new MutationObserver(() => {
    for (const bar of document.querySelectorAll(".course-progress progress")) {
        const seen = (window.bars[bar.parentElement.textContent.split(":")[0].trim()] ??= []);
        if (seen.at(-1) !== bar.value) seen.push(bar.value);
    }
}).observe(document, {childList: true, subtree: true, attributes: true});
"""
PROMPTS = "[...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(prompt => prompt.textContent)"
ERRORS = "[...document.querySelectorAll('[data-mime-type$=stderr]')].map(output => output.innerText)"
PICTURES = """
[...document.querySelectorAll(".jp-OutputArea-output img:not(.playground img)")]
    .map(picture => [picture.naturalWidth, picture.naturalHeight, picture.clientWidth, picture.clientHeight])
"""
IDLE = """
document.querySelector(".jp-KernelName").textContent !== "No Kernel"
    && document.querySelector(".jp-Notebook-ExecutionIndicator").dataset.status === "idle"
"""


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """The address of a JupyterLab for ``runs/browser``, with settings of its own; it and its kernels die at the end."""
    home = tmp_path_factory.mktemp("lab")
    for name, values in SETTINGS.items():
        path = home / "config" / "lab" / "user-settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    FOLDER.mkdir(parents=True, exist_ok=True)
    (port,), token = free_ports(1), secrets.token_hex()
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={FOLDER}",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    own = {f"JUPYTER_{name.upper()}_DIR": str(home / name) for name in ("config", "data", "runtime")}
    environment = os.environ | own | {"IPYTHONDIR": str(home / "ipython"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment.pop("PYTHONPATH", None)
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)
    try:
        wait_for_server(f"http://127.0.0.1:{port}/api/status?token={token}", process, home / "log")
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?reset&token={token}"
    finally:
        kill_tree(process.pid)


def wait_for_server(address, process, log, seconds=120):
    deadline = time.monotonic() + seconds
    without_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        try:
            return without_proxy.open(address, timeout=5).close()
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()}")


@pytest.fixture
def page(browser):
    """An empty page which notes the bars' values and every request to another host."""
    page = browser.new_page(viewport={"width": 1200, "height": 900})
    page.add_init_script(WATCH_BARS)
    page.outside = []
    page.on("request", lambda request: None if is_inside(request.url) else page.outside.append(request.url))
    yield page
    page.close()


def is_inside(address):
    return address.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:"))


def run_all(page, address):
    """Open a notebook, run all its cells by the menu, and wait until the last has run or one has failed."""
    page.goto(address)
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=120_000)
    page.wait_for_function(IDLE, timeout=120_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    done = f"!{PROMPTS}.some(p => p.includes('*')) && ({PROMPTS}.every(p => /\\d/.test(p)) || {ERRORS}.length > 0)"
    page.wait_for_function(f"{done} && {IDLE}", timeout=300_000)


def problems(page, pictures: int, bar: bool) -> list[str]:
    """Everything that is wrong with a notebook that has run in ``page``, one line each.

    Args:
        pictures: how many it must show.
        bar: whether a progress bar must have been seen on its way.
    """
    prompts, sizes, bars = page.evaluate(PROMPTS), page.evaluate(PICTURES), page.evaluate("window.bars")
    found = [f"a cell says: {text}" for text in page.evaluate(ERRORS)]
    if prompts != [f"[{number}]:" for number in range(1, len(prompts) + 1)]:
        found.append(f"not every cell has run: {' '.join(prompts)}")
    if len([size for size in sizes if min(size) > 50]) != pictures:
        found.append(f"{pictures} pictures expected, and these sizes found: {sizes}")
    found += [f"the bar {label} ended at {values[-1]}" for label, values in bars.items() if values[-1] != 1]
    if bar and not any(0 < value < 1 for values in bars.values() for value in values):
        found.append(f"no bar was seen to move: {bars}")
    return found + [f"another host is asked: {address}" for address in set(page.outside)]


def screenshot(page, name):
    """Take a picture of the whole notebook, for which the window is made as high as it."""
    page.set_viewport_size({"width": 1200, "height": 900})
    height = page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollHeight")
    page.set_viewport_size({"width": 1200, "height": min(height + 150, 16_000)})
    page.evaluate("document.querySelector('.jp-WindowedPanel-outer').scrollTop = 0")
    page.wait_for_timeout(500)  # to be drawn anew
    page.screenshot(path=FOLDER / f"{name}.png")


def small_copy(notebook, workspace):
    """Put the notebook into ``runs/browser``, with small values for its parameters and without its outputs."""
    values = {name: value for name, value in VALUES.items() if name in defaults(notebook)}
    copy = FOLDER / notebook.name
    papermill.execute_notebook(str(notebook), str(copy), values | {"workspace": str(workspace)}, prepare_only=True)
    nb = nbformat.read(copy, as_version=4)
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(nb, copy)


@pytest.mark.parametrize(("number", "bar"), [("00", False), ("01", True), ("06", True)])
def test_a_notebook_runs_in_the_browser(lab, page, tmp_path, number, bar):
    notebook = find_notebook(number)
    # The playground is alive here: only a page without a kernel shows its picture.
    cells = [cell for cell in nbformat.read(notebook, as_version=4).cells if "Playground(" not in cell.source]
    stored = [output for cell in cells for output in cell.get("outputs", [])]
    small_copy(notebook, tmp_path / "workspace")
    run_all(page, lab.format(notebook.name))
    screenshot(page, notebook.stem)
    assert problems(page, sum("image/png" in output.get("data", {}) for output in stored), bar) == []
    if number == "01":
        answer(page, "possible_texts", "36 * 5", "❌")
        answer(page, "possible_texts", "36**5", "✅")
        screenshot(page, f"{notebook.stem}-answered")
    if number == "06":
        move_a_slider(page)
        screenshot(page, f"{notebook.stem}-moved")


def answer(page, name, value, mark):
    """Type an answer into the cell of an exercise, run it with Shift+Enter, and wait for what it says."""
    cell = page.locator(".jp-CodeCell").filter(has_text=f'exercises.check("{name}"')
    line = cell.locator(".cm-line").first
    line.click()
    page.keyboard.press("Home")
    page.keyboard.press("Shift+End")
    page.keyboard.type(f"{name} = {value}")
    page.keyboard.press("Shift+Enter")
    cell.locator(".jp-OutputArea-output").filter(has_text=f"{mark} {name}").wait_for(timeout=60_000)


def move_a_slider(page):
    """The playground answers a key on its first slider with another map of probabilities."""
    before = page.locator(".playground").first.inner_text()
    page.locator(".widget-slider .noUi-handle").first.focus()
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "before => document.querySelector('.playground').innerText !== before", arg=before, timeout=30_000
    )


BROKEN = """
from IPython.display import HTML, display

from utils.progress import Progress

Progress("Waiting", 10, "things")
display(HTML('<img src="http://example.org/picture.png">'))
raise ValueError("on purpose")
"""


def test_each_check_can_fail(lab, page):
    """A bar that never moves, a picture that is not there, another host, and a cell that fails: all are noticed."""
    setup = next(cell for cell in nbformat.read(find_notebook("01"), as_version=4).cells if cell.cell_type == "code")
    cells = [nbformat.v4.new_code_cell(source) for source in (setup.source, BROKEN, "print('never run')")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), FOLDER / "broken.ipynb")
    run_all(page, lab.format("broken.ipynb"))
    screenshot(page, "broken")
    failed, not_run, no_picture, stopped, stuck, outside = problems(page, 1, bar=True)
    assert "ValueError: on purpose" in failed
    assert not_run == "not every cell has run: [1]: [2]: [ ]:"
    assert no_picture.startswith("1 pictures expected")
    assert stopped == "the bar Waiting ended at 0"
    assert stuck.startswith("no bar was seen to move")
    assert outside == "another host is asked: http://example.org/picture.png"
