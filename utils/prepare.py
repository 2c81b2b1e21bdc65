"""Make what a notebook needs and no earlier one has made, and say so: any notebook can be the first that is opened."""

from __future__ import annotations

from pathlib import Path

from utils import captchas, tfrecords
from utils.files import REPO, read_json, shown, workspace_path
from utils.model import keras, load_compact, load_model

CATCH_UP = REPO / "models" / "catch-up.npz"


def ready_captchas(workspace: str | Path, captcha_count: int, seed: int) -> Path:
    """The folder of the captchas, which are drawn if there are none, and completed if their drawing was interrupted."""
    folder = workspace_path(workspace) / "captchas"
    begun = folder / captchas.SETTINGS
    if begun.exists():
        found = read_json(begun)
        missing = found["captcha_count"] - sum(not path.name.startswith(".") for path in folder.glob("*.png"))
        if missing > 0:
            print(f"Of {found['captcha_count']:,} captchas in {shown(folder)}, {missing:,} are missing: drawing them.")
            captchas.write_captchas(folder, found["captcha_count"], found["seed"], found["chars"], found["length"])
    elif not any(folder.glob("*.png")):
        print(f"There are no captchas in {shown(folder)} yet: drawing {captcha_count:,}, as notebook 01 does.")
        captchas.write_captchas(folder, captcha_count, seed)
    return folder


def ready_records(workspace: str | Path, captcha_count: int, test_count: int, seed: int, image_size: int) -> Path:
    """The folder of the records, which are written if there are none, and the captchas for them drawn if need be.

    Records that are there are taken as they are: whoever opens them checks that they are whole and of this size.
    """
    records = workspace_path(workspace) / "records"
    if not (records / tfrecords.SETTINGS).exists():
        folder = ready_captchas(workspace, captcha_count, seed)
        print(f"There are no records in {shown(records)} yet: writing them, as notebook 02 does.")
        tfrecords.write_records(folder, records, test_count, seed, image_size)
    return records


def ready_model(workspace: str | Path, image_size: int) -> keras.Model:
    """The model that notebook 03 has trained, or the one that comes with the course; a line says which.

    Raises:
        CourseError: the model's file is damaged, or the model does not take pictures of this size.
    """
    own = workspace_path(workspace) / "model" / "alexnet.keras"
    if own.exists():
        network, history = load_model(own, image_size), own.with_name("history.json")
        trained_on = read_json(history)["settings"]["records"] if history.exists() else {}
        print(f"The model is {shown(own)}, as notebook 03 has trained it.")
    else:
        network, trained_on = load_compact(CATCH_UP, image_size)
        print(f"There is no {shown(own)} yet, so the model is {shown(CATCH_UP)}, which comes with the course.")
    settings = workspace_path(workspace) / "records" / tfrecords.SETTINGS
    if settings.exists() and any(value != trained_on.get(name, value) for name, value in read_json(settings).items()):
        print("It was trained on other captchas than yours, among which some of your test captchas may have been.")
    return network
