"""Is the machine ready? Poor machines each get their sentence, and the estimate follows the measurement."""

import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from utils import machine
from utils.files import REPO, CourseError
from utils.run import defaults, find_notebook


@pytest.fixture
def good(monkeypatch):
    """A machine with everything, whatever the tests run on; each test takes something away from it."""
    monkeypatch.setattr(machine, "sys", SimpleNamespace(version_info=(3, 12, 4)))
    monkeypatch.setattr(machine, "package_versions", lambda: {"keras": ("3.15.1", "3.15.1")})
    monkeypatch.setattr(machine, "_free_memory", lambda: 8e9)
    monkeypatch.setattr(machine, "_free_disk", lambda folder: 50e9)
    monkeypatch.setattr(machine, "cores", lambda: 4)
    monkeypatch.setattr(machine, "native_bfloat16", lambda: True)
    return monkeypatch


def rows_of(rows):
    return {row.what: row for row in rows}


def test_the_steps_that_are_timed_have_the_weight_decay_of_the_training():
    assert defaults(find_notebook("05"))["weight_decay"] == machine.WEIGHT_DECAY


def test_the_number_type_is_that_of_the_device_that_trains(good):
    """A GPU may have bfloat16 where the processor has none."""
    good.setattr(machine, "native_bfloat16", lambda: False)
    good.setattr(machine, "fastest_dtype", lambda: "mixed_bfloat16")
    assert rows_of(machine.readiness("workspace"))["native bfloat16"].mark == machine.FINE


def test_a_good_machine_is_ready(good):
    rows = machine.readiness("workspace")
    assert [row.what for row in rows] == [
        "Python", "packages", "free memory", "free disk", "cores", "native bfloat16",
    ]  # fmt: skip
    assert {row.mark for row in rows} == {machine.FINE} and not any(row.advice for row in rows)
    assert rows.verdict() == "This machine is ready."
    assert "✓ fine    Python: 3.12.4; needed: 3.11, 3.12 or 3.13." in repr(rows)


@pytest.mark.parametrize(
    ("name", "poor", "what", "found", "advice"),
    [
        ("sys", SimpleNamespace(version_info=(3, 14, 0)), "Python", "3.14.0", "make run PYTHON=python3.12"),
        ("sys", SimpleNamespace(version_info=(3, 10, 9)), "Python", "3.10.9", "make run PYTHON=python3.12"),
        (
            "package_versions",
            lambda: {"a": ("1", "1"), "b": ("2.1", "2.0")},
            "packages",
            "b 2.0",
            "-r requirements.txt",
        ),
        ("package_versions", lambda: {"a": ("1", None)}, "packages", "a missing", "another kernel"),
        ("_free_memory", lambda: 2.8e9, "free memory", "2.8 GB", "Close other programs"),
        ("_free_disk", lambda folder: 0, "free disk", "0.0 GB", "set `workspace` to a folder on another disk"),
    ],
)
def test_a_poor_machine_is_told_what_to_do(good, name, poor, what, found, advice):
    good.setattr(machine, name, poor)
    rows = machine.readiness("workspace")
    row = rows_of(rows)[what]
    assert row.mark == machine.LACKING and found in row.found and advice in row.advice
    assert [other for other in rows if other.mark != machine.FINE] == [row]
    assert "is not ready yet" in rows.verdict() and row.advice in repr(rows)
    assert "✗\u00a0not\u00a0yet" in rows._repr_html_() and "course-machine" in rows._repr_html_()


@pytest.mark.parametrize(
    ("name", "poor", "what", "advice"),
    [
        ("cores", lambda: 1, "cores", "runs on one core too"),
        ("native_bfloat16", lambda: False, "native bfloat16", "float32 instead"),
    ],
)
def test_a_slow_machine_is_ready_all_the_same(good, name, poor, what, advice):
    good.setattr(machine, name, poor)
    rows = machine.readiness("workspace")
    assert rows_of(rows)[what].mark == machine.SLOW and advice in rows_of(rows)[what].advice
    assert rows.verdict() == "This machine is ready, only slower than others."


def test_what_is_needed_is_enough(good):
    good.setattr(machine, "_free_memory", lambda: machine.MEMORY)
    good.setattr(machine, "_free_disk", lambda folder: machine.DISK)
    good.setattr(machine, "cores", lambda: 2)
    assert machine.readiness("workspace").verdict() == "This machine is ready."


def test_many_other_versions_are_counted(good):
    good.setattr(machine, "package_versions", lambda: dict.fromkeys("abcde", ("2", "1")) | {"f": ("1", "1")})
    assert rows_of(machine.readiness("workspace"))["packages"].found == "1 of 6 as needed; a 1, b 1, c 1 and 2 more"


def test_the_table_is_one_line_of_safe_html(good):
    good.setattr(machine, "package_versions", lambda: {"<b>": ("2", "1")})
    page = machine.readiness("workspace")._repr_html_()
    assert "\n" not in page and "&lt;b&gt; 1" in page and "<code>requirements.txt</code>" in page


def test_pins_are_compared_with_what_is_installed(monkeypatch):
    versions = machine.package_versions()
    assert {"captcha", "tensorflow", "keras", "psutil"} <= versions.keys()
    pins = [line for line in (REPO / "requirements.txt").read_text().splitlines() if "==" in line]
    assert [f"{name}=={pinned}" for name, (pinned, _) in versions.items()] == pins
    monkeypatch.setattr(machine, "_installed", {"keras": "3.14.0"}.get)
    assert machine.package_versions()["keras"] == ("3.15.1", "3.14.0")
    assert machine.package_versions()["numpy"][1] is None


def test_a_package_that_is_not_there_has_no_version():
    assert machine._installed("surely-no-package-has-this-name") is None


def test_the_disk_is_that_of_a_workspace_still_to_be_made(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(machine.psutil, "disk_usage", lambda path: asked.append(path) or SimpleNamespace(free=7))
    assert machine._free_disk(tmp_path / "not" / "there") == 7 and asked == [str(tmp_path)]


def test_a_drive_that_is_not_there_has_nothing_free(monkeypatch):
    monkeypatch.setattr(machine.Path, "exists", lambda path: False)
    assert machine._free_disk(machine.Path("E:/workspace")) == 0


@pytest.mark.parametrize(
    ("limit", "held", "free"),
    [
        ("2000000000\n", 0, 2e9),
        ("2000000000\n", 500_000_000, 1.5e9),
        ("2000000000\n", 2_100_000_000, 0),
        ("max\n", 500_000_000, 5e9),
        ("9000000000000\n", 500_000_000, 5e9),
    ],
)
def test_a_container_has_no_more_memory_than_its_limit_leaves(limit, held, free, tmp_path, monkeypatch):
    monkeypatch.setattr(machine.psutil, "virtual_memory", lambda: SimpleNamespace(available=5_000_000_000))
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text(limit)
    (tmp_path / "memory.stat").write_text(f"anon {held}\nfile 300000000\nanon_thp 7\n")
    assert machine._free_memory() == free


def test_a_container_has_no_more_cores_than_its_limit_allows(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "CGROUP", tmp_path)
    all_cores = machine.cores()  # no limit is told
    for limit, expected in (
        ("100000 100000", 1),
        ("max 100000", all_cores),
        ("50000 100000", 1),
        ("9900000 1000", all_cores),
    ):
        (tmp_path / "cpu.max").write_text(f"{limit}\n")
        assert machine.cores() == expected, limit


def test_readiness_needs_no_package_but_psutil():
    """Whoever has installed nothing else must be told so in a table, not by an ImportError."""
    code = (
        "import sys; names = ('numpy', 'PIL', 'captcha', 'matplotlib', 'keras', 'tensorflow', 'IPython', 'packaging')\n"
        "sys.modules.update(dict.fromkeys(names))\n"  # None there makes an import fail
        "from utils import machine; print(machine.readiness('workspace')); print(machine.machine())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "packages: " in done.stdout


def test_without_tensorflow_the_measurement_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "utils.quiet", None)
    with pytest.raises(CourseError, match=r"TensorFlow cannot be loaded: run `python -m pip install"):
        machine.fastest_dtype()


def test_the_machine_is_told_without_names(monkeypatch):
    monkeypatch.setattr("socket.gethostname", lambda: "name-of-the-machine")
    monkeypatch.setattr("platform.node", lambda: "name-of-the-machine")
    monkeypatch.setenv("USER", "name-of-the-owner")
    found = machine.machine()
    assert list(found) == ["cores", "avx512", "bfloat16", "amx", "system", "python", "tensorflow", "keras"]
    assert found["cores"] >= 1 and found["python"].startswith("3.")
    assert "name-of" not in str(found)


def test_best_is_the_shortest(monkeypatch):
    clock = iter([0, 5, 10, 12, 20, 29])  # 5, 2 and 9 seconds
    monkeypatch.setattr(machine.time, "perf_counter", lambda: next(clock))
    calls = []
    assert machine.best(lambda: calls.append(1)) == 2 and len(calls) == 3


def test_the_workspace_fits_into_what_is_asked_for():
    """4-byte weights, and two moments of Adam beside each: two such checkpoints, while one replaces the other."""
    from utils.model import alexnet

    values = defaults(find_notebook("02")) | defaults(find_notebook("05"))
    pictures, height, width = (values[name] for name in ("captcha_count", "image_height", "image_width"))
    weights = alexnet((height, width), fc_units=values["fc_units"]).count_params()
    assert 2 * 3 * 4 * weights + pictures * (height * width + 110) + pictures * 7800 < machine.DISK < 2e9


def test_the_estimate_holds_on_this_machine(records):
    """Steps timed with pictures of noise, against a real training of captchas right after: within 25 %."""
    from conftest import SIZE

    from utils.model import alexnet, keras
    from utils.training import compile_model, training_batches

    def real() -> float:
        keras.config.set_dtype_policy(machine.fastest_dtype())
        try:
            network = alexnet(SIZE, fc_units=256, weight_decay=machine.WEIGHT_DECAY)
        finally:
            keras.config.set_dtype_policy("float32")
        compile_model(network, 0.001, 2, 10)
        times = []
        tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()))
        batches, _ = training_batches(records, SIZE, 32, 0)
        network.fit(batches, epochs=1, steps_per_epoch=40, verbose=0, shuffle=False, callbacks=[tick])
        return float(np.median(np.diff(times[2:])))

    ratios = []
    for _ in range(3):  # another program may disturb one of them
        ratios.append(machine.time_steps(32, SIZE, 256, steps=20) / real())
        if 0.75 <= ratios[-1] <= 1.25:
            break
    assert 0.75 <= ratios[-1] <= 1.25, ratios
