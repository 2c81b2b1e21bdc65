"""Is this machine ready for the course, and how long will the training take on it?

Importing this needs nothing but Python and psutil, so that it can say that all the rest is missing.
"""

from __future__ import annotations

import html
import math
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import psutil

from utils.files import REPO, CourseError
from utils.workspace import open_workspace

WEIGHT_DECAY = 0.0005  # that of notebook 05, which is timed here
CGROUP = Path("/sys/fs/cgroup")  # what limits a container on Linux
MEMORY = 3.7e9  # bytes that a notebook takes at the defaults: the training, on a machine with bfloat16
DISK = 1.5e9  # bytes of the workspace at its fullest: captchas 0.04, records 0.25, two checkpoints of 0.56 GB each
PACKAGES = (
    "Run `python -m pip install -r requirements.txt` in the folder of the course, and restart the kernel; "
    "if nothing changes, this notebook runs in another Python: choose another kernel."
)
FINE, SLOW, LACKING = "✓ fine", "! slow", "✗ not yet"


def cores() -> int:
    """How many cores this process may use; in a container, no more than its limit allows."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no such file, or "max 100000": no limit
        time_allowed, period = map(int, (CGROUP / "cpu.max").read_text(encoding="utf-8").split())
        here = min(here, max(1, math.ceil(time_allowed / period)))
    return here


def cpu_flags() -> str:
    """What the processor can do, in Linux's own words; empty elsewhere, where there is no sure way to know."""
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def native_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 numbers itself; where it must imitate them, float32 is faster."""
    flags = cpu_flags()
    return platform.machine() == "x86_64" and ("avx512_bf16" in flags or "amx_bf16" in flags)


def fastest_dtype() -> str:
    """The dtype policy to train in here: ``"mixed_bfloat16"`` where the device that trains has it, else ``"float32"``.

    That device is the first GPU that TensorFlow finds, and the processor where there is none. GPUs of NVIDIA have
    bfloat16 from compute capability 8.0 on.
    """
    tf = _tensorflow()
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "float32"
    return "mixed_bfloat16" if native_bfloat16() else "float32"


def trains_in_bfloat16() -> bool:
    """Whether trainings here take bfloat16, as far as that can be known: TensorFlow may not be installed."""
    try:
        return fastest_dtype() == "mixed_bfloat16"
    except CourseError:
        return native_bfloat16()


def peak_memory(pid: int | None = None) -> float | None:
    """The most memory, in MB, that a process has held so far: this one, if none is named.

    None where nobody tells it: macOS does not of other processes, and no system does of one that has ended.
    """
    with suppress(OSError, IndexError, psutil.Error):
        if sys.platform == "linux":  # where `resource` would count its parent's too
            status = Path(f"/proc/{pid or 'self'}/status").read_text(encoding="utf-8")
            return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
        if sys.platform == "win32":
            return psutil.Process(pid).memory_info().peak_wset / 1e6
        if pid is None:
            import resource

            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes
    return None


def _free_memory() -> int:
    """Bytes of memory that a program can still get; in a container, what its limit leaves of them."""
    limit, used = (CGROUP / name for name in ("memory.max", "memory.stat"))
    most = limit.read_text(encoding="utf-8").strip() if limit.exists() else "max"
    free = psutil.virtual_memory().available
    if not most.isdigit():
        return free
    lines = used.read_text(encoding="utf-8").splitlines() if used.exists() else []
    held = sum(int(line.split()[1]) for line in lines if line.startswith("anon "))  # the rest can be given back
    return max(0, min(free, int(most) - held))


def _free_disk(folder: Path) -> int:
    """Bytes that are free where ``folder`` is, or would be if it were made."""
    there = next((place for place in [folder, *folder.parents] if place.exists()), None)
    return psutil.disk_usage(str(there)).free if there else 0  # a drive that is not there


def package_versions() -> dict[str, tuple[str, str | None]]:
    """For each package of requirements.txt, the version that stands there and the one that is installed, or None."""
    text = (REPO / "requirements.txt").read_text(encoding="utf-8")
    return {name: (pinned, _installed(name)) for name, pinned in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.M)}


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def machine() -> dict[str, object]:
    """What this runs on, without anything that names the machine or its owner."""
    return {
        "cores": cores(),
        "avx512": "avx512f" in cpu_flags(),
        "bfloat16": native_bfloat16(),
        "amx": "amx_bf16" in cpu_flags(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "tensorflow": _installed("tensorflow"),
        "keras": _installed("keras"),
    }


class Row(NamedTuple):
    """One thing that was looked at. ``mark`` is `FINE`, `SLOW` or `LACKING`; ``advice`` is empty where all is fine."""

    what: str
    found: str
    needed: str
    mark: str
    advice: str


class Rows(list[Row]):
    """What `readiness` found: in a notebook a table, elsewhere a line for each row, and a last sentence in both."""

    def verdict(self) -> str:
        """One sentence about all rows."""
        marks = {row.mark for row in self}
        if LACKING in marks:
            return "This machine is not ready yet. Do what is said beside each ✗, and run this notebook again."
        return f"This machine is ready{', only slower than others' if SLOW in marks else ''}."

    def __repr__(self) -> str:
        lines = [f"{row.mark:9} {row.what}: {row.found}; needed: {row.needed}. {row.advice}".rstrip() for row in self]
        return "\n".join([*lines, self.verdict()])

    def _repr_html_(self) -> str:
        marked = ((row.mark.replace(" ", "\u00a0"), *row[:3], row.advice) for row in self)
        cells = [("", "what", "found", "needed", "what to do"), *marked]
        style = 'style="text-align:left; white-space:normal; vertical-align:top"'
        lines = ["".join(f"<td {style}>{_as_html(cell)}</td>" for cell in line) for line in cells]
        lines[0] = lines[0].replace("td", "th")
        table = "".join(f"<tr>{line}</tr>" for line in lines)
        return f'<div class="course-machine"><table>{table}</table><b>{_as_html(self.verdict())}</b></div>'


def _as_html(text: str) -> str:
    """``text`` for a page, on one line, with what stands between backticks set as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def readiness(workspace: str | Path) -> Rows:
    """Look at everything that the course needs, at its default parameters. What is missing is said in the table.

    Args:
        workspace: the folder for everything the course makes, as in the parameters of the notebooks.
    """
    python, memory, disk = sys.version_info[:3], _free_memory(), _free_disk(open_workspace(workspace).root)
    versions = package_versions()
    other = [f"{name} {found or 'missing'}" for name, (pinned, found) in versions.items() if found != pinned]
    few = f"{len(versions) - len(other)} of {len(versions)} as needed"
    named = ", ".join(other[:3]) + (f" and {len(other) - 3} more" if len(other) > 3 else "")
    return Rows(
        [
            _row(
                "Python",
                ".".join(map(str, python)),
                "3.11, 3.12 or 3.13",
                (3, 11) <= python[:2] <= (3, 13),
                "Install one of these, and say where it is: `make run PYTHON=python3.12`.",
            ),
            _row(
                "packages",
                f"{few}; {named}" if other else few,
                "the versions in `requirements.txt`",
                not other,
                PACKAGES,
            ),
            _row(
                "free memory",
                _gigabytes(memory),
                _gigabytes(MEMORY),
                memory >= MEMORY,
                "Close other programs; if that is not enough, set `batch_size = 32` in notebook 05.",
            ),
            _row(
                "free disk",
                _gigabytes(disk),
                _gigabytes(DISK),
                disk >= DISK,
                "Free some space, or set `workspace` to a folder on another disk in every notebook.",
            ),
            _row(
                "cores",
                f"{cores()}",
                "1, better 2 or more",
                cores() > 1,
                "The course runs on one core too; the next section tells how long the training takes.",
                SLOW,
            ),
            _row(
                "native bfloat16",
                "yes" if trains_in_bfloat16() else "no",
                "helpful",
                trains_in_bfloat16(),
                "Nothing to do: the training takes float32 instead, and lasts nearly twice as long.",
                SLOW,
            ),
        ]
    )


def _row(what: str, found: str, needed: str, fine: bool, advice: str, otherwise: str = LACKING) -> Row:
    return Row(what, found, needed, FINE if fine else otherwise, "" if fine else advice)


def _gigabytes(count: float) -> str:
    return f"{count / 1e9:.1f} GB"


def best(work: Callable[[], object], repeats: int = 3) -> float:
    """The shortest of several times in seconds: what disturbs a run only ever makes it longer."""
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return min(times)


def _tensorflow():
    try:
        from utils.quiet import tf
    except ImportError as error:
        raise CourseError(f"TensorFlow cannot be loaded: {PACKAGES[0].lower()}{PACKAGES[1:]}") from error
    return tf


def time_steps(
    batch_size: int,
    size: tuple[int, int],
    fc_units: int,
    steps: int = 8,
    strides: tuple[int, int] = (4, 4),
    classes: int = 10,
    length: int = 4,
) -> float:
    """Seconds that one step of the real training takes here, with pictures of noise.

    It trains the course's AlexNet, with weight decay, in `fastest_dtype` for a few steps after the first ones, which
    are slow because they compile, and takes the median: one disturbed step does not count.

    Args:
        size: height and width of the pictures.
        steps: how many are timed.
        strides: how far the first layer moves, down and across, in pixels: half of it is twice the work.
        classes: how many characters there are to choose from.
        length: how many characters a text has.

    Raises:
        CourseError: TensorFlow cannot be loaded.
    """
    tf = _tensorflow()
    import numpy as np

    from utils.model import alexnet, keras
    from utils.training import compile_model

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(fastest_dtype())
    try:
        network = alexnet(size, classes, length, fc_units, weight_decay=WEIGHT_DECAY, strides=strides)
    finally:
        keras.config.set_dtype_policy(before)
    compile_model(network, 0.001, 10, 10)
    images = tf.random.stateless_uniform([batch_size, *size, 1], (0, 0), -1.0, 1.0)
    places = range(length)
    labels = tuple(tf.random.stateless_uniform([batch_size], (0, at), 0, classes, tf.int64) for at in places)
    times = []
    tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()))
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()
    network.fit(batches, epochs=1, steps_per_epoch=steps + 3, verbose=0, shuffle=False, callbacks=[tick])
    return float(np.median(np.diff(times[2:])))


def gflop(network: object) -> float:
    """Billions of calculations that one picture costs forward, a multiply-add counted as two, from the layers' shapes.

    Training costs three times as much: forward, and backward twice that.
    """
    adds = 0
    for layer in network.layers:
        kernel = getattr(layer, "kernel", None)
        if kernel is not None:  # each weight is used once at each place of the output
            adds += math.prod(kernel.shape) * math.prod(layer.output.shape[1:-1])
    return 2 * adds / 1e9
