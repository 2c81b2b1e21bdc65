"""Measure what a network for digits is worth for letters: ``python -m benchmarks.transfer --seeds 0``.

The network of the recipe ``quick`` is taken from ``workspace/accuracy/quick-0``, and trained if it is not there. For
1,000, 2,000 and 5,000 captchas of 34 characters, those of ``letters-34``, it gets new outputs, which are trained
first, and then all of it. Beside it the same network is trained from nothing, with as many steps. The result goes to
``results/alphabets/transfer.json``.
"""

from __future__ import annotations

import argparse
from functools import cache, partial
from pathlib import Path

import numpy as np

from benchmarks.accuracy import DRAWN_WITH, earlier, known_parameters, read_recipe, save, score, train_and_score
from benchmarks.bench import network_of, size_of
from benchmarks.letters import ALPHABETS
from utils.captchas import draw_texts, labels_of
from utils.workspace import open_workspace

DIGITS_NETWORK, WORKSPACE = "quick", "workspace/accuracy/quick-0"
VALUES = {
    "chars": "23456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "length": 4,
    "captcha_counts": [1000, 2000, 5000],
    "epochs": [14, 9, 5],  # for each of these counts, all together
    "frozen_epochs": 2,  # of them, with all layers but the outputs as they are
    "fresh_count": 10000,
    "batch_size": 32,
    "learning_rate": 0.001,
    "label_smoothing": 0.1,
    "tone": 0.5,
}


@cache
def digits_network() -> Path:
    """Where the network for digits is, trained now if it is not there or is of another recipe."""
    from utils.checkpoints import MODEL

    train_and_score(known_parameters() | read_recipe(DIGITS_NETWORK), 0, WORKSPACE, scores=lambda *_, **__: {})
    return open_workspace(WORKSPACE).model / MODEL


def compare(values: dict[str, object], seed: int) -> dict[str, object]:
    """Train both networks with each number of captchas, and score them on the same fresh ones."""
    from utils import alphabets, fresh, machine
    from utils.augment import augment
    from utils.fast import keras
    from utils.model import load_model, probabilities
    from utils.scores import right_places
    from utils.training import compile_model

    keras.config.set_dtype_policy(machine.fastest_dtype())
    recipe = known_parameters() | read_recipe(DIGITS_NETWORK)
    size, chars, length, batch_size = size_of(recipe), values["chars"], values["length"], values["batch_size"]
    texts = draw_texts(max(values["captcha_counts"]), seed, chars, length)
    images = alphabets.draw_pictures([(text, seed) for text in texts], size)
    labels = np.array([labels_of(text, chars) for text in texts])
    unseen = fresh.fresh_texts(texts, values["fresh_count"], DRAWN_WITH, chars, length)
    fresh_images = alphabets.draw_pictures(unseen, size)
    truth = np.array([labels_of(text, chars) for text, _ in unseen])

    def read(network) -> float:
        return float((probabilities(network, fresh_images[:500]).argmax(axis=-1) == truth[:500]).mean())

    def fit(network, count: int, epochs: int, watched) -> None:
        batches, steps = alphabets.batches_of(
            images[:count], labels[:count], batch_size, seed, partial(augment, tone=values["tone"])
        )
        compile_model(network, values["learning_rate"], epochs, steps, values["label_smoothing"])
        network.fit(batches, epochs=epochs, steps_per_epoch=steps, verbose=0, shuffle=False, callbacks=[watched])

    start = digits_network()  # before the first random number: it may have to be trained
    arms = []
    for count, epochs in zip(values["captcha_counts"], values["epochs"], strict=True):
        for name in ("transfer", "nothing"):
            keras.utils.set_random_seed(seed)
            watched, frozen = alphabets.Watched(read), values["frozen_epochs"] if name == "transfer" else 0
            if name == "transfer":
                network = alphabets.with_new_outputs(load_model(start, size), len(chars), length)
                alphabets.freeze(network)
                fit(network, count, frozen, watched)
                alphabets.freeze(network, False)
            else:
                network = network_of(recipe | {"chars": chars, "length": length})
            fit(network, count, epochs - frozen, watched)
            whole = score(right_places(probabilities(network, fresh_images).argmax(axis=-1), truth))
            each = machine.gflop(network) * (count // batch_size * batch_size) / 1000
            arms.append(
                {
                    "start": name,
                    "captchas": count,
                    "steps": watched.steps,
                    "characters": watched.shares,
                    "minutes": round(watched.seconds / 60, 2),
                    "tflop": round(each * (frozen + 3 * (epochs - frozen)), 1),
                    "fresh": whole,
                }
            )
            print(f"{count:,} captchas from {name}: {whole['whole']:.2%} read whole, {watched.shares}", flush=True)
    return {"seed": seed, "fresh_seeds": list(DRAWN_WITH), "classes": len(chars), "arms": arms}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    for seed in parser.parse_args().seeds:
        earlier("transfer", VALUES, ALPHABETS)  # a damaged file is told before the training
        save("transfer", VALUES, compare(VALUES, seed), ALPHABETS)


if __name__ == "__main__":
    main()
