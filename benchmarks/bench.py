"""Measure how fast the course is, beside the most this machine could do: ``python -m benchmarks.bench``.

Every row runs in a process of its own, so that its peak memory is its own. The limit of each row is measured in the
same run: the best of several matrix products for the network, the package's own drawing loop for drawing, a plain read
for files. It takes many minutes on two cores.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from utils.captchas import DIGITS, draw_texts, write_captchas
from utils.files import REPO, write_json
from utils.machine import best, cores, cpu_flags, fastest_dtype, gflop, machine, peak_memory

# Rows, inner length and columns of matrix products: squares, and the convolutions conv2 and conv4 of a batch of 64.
SHAPES = ((1024,) * 3, (2048,) * 3, (4096,) * 3, (43_264, 1600, 192), (9216, 3456, 384))
PICTURE = REPO / "docs" / "growth.png"
RESULT = REPO / "results" / "bench.json"
PAGE = REPO / "docs" / "measurements.md"


def draw_limit(length: int = 4) -> float:
    """Captchas a second by the package's own loop on one core: draw and compress, no file, no seed."""
    import captcha.image

    painter, texts = captcha.image.ImageCaptcha(160, 60), draw_texts(1000, 0, length=length)

    def loop() -> None:
        for text in texts:
            painter.generate_image(text).save(io.BytesIO(), format="png")

    return len(texts) / best(loop)


def draw(folder: Path, count: int, processes: int, length: int = 4) -> float:
    """Captchas a second, from nothing to files."""
    return count / best(lambda: write_captchas(folder, count, 0, DIGITS, length, processes), 1)


def size_of(recipe: dict) -> tuple[int, int]:
    """Height and width of the pictures of a recipe, which is a dict of parameters of the lessons."""
    return recipe["image_height"], recipe["image_width"]


def network_of(recipe: dict):
    """The AlexNet of a recipe, untrained."""
    from utils.model import alexnet

    names = ("length", "fc_units", "batch_norm", "dropout", "weight_decay")
    strides, given = (recipe["stride_down"], recipe["stride_across"]), {name: recipe[name] for name in names}
    return alexnet(size_of(recipe), len(recipe["chars"]), strides=strides, **given)


def records_limit(folder: Path, recipe: dict) -> float:
    """Pictures a second that one core can decode, gray and resize, nothing written."""
    from utils.captchas import find_captchas
    from utils.pictures import gray_picture

    paths = find_captchas(folder)[:1000]
    return len(paths) / best(lambda: [gray_picture(path, size_of(recipe)) for path in paths])


def records(captchas: Path, folder: Path, recipe: dict, length: int = 4) -> float:
    """Records a second, from PNG files to record files."""
    from utils.tfrecords import write_records

    started = time.perf_counter()
    written = write_records(captchas, folder, 500, 0, size_of(recipe), length=length)
    return (written.train + written.test) / (time.perf_counter() - started)


def read_limit(folder: Path, recipe: dict) -> float:
    """Records a second at the plain speed of reading the file."""
    path = folder / "train.tfrecord"
    height, width = size_of(recipe)
    record = 4 + 12 + height * width + 120  # lengths, checksums, picture, and the labels around it

    def loop() -> None:
        with open(path, "rb", buffering=0) as file:
            while file.read(1 << 22):
                pass

    return path.stat().st_size / record / best(loop)


def read(folder: Path, recipe: dict) -> float:
    """Records a second, read and parsed as in training, in batches."""
    from utils.tfrecords import open_records, parse_records

    size = size_of(recipe)
    dataset = open_records(folder, "train", size)
    batches = dataset.batch(recipe["batch_size"])
    batches = batches.map(lambda batch: parse_records(batch, size), num_parallel_calls=2).prefetch(2)
    return int(dataset.cardinality()) / best(lambda: [None for _ in batches])


def batches_of(folder: Path, recipe: dict, length: int = 4):
    """Training batches of a recipe, with augmentation, and the number of steps in an epoch."""
    from utils.augment import augment
    from utils.training import training_batches

    changed = partial(augment, tone=recipe["tone"], bend=recipe["bend"])
    return training_batches(folder, size_of(recipe), recipe["batch_size"], 0, changed, length=length)


def pipeline(folder: Path, recipe: dict, length: int = 4) -> float:
    """Pictures a second through the whole input pipeline, with augmentation."""
    batches, steps = batches_of(folder, recipe, length)
    iterator = iter(batches)
    next(iterator)

    def one_epoch() -> None:
        for _ in range(steps):
            next(iterator)

    return steps * recipe["batch_size"] / best(one_epoch)


def fit(folder: Path, recipe: dict, policy: str, deterministic: bool = False, steps: int = 30) -> float:
    """Pictures a second in `fit`: the AlexNet of a recipe, reading and augmentation, after warming up.

    ``deterministic`` has TensorFlow guarantee that every operation gives the same result each time.
    """
    from utils.model import keras
    from utils.quiet import tf
    from utils.training import compile_model

    if deterministic:
        keras.utils.set_random_seed(0)
        tf.config.experimental.enable_op_determinism()
    keras.config.set_dtype_policy(policy)
    batches, steps_an_epoch = batches_of(folder, recipe)
    network = network_of(recipe)
    compile_model(network, recipe["learning_rate"], recipe["epochs"], steps_an_epoch, recipe["label_smoothing"])
    times = []
    tick = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: times.append(time.perf_counter()))
    network.fit(batches, epochs=1, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[tick])
    return recipe["batch_size"] * (steps - 6) / (times[-1] - times[5])  # the first steps compile


def predict_one(recipe: dict) -> float:
    """Milliseconds to read a single picture."""
    import numpy as np

    from utils.model import probabilities

    network, image = network_of(recipe), np.zeros((1, *size_of(recipe), 1), np.uint8)
    probabilities(network, image)
    return 1000 * best(lambda: probabilities(network, image), 20)


def predict_many(recipe: dict, policy: str) -> float:
    """Pictures a second, read in large batches."""
    import numpy as np

    from utils.model import keras, probabilities

    keras.config.set_dtype_policy(policy)
    network, images = network_of(recipe), np.zeros((500, *size_of(recipe), 1), np.uint8)
    probabilities(network, images)
    return len(images) / best(lambda: probabilities(network, images))


def picture_gflop(recipe: dict) -> float:
    """GFLOP of one picture through the AlexNet of a recipe."""
    return gflop(network_of(recipe))


def best_product(dtype: str, *shapes: list[int]) -> list:
    """The most that this machine multiplies: GFLOP a second of the fastest of several matrix products, and its shape.

    Args:
        dtype: ``"float32"`` or ``"bfloat16"``.
        shapes: rows of the first matrix, its columns, columns of the second; `SHAPES` if there are none.
    """
    from utils.quiet import tf

    product, found = tf.function(tf.matmul), []
    for rows, inner, columns in shapes or SHAPES:
        one, other = (
            tf.cast(tf.random.stateless_normal(shape, (0, 0)), dtype) for shape in ((rows, inner), (inner, columns))
        )
        product(one, other)
        seconds = best(lambda one=one, other=other: product(one, other)[0, 0].numpy(), 7)
        found.append([2 * rows * inner * columns / 1e9 / seconds, f"{rows} x {inner} by {inner} x {columns}"])
    return max(found)


MEASURES = {
    function.__name__: function
    for function in (
        draw_limit, draw, records_limit, records, read_limit, read, pipeline, best_product, fit, predict_one,
        predict_many, picture_gflop,
    )
}  # fmt: skip


def measure(name: str, *arguments: object) -> dict:
    """Call one of the functions above in a process of its own: what it returns, and its peak memory in MB.

    A matrix product also tells which instructions of the processor it used.
    """
    command = [sys.executable, "-m", "benchmarks.bench", "--measure", json.dumps([name, *map(_plain, arguments)])]
    said = (str(argument) for argument in arguments if not isinstance(argument, Path | dict))
    print("  " + " ".join([name, *said]), file=sys.stderr, flush=True)
    verbose = {"ONEDNN_VERBOSE": "1"} if name == "best_product" else {}  # the library then names what it runs
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, env=os.environ | verbose)
    if done.returncode:
        raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
    found = json.loads(done.stdout.splitlines()[-1])
    return found | ({"instructions": instructions(done.stdout, cpu_flags())} if verbose else {})


def _plain(argument: object) -> object:
    return {"path": str(argument)} if isinstance(argument, Path) else argument


def instructions(verbose: str, flags: str) -> str:
    """Which instructions multiplied matrices, in plain words.

    Args:
        verbose: what oneDNN has said about each operation, if it did any.
        flags: what the processor can do, see `utils.machine.cpu_flags`. Taken where oneDNN does not say what it used.
    """
    named = " ".join(re.findall(r"(?:matmul|inner_product|gemm)[a-z_]*[:,]([a-z_:]*\w*)", verbose))
    for used, word in (
        ("amx", "AMX with bfloat16"),
        ("avx512_core_bf16", "AVX-512 with bfloat16"),
        ("avx10_1", "AVX-512 with bfloat16"),
        ("avx512", "AVX-512"),
        ("avx2", "AVX2"),
    ):
        if used in named:
            return word
    return next((word for flag, word in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if flag in flags), "not known")


def _measured(request: str) -> None:
    """The other end of `measure`: call the function, and print its result and this process's peak memory."""
    name, *arguments = json.loads(request)
    arguments = [Path(one["path"]) if isinstance(one, dict) and "path" in one else one for one in arguments]
    value = MEASURES[name](*arguments)
    print(json.dumps({"value": value, "peak_mb": peak_memory()}))


def row(what: str, found: dict[str, float], unit: str, limit: float | None, of: str) -> dict:
    """One row of the table: a measurement beside its limit. For times, where less is more, the ratio is inverted."""
    ratio = None if limit is None else (limit / found["value"] if unit == "ms" else found["value"] / limit)
    return {"what": what, "value": found["value"], "unit": unit, "limit": limit, "of": of, "ratio": ratio,
            "peak_mb": found["peak_mb"]}  # fmt: skip


def read_recipes() -> dict[str, dict]:
    """All parameters of the recipes *default* and *quick*."""
    from benchmarks.accuracy import known_parameters, read_recipe  # here: processes that are measured do not load it

    return {name: known_parameters() | read_recipe(name) for name in ("default", "quick")}


def rows_of_files(folder: Path, recipe: dict, loop: float) -> list[dict]:
    """Draw captchas into ``folder``, write records of them, and read those.

    Args:
        loop: captchas a second by the package's own loop.
    """
    workers = cores()
    own, drawn = "the package's own loop", folder / "captchas"
    rows = [
        row("draw, one core", measure("draw", folder / "one", 1000, 1), "captchas/s", loop, own),
        row(f"draw, {workers} cores", measure("draw", drawn, 5000, workers), "captchas/s", loop * workers,
            f"{own}, {workers} times"),
    ]  # fmt: skip
    decode = measure("records_limit", drawn, recipe)["value"]
    written = measure("records", drawn, folder / "default", recipe)
    rows.append(row("write records", written, "records/s", decode, "decode, gray and resize alone, one core"))
    disk = measure("read_limit", folder / "default", recipe)["value"]
    found = measure("read", folder / "default", recipe)
    return [*rows, row("read records", found, "records/s", disk, "plain read of the file")]


def rows_of_network(folder: Path, recipes: dict[str, dict], products: dict[str, dict]) -> list[dict]:
    """Feed, train and read, with every number type that is fast here; with the recipe *quick* too.

    Args:
        products: for each number type, what `best_product` found.
    """
    rows, usual = [], recipes["default"]
    fed = measure("pipeline", folder / "default", usual)
    measure("records", folder / "captchas", folder / "quick", recipes["quick"])
    fed_quick = measure("pipeline", folder / "quick", recipes["quick"])
    work = {name: measure("picture_gflop", recipe)["value"] for name, recipe in recipes.items()}
    for dtype, product in products.items():
        policy, flops = f"mixed_{dtype}" if dtype == "bfloat16" else dtype, product["value"][0]
        of = f"best matrix product, {flops:,.0f} GFLOP/s, {product['instructions']}"
        trained = measure("fit", folder / "default", usual, policy)
        rows.append(row(f"train, {policy}", trained, "pictures/s", flops / (3 * work["default"]), of))
        if dtype == list(products)[-1]:
            same = measure("fit", folder / "default", usual, policy, True)
            what = f"train, {policy}, determinism guaranteed"
            rows.append(row(what, same, "pictures/s", trained["value"], "without it"))
            times = f"{fed['value'] / trained['value']:.0f} times what training takes in {policy}"
            rows.append(row("feed, with augmentation", fed, "pictures/s", None, times))
        quick = measure("fit", folder / "quick", recipes["quick"], policy)
        rows.append(row(f"train quick, {policy}", quick, "pictures/s", flops / (3 * work["quick"]), of))
        many = measure("predict_many", usual, policy)
        rows.append(row(f"predict many, {policy}", many, "pictures/s", flops / work["default"], of))
        if dtype == "float32":
            one = measure("predict_one", usual)
            rows.append(row("predict one, float32", one, "ms", 1000 * work["default"] / flops, of))
    times = f"{fed_quick['value'] / quick['value']:.0f} times what training takes in {policy}"
    return [*rows, row("feed quick, with augmentation", fed_quick, "pictures/s", None, times)]


def rows_of_growth(folder: Path, recipe: dict, sizes: list[int]) -> list[dict]:
    """Draw, write and feed data sets of several sizes; five characters, so that there are texts enough."""
    rows, workers, loop = [], cores(), measure("draw_limit", 5)["value"]
    decode = measure("records_limit", folder / "captchas", recipe)["value"]
    for count in sizes:
        drawn, written = folder / f"captchas{count}", folder / f"records{count}"
        rows.append(row(f"draw {count:,}", measure("draw", drawn, count, workers, 5), "captchas/s", loop * workers,
                        f"the package's own loop, {workers} times"))  # fmt: skip
        found = measure("records", drawn, written, recipe, 5)
        rows.append(row(f"write {count:,}", found, "records/s", decode, "decode, gray and resize alone, one core"))
        shutil.rmtree(drawn)
        rows.append(row(f"feed {count:,}", measure("pipeline", written, recipe, 5), "pictures/s", None, ""))
        shutil.rmtree(written)
    return rows


def draw_growth(rows: list[dict], path: Path = PICTURE) -> None:
    """Draw speed and memory against the size of the data set, of the rows from `rows_of_growth`."""
    from utils import figures_results  # here, so that the processes that are measured do not load matplotlib

    grown = [(*row["what"].split(), row) for row in rows if re.fullmatch(r"(draw|write|feed) [\d,]+", row["what"])]
    counts = list(dict.fromkeys(int(count.replace(",", "")) for _, count, _ in grown))
    speeds, memory = (
        {work: [row[key] for name, _, row in grown if name == work] for work in ("draw", "write", "feed")}
        for key in ("value", "peak_mb")
    )
    figures_results.plot_sizes(speeds, memory, counts)
    figures_results.save_picture(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[1000, 10_000, 100_000], help="how many captchas, for growth"
    )
    parser.add_argument("--output", type=Path, default=RESULT)
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        _measured(options.measure)
        return
    from utils import numbers  # here, so that the processes that are measured do not load it

    recipes, dtypes = read_recipes(), ["float32"] + ["bfloat16"] * (fastest_dtype() == "mixed_bfloat16")
    products = {dtype: measure("best_product", dtype) for dtype in dtypes}
    loop = measure("draw_limit")["value"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = rows_of_files(folder, recipes["default"], loop)
        rows += rows_of_network(folder, recipes, products)
        rows += rows_of_growth(folder, recipes["default"], options.sizes)
    print(numbers.speed_table(rows))
    write_json(options.output, {"machine": machine(), "products": products, "rows": rows})
    if options.output == RESULT:
        numbers.update([PAGE], numbers.from_results())
        if options.sizes:
            draw_growth(rows)


if __name__ == "__main__":
    main()
