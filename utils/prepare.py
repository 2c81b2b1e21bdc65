"""Make what a notebook needs and no earlier one has made, and say so: any notebook can be the first that is opened."""

from __future__ import annotations

from pathlib import Path

from utils import captchas, tfrecords
from utils.checkpoints import HISTORY, MODEL
from utils.files import REPO, CourseError, read_json, shown
from utils.model import keras, load_compact, load_model
from utils.workspace import Folders

CATCH_UP = REPO / "models" / "catch-up.npz"


def ready_captchas(folders: Folders, captcha_count: int, seed: int) -> Path:
    """The folder of the captchas, which are drawn if there are none; missing and damaged ones are drawn again."""
    folder = folders.captchas
    begun = folder / captchas.SETTINGS
    if begun.exists():
        found = read_json(begun)
        try:
            texts = captchas.draw_texts(found["captcha_count"], found["seed"], found["chars"], found["length"])
        except (CourseError, KeyError, TypeError, ValueError) as error:
            raise CourseError(f"{shown(begun)} is damaged: delete {shown(folder)} and run this again.") from error
        missing = [text for text in texts if not captchas.is_whole(folder / f"{text}.png")]
        if missing and "drawn_by" in found:
            raise CourseError(
                f"Of {len(texts):,} captchas in {shown(folder)}, {len(missing):,} are missing or damaged. They were "
                "drawn by a changed function: run 01-generate-captchas.ipynb with that change again."
            )
        if missing:
            print(f"Missing or damaged captchas in {shown(folder)}: {len(missing):,} of {len(texts):,}. Drawing them.")
            captchas.write_captchas(folder, found["captcha_count"], found["seed"], found["chars"], found["length"])
    elif not captchas.find_pictures(folder):
        print(f"There are no captchas in {shown(folder)} yet: drawing {captcha_count:,}, as notebook 01 does.")
        captchas.write_captchas(folder, captcha_count, seed)
    return folder


def ready_records(
    folders: Folders,
    captcha_count: int,
    test_count: int,
    seed: int,
    size: tuple[int, int],
    validation_count: int = 0,
) -> Path:
    """The folder of the records, which are written if there are none, and the captchas for them drawn if need be.

    Records that are there are taken as they are: whoever opens them checks that they are whole and of this size.
    """
    records = folders.records
    if not (records / tfrecords.SETTINGS).exists():
        folder = ready_captchas(folders, captcha_count, seed)
        print(f"There are no records in {shown(records)} yet: writing them, as notebook 02 does.")
        tfrecords.write_records(folder, records, test_count, seed, size, validation_count)
    return records


def ready_model(folders: Folders, size: tuple[int, int]) -> keras.Model:
    """The model that notebook 05 has trained, or the one that comes with the course; a line says which.

    Raises:
        CourseError: the model's file is damaged, or the model does not take pictures of this size.
    """
    own = folders.model / MODEL
    if own.exists():
        network, history = load_model(own, size), own.with_name(HISTORY)
        mend = "delete this file only; the model beside it stays."
        trained_on = read_json(history, mend, settings=dict)["settings"].get("records") if history.exists() else {}
        trained_on = trained_on if isinstance(trained_on, dict) else {}
        print(f"The model is {shown(own)}, as notebook 05 has trained it.")
    else:
        network, trained_on = load_compact(CATCH_UP, size)
        print(f"There is no {shown(own)} yet, so the model is {shown(CATCH_UP)}, which comes with the course.")
    settings = folders.records / tfrecords.SETTINGS
    if settings.exists() and any(value != trained_on.get(name, value) for name, value in read_json(settings).items()):
        print("It was trained on other captchas than yours, among which some of your test captchas may have been.")
    return network
