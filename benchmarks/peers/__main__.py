"""Measure other people's networks by the course's own rule: ``python -m benchmarks.peers three ten --seeds 0``.

Each network is trained on the same 4,500 captchas as the course's recipes with this seed, for as much work as one of
these takes, with its own picture size, optimizer, rate and batch, and scored on the same fresh captchas. ``--minutes``
end the training early where the machine is slow at its small operations, and the result says so. ``ddddocr``, a package
that reads captchas, is scored as it comes, if it is installed. The results go to ``results/peers/NAME.json``.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import math
import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.accuracy import DRAWN_WITH, earlier, save, score
from utils.captchas import DIGITS, LENGTH, draw_all, draw_captcha, labels_of, split_texts
from utils.files import require
from utils.fresh import fresh_texts
from utils.pictures import gray
from utils.results import PEERS, of_runs, read_results
from utils.scores import right_places

CAPTCHAS, TEST = 5_000, 500  # the data set of the default recipe
OCR = "ddddocr"
ABOUT_OCR = {
    "project": f"{OCR}: a package as it comes",
    "address": "https://github.com/sml2h3/ddddocr",
    "claim": "no figure",
    "settings": "nothing is trained",
}


def project_of(name: str) -> dict[str, str]:
    """What a project is called, where it is published, what it claims, and how it trains."""
    from benchmarks.peers.networks import NETWORKS

    return ABOUT_OCR if name == OCR else {key: getattr(NETWORKS[name], key) for key in ABOUT_OCR}


def budget(recipe: str) -> float:
    """The work of one training of a recipe in TFLOP, as it was measured."""
    return round(float(np.mean(of_runs(read_results(recipe)[0], "tflop"))), 1)


def pictures(
    wanted: Sequence[tuple[str, int | str]], size: tuple[int, int], channels: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw captchas of these texts and seeds, batch by batch, in colour or gray.

    Yields:
        Pictures, uint8 of shape (batch, height, width, channels), and labels, int64 of shape (batch, 4).
    """
    (height, width), batch = size, 500
    for start, drawn in enumerate(draw_all(draw_captcha, wanted, batch)):
        if channels == 1:
            some = [gray(picture, size)[..., None] for picture in drawn]
        else:
            some = [np.asarray(picture.convert("RGB").resize((width, height), 2)) for picture in drawn]
        texts = [text for text, _ in wanted[start * batch : (start + 1) * batch]]
        yield np.stack(some), np.array([labels_of(text) for text in texts])


def at_once(wanted: Sequence[tuple[str, int | str]], size: tuple[int, int], channels: int) -> tuple:
    """All of `pictures` in two arrays."""
    return tuple(np.concatenate(parts) for parts in zip(*pictures(wanted, size, channels), strict=True))


def train(peer, images: np.ndarray, labels: np.ndarray, tflop: float, minutes: float, seed: int) -> tuple:
    """Train a network of `benchmarks.peers.networks` until the work is done, or the minutes are over.

    Returns:
        The network, and what its training took: ``minutes``, ``tflop`` and ``epochs``, and whether ``cut_short``.
    """
    from benchmarks.peers.networks import work
    from utils.machine import fastest_dtype
    from utils.model import keras
    from utils.quiet import tf

    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy("float32" if peer.float32 else fastest_dtype())
    network = peer.build()
    keras.config.set_dtype_policy("float32")
    if peer.more:
        images, labels = peer.more(images, labels, seed)
    batch = peer.batch_size
    cost = 3 * work(network) * batch / 1000  # TFLOP a step: forward, and backward twice that
    steps = max(1, round(tflop / cost))
    optimizer = peer.optimizer(steps)
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(some: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = peer.loss(truth, network(peer.scaled(some), training=True))
            loss += sum(tf.cast(penalty, loss.dtype) for penalty in network.losses)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply(gradients, network.trainable_variables)
        return loss

    chance, done, order = np.random.default_rng(seed), 0, np.array([], int)
    started = time.monotonic()
    while done < steps and time.monotonic() - started < 60 * minutes:
        if len(order) < batch:
            order = chance.permutation(len(images))
        now, order = order[:batch], order[batch:]
        step(tf.constant(images[now]), tf.constant(labels[now]))
        done += 1
    taken = round((time.monotonic() - started) / 60, 2)
    about = {"minutes": taken, "tflop": round(done * cost, 1), "epochs": round(done * batch / len(images), 1)}
    return network, about | {"cut_short": done < steps}


def scores(read, size: tuple[int, int], channels: int, seed: int) -> dict:
    """How well ``read``, a function of pictures that gives labels, reads this seed's test captchas and fresh ones."""
    test, training = split_texts(CAPTCHAS, TEST, seed)
    found, fresh = {}, fresh_texts(test + training, seeds=DRAWN_WITH)
    for name, wanted in (("test", [(text, seed) for text in test]), ("fresh", fresh)):
        right = [right_places(read(some), truth) for some, truth in pictures(wanted, size, channels)]
        found[name] = score(np.concatenate(right))
    return found


def measure(name: str, seed: int, recipe: str, minutes: float | None) -> tuple[dict, dict]:
    """Train and score a network, with the work of a recipe: the parameters of its result, and the result."""
    from benchmarks.peers.networks import NETWORKS

    peer = NETWORKS[name]
    untrained = peer.build()
    size, channels = untrained.input_shape[1:3], untrained.input_shape[3]
    _, training = split_texts(CAPTCHAS, TEST, seed)
    learnt = at_once([(text, seed) for text in training], size, channels)
    tflop = budget(recipe)
    network, about = train(peer, *learnt, tflop, minutes or math.inf, seed)

    def read(images: np.ndarray) -> np.ndarray:
        parts = [network.predict_on_batch(peer.scaled(images[i : i + 125])) for i in range(0, len(images), 125)]
        return peer.read(np.concatenate(parts))

    values = {"captcha_count": CAPTCHAS, "test_count": TEST, "image_height": size[0], "image_width": size[1]}
    values |= {"channels": channels, "batch_size": peer.batch_size}
    values |= {"as_much_as": recipe, "at_most_tflop": tflop, "at_most_minutes": minutes}
    about |= {"seed": seed, "fresh_seeds": list(DRAWN_WITH)}
    return values, about | scores(read, size, channels, seed)


def measure_ocr() -> tuple[dict, dict]:
    """Score the package as it comes: it was trained by others, on captchas of many kinds, and learns nothing here.

    Raises:
        CourseError: it is not installed.
    """
    there = importlib.util.find_spec(OCR) is not None
    require(there, f"The package {OCR} is not installed, and the course does not need it: run pip install {OCR}.")
    import ddddocr
    from PIL import Image

    reader = ddddocr.DdddOcr(show_ad=False)

    def read(images: np.ndarray) -> np.ndarray:
        found = np.full((len(images), LENGTH), -1)  # what is no digit is wrong
        for row, image in enumerate(images):
            file = io.BytesIO()
            Image.fromarray(image).save(file, format="png")
            text = reader.classification(file.getvalue())
            if len(text) == LENGTH:
                found[row] = [DIGITS.find(character) for character in text]
        return found

    size = (60, 160)  # as they are drawn
    started = time.monotonic()
    found = scores(read, size, 3, seed=0)
    values = {"captcha_count": 0, "test_count": 0, "image_height": size[0], "image_width": size[1], "channels": 3}
    print(f"{OCR} took {(time.monotonic() - started) / 60:.1f} minutes to draw and read")
    return values, {"seed": 0, "fresh_seeds": list(DRAWN_WITH)} | found


def main() -> None:
    from benchmarks.peers.networks import NETWORKS

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=[*NETWORKS, OCR])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of captchas and training")
    parser.add_argument("--as-much-as", default="quick", metavar="RECIPE", help="the recipe whose work each may take")
    parser.add_argument("--minutes", type=float, help="no training takes longer than this; else the work decides")
    options = parser.parse_args()
    for name in options.names:
        for seed in [0] if name == OCR else options.seeds:
            stored = name if options.as_much_as == "quick" or name == OCR else f"{name}-{options.as_much_as}"
            earlier(stored, {}, PEERS)  # a damaged file is told before the training
            values, result = measure_ocr() if name == OCR else measure(name, seed, options.as_much_as, options.minutes)
            save(stored, values, result, PEERS, project_of(name))
            fresh = result["fresh"]
            print(
                f"{stored}, seed {seed}: {fresh['whole']:.2%} of {fresh['captchas']:,} fresh captchas read whole "
                f"({fresh['low']:.2%} to {fresh['high']:.2%}), after {result.get('tflop', 0):,.1f} TFLOP in "
                f"{result.get('minutes', 0)} minutes",
                flush=True,
            )


if __name__ == "__main__":
    main()
