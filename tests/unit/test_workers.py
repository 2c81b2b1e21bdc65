"""Several workers train as one: the same losses, each its own data, and a sentence for everything that goes wrong."""

import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import psutil
import pytest
from conftest import still_running

from utils import workers
from utils.files import CourseError, read_json
from utils.run import NOTEBOOKS, defaults
from utils.workers import cluster, free_ports, meet, options_of

SMALL = {"image_height": 67, "image_width": 67, "fc_units": 8, "batch_size": 8, "captcha_count": 60, "test_count": 10}
LIMIT = 600  # seconds that a command may take: it only ends what hangs


def arguments(folder, *more, **values):
    """The command line of a very small training."""
    values = SMALL | {"workspace": folder} | values
    given = [str(part) for name, value in values.items() for part in ("-p", name, value)]
    return ["--lanes", "2", "--captchas", "64", *given, *map(str, more)]


def command(*given):
    return [sys.executable, "-m", "utils.workers", *given]


def without_cluster(**more):
    return {name: value for name, value in os.environ.items() if name != "TF_CONFIG"} | more


def run(*given):
    """Run the command to its end; everything that it has started is gone then."""
    return subprocess.run(command(*given), capture_output=True, text=True, timeout=LIMIT, env=without_cluster())


def of_cluster(ports, index):
    """The environment of one worker, as a cluster manager sets it."""
    there = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    return without_cluster(TF_CONFIG=json.dumps({"cluster": there, "task": {"type": "worker", "index": index}}))


def test_one_worker_and_two_have_the_same_losses(tmp_path):
    """On the same global batches, over 50 steps, augmentation and batch normalisation included; without dropout."""
    reports = []
    for count in (1, 2):
        shared = {"batch_size": 40, "dropout": 0, "learning_rate": 0.00005, "epochs": 5, "fc_units": 16}
        given = arguments(tmp_path, "--workers", count, "--name", count, "--report", "--captchas", 400, **shared)
        done = run(*given)
        assert done.returncode == 0, done.stderr
        reports.append(read_json(tmp_path / "workers" / str(count) / "report.json"))
    one, two = (np.array(report["losses"]) for report in reports)
    assert len(one) == 50 and abs(one - two).max() < 1e-4, abs(one - two).max()
    assert len(set(one.round(3))) > 1, "nothing was learnt"
    assert [report["messages"] for report in reports][1] == 15  # 7 layers, forward and backward, and the gradients
    layers = [
        [layer for layer in load(tmp_path / "workers" / name / "alexnet.keras").layers if hasattr(layer, "moving_mean")]
        for name in "12"
    ]
    for first, second in zip(*layers, strict=True):
        for name in ("moving_mean", "moving_variance"):
            theirs = getattr(first, name).numpy()
            apart = abs(getattr(second, name).numpy() - theirs).max() / abs(theirs).max()
            assert apart < 0.1, f"{name} of {first.name} differs by {apart:.1%}"


def load(path):
    from utils.model import load_model

    return load_model(path, (67, 67))


def test_a_worker_killed_at_five_moments_stops_the_others_and_the_command_goes_on(tmp_path):
    """The same command is killed five times, and in the end has what an undisturbed one has, dropout included."""
    chance, moments = random.Random(15), []
    given = arguments(tmp_path, "--workers", 2, "--captchas", 32, epochs=40)
    for _ in range(5):
        process = subprocess.Popen(
            command(*given),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=without_cluster(PYTHONUNBUFFERED="1"),
        )
        try:
            first = next((line for line in process.stdout if line.startswith("epoch")), None)
            assert first, process.stderr.read()
            time.sleep(chance.uniform(0, 0.4))  # five times, and 40 epochs are not over yet
            children = psutil.Process(process.pid).children()
            children[chance.randrange(2)].kill()
            killed = time.monotonic()
            out, error = process.communicate(timeout=60)
        finally:
            process.kill()
        assert time.monotonic() - killed < 60
        assert process.returncode == 1 and re.search(r"has ended in the middle \((signal 9|code 15)", error), error
        assert workers.AGAIN in error and "Traceback" not in error
        assert not any(child.is_running() for child in children)
        moments.append((int(first.split()[1]), out.count("epoch ")))
    assert all(after[0] > before[0] for before, after in pairwise(moments)), moments
    done = run(*given)
    assert done.returncode == 0 and "of 40 epochs with these settings were done before" in done.stdout, done.stderr
    whole = run(*arguments(tmp_path, "--workers", 2, "--captchas", 32, "--name", "whole", epochs=40))
    assert whole.returncode == 0, whole.stderr
    again = run(*given)  # nothing is left to do
    assert again.returncode == 0 and "40 of 40 epochs" in again.stdout, again.stderr
    losses = [
        [epoch["loss"] for epoch in read_json(tmp_path / "workers" / name / "history.json")["epochs"]]
        for name in ("model", "whole")
    ]
    assert len(losses[0]) == 40 and losses[0] == pytest.approx(losses[1], abs=1e-3)
    assert not list(tmp_path.rglob(".part-*"))


def test_in_a_cluster_the_others_stop_too_when_one_is_killed(tmp_path):
    """With TF_CONFIG nobody watches the processes from outside."""
    ports = free_ports(2)
    given = command(*arguments(tmp_path, "--patience", 20, epochs=1000))
    both = [
        subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=of_cluster(ports, index))
        for index in range(2)
    ]
    try:
        assert next(line for line in both[0].stdout if line.startswith("epoch 1 "))
        both[1].kill()
        _, error = both[0].communicate(timeout=LIMIT)
    finally:
        for process in both:
            process.kill()
    assert both[0].returncode == 2 and error.strip().splitlines()[-1].startswith("Worker 1 (127.0.0.1:"), error
    assert error.strip().endswith(workers.AGAIN) and "Traceback" not in error


def test_a_launcher_that_is_killed_leaves_no_workers_behind(tmp_path):
    given, loud = command(*arguments(tmp_path, epochs=1000)), without_cluster(PYTHONUNBUFFERED="1")
    process = subprocess.Popen(given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=loud)
    children = []
    try:
        assert any(line.startswith("epoch 1 ") for line in process.stdout), "they did not begin to train"
        children = psutil.Process(process.pid).children()
        assert len(children) == 2
        process.kill()
        assert still_running(children, 60) == []
    finally:
        process.kill()
        for child in children:
            if child.is_running():
                child.kill()


def test_a_notebook_that_is_killed_leaves_no_workers_behind(tmp_path):
    given = arguments(tmp_path, "--captchas", 500, epochs=1000)  # an epoch is long, and prints nothing in between
    trains = f"from utils import workers; workers.run(*{given})"
    process = subprocess.Popen(
        [sys.executable, "-c", trains], stdout=subprocess.PIPE, text=True, env=without_cluster(PYTHONUNBUFFERED="1")
    )
    children = []
    try:
        assert any(line.startswith("epoch 1 ") for line in process.stdout), "they did not begin to train"
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) == 3  # the launcher and its workers
        process.kill()
        assert still_running(children, 3) == []
    finally:
        process.kill()
        for child in children:
            if child.is_running():
                child.kill()


# What the workers say to each other before they train, without TensorFlow


def met(prints, patience=5.0):
    """What each worker says that comes with these fingerprints: None if it goes on to train."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(len(prints))]

    def one(index):
        try:
            meet(addresses, index, prints[index], patience)
        except CourseError as error:
            return str(error)

    with ThreadPoolExecutor(len(prints)) as pool:
        return list(pool.map(one, range(len(prints))))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_workers_that_fit_together_meet(count):
    assert met([{"seed": "a"}] * count) == [None] * count


def test_a_worker_that_would_train_something_else_is_refused_by_all():
    first, second, third = met([{"seed": "a", "network": "b"}, {"seed": "a", "network": "b"}, {"seed": "a"}])
    assert first == second == third
    assert first.startswith("Worker 2 (127.0.0.1:") and "another network than worker 0" in first
    assert first.endswith("Nothing was trained.")


def test_a_caller_from_another_cluster_keeps_nobody_waiting():
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    first = threading.Thread(target=meet, args=(addresses, 0, {"seed": "a"}, 20), daemon=True)
    first.start()
    heard = None
    while heard is None and first.is_alive():  # until it is there, and has told the stranger, number 7
        with contextlib.suppress(OSError, ValueError):
            heard = workers._ask(addresses[0], 7)
    assert heard
    meet(addresses, 1, {"seed": "a"}, 20)
    first.join(20)
    assert not first.is_alive()


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"seed": 1}, "seed"),
        ({"test_count": 11}, "set of records"),
        ({"fc_units": 9}, "network"),
        ({"dropout": 0.25}, "network"),
        ({"epochs": 3}, "plan"),
        ({"workspace": "elsewhere"}, None),
    ],
)
def test_fingerprints_tell_what_differs(changed, what):
    one, two = (workers.prints_of(options_of(arguments("somewhere", **values))) for values in ({}, changed))
    assert [name for name in one if one[name] != two[name]] == ([what] if what else [])


def test_all_workers_write_a_report_or_none():
    """For the report they send each other messages, and one alone would wait for an answer."""
    one, two = (workers.prints_of(options_of(arguments("somewhere", *more))) for more in ((), ("--report",)))
    assert [name for name in one if one[name] != two[name]] == ["choice of --report"]


def test_a_real_worker_with_another_seed_is_refused(tmp_path):
    ports = free_ports(2)
    both = [
        subprocess.Popen(
            command(*arguments(tmp_path / str(index), "--endless", seed=index)),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=of_cluster(ports, index),
        )
        for index in range(2)
    ]  # fmt: skip
    try:
        ends = [process.communicate(timeout=LIMIT) for process in both]
    finally:
        for process in both:
            process.kill()
    for process, (out, error) in zip(both, ends, strict=True):
        assert process.returncode == 2 and out == "", error
        assert "another seed than worker 0" in error and "Nothing was trained." in error


def test_a_worker_that_never_comes_is_named_in_time():
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    started = time.monotonic()
    with pytest.raises(CourseError, match=r"Worker 1 \(127\.0\.0\.1:\d+\) did not come within 0.5 seconds"):
        meet(addresses, 0, {}, 0.5)
    assert time.monotonic() - started < 5


def test_everybody_waits_for_a_worker_that_is_busy():
    addresses, order = [f"127.0.0.1:{port}" for port in free_ports(2)], []

    def busy():
        time.sleep(2)
        order.append("written")

    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(meet, addresses, 1, {}, 0.5, busy)
        time.sleep(0.2)
        quick = pool.submit(meet, addresses, 0, {}, 0.5)
        assert quick.result() is None and slow.result() is None
    assert order == ["written"]


def test_a_worker_of_a_launcher_is_found_by_its_number():
    sleeps, children = [sys.executable, "-c", "import time; time.sleep(60)"], []
    try:
        children = [subprocess.Popen(sleeps, env=of_cluster((1, 2), index)) for index in range(2)]
        time.sleep(0.5)
        for index, child in enumerate(children):
            assert child.pid in [found.pid for found in workers.of_worker(os.getpid(), index)]
            assert children[1 - index].pid not in [found.pid for found in workers.of_worker(os.getpid(), index)]
    finally:
        for child in children:
            child.kill()


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere one port may serve all addresses and one of them")


@pytest.mark.parametrize("host", ["127.0.0.1", pytest.param("", marks=LINUX)])
def test_a_port_that_is_taken_is_named(host):
    with socket.create_server((host, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CourseError, match=f"Port {port} of this machine cannot be used"):
            meet([f"127.0.0.1:{port}"], 0, {}, 1)
        with pytest.raises(CourseError, match="choose another port"):
            free_ports(1, port)


def test_free_ports_are_none_that_the_system_gives_away():
    """Else another program could get one of them in the seconds until the worker takes it."""
    given = workers._given_ports()
    with socket.create_server(("127.0.0.1", 0)) as one:
        assert one.getsockname()[1] in given
    assert not set(free_ports(50)) & set(given) or len(given) > 45_000  # a system may be set to give away all


def test_strangers_at_the_port_do_no_harm():
    addresses = [f"127.0.0.1:{port}" for port in free_ports(2)]
    with ThreadPoolExecutor(2) as pool, contextlib.ExitStack() as silent:
        first = pool.submit(meet, addresses, 0, {}, 10)
        while workers.unreachable(addresses[:1], 1).startswith("Worker 0") and not first.done():
            time.sleep(0.05)  # it does not listen yet
        for words in (b"", b"GET / HTTP/1.1\r\n\r\n", b"\xff\xfe"):
            with socket.create_connection(workers._split(addresses[0])) as line:
                line.sendall(words)
        silent.enter_context(socket.create_connection(workers._split(addresses[0])))  # it says nothing, and stays
        assert pool.submit(meet, addresses, 1, {}, 10).result() is None and first.result() is None


def watched(addresses, patience, seconds):
    """A process whose first step takes this many seconds."""
    code = (
        "import time; from utils.workers import Watch; "
        f"watch = Watch({addresses}, 0, {patience}); watch.beat(); time.sleep({seconds})"
    )
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_a_watch_ends_the_process_with_a_sentence():
    (port,) = free_ports(1)
    done = watched(["127.0.0.1:1", f"127.0.0.1:{port}"], patience=1, seconds=30)
    assert done.returncode == 2
    assert f"Worker 1 (127.0.0.1:{port}) does not answer any more: no step has ended for 1 seconds." in done.stderr


def test_a_watch_lets_a_lone_worker_take_its_time():
    done = watched(["127.0.0.1:1"], patience=0.1, seconds=2)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "null", '{"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "evaluator", "index": 0}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "chief", "index": 1}}',
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, "task": {"type": "ps", "index": 0}}',
    ],
)  # fmt: skip
def test_a_wrong_cluster_is_told_with_an_example(text):
    with pytest.raises(CourseError, match='"host-a:2222"'):
        cluster(text)


def test_a_cluster_may_have_a_chief():
    there = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    for kind, index, expected in (("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)):
        text = json.dumps({"cluster": there, "task": {"type": kind, "index": index}})
        assert cluster(text) == (["a:1", "b:1", "c:1"], expected)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["--workers", "0"], "--workers is 0"),
        (["--lanes", "0"], "--lanes is 0"),
        (["--lanes", "5"], "must be a multiple of --lanes, which is 5"),
        (["--patience", "0"], "above 0 seconds"),
        (["--write", "--endless"], "--endless needs none: leave one of them out"),
        (["--name", "../../docs"], "must be the name of a folder"),
        (["--name", ""], "must be the name of a folder"),
        (["--name", "shards"], "must be the name of a folder"),
        (["-p", "epochs"], "-p takes a name and a value"),
        (["-p", "learning_rate", "-1e-3"], "learning_rate is -0.001"),
        (["-p", "cats", "3"], "There is no parameter cats here"),
        (["-p", "epochs", "0"], "epochs is 0"),
        (["-p", "chars", "0123456789\u4e2d"], "cannot draw \u4e2d"),
    ],
)
def test_wrong_options_are_told(given, sentence):
    with pytest.raises(CourseError, match=sentence):
        options_of(given)


def test_an_alphabet_may_begin_with_a_minus():
    assert options_of(["--lanes", "4", "-p", "chars", "-+*/0123456789"]).values["chars"] == "-+*/0123456789"


def test_what_never_comes_again_is_augmented_only_on_demand():
    for given, augmented in (([], True), (["--endless"], False), (["--endless", "-p", "augmentation", "True"], True)):
        assert options_of(given).values["augmentation"] == augmented


def test_workers_get_equally_many_lanes():
    workers.check_workers(8, 4)
    with pytest.raises(CourseError, match="multiple of the 3 workers"):
        workers.check_workers(8, 3)


def test_the_defaults_are_those_of_the_notebooks():
    known = {}
    for path in NOTEBOOKS:
        known |= defaults(path)
    assert {name: known[name] for name in workers.DEFAULTS} == workers.DEFAULTS


def test_a_notebook_is_told_why_a_training_failed(capsys):
    assert workers.run("--workers", 0) == 1
    with pytest.raises(CourseError, match=r"^--workers is 0, but must lie between 1 and 64\.$"):
        workers.run("--workers", 0, check=True)
    assert capsys.readouterr().out.count("--workers is 0") == 2


def test_the_reason_of_an_early_end_is_one_sentence():
    assert workers._why(0, 2, "log line\nIt is so.\n") == "It is so."
    assert workers._why(1, -9, "").startswith("Worker 1 has ended in the middle (signal 9, it was killed)")
    assert "(code 1, ValueError: x)" in workers._why(1, 1, "Traceback\nValueError: x\n")


def test_the_sentence_of_the_worker_that_is_the_cause_is_told():
    missed, damaged = (2, "Worker 1 does not answer any more."), (2, "A record file is damaged.")
    assert workers._cause_of({0: missed, 1: damaged}) == 1
    assert workers._cause_of({0: damaged, 1: (-9, "")}) == 1
    assert workers._cause_of({0: missed, 1: (1, "ValueError: x")}) == 1
