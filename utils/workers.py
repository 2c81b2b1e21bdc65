"""Train on several workers at once: ``python -m utils.workers --workers 2``. Taught in notebook 11.

This starts the workers as processes on this machine and watches them. Where ``TF_CONFIG`` is set, as a cluster manager
sets it, the same command is one worker of many. Every worker writes the record shards that it trains on, or draws its
captchas while it trains (``--endless``).
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import hashlib
import json
import math
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO

import numpy as np
import psutil

from utils.captchas import DIGITS, LENGTH, USUAL, check_alphabet, font_print, unusual_look
from utils.files import CourseError, cause, require, shown, write_json
from utils.machine import cores
from utils.parameters import check_parameters, settings_in, value_of
from utils.workspace import open_workspace

PATIENCE = 60  # seconds that a worker waits for the others
START = 300  # seconds until the first step has ended: until then TensorFlow connects and compiles
FOLDER, SHARDS = "workers", "shards"
GONE = ("Unavailable", "Aborted", "Cancelled", "DeadlineExceeded")  # TensorFlow's errors when a worker is gone
MISSED = "does not answer any more"
AGAIN = "Run the same command again: it goes on after the last finished epoch."
# The parameters that ``-p`` can set, as in the notebooks.
DEFAULTS = {
    "captcha_count": 5000,
    "test_count": 500,
    "chars": DIGITS,
    "length": LENGTH,
    **USUAL,
    "image_height": 224,
    "image_width": 224,
    "epochs": 15,
    "batch_size": 64,
    "learning_rate": 0.001,
    "fc_units": 4096,
    "dropout": 0.5,
    "augmentation": True,
    "seed": 0,
    "workspace": "workspace",
}


def cluster(text: str) -> tuple[list[str], int]:
    """The addresses of all workers, and which of them this is, from the text of ``TF_CONFIG``.

    Raises:
        CourseError: it is no such text.
    """
    try:
        found = json.loads(text)
        jobs, task = found["cluster"], found["task"]
        addresses, index = [*jobs.get("chief", []), *jobs["worker"]], int(task["index"])
        require(set(jobs) <= {"chief", "worker"} and 0 <= index < len(jobs[task["type"]]), "wrong")
        index += len(jobs.get("chief", [])) if task["type"] == "worker" else 0
        [_split(address) for address in addresses]
    except (ValueError, KeyError, TypeError, AttributeError, CourseError) as error:
        example = '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, "task": {"type": "worker", "index": 0}}'
        raise CourseError(f"TF_CONFIG is not as TensorFlow wants it. It must look like this: {example}") from error
    return addresses, index


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)


def meet(
    addresses: Sequence[str],
    index: int,
    prints: dict[str, str],
    patience: float,
    first: Callable[[], object] = lambda: None,
) -> None:
    """Wait until all workers are there and ready, and compare what they are about to train.

    Each worker tells the others its ``prints`` at its own address, before TensorFlow uses that address.

    Args:
        prints: for each thing that must be the same on all workers, a fingerprint of it.
        patience: seconds to wait for others that do not answer. For one that is still busy, everybody waits.
        first: what this worker does before it is ready, such as writing its records.

    Raises:
        CourseError: the port is taken, a worker does not come in time, or two of them differ.
    """
    everybody = set(range(len(addresses)))
    told, heard, ready = {index}, {index: prints}, threading.Event()
    with contextlib.closing(_listener(addresses[index])) as listener, _telling(listener, prints, told, ready):
        first()
        ready.set()
        until = time.monotonic() + patience
        while not everybody <= told & set(heard):
            for other in sorted(everybody - set(heard)):
                with contextlib.suppress(OSError, ValueError):
                    if (theirs := _ask(addresses[other], index)) is None:
                        until = time.monotonic() + patience
                    else:
                        heard[other] = theirs
            late = ", ".join(f"{other} ({addresses[other]})" for other in sorted(everybody - (set(heard) & told)))
            require(
                time.monotonic() < until or not late,
                f"Worker {late} did not come within {patience:g} seconds: start all workers, check the addresses in "
                "TF_CONFIG, and run this again.",
            )
            time.sleep(0.05)
    for other, theirs in sorted(heard.items()):
        different = [name for name in heard[0] if theirs.get(name) != heard[0][name]]
        require(
            not different,
            f"Worker {other} ({addresses[other]}) has {' and '.join(f'another {name}' for name in different)} than "
            "worker 0: start all workers with the same command and the same version of the course. Nothing was "
            "trained.",
        )


@contextlib.contextmanager
def _telling(listener: socket.socket, prints: dict[str, str], told: set[int], ready: threading.Event) -> Iterator[None]:
    """Tell every worker that asks what this one is about to train, and note which of them have heard it.

    Until it is ready, the answer is null.
    """
    ended = threading.Event()

    def tell() -> None:
        while not ended.is_set():
            with contextlib.suppress(OSError, ValueError):  # nobody asked for a while, or it was no worker
                line, _ = listener.accept()
                with line, line.makefile("rw") as file:
                    line.settimeout(2)
                    caller = int(file.readline())
                    now = ready.is_set()
                    print(json.dumps(prints if now else None), file=file, flush=True)
                    if file.readline() == "heard\n" and now:
                        told.add(caller)

    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()  # before the listener is closed: TensorFlow needs the port for itself


def _ask(address: str, index: int) -> dict[str, str] | None:
    """What the worker at this address is about to train; None while it is busy."""
    with socket.create_connection(_split(address), 2) as line, line.makefile("rw") as file:
        print(index, file=file, flush=True)
        prints = json.loads(file.readline())
        print("heard", file=file, flush=True)
        return prints


def _listener(address: str) -> socket.socket:
    host, port = _split(address)
    try:
        listener = socket.create_server(("127.0.0.1" if host in ("", "127.0.0.1") else "", port))
    except (OSError, OverflowError) as error:
        raise CourseError(
            f"Port {port} of this machine cannot be used ({cause(error)}): end the program that uses "
            "it, or choose another port."
        ) from error
    listener.settimeout(0.1)
    return listener


def free_ports(count: int, first: int = 0) -> list[int]:
    """Ports of this machine that nobody uses now: from ``first`` on, or some by chance if it is 0.

    A worker takes its port only seconds later. So none is offered that the system gives to programs which ask for any
    port, unless it gives away all.

    Raises:
        CourseError: one of the ports from ``first`` on is taken, or there are too few free ones.
    """
    if first:
        wanted = range(first, first + count)
    else:
        given, high = _given_ports(), range(10_000, 2**16)
        ours = [port for port in high if port not in given] or high
        wanted = random.SystemRandom().sample(ours, min(len(ours), 1000))
    free: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in wanted:
            with contextlib.nullcontext() if first else contextlib.suppress(CourseError):
                stack.enter_context(contextlib.closing(_listener(f":{port}")))
                free.append(port)
            if len(free) == count:
                break
    require(len(free) == count, f"Not even {count} ports of this machine are free: end programs that use many.")
    return free


def _given_ports() -> range:
    """The ports that this system gives to programs which ask for any."""
    with contextlib.suppress(OSError, ValueError):
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
        return range(low, high + 1)
    return range(49_152, 2**16)  # on Windows and macOS


def unreachable(addresses: Sequence[str], index: int) -> str:
    """Which of the other workers do not answer, in words."""
    gone = []
    for other, address in enumerate(addresses):
        try:
            if other != index:
                socket.create_connection(_split(address), 2).close()
        except OSError:
            gone.append(f"{other} ({address})")
    return f"Worker {', '.join(gone)} {MISSED}" if gone else f"Another worker {MISSED}"


class Watch:
    """Ends this process with a sentence when the other workers keep it waiting, whatever TensorFlow is doing.

    It also ends when the program that started it is gone. Call `begin` before the first step, `beat` after every step,
    and `pause` before something that only this worker does.
    """

    def __init__(self, addresses: Sequence[str], index: int, patience: float):
        self.addresses, self.index = addresses, index
        self.patience = patience if len(addresses) > 1 else math.inf  # a worker that is alone waits for nobody
        self.until, self.limit = math.inf, self.patience
        self.launcher = int(os.environ.get("COURSE_LAUNCHER", 0))  # else this worker was started by hand
        threading.Thread(target=self._run, daemon=True).start()

    def begin(self) -> None:
        self.limit = max(START, self.patience)
        self.until = time.monotonic() + self.limit

    def beat(self) -> None:
        self.until, self.limit = time.monotonic() + self.patience, self.patience

    def pause(self) -> None:
        self.until = math.inf

    def _run(self) -> None:
        while True:
            time.sleep(0.3)
            if self.launcher and killed(self.launcher):
                os._exit(1)
            if time.monotonic() > self.until:
                where = unreachable(self.addresses, self.index)
                slow = "If a step, or saving a checkpoint, takes longer than that, give --patience more seconds."
                said = f"{where}: no step has ended for {self.limit:.0f} seconds. {slow} {AGAIN}"
                print(said, file=sys.stderr, flush=True)
                os._exit(2)


def killed(starter: int) -> bool:
    """Whether the program with this number, which started this one, was killed."""
    if os.name == "posix":  # a killed program keeps its number for a while, but loses its children at once
        return os.getppid() != starter
    return not psutil.pid_exists(starter)


def _end_with_launcher() -> None:
    """Let Linux kill this process when the program that started it is gone.

    While TensorFlow connects to the other workers, it holds Python's lock, and no `Watch` can look after anything.
    """
    if sys.platform == "linux" and "COURSE_LAUNCHER" in os.environ:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # 1 is PR_SET_PDEATHSIG, see man 2 prctl


def launch(workers: int, arguments: Sequence[str], first_port: int = 0, pin: bool = False) -> None:
    """Start this many workers on this machine, and wait for them. When one ends too early, stop the others.

    Args:
        arguments: the command line of every worker.
        pin: give each worker one core of its own.

    Raises:
        CourseError: a worker refused to train, or ended in the middle; or the notebook that trains is gone.
    """
    starter = int(os.environ.get("COURSE_NOTEBOOK", 0))
    addresses = [f"127.0.0.1:{port}" for port in free_ports(workers, first_port)]
    environment = os.environ | {"COURSE_LAUNCHER": str(os.getpid()), "PYTHONUNBUFFERED": "1"}
    if pin:
        environment["COURSE_PIN"] = "1"
    with contextlib.ExitStack() as stack:
        said = [stack.enter_context(tempfile.TemporaryFile()) for _ in addresses]
        processes: list[subprocess.Popen] = []
        stack.callback(lambda: [_stop(process) for process in processes])  # whatever happens
        for index, errors in enumerate(said):
            task = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
            command = [sys.executable, "-m", "utils.workers", *arguments]
            processes.append(
                subprocess.Popen(command, stderr=errors, env=environment | {"TF_CONFIG": json.dumps(task)})
            )
        while any(process.poll() is None for process in processes) and not any(p.poll() for p in processes):
            time.sleep(0.1)
            require(not starter or not killed(starter), f"The notebook that started the workers is gone. {AGAIN}")
        if any(process.poll() for process in processes):
            time.sleep(0.5)  # the one that was killed may be noticed a little later than one that it takes along
            ended = {i: (process.returncode, _read(said[i])) for i, process in enumerate(processes) if process.poll()}
            failed = _cause_of(ended)
            raise CourseError(_why(failed, *ended[failed]))


def _read(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _cause_of(ended: dict[int, tuple[int, str]]) -> int:
    """Which of the workers that ended, with these exit statuses and words, is the cause, and not one that misses it."""
    return min(ended, key=lambda index: (not was_killed(ended[index][0]), MISSED in ended[index][1]))


def was_killed(code: int) -> bool:
    """Whether a process with this exit status was ended from outside."""
    return code < 0 or (os.name == "nt" and code == signal.SIGTERM)  # so it is on Windows, if `psutil` kills it


def _stop(process: subprocess.Popen) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()


def _why(index: int, code: int, said: str) -> str:
    """Why a worker ended too early, in one sentence and what to do about it."""
    lines = [line for line in said.splitlines() if line.strip()]
    if code == 2 and lines:
        return lines[-1]
    if was_killed(code):
        how = (f"signal {-code}" if code < 0 else f"code {code}") + ", it was killed"
    else:
        how = f"code {code}" + (f", {cause(Exception(lines[-1]))}" if lines else "")
    return f"Worker {index} has ended in the middle ({how}), so the others were stopped. {AGAIN}"


def options_of(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line as values; ``values`` holds the parameters of the notebooks.

    Raises:
        CourseError: a parameter is unknown or wrong, or the numbers do not fit together.
    """
    parser = argparse.ArgumentParser(
        prog="python -m utils.workers", description=__doc__.splitlines()[0], allow_abbrev=False
    )
    parser.add_argument("--workers", type=int, default=2, help="processes on this machine; TF_CONFIG counts more")
    parser.add_argument("-p", nargs=2, metavar=("NAME", "VALUE"), help="set a parameter; as often as you like")
    parser.add_argument("--captchas", type=int, default=0, help="captchas in the shards (default: one for each text)")
    parser.add_argument("--lanes", type=int, default=8, help="parts of a global batch, a multiple of the workers")
    parser.add_argument("--endless", action="store_true", help="train on captchas that never come again, no shards")
    parser.add_argument("--write", action="store_true", help="write the shards, and do not train")
    parser.add_argument("--name", default="model", help="folder for the model, inside workers/ in the workspace")
    parser.add_argument("--dtype", default="float32", choices=["float32", "mixed_bfloat16"], help="number type")
    parser.add_argument("--patience", type=float, default=PATIENCE, help="seconds to wait for the other workers")
    parser.add_argument("--port", type=int, default=0, help="first port of the workers here (default: free ones)")
    parser.add_argument("--pin", action="store_true", help="one core for each worker here")
    parser.add_argument("--report", action="store_true", help="write report.json beside the model: losses and times")
    rest, settings = settings_in(sys.argv[1:] if arguments is None else arguments)
    options = parser.parse_args(rest)
    usual = DEFAULTS | ({"augmentation": False} if options.endless else {})  # what never comes again needs no change
    values = usual | {name: value_of(name, text) for name, text in settings if name in DEFAULTS}
    unknown = [name for name, _ in settings if name not in DEFAULTS]
    require(not unknown, f"There is no parameter {', '.join(unknown)} here. There are: {', '.join(DEFAULTS)}.")
    check_parameters(values)
    check_alphabet(values["chars"], values["fonts"])
    require(1 <= options.workers <= 64, f"--workers is {options.workers}, but must lie between 1 and 64.")
    require(options.lanes >= 1, f"--lanes is {options.lanes}, but must be at least 1.")
    require(
        values["batch_size"] % options.lanes == 0,
        f"batch_size is {values['batch_size']}, but must be a multiple of --lanes, which is {options.lanes}.",
    )
    inside = Path(options.name).name == options.name and options.name not in ("", "..", SHARDS)
    require(inside, f"--name is {options.name!r}, but must be the name of a folder, and not {SHARDS!r}.")
    both = options.write and options.endless
    require(not both, "--write writes shards, and --endless needs none: leave one of them out.")
    require(options.patience > 0, f"--patience is {options.patience}, but must be above 0 seconds.")
    options.values = values
    return options


def check_workers(lanes: int, workers: int) -> None:
    """Each worker gets equally many lanes, or this is the wrong number of workers."""
    require(lanes % workers == 0, f"--lanes is {lanes}, but must be a multiple of the {workers} workers.")


def prints_of(options: argparse.Namespace) -> dict[str, str]:
    """Fingerprints of all that must be the same on all workers, by what each is called."""
    from utils.code import code_of
    from utils.distributed import SynchronizedBatchNormalization, keras, worker_step
    from utils.fast import FusedAdam
    from utils.model import alexnet
    from utils.quiet import tf
    from utils.shards import draw_numbers, drawn_batches, lane_batches, worker_batches
    from utils.training import compile_model

    values = options.values
    of_records = ("captcha_count", "test_count", "chars", "length", *USUAL, "image_height", "image_width")
    of_network = ("fc_units", "dropout", "image_height", "image_width", "chars", "length")
    of_plan = ("epochs", "batch_size", "learning_rate", "augmentation")
    parts = {
        "seed": values["seed"],
        "set of records": [
            *(values[name] for name in of_records),
            *(options.captchas, options.endless, code_of(draw_numbers), font_print(values["fonts"])),
        ],
        "network": [*(values[name] for name in of_network), code_of(alexnet, SynchronizedBatchNormalization)],
        "plan": [
            *(values[name] for name in of_plan),
            options.lanes,
            options.dtype,
            code_of(worker_step, compile_model, FusedAdam, lane_batches, drawn_batches),
        ],
        "augmentation": code_of(worker_batches),
        "choice of --report": options.report,  # for a report, all of them send messages
        "version of TensorFlow or Keras": [tf.__version__, keras.__version__],
    }
    return {name: hashlib.sha256(repr(part).encode()).hexdigest()[:16] for name, part in parts.items()}


def work(options: argparse.Namespace, addresses: Sequence[str], index: int) -> None:
    """Be one of several workers: write the own shards, meet the others, train. The first worker saves and prints.

    Raises:
        CourseError: the workers do not fit together, one of them is gone, or the loss is no number.
    """
    pinned = os.environ.get("COURSE_PIN") and _pin(index)
    check_workers(options.lanes, len(addresses))
    _listener(addresses[index]).close()  # a taken port is said before any work is done
    from utils.quiet import tf

    if pinned:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(2)
    _use_one_gpu(addresses, index)  # before TensorFlow looks for itself
    watch = Watch(addresses, index, options.patience)

    def write() -> None:
        written = 0 if options.endless else _write(options, index, len(addresses))
        if written and (index == 0 or options.write):
            print(f"Written now by worker {index}: {written:,} records.", flush=True)

    if options.write:
        write()
        return
    meet(addresses, index, prints_of(options), options.patience, write)
    watch.begin()
    try:
        _train(options, index, len(addresses), watch)
    except tf.errors.DataLossError as error:
        raise CourseError(
            f"A record file is damaged ({cause(error)}): delete {shown(_folder(options) / SHARDS)} and run this again."
        ) from error
    except tf.errors.OpError as error:
        if len(addresses) == 1 or not isinstance(error, tuple(getattr(tf.errors, f"{name}Error") for name in GONE)):
            raise
        raise CourseError(f"{unreachable(addresses, index)}. {AGAIN}") from error


def _use_one_gpu(addresses: Sequence[str], index: int) -> None:
    """Let this worker see one GPU of its machine, where there are any: another one than its neighbours there."""
    from utils.quiet import tf

    hosts = [_split(address)[0] for address in addresses]
    if gpus := tf.config.list_physical_devices("GPU"):
        tf.config.set_visible_devices(gpus[hosts[:index].count(hosts[index]) % len(gpus)], "GPU")


def _pin(index: int) -> bool:
    """Give this process one core, where the system can; whether it could."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, [allowed[index % len(allowed)]])
    return hasattr(os, "sched_setaffinity")


def _folder(options: argparse.Namespace) -> Path:
    return open_workspace(options.values["workspace"]).root / FOLDER


def _texts(values: dict) -> tuple[str, ...]:
    from utils.shards import training_texts

    return training_texts(*(values[name] for name in ("captcha_count", "test_count", "seed", "chars", "length")))


def _write(options: argparse.Namespace, index: int, workers: int) -> int:
    from utils.shards import write_shards

    values, texts = options.values, _texts(options.values)
    size = (values["image_height"], values["image_width"])
    of_whom = (values["chars"], options.lanes, index, workers, unusual_look(values))
    count = options.captchas or len(texts)
    return write_shards(_folder(options) / SHARDS, count, texts, values["seed"], size, *of_whom)


def _train(options: argparse.Namespace, index: int, workers: int, watch: Watch) -> None:
    from utils import checkpoints, distributed, shards, training
    from utils.checkpoints import FINGERPRINT
    from utils.model import alexnet, keras
    from utils.quiet import tf

    values, chief, folder = options.values, index == 0, _folder(options) / options.name
    size, length, batch_size = (values["image_height"], values["image_width"]), values["length"], values["batch_size"]
    texts, lanes, epochs = _texts(values), options.lanes, values["epochs"]
    part, count = batch_size // lanes, options.captchas or len(texts)
    steps = count // batch_size if options.endless else count // lanes // part
    require(steps >= 1, f"batch_size is {batch_size}, but there are only {count:,} captchas: make it smaller.")
    settings = {name: value for name, value in values.items() if name != "workspace"}
    settings |= {"lanes": lanes, "captchas": count, "endless": options.endless, "dtype": options.dtype}
    prints = prints_of(options)  # a training does not go on with other code
    settings |= {FINGERPRINT + name: prints[name] for name in ("set of records", "network", "plan", "augmentation")}

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    keras.config.set_dtype_policy(options.dtype)
    keras.utils.set_random_seed(values["seed"])
    plain = alexnet(size, len(values["chars"]), length, values["fc_units"], True, values["dropout"])
    with strategy.scope():
        network = distributed.synchronized(plain)
        training.compile_model(network, values["learning_rate"], epochs, steps)
        network.optimizer.build(network.trainable_variables)  # making a variable is something that all do together
    done = checkpoints.resume(network, folder, settings) if chief else []  # may load a model, which it does alone
    with strategy.scope():
        first_epoch = int(distributed.from_chief(strategy, [np.array(len(done))], chief)[0])
        state = checkpoints.state_of(network)
        told = distributed.from_chief(strategy, [variable.numpy() for variable in state], chief)
        for variable, value in zip(state, told, strict=True):
            variable.assign(value)
        for layer in network.layers:
            if hasattr(layer, "seed_generator"):  # each worker drops others
                layer.seed_generator.state.assign_add(np.array([index, 0], "uint32"))
    first_step = first_epoch * steps

    def own(_context) -> tf.data.Dataset:
        found = {}
        for lane in shards.mine(lanes, index, workers):
            if options.endless:
                how = {"seed": values["seed"], "size": size, "chars": values["chars"], "look": unusual_look(values)}
                draw = partial(shards.draw_numbers, texts=texts, **how)
                found[lane] = shards.drawn_batches(lane, part, batch_size, draw, size, length, first_step)
            else:
                where = (_folder(options) / SHARDS, count, lane, lanes, part, steps)
                found[lane] = shards.lane_batches(*where, size, length, first_step)
        return shards.worker_batches(found, part, size, length, values["augmentation"], first_step)

    step = distributed.compiled_step(strategy, network, iter(strategy.distribute_datasets_from_function(own)))
    checkpoint = checkpoints.Checkpoint(folder, settings, done)
    checkpoint.set_model(network)
    losses, times = [], []
    for epoch in range(first_epoch, epochs):
        for _ in range(steps):
            started = time.perf_counter()
            losses.append(float(step()))
            times.append(time.perf_counter() - started)
            watch.beat()
            require(
                math.isfinite(losses[-1]), f"The loss is no number after {len(losses):,} steps: lower learning_rate."
            )
        if chief:
            loss, seconds = float(np.mean(losses[-steps:])), sum(times[-steps:])
            watch.pause()
            checkpoint.on_epoch_end(epoch, {"loss": loss, "seconds": seconds})
            watch.beat()
            print(f"epoch {epoch + 1} of {epochs}: mean loss {loss:.3f}", flush=True)
    watch.pause()
    if chief:
        plain.set_weights(network.get_weights())
        path = checkpoints.finish(plain, folder, settings, checkpoint.epochs_done)
        print(f"Saved {shown(path)}.", flush=True)
    if options.report:
        sizes = (1_000, 250_000, 2_000_000, 8_000_000)
        report = {
            "workers": workers,
            "batch_size": batch_size,
            "losses": losses,
            "step_seconds": times,
            "parameters": sum(math.prod(weight.shape) for weight in network.trainable_variables),
            "messages": distributed.messages(step) if losses else None,
            "message_seconds": {f"{size * 4}": distributed.message_seconds(strategy, size) for size in sizes},
        }
        if chief and losses:  # else that of an earlier run, which has done all epochs, says more
            write_json(folder / "report.json", report)


def of_worker(launcher: int, index: int) -> list[psutil.Process]:
    """The processes of one worker, of those that the process ``launcher`` has started. On Windows there are two."""
    found = []
    for child in psutil.Process(launcher).children(recursive=True):
        with contextlib.suppress(psutil.Error, KeyError, ValueError):
            if cluster(child.environ()["TF_CONFIG"])[1] == index:
                found.append(child)
    return found


def run(*arguments: object, kill: int | None = None, after: str = "", check: bool = False) -> int:
    """Run ``python -m utils.workers`` with these arguments from a notebook, and print its lines as they come.

    Args:
        kill: a worker to kill, to see what happens then.
        after: the beginning of the line after which it is killed.
        check: whether a training that fails is an error here too.

    Returns:
        The exit status: 0 if all went well.

    Raises:
        CourseError: the training has failed, in its own words.
    """
    last = ""
    environment = {name: value for name, value in os.environ.items() if name != "TF_CONFIG"}
    environment |= {"PYTHONUNBUFFERED": "1", "COURSE_NOTEBOOK": str(os.getpid())}
    command = [sys.executable, "-m", "utils.workers", *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as process:
        try:
            for line in process.stdout:
                if line.strip():
                    last = line.strip()
                    print(last, flush=True)
                if kill is not None and line.startswith(after):
                    for worker in of_worker(process.pid, kill):
                        worker.kill()
                    kill = None
        except BaseException:  # ■ in the notebook: the workers notice that this one is gone
            process.kill()
            raise
    require(not check or process.returncode == 0, last)
    return process.returncode


def main() -> None:
    """Be the launcher, or one worker of many."""
    options = options_of()
    if "TF_CONFIG" in os.environ:
        addresses, index = cluster(os.environ["TF_CONFIG"])
        code = 0
        _end_with_launcher()
        try:
            work(options, addresses, index)
            time.sleep(0 if index == 0 else 1)  # the first worker may still be fetching the last numbers
        except CourseError as error:
            print(error, file=sys.stderr)
            code = 2
        except KeyboardInterrupt:
            code = 130
        except Exception:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # TensorFlow's servers would wait for each other
    check_workers(options.lanes, options.workers)
    if options.pin and options.workers > cores():
        print(f"Cores here: {cores()}. Workers: {options.workers}, so they share cores.")
    launch(options.workers, sys.argv[1:], options.port, options.pin)


if __name__ == "__main__":
    main()
