"""Measure what did not help: ``python -m benchmarks.tried splice erase overlay strong``.

Each attempt is the recipe `small` with one more change of the training pictures, so it stands beside that recipe. The
results go to ``results/tried``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from benchmarks.accuracy import earlier, known_parameters, read_recipe, report, save, start, train_on
from benchmarks.bench import size_of
from utils.captchas import find_captchas, text_of
from utils.results import TRIED
from utils.run import find_notebook, run_notebook
from utils.workspace import open_workspace

if TYPE_CHECKING:  # TensorFlow is imported where it is used: processes that draw import this module too
    from utils.quiet import tf

BASE = "small"
Labels: TypeAlias = "tuple[tf.Tensor, ...]"


def spliced(images: tf.Tensor, labels: Labels, seed: tf.Tensor) -> tuple[tf.Tensor, Labels]:
    """Put the left half of a captcha beside the right half of another one, and its labels likewise."""
    from utils.quiet import tf

    middle, others = images.shape[2] // 2, [tf.roll(label, 1, axis=0) for label in labels]
    images = tf.concat([images[:, :, :middle], tf.roll(images, 1, axis=0)[:, :, middle:]], axis=2)
    half = len(labels) // 2
    return images, (*labels[:half], *others[half:])


def erased(images: tf.Tensor, labels: Labels, seed: tf.Tensor) -> tuple[tf.Tensor, Labels]:
    """Cover a piece with paper, a quarter as high and an eighth as wide as the picture, as by Zhong and others,
    "Random erasing data augmentation" (2017)."""
    from utils.quiet import tf

    height, width = images.shape[1:3]
    batch, covers = tf.shape(images)[0], []
    for side, part, axis in ((height, height // 4, 0), (width, width // 8, 1)):
        own = seed + 1 + axis  # `seed` itself has decided whether this batch is changed
        first = tf.random.stateless_uniform([batch, 1], own, 0, side - part + 1, tf.int32)
        covers.append((tf.range(side) >= first) & (tf.range(side) < first + part))
    covered = covers[0][:, :, None, None] & covers[1][:, None, :, None]
    return tf.where(covered, 1.0, images), labels


def overlaid(images: tf.Tensor, labels: Labels, seed: tf.Tensor) -> tuple[tf.Tensor, Labels]:
    """Mix a fifth of another captcha into each, and keep the labels. Zhang and others, "mixup: beyond empirical risk
    minimization" (2017), mix the labels too."""
    from utils.quiet import tf

    return 0.8 * images + 0.2 * tf.roll(images, 1, axis=0), labels


ATTEMPTS = {  # what is said of it, and what it does; None for what `augment` itself does differently
    "splice": ("put the left half of one captcha beside the right half of another", spliced),
    "erase": ("cover a small piece of each picture with paper", erased),
    "overlay": ("lay a faint second captcha over the first", overlaid),
    "strong": ("stretch and slant twice as strongly", None),
}


def train(values: dict[str, object], change: Callable | None, seed: int) -> dict[str, object]:
    """Train with these parameters and this change of each batch, and score the model like that of any recipe."""
    from utils.augment import augment
    from utils.quiet import tf
    from utils.tfrecords import read_records
    from utils.training import training_batches

    workspace, size = f"workspace/accuracy/{BASE}-{seed}", size_of(values)
    folders, length = open_workspace(workspace), values["length"]
    for notebook in map(find_notebook, ("01", "02")):
        run_notebook(notebook, folders.root / "runs" / notebook.name, values | {"seed": seed, "workspace": workspace})
    start(seed)
    strength = {"scale": 0.2, "shear": 0.2} if change is None else {}
    changed = partial(augment, bend=values["bend"], tone=values["tone"], **strength)
    batches, steps = training_batches(folders.records, size, values["batch_size"], seed, changed, length=length)

    def on_half(number: tf.Tensor, batch: tuple[tf.Tensor, Labels]) -> tuple[tf.Tensor, Labels]:
        """Change about half of the batches: on all of them, the network would never see a captcha as it is."""
        seeds = tf.stack([tf.constant(seed, tf.int64), number])
        chosen = tf.random.stateless_uniform([], seeds) < 0.5
        return tf.cond(chosen, lambda: change(*batch, seeds), lambda: batch)

    if change is not None:
        batches = batches.enumerate().map(on_half, num_parallel_calls=2).prefetch(2)
    used = [text_of(path) for path in find_captchas(folders.captchas, values["chars"], length)]
    return train_on(batches, steps, values, seed, read_records(folders.records, "test", size, length), used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(ATTEMPTS), help=f"of the attempts: {', '.join(ATTEMPTS)}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    if unknown := set(options.names) - set(ATTEMPTS):
        parser.error(f"there is no attempt {min(unknown)!r}; there are {', '.join(ATTEMPTS)}")
    values = known_parameters() | read_recipe(BASE)
    for name in options.names:
        said, change = ATTEMPTS[name]
        for seed in options.seeds:
            earlier(name, values, TRIED)  # a damaged file is told before the training
            report(name, save(name, values, train(values, change, seed), TRIED, {"tried": said}))


if __name__ == "__main__":
    main()
