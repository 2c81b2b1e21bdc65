"""Measure how well a recipe reads captchas: ``python -m benchmarks.accuracy default long --seeds 0 1 2``.

A recipe is a file ``benchmarks/recipes/NAME.yaml`` with values for the parameters of notebooks 01, 02 and 05. For each
seed, the notebooks are run with them, and the model is scored on its test captchas and on fresh ones: 5,000 of the
texts that stand in no split, each drawn twice. Every result is added to ``results/accuracy/NAME.json`` as soon as it is
there.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from captcha.image import ImageCaptcha

from benchmarks import field
from benchmarks.bench import best_product, network_of, size_of
from utils import numbers, results
from utils.captchas import DIGITS, USUAL, find_captchas, font_files, labels_of, look_in, seeded, text_of
from utils.files import REPO, read_json, require, write_json
from utils.machine import fastest_dtype, gflop, machine
from utils.parameters import NO_SETTINGS, check_names, check_parameters, value_of
from utils.pictures import gray
from utils.results import RESULTS
from utils.run import defaults, find_notebook, read_values, run_notebook
from utils.scores import wilson_interval
from utils.workspace import open_workspace

STEPS = ("01", "02", "05")
RECIPES = REPO / "benchmarks" / "recipes"
PAGE = REPO / "docs" / "measurements.md"
# Ideas for recipes were once compared on the fresh captchas that lesson 08 draws. So new results get new drawings.
DRAWN_WITH = ("fresh 2", "fresh 3")


def score(right: np.ndarray) -> dict[str, float]:
    """Accuracy of each place and of the whole captcha, from `utils.scores.right_places`."""
    places = {f"digit_{place}": float(share) for place, share in enumerate(right.mean(axis=0))}
    return share_of(right.all(axis=1)) | places


def share_of(right: np.ndarray) -> dict[str, float]:
    """The share of captchas read whole, with its 95 % interval; ``right`` is a bool array of shape (captchas,)."""
    low, high = wilson_interval(int(right.sum()), len(right))
    return {"captchas": len(right), "whole": float(right.mean()), "low": low, "high": high}


def train_and_score(
    values: dict[str, object], seed: int, workspace: str, scores: Callable | None = None
) -> dict[str, object]:
    """Train with these parameters and one seed, and score the model. Where there is a model already, only score it.

    Args:
        scores: what scores it, with the arguments of `score_model`, which is the usual one.
    """
    from utils.checkpoints import MODEL, read_history
    from utils.model import load_model
    from utils.tfrecords import open_records, read_records

    folders, size = open_workspace(workspace), size_of(values)
    chars, length = values["chars"], values["length"]
    for notebook in (find_notebook(number) for number in STEPS):
        run_notebook(notebook, folders.root / "runs" / notebook.name, values | {"seed": seed, "workspace": workspace})
    minutes = round(sum(epoch["seconds"] for epoch in read_history(folders.model)) / 60, 2)
    model = load_model(folders.model / MODEL, size, length, len(chars))
    used = [text_of(path) for path in find_captchas(folders.captchas, chars, length)]
    epochs = len(read_history(folders.model))
    steps = int(open_records(folders.records, "train", size, length).cardinality()) // values["batch_size"]
    about = about_run(seed, minutes, model, epochs * steps * values["batch_size"])
    held_out = read_records(folders.records, "test", size, length)
    return about | (scores or score_model)(model, *held_out, used, chars, **look_in(folders.captchas))


def start(seed: int) -> None:
    """Begin as a notebook does: with this seed, and in the number format that is fastest here."""
    from utils.model import keras

    keras.utils.set_random_seed(seed)
    keras.config.set_dtype_policy(fastest_dtype())


def train_on(
    batches: Iterable,
    steps: int,
    values: dict[str, object],
    seed: int,
    held_out: tuple[np.ndarray, np.ndarray],
    used: Sequence[str],
) -> dict[str, object]:
    """Train the recipe's network on these batches, and score it like that of any recipe.

    Args:
        batches: a dataset without end, with elements as of `utils.training.training_batches`.
        steps: how many of them are an epoch.
        held_out: test pictures and their labels.
        used: the texts of training and test captchas: fresh ones have others.
    """
    from utils import training

    network, epochs = network_of(values), values["epochs"]
    training.compile_model(network, values["learning_rate"], epochs, steps, values["label_smoothing"])
    history = network.fit(
        batches,
        epochs=epochs,
        steps_per_epoch=steps,
        verbose=0,
        shuffle=False,
        callbacks=[training.Evaluation(*held_out)],
    )
    minutes = round(sum(history.history["seconds"]) / 60, 2)
    about = about_run(seed, minutes, network, epochs * steps * values["batch_size"])
    return about | score_model(network, *held_out, used, values["chars"], **{name: values[name] for name in USUAL})


def about_run(seed: int, minutes: float, network, pictures: int) -> dict[str, object]:
    """What a result says of a training of this network with so many pictures, besides its scores."""
    tflop = round(3 * gflop(network) * pictures / 1000, 1)  # forward, and backward twice that
    return {"seed": seed, "minutes": minutes, "tflop": tflop, "fresh_seeds": list(DRAWN_WITH)}


def older_painter(width: int, height: int, fonts: str) -> ImageCaptcha:
    """A painter that warps as those of the ``captcha`` package before version 0.7.1 did: several times as much.

    They pulled the corners of a character by 10 to 30 % of its width, and by 20 to 30 % of its height. Version 0.7.1
    multiplies the size with the difference of the two shares only, and adds the lower share as if it were pixels. So
    that lower share is given in pixels here, for digits in the usual fonts.
    """
    painter = ImageCaptcha(width, height, font_files(fonts))
    painter.character_warp_dx, painter.character_warp_dy = (3, 3.2), (11, 11.1)
    return painter


def older_captchas(
    wanted: Sequence[tuple[str, str]], size: tuple[int, int], chars: str = DIGITS, **look: object
) -> tuple[np.ndarray, np.ndarray]:
    """Captchas that are warped more, see `older_painter`.

    Returns:
        Pictures and labels, as `utils.fresh.fresh_captchas` yields them.
    """
    painter, pictures = older_painter(**USUAL | look), []
    for text, seed in wanted:
        with seeded(f"older {seed} {text}"):
            pictures.append(gray(painter.generate_image(text), size))
    return np.stack(pictures)[..., None], np.array([labels_of(text, chars) for text, _ in wanted])


def score_model(
    model, images: np.ndarray, labels: np.ndarray, used: Sequence[str], chars: str = DIGITS, **look: object
) -> dict[str, dict[str, float]]:
    """The scores of a model on its test captchas, and on fresh ones of texts that are not ``used``.

    Each is scored twice: read once as it is, and read by the average of five shifts. 1,000 fresh ones are drawn once
    more with a stronger warp, see `older_captchas`.

    Args:
        look: how the captchas are drawn, if not as usual, see `utils.captchas.look_in`.
    """
    from utils.fresh import fresh_captchas, fresh_texts
    from utils.model import averaged_probabilities, probabilities
    from utils.scores import right_places

    texts = fresh_texts(used, seeds=DRAWN_WITH, chars=chars, length=labels.shape[1])
    right = {name: [] for name in ("test", "test_averaged", "fresh", "fresh_averaged")}
    for name, batches in (
        ("test", [(images, labels)]),
        ("fresh", fresh_captchas(texts, images.shape[1:3], chars=chars, **look)),
    ):
        for some, truth in batches:
            right[name].append(right_places(probabilities(model, some).argmax(axis=-1), truth))
            averaged = averaged_probabilities(model, some).argmax(axis=-1)
            right[f"{name}_averaged"].append(right_places(averaged, truth))
    images, labels = older_captchas(texts[:1000], images.shape[1:3], chars, **look)
    right["fresh_older"] = [right_places(probabilities(model, images).argmax(axis=-1), labels)]
    return {name: score(np.concatenate(parts)) for name, parts in right.items()}


def known_parameters() -> dict[str, object]:
    """The parameters that decide what model the notebooks make, and their defaults; the seed comes on top."""
    found = {name: value for number in STEPS for name, value in defaults(find_notebook(number)).items()}
    return {name: value for name, value in found.items() if name not in {"seed", *NO_SETTINGS}}


def read_recipe(name: str) -> dict[str, object]:
    """The parameters that a recipe sets, checked against those that there are.

    Raises:
        CourseError: there is no such recipe, or it sets what no notebook has.
    """
    path = RECIPES / f"{name}.yaml"
    names = ", ".join(sorted(path.stem for path in RECIPES.glob("*.yaml")))
    require(path.exists(), f"There is no recipe {name!r}. There are: {names}.")
    texts, known = read_values(path), known_parameters()
    check_names(texts, {"the recipe": known}, {})
    values = {name: value_of(name, text) for name, text in texts.items()}
    check_parameters(known | values)
    return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="of the recipes, which are files in benchmarks/recipes/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    recipes = {name: known_parameters() | read_recipe(name) for name in options.names}
    for name, values in recipes.items():
        for seed in options.seeds:
            workspace = f"workspace/accuracy/{name}-{seed}"
            earlier(name, values)  # a damaged file is told before the training
            report(name, save(name, values, train_and_score(values, seed, workspace)))


def earlier(name: str, values: dict[str, object], folder: Path | None = None) -> list[dict]:
    """The results that the recipe's file holds, if they are of these values.

    Raises:
        CourseError: the file is damaged.
    """
    path = (folder or RESULTS) / f"{name}.json"
    before = {}
    if path.exists():
        before = read_json(path, "restore this file, or delete it and measure again.", parameters=dict, runs=list)
    return before["runs"] if before and before["parameters"] == values else []


def save(
    name: str,
    values: dict[str, object],
    result: dict[str, object],
    folder: Path | None = None,
    about: dict[str, str] | None = None,
) -> dict[str, object]:
    """Add the result of one seed to the recipe's file, in the place of an older one, and to tables and picture.

    Results of the same recipe with other values are dropped: they are of another recipe now. Returns the result, with
    the commit, and what a matrix product reached at the time, since the same machine is not as fast every day. A model
    that was only scored again keeps those of its training.

    Args:
        about: what the file also says, in words that may change.
    """
    path = (folder or RESULTS) / f"{name}.json"
    git, command = shutil.which("git"), ["rev-parse", "--short", "HEAD"]
    commit = subprocess.run([git, *command], cwd=REPO, capture_output=True, text=True).stdout.strip() if git else ""
    speed, _ = best_product(fastest_dtype().removeprefix("mixed_"), (4096, 4096, 4096))
    trained = {"commit": commit, "gflops": round(speed), "machine": machine()}
    others = []
    for run in earlier(name, values, folder):
        if run["seed"] != result["seed"]:
            others.append(run)
        elif run.get("minutes", 0) == result.get("minutes"):
            trained = {key: run[key] for key in trained if key in run}
    result |= trained
    runs = sorted([*others, result], key=lambda run: run["seed"])
    write_json(path, {"name": name, "parameters": values} | ({"about": about} if about else {}) | {"runs": runs})
    if path.parent in (results.RESULTS, results.PEERS, results.ALPHABETS):  # not while this is tested
        numbers.update([PAGE, field.PAGE], numbers.from_results())
        field.draw()
    return result


def report(name: str, result: dict[str, object]) -> None:
    """Say in one line how well the model of one seed reads."""
    fresh, test = result["fresh"], result["test"]
    print(
        f"{name}, seed {result['seed']}: {fresh['whole']:.2%} of {fresh['captchas']:,} fresh captchas read whole "
        f"({fresh['low']:.2%} to {fresh['high']:.2%}), {result['fresh_averaged']['whole']:.2%} when averaged over five "
        f"shifts, {test['whole']:.1%} of the test captchas, after {result['minutes']} minutes of training",
        flush=True,
    )


if __name__ == "__main__":
    main()
