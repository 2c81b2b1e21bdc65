"""Measure how well a recipe reads captchas: ``python -m benchmarks.accuracy default --seeds 0 1 2 -p epochs 15``.

A recipe is a set of values for the parameters of notebook 03. For each seed, notebooks 01 to 03 are run with them, and
the model is scored on its 500 test captchas and on 10,000 fresh ones: each of the texts that stand in neither split,
drawn twice. Every result is added to ``results/accuracy-NAME.json`` as soon as it is there.
"""

from __future__ import annotations

import argparse
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np

from benchmarks.bench import machine, put_table
from utils.captchas import cores, draw_captcha, draw_texts
from utils.files import REPO, read_json, workspace_path, write_json
from utils.run import NOTEBOOKS, check_values, defaults, run_notebook
from utils.scores import wilson_interval

FRESH_SEEDS = ("fresh 0", "fresh 1")  # never used for a captcha of the course, whose seeds are numbers


def fresh_picture(text_and_seed: tuple[str, str], image_size: int) -> np.ndarray:
    """Draw one captcha straight to what the network sees, uint8 of shape (image_size, image_size)."""
    from utils.tfrecords import gray

    text, seed = text_and_seed
    return gray(draw_captcha(text, seed), image_size)


def fresh_captchas(used: Sequence[str], image_size: int, batch: int = 500) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Captchas of all texts that are not ``used``, each drawn once with each of the fresh seeds, in batches.

    Yields:
        Pictures, uint8 of shape (batch, image_size, image_size, 1), and labels, int64 of shape (batch, 4).
    """
    texts = sorted(set(draw_texts(10_000, 0)) - set(used))
    wanted = [(text, seed) for seed in FRESH_SEEDS for text in texts]
    with ProcessPoolExecutor(cores(), multiprocessing.get_context("spawn")) as pool:
        for start in range(0, len(wanted), batch):
            share = wanted[start : start + batch]
            pictures = pool.map(partial(fresh_picture, image_size=image_size), share, chunksize=25)
            labels = np.array([[int(char) for char in text] for text, _ in share])
            yield np.stack(list(pictures))[..., None], labels


def score(right: np.ndarray) -> dict[str, float]:
    """Accuracy of each place and of the whole captcha, from `utils.scores.right_places`."""
    whole = int(right.all(axis=1).sum())
    low, high = wilson_interval(whole, len(right))
    places = {f"digit_{place}": float(share) for place, share in enumerate(right.mean(axis=0))}
    return {"captchas": len(right), "whole": whole / len(right), "low": low, "high": high} | places


def measure(values: dict[str, object], seed: int, workspace: str) -> dict[str, object]:
    """Train the recipe with one seed and score it. A workspace that has the model already is only scored."""
    from utils.model import load_model, probabilities
    from utils.scores import right_places
    from utils.tfrecords import read_records
    from utils.training import read_history

    values = values | {"seed": seed, "workspace": workspace}
    for notebook in NOTEBOOKS[:3]:
        run_notebook(notebook, workspace_path(workspace) / "runs" / notebook.name, values)
    folder = workspace_path(workspace)
    image_size = values.get("image_size", defaults(NOTEBOOKS[2])["image_size"])
    model = load_model(folder / "model" / "alexnet.keras", image_size)

    def right(images: np.ndarray, labels: np.ndarray) -> np.ndarray:
        return right_places(probabilities(model, images).argmax(axis=-1), labels)

    used = [path.stem for path in (folder / "captchas").glob("*.png")]
    history = read_history(folder / "model")
    return {
        "seed": seed,
        "minutes": round(sum(epoch["seconds"] for epoch in history) / 60, 2),
        "test": score(right(*read_records(folder / "records", "test", image_size))),
        "fresh": score(np.concatenate([right(*batch) for batch in fresh_captchas(used, image_size)])),
    }


def read_all() -> list[dict]:
    """All results there are, in the order of their names."""
    return [read_json(path) for path in sorted((REPO / "results").glob("accuracy-*.json"))]


def table(results: list[dict]) -> str:
    """One line for each run, as a Markdown table."""
    lines = [
        "| recipe | seed | training | fresh captchas read whole | 95 % interval | test captchas read whole |",
        "| --- | --: | --: | --: | --- | --: |",
    ]
    for result in results:
        for run in sorted(result["runs"], key=lambda run: run["seed"]):
            fresh, test = run["fresh"], run["test"]
            lines.append(
                f"| {result['name']} | {run['seed']} | {run['minutes']:.1f} min | {fresh['whole']:.2%} of "
                f"{fresh['captchas']:,} | {fresh['low']:.2%} to {fresh['high']:.2%} | {test['whole']:.1%} of "
                f"{test['captchas']:,} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="of the recipe, and so of its file in results/")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    known = {name: value for notebook in NOTEBOOKS[:3] for name, value in defaults(notebook).items()}
    values = check_values(dict(options.parameter), known)
    path = REPO / "results" / f"accuracy-{options.name}.json"
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=REPO, capture_output=True, text=True
    ).stdout.strip()
    runs = read_json(path)["runs"] if path.exists() else []
    for seed in options.seeds:
        result = measure(values, seed, f"workspace/accuracy/{options.name}-{seed}") | {"commit": commit}
        runs = [run for run in runs if run["seed"] != seed] + [result]
        write_json(path, {"name": options.name, "parameters": values, "machine": machine(), "runs": runs})
        put_table(REPO / "README.md", "accuracy", table(read_all()))
        fresh = result["fresh"]
        print(f"seed {seed}: {fresh['whole']:.2%} of {fresh['captchas']:,} fresh captchas read whole "
              f"({fresh['low']:.2%} to {fresh['high']:.2%}), {result['test']['whole']:.1%} of the test captchas, "
              f"after {result['minutes']} minutes of training")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
