"""Measure how well texts of unknown length are read: ``python -m benchmarks.columns --seeds 0``.

A network with one output for each column is trained with CTC on digits of length 3 to 6, and scored by length on fresh
texts. The result goes to ``results/alphabets/columns.json``. The first network comes with the course:
``models/columns.npz``, in 8 bits a weight, and it is this one that is scored.
"""

from __future__ import annotations

import argparse
from itertools import pairwise

import numpy as np

from benchmarks.accuracy import DRAWN_WITH, earlier, save, share_of, start
from benchmarks.bench import size_of
from benchmarks.letters import ALPHABETS
from utils.captchas import DIGITS
from utils.files import REPO
from utils.machine import gflop

VALUES = {
    "chars": DIGITS,
    "lengths": [3, 4, 5, 6],
    "captcha_count": 20_000,
    "fresh_count": 10_000,
    "image_height": 96,
    "image_width": 160,
    "filters": [64, 128, 192, 192, 192],
    "units": 256,
    "single_count": 1600,  # captchas of one character, of which every column must first name the one
    "single_steps": 600,
    "epochs": 6,
    "batch_size": 32,
    "learning_rate": 0.002,
    "dropout": 0.3,
    "weight_decay": 0.0001,
    "tone": 0.5,
}


def train(values: dict[str, object], seed: int) -> dict[str, object]:
    """Train a network with these values, keep it, and score what was kept."""
    from functools import partial

    from utils import columns
    from utils.alphabets import Watched, batches_of, draw_pictures
    from utils.augment import augment
    from utils.model import save_weights

    size, chars, lengths = size_of(values), values["chars"], values["lengths"]
    batch_size, epochs = values["batch_size"], values["epochs"]
    start(seed)
    wanted = columns.various_texts(values["captcha_count"], seed, chars, lengths)
    texts = [text for text, _ in wanted]
    labels = columns.padded_labels(texts, chars)
    changed = partial(augment, tone=values["tone"])
    batches, steps = batches_of(draw_pictures(wanted, size), labels, batch_size, seed, changed, split=False)
    shape = {"filters": values["filters"], "units": values["units"]}
    penalties = {"dropout": values["dropout"], "weight_decay": values["weight_decay"]}
    network = columns.column_network(size, len(chars), **shape, **penalties)
    watched, single_steps = Watched(), values["single_steps"]
    columns.compile_columns(network, values["learning_rate"], loss=columns.single_loss)
    singles = single_batches(values, seed, size, labels.shape[1], changed)
    network.fit(singles, epochs=1, steps_per_epoch=single_steps, verbose=0, shuffle=False, callbacks=[watched])
    columns.compile_columns(network, values["learning_rate"], epochs, steps)
    for loss in network.fit(
        batches, epochs=epochs, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[watched]
    ).history["loss"]:
        print(f"loss {loss:.3f}", flush=True)
    path = columns.COLUMNS if seed == 0 else REPO / "workspace" / "accuracy" / f"columns-{seed}.npz"
    save_weights(network, path, {"size": size, "chars": chars, **shape})
    network, _ = columns.load_columns(path)
    seeds = [f"{DRAWN_WITH[0]} {number}" for number in range(20)]  # few short texts are left: they are drawn often
    fresh = columns.various_fresh(texts, values["fresh_count"], seeds, chars, lengths)
    images = draw_pictures(fresh, size)
    read = [columns.decode(path, chars) for path in columns.alignments(network, images)]
    cost = 3 * gflop(network) * (single_steps + epochs * steps) * batch_size / 1000
    return {
        "seed": seed,
        "minutes": round(watched.seconds / 60, 2),
        "tflop": round(cost, 1),
        "megabytes": round(path.stat().st_size / 1e6, 1),
        "fresh_seeds": seeds,
        **score_texts(read, [text for text, _ in fresh]),
    }


def single_batches(values: dict[str, object], seed: int, size: tuple[int, int], longest: int, changed):
    """Batches of captchas of one character, each character equally often."""
    from utils.alphabets import batches_of, draw_pictures
    from utils.columns import padded_labels

    chars = values["chars"]
    wanted = [(chars[row % len(chars)], f"single {seed} {row // len(chars)}") for row in range(values["single_count"])]
    labels = padded_labels([text for text, _ in wanted], chars, longest)
    return batches_of(draw_pictures(wanted, size), labels, values["batch_size"], seed, changed, split=False)[0]


def score_texts(read: list[str], truth: list[str]) -> dict[str, dict]:
    """The share of texts read whole: of all, of each length, and of those with equal neighbours."""
    right = np.array([one == other for one, other in zip(read, truth, strict=True)])
    lengths = np.array(list(map(len, truth)))
    repeated = np.array([any(a == b for a, b in pairwise(text)) for text in truth])
    groups = {f"length_{length}": lengths == length for length in np.unique(lengths)}
    groups |= {"fresh": lengths > 0, "repeated": repeated, "not_repeated": ~repeated}
    return {name: share_of(right[chosen]) for name, chosen in groups.items() if chosen.any()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for seed in parser.parse_args().seeds:
        earlier("columns", VALUES, ALPHABETS)  # a damaged file is told before the training
        result = save("columns", VALUES, train(VALUES, seed), ALPHABETS)
        groups = {name: part for name, part in result.items() if isinstance(part, dict) and "whole" in part}
        parts = {name: f"{part['whole']:.2%}" for name, part in groups.items()}
        print(f"columns, seed {seed}, after {result['minutes']} minutes of training: {parts}", flush=True)


if __name__ == "__main__":
    main()
