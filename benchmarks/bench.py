"""Measure how fast the course is, beside the most this machine could do: ``python -m benchmarks.bench``.

Every row runs in a process of its own, so that its peak memory is its own. The limit of each row is measured in the
same run: a plain matrix product for the network, the package's own drawing loop for drawing, a plain read for files.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import psutil

from benchmarks.programs import run
from utils.captchas import DIGITS, draw_texts, write_captchas
from utils.files import REPO, write_json
from utils.machine import best, cores, fastest_dtype, gflop, machine, matrix_product

SIZE, BATCH = (224, 224), 64
RESULT = REPO / "results" / "bench.json"
PAGE = REPO / "docs" / "measurements.md"


def draw_limit(count: int = 1000) -> float:
    """Captchas a second by the package's own loop on one core: draw and compress, no file, no seed."""
    import captcha.image

    painter = captcha.image.ImageCaptcha(160, 60)

    def loop() -> None:
        for text in draw_texts(count, 0):
            painter.generate_image(text).save(io.BytesIO(), format="png")

    return count / best(loop)


def draw(folder: Path, count: int, processes: int, length: int = 4) -> float:
    """Captchas a second, from nothing to files."""
    return count / best(lambda: write_captchas(folder, count, 0, DIGITS, length, processes), 1)


def records_limit(folder: Path) -> float:
    """Pictures a second that one core can decode, gray and resize, nothing written."""
    from utils.captchas import find_captchas
    from utils.pictures import gray_picture

    paths = find_captchas(folder)[:1000]
    return len(paths) / best(lambda: [gray_picture(path, SIZE) for path in paths])


def records(captchas: Path, folder: Path, length: int = 4) -> float:
    """Records a second, from PNG files to record files."""
    from utils.tfrecords import write_records

    started = time.perf_counter()
    written = write_records(captchas, folder, 500, 0, SIZE, length=length)
    return (written.train + written.test) / (time.perf_counter() - started)


def read_limit(folder: Path) -> float:
    """Records a second at the plain speed of reading the file."""
    path = folder / "train.tfrecord"
    record = 4 + 12 + SIZE[0] * SIZE[1] + 120  # lengths, checksums, picture, and the labels around it

    def loop() -> None:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass

    return path.stat().st_size / record / best(loop)


def read(folder: Path) -> float:
    """Records a second, read and parsed as in training, in batches."""
    from utils.tfrecords import open_records, parse_records

    dataset = open_records(folder, "train", SIZE)
    batches = dataset.batch(BATCH).map(lambda batch: parse_records(batch, SIZE), num_parallel_calls=2).prefetch(2)
    return int(dataset.cardinality()) / best(lambda: [None for _ in batches])


def pipeline(folder: Path, tone: float, length: int = 4) -> float:
    """Pictures a second through the whole input pipeline, with augmentation."""
    from utils.augment import augment
    from utils.training import training_batches

    batches, steps = training_batches(folder, SIZE, BATCH, 0, partial(augment, tone=tone), length=length)
    iterator = iter(batches)
    next(iterator)

    def one_epoch() -> None:
        for _ in range(steps):
            next(iterator)

    return steps * BATCH / best(one_epoch)


def fit(folder: Path, policy: str, tone: float, deterministic: bool = False, steps: int = 40) -> float:
    """Pictures a second in `fit`: the full AlexNet with BatchNorm, reading and augmentation, after warming up.

    ``deterministic`` has TensorFlow guarantee that every operation gives the same result each time.
    """
    from utils.augment import augment
    from utils.model import alexnet, keras
    from utils.quiet import tf
    from utils.training import compile_model, training_batches

    if deterministic:
        keras.utils.set_random_seed(0)
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(policy)
    batches, _ = training_batches(folder, SIZE, BATCH, 0, partial(augment, tone=tone))
    network = alexnet()
    compile_model(network, 0.001, 15, 70)
    times = []
    tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()))
    network.fit(batches, epochs=1, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[tick])
    return BATCH * (steps - 6) / (times[-1] - times[5])  # the first steps compile


def predict_one() -> float:
    """Milliseconds to read a single picture."""
    import numpy as np

    from utils.model import alexnet, probabilities

    network, image = alexnet(), np.zeros((1, *SIZE, 1), np.uint8)
    probabilities(network, image)
    return 1000 * best(lambda: probabilities(network, image), 20)


def predict_many(policy: str) -> float:
    """Pictures a second, read in large batches."""
    import numpy as np

    from utils.model import alexnet, keras, probabilities

    keras.config.set_dtype_policy(policy)
    network, images = alexnet(), np.zeros((500, *SIZE, 1), np.uint8)
    probabilities(network, images)
    return len(images) / best(lambda: probabilities(network, images))


def picture_gflop() -> float:
    """GFLOP of one picture through the full AlexNet at the defaults."""
    from utils.model import alexnet

    return gflop(alexnet(SIZE))


MEASURES = {
    function.__name__: function
    for function in (
        draw_limit, draw, records_limit, records, read_limit, read, pipeline, matrix_product, fit, predict_one,
        predict_many, picture_gflop,
    )
}  # fmt: skip


def measure(name: str, *arguments: object) -> dict[str, float]:
    """Call one of the functions above in a process of its own: what it returns, and its peak memory in MB."""
    command = [sys.executable, "-m", "benchmarks.bench", "--measure", json.dumps([name, *map(_plain, arguments)])]
    print(
        f"  {name} {' '.join(str(_plain(a)) for a in arguments if not isinstance(a, Path))}",
        file=sys.stderr,
        flush=True,
    )
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _plain(argument: object) -> object:
    return {"path": str(argument)} if isinstance(argument, Path) else argument


def peak_memory() -> float:
    """The most memory that this process has held so far, in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux, where `resource` would count its parent's too
        return int(status.read_text(encoding="utf-8").partition("VmHWM:")[2].split()[0]) * 1024 / 1e6
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS counts bytes


def _measured(request: str) -> None:
    """The other end of `measure`: call the function, and print its result and this process's peak memory."""
    name, *arguments = json.loads(request)
    paths = [Path(argument["path"]) if isinstance(argument, dict) else argument for argument in arguments]
    value = MEASURES[name](*paths)
    print(json.dumps({"value": value, "peak_mb": peak_memory()}))


def row(what: str, found: dict[str, float], unit: str, limit: float | None, of: str) -> dict:
    """One row of the table: a measurement beside its limit. For times, where less is more, the ratio is inverted."""
    ratio = None if limit is None else (limit / found["value"] if unit == "ms" else found["value"] / limit)
    return {"what": what, "value": found["value"], "unit": unit, "limit": limit, "of": of, "ratio": ratio,
            "peak_mb": found["peak_mb"]}  # fmt: skip


def all_rows(folder: Path, sizes: list[int]) -> list[dict]:
    """Measure everything, in the order of the course."""
    from utils.run import defaults, find_notebook  # here, so that the processes that are measured do not load it

    rows, workers = [], cores()
    tone = defaults(find_notebook("05"))["tone"]  # pictures are augmented as in the course
    loop = measure("draw_limit")["value"]
    rows.append(
        row("draw, one core", measure("draw", folder / "one", 1000, 1), "captchas/s", loop, "the package's own loop")
    )
    rows.append(row(f"draw, {workers} cores", measure("draw", folder / "captchas", 5000, workers), "captchas/s",
                    loop * workers, f"the package's own loop, {workers} times"))  # fmt: skip

    decode = measure("records_limit", folder / "captchas")["value"]
    rows.append(row("write records", measure("records", folder / "captchas", folder / "records"), "records/s", decode,
                    "decode, gray and resize alone, one core"))  # fmt: skip
    disk = measure("read_limit", folder / "records")["value"]
    rows.append(row("read records", measure("read", folder / "records"), "records/s", disk, "plain read of the file"))

    forward = measure("picture_gflop")["value"]
    policies = ["float32"] + (["mixed_bfloat16"] if fastest_dtype() == "mixed_bfloat16" else [])
    for policy in policies:
        flops = measure("matrix_product", policy.removeprefix("mixed_"))["value"]
        note = f"matrix product, {flops:.0f} GFLOP/s"
        trained = row(
            f"train, {policy}",
            measure("fit", folder / "records", policy, tone),
            "pictures/s",
            flops / (3 * forward),
            note,
        )
        feed = measure("pipeline", folder / "records", tone)
        times = f"{feed['value'] / trained['value']:.0f} times what training takes"
        fed = row("feed, with augmentation", feed, "pictures/s", None, times)
        rows += [fed, trained]
        if policy == policies[-1]:
            same = measure("fit", folder / "records", policy, tone, True)
            what = f"train, {policy}, determinism guaranteed"
            rows.append(row(what, same, "pictures/s", trained["value"], "without it"))
        rows.append(
            row(f"predict many, {policy}", measure("predict_many", policy), "pictures/s", flops / forward, note)
        )
        if policy == "float32":
            rows.append(row("predict one, float32", measure("predict_one"), "ms", 1000 * forward / flops, note))

    for count in sizes:  # five characters, so that there are texts enough
        captchas, records = folder / f"captchas{count}", folder / f"records{count}"
        rows.append(row(f"draw {count:,}", measure("draw", captchas, count, workers, 5), "captchas/s", loop * workers,
                        f"the package's own loop, {workers} times"))  # fmt: skip
        rows.append(row(f"write {count:,}", measure("records", captchas, records, 5), "records/s", decode, "as above"))
        shutil.rmtree(captchas)
        rows.append(row(f"feed {count:,}", measure("pipeline", records, tone, 5), "pictures/s", None, ""))
        shutil.rmtree(records)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[1000, 5000, 50_000], help="how many captchas, for growth"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        _measured(options.measure)
        return
    from utils import numbers  # here, so that the processes that are measured do not load it

    with tempfile.TemporaryDirectory() as folder:
        rows = all_rows(Path(folder), options.sizes)
    print(numbers.speed_table(rows))
    write_json(options.output, {"machine": machine(), "rows": rows})
    if options.output == RESULT:
        numbers.put(PAGE, "bench", numbers.speed_table(rows))


if __name__ == "__main__":
    run(main)
