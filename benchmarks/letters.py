"""Measure how well other characters are read: ``python -m benchmarks.letters letters-36 --seeds 0``.

Recipes are trained as `benchmarks.accuracy` trains them. The result also says what was read as what, and how much is
read with characters that look alike counted as one. It goes to ``results/alphabets/NAME.json``. The first network of
``letters-36`` comes with the course: ``models/letters.npz``, in 8 bits a weight, which is scored again.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import numpy as np

from benchmarks.accuracy import DRAWN_WITH, earlier, known_parameters, read_recipe, save, score, train_and_score
from benchmarks.bench import size_of
from utils.captchas import DIGITS
from utils.files import read_json
from utils.results import ALPHABETS, LETTERS


def score_letters(
    model, images: np.ndarray, labels: np.ndarray, used: Sequence[str], chars: str = DIGITS, **look: object
) -> dict[str, object]:
    """The scores of a model on its test captchas and on fresh ones, and its confusions on the fresh ones.

    Fresh captchas are scored twice: read once as they are, and read by the average of five shifts.

    Args:
        look: how the captchas are drawn, if not as usual, see `utils.captchas.look_in`.
    """
    from utils.alphabets import alike
    from utils.fresh import fresh_captchas, fresh_texts
    from utils.model import averaged_probabilities, probabilities
    from utils.scores import confusion_matrices, confusions, right_places

    texts = fresh_texts(used, seeds=DRAWN_WITH, chars=chars, length=labels.shape[1])
    parts = [
        (probabilities(model, some).argmax(axis=-1), averaged_probabilities(model, some).argmax(axis=-1), truth)
        for some, truth in fresh_captchas(texts, images.shape[1:3], chars=chars, **look)
    ]
    read, averaged, truth = map(np.concatenate, zip(*parts, strict=True))
    matrix = confusion_matrices(read, truth, len(chars)).sum(axis=0)
    return {
        "test": score(right_places(probabilities(model, images).argmax(axis=-1), labels)),
        "fresh": score(right_places(read, truth)),
        "fresh_alike": score(right_places(alike(read, chars), alike(truth, chars))),
        "fresh_averaged": score(right_places(averaged, truth)),
        "fresh_averaged_alike": score(right_places(alike(averaged, chars), alike(truth, chars))),
        "wrong": int((read != truth).sum()),
        "confusions": [[chars[true], chars[said], count] for true, said, count in confusions(matrix)[:40]],
    }


def report(name: str, result: dict[str, object]) -> None:
    """Say in one line how well the letters are read."""
    fresh, merged = result["fresh"], result["fresh_alike"]
    most = ", ".join(f"{true} as {said} {count}" for true, said, count in result["confusions"][:6])
    print(
        f"{name}, seed {result['seed']}: {fresh['whole']:.2%} of {fresh['captchas']:,} fresh captchas read whole "
        f"({fresh['low']:.2%} to {fresh['high']:.2%}), {merged['whole']:.2%} with what looks alike counted as one "
        f"(five looks: {result['fresh_averaged']['whole']:.2%} and {result['fresh_averaged_alike']['whole']:.2%}); "
        f"{result['wrong']:,} wrong characters: {most}; after {result['minutes']} minutes of training",
        flush=True,
    )


def keep(values: dict[str, object], workspace: str) -> dict[str, object]:
    """Make the model that comes with the course of the one in this workspace, and score it."""
    from utils.alphabets import LETTERS as FOR_THE_COURSE
    from utils.alphabets import letter_network
    from utils.captchas import find_captchas, look_in, text_of
    from utils.checkpoints import MODEL
    from utils.model import load_model, save_compact
    from utils.tfrecords import SETTINGS, read_records
    from utils.workspace import open_workspace

    folders, size = open_workspace(workspace), size_of(values)
    chars, length = values["chars"], values["length"]
    model = load_model(folders.model / MODEL, size, length, len(chars))
    save_compact(model, FOR_THE_COURSE, read_json(folders.records / SETTINGS))
    used = [text_of(path) for path in find_captchas(folders.captchas, chars, length)]
    held_out = read_records(folders.records, "test", size, length)
    scores = score_letters(letter_network()[0], *held_out, used, chars, **look_in(folders.captchas))
    return {"megabytes": round(LETTERS.stat().st_size / 1e6, 1)} | scores


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", choices=LETTERS, help="of the recipes in benchmarks/recipes/")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    for name in options.names:
        values = known_parameters() | read_recipe(name)
        for seed in options.seeds:
            workspace = f"workspace/accuracy/{name}-{seed}"
            earlier(name, values, ALPHABETS)  # a damaged file is told before the training
            result = train_and_score(values, seed, workspace, score_letters)
            if name == LETTERS[0] and seed == 0:
                result["kept"] = keep(values, workspace)
                print(f"The model for the course has {result['kept']['megabytes']} MB", flush=True)
            report(name, save(name, values, result, ALPHABETS))


if __name__ == "__main__":
    main()
