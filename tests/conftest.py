"""What several tests share: small data made by the course's own code, and the whole course run once at small size."""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import subprocess
import sys
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import matplotlib
import pytest
import yaml

from utils.captchas import write_captchas
from utils.files import REPO

SIDE = 96  # pixels, of the pictures in the tests
SIZE = (SIDE, SIDE)
SMALL, LETTERS = REPO / "tests" / "small.yaml", REPO / "tests" / "letters.yaml"
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has other words for this, or allows it")
OTHER_FONT = str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf")


@pytest.fixture(scope="session")
def captcha_folder(tmp_path_factory) -> Path:
    """120 captchas. Only to be read: tests that break something make their own."""
    folder = tmp_path_factory.mktemp("data") / "captchas"
    write_captchas(folder, 120, seed=0, processes=1)
    return folder


@pytest.fixture(scope="session")
def records(captcha_folder) -> Path:
    """The records of `captcha_folder`: 100 for training and 20 for the test, of 96x96 pixels. Only to be read."""
    from utils.tfrecords import write_records

    folder = captcha_folder.parent / "records"
    write_records(captcha_folder, folder, 20, seed=0, size=SIZE)
    return folder


def bomb(path: Path, side: int = 15_000) -> None:
    """A 1-bit PNG of ``side`` x ``side`` white pixels, in a few kB."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + b"\xff" * -(-side // 8)) * side, 9)
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b""))


def code_cells(nb) -> list:
    """The cells of a notebook that hold code."""
    return [cell for cell in nb.cells if cell.cell_type == "code"]


def prose(nb) -> str:
    """All text of a notebook."""
    return "\n\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")


def name(path: Path) -> str:
    """How a notebook is called in the list of tests."""
    return f"{path.parent.name}/{path.stem}"


class Course(NamedTuple):
    """A run of the whole course: what it was given, where it worked, and where its executed notebooks are."""

    values: dict
    workspace: Path
    runs: Path
    printed: str
    progress: str


def run_course(folder: Path, *arguments: str, timeout: int = 3600) -> subprocess.CompletedProcess:
    """Call ``python -m utils.run`` as a user does, but from ``folder``, which is not the repository.

    In a slow hour the course takes 13 minutes at its small values: the limit only ends what hangs.
    """
    command = [sys.executable, "-m", "utils.run", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout)


def run_whole_course(folder: Path, values: Path, *more: str) -> Course:
    """papermill runs all notebooks at these values, in a workspace and a folder of their own."""
    workspace, runs = folder / "workspace", folder / "runs"
    done = run_course(folder, "-f", str(values), "-p", "workspace", str(workspace), "-o", str(runs), *more)
    assert done.returncode == 0, done.stderr[-3000:]
    return Course(yaml.safe_load(values.read_text()), workspace, runs, done.stdout, done.stderr)


@pytest.fixture(scope="session")
def whole_courses(request, tmp_path_factory):
    """The whole course at the values that the chosen tests need. If both are needed, they run at once.

    Starting TensorFlow and building networks keeps only one core busy.
    """
    given = {"course": [SMALL], "letters": [LETTERS, "-p", "fonts", OTHER_FONT]}
    needed = given.keys() & {fixture for item in request.session.items for fixture in item.fixturenames}
    with ThreadPoolExecutor(len(given)) as pool:
        yield {name: pool.submit(run_whole_course, tmp_path_factory.mktemp(name), *given[name]) for name in needed}


@pytest.fixture(scope="session")
def course(whole_courses: dict[str, Future]) -> Course:
    """The course with four digits, at the values of small.yaml."""
    return whole_courses["course"].result()


@pytest.fixture(scope="session")
def letters(whole_courses: dict[str, Future]) -> Course:
    """The course with five letters in another font, at the values of letters.yaml."""
    return whole_courses["letters"].result()


def kill_tree(pid: int) -> None:
    """Kill a process and all below it at once; a kernel is not in its starter's process group."""
    import psutil

    parent = psutil.Process(pid)
    parent.suspend()  # so that it starts nothing more
    for process in [*parent.children(recursive=True), parent]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    parent.wait()


def still_running(processes: list, seconds: float) -> list:
    """Those that have not ended after so many seconds. A zombie has: some containers never bury them."""
    import psutil

    _, alive = psutil.wait_procs(processes, timeout=seconds)
    return [process for process in alive if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def browser():
    """Headless Chromium, as the system has it, which finds no host but this machine. Skips loudly where there is none.

    Not for the whole session: while it is open, no other event loop can run in this process.
    """
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        reason = "NOTHING WAS TESTED IN A BROWSER: there is no Chromium. On Debian: apt-get install chromium"
        (pytest.fail if os.environ.get("CI") and sys.platform == "linux" else pytest.skip)(reason)
    from playwright.sync_api import sync_playwright

    arguments = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield started
        started.close()
