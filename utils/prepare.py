"""Make what a notebook needs and no earlier one has made, and say so: any notebook can be the first that is opened."""

from __future__ import annotations

from pathlib import Path

from utils import captchas, tfrecords
from utils.captchas import DIGITS, LENGTH
from utils.checkpoints import HISTORY, MODEL
from utils.files import MEND_HISTORY, REPO, CourseError, read_json, require, shown
from utils.model import TRAIN, about_model, keras, load_compact, load_model
from utils.parameters import shortened
from utils.workspace import Folders

CATCH_UP = REPO / "models" / "catch-up.npz"


def ready_captchas(folders: Folders, captcha_count: int, seed: int, chars: str = DIGITS, length: int = LENGTH) -> Path:
    """The folder of the captchas, which are drawn if there are none; missing and damaged ones are drawn again.

    Raises:
        CourseError: the captchas that are there are of other characters or another length.
    """
    folder = folders.captchas
    begun, found = _drawn(folders)
    if found is not None:
        try:
            texts = captchas.draw_texts(found["captcha_count"], found["seed"], found["chars"], found["length"])
        except (CourseError, KeyError, TypeError) as error:
            raise CourseError(f"{shown(begun)} is damaged: delete {shown(begun.parent)} and run this again.") from error
        _same_alphabet(begun.parent, (found["chars"], found["length"]), (chars, length))
        missing = captchas.missing_texts(folder, texts, chars)
        if missing and "drawn_by" in found:
            raise CourseError(
                f"Of {len(texts):,} captchas in {shown(folder)}, {len(missing):,} are missing or damaged. They were "
                "drawn by a changed function: run 01-generate-captchas.ipynb with that change again."
            )
        if missing:
            print(f"Missing or damaged captchas in {shown(folder)}: {len(missing):,} of {len(texts):,}. Drawing them.")
            look = captchas.checked_look(found)
            captchas.write_captchas(folder, found["captcha_count"], found["seed"], chars, length, **look)
    elif not captchas.find_pictures(folder):
        print(f"There are no captchas in {shown(folder)} yet: drawing {captcha_count:,}, as lesson 01 does.")
        captchas.write_captchas(folder, captcha_count, seed, chars, length)
    return folder


def _drawn(folders: Folders) -> tuple[Path, dict | None]:
    """The file that says how the captchas of this workspace were drawn, and what it says.

    It lies beside the captchas. Where they are gone, the settings of the records say it, so that the same are drawn.
    """
    begun, records = folders.captchas / captchas.SETTINGS, folders.records / tfrecords.SETTINGS
    if begun.exists():
        return begun, read_json(begun, captcha_count=int, seed=int, chars=str, length=int)
    if records.exists() and not captchas.find_pictures(folders.captchas):
        found = read_json(records).get("captchas")
        return records, found if isinstance(found, dict) else None
    return begun, None


def _same_alphabet(where: Path, found: tuple[str, int], wanted: tuple[str, int]) -> None:
    """Refuse data of other characters, or of another length, than those that are asked for."""
    said, asked = (f"{length} characters out of {shortened(chars)}" for chars, length in (found, wanted))
    require(
        found == wanted,
        f"{shown(where)} holds texts of {said}, and you ask for {asked}: set `chars` and `length` to what is there, or "
        "choose another `workspace`.",
    )


def look_of(folders: Folders) -> dict[str, object]:
    """How the captchas of this workspace are drawn, as arguments of `draw_captcha`; empty where it is the usual way."""
    return captchas.checked_look(_drawn(folders)[1])


def ready_records(
    folders: Folders,
    captcha_count: int,
    test_count: int,
    seed: int,
    size: tuple[int, int],
    validation_count: int = 0,
    chars: str = DIGITS,
    length: int = LENGTH,
) -> Path:
    """The folder of the records, which are written if there are none, and the captchas for them drawn if need be.

    Records that are there are taken as they are: whoever opens them checks that they are whole and of this size.

    Raises:
        CourseError: the records or captchas that are there are of other characters or another length.
    """
    records = folders.records
    if (records / tfrecords.SETTINGS).exists():
        _same_alphabet(records, tfrecords.alphabet_of(records), (chars, length))
    else:
        folder = ready_captchas(folders, captcha_count, seed, chars, length)
        print(f"There are no records in {shown(records)} yet: writing them, as lesson 02 does.")
        tfrecords.write_records(folder, records, test_count, seed, size, validation_count, chars=chars, length=length)
    return records


def ready_model(folders: Folders, size: tuple[int, int], chars: str = DIGITS, length: int = LENGTH) -> keras.Model:
    """The model that lesson 05 has trained, or the one that comes with the course; a line says which.

    Raises:
        CourseError: the model's file is damaged, or the model does not take pictures of this size or reads other texts;
            or there is none yet that reads such texts.
    """
    own = folders.model / MODEL
    if own.exists():
        network, history = load_model(own, size, length, len(chars)), own.with_name(HISTORY)
        found = read_json(history, MEND_HISTORY, settings=dict)["settings"] if history.exists() else {}
        settings = about_model(own) | found
        trained_on = settings.get("records") if isinstance(settings.get("records"), dict) else {}
        reads = settings.get("chars", chars)
        require(
            reads == chars,
            f"{shown(own)} reads texts out of {shortened(str(reads))}, and your chars are {shortened(chars)}: set "
            f"`chars` to what it reads, or run {TRAIN} with yours.",
        )
        print(f"The model is {shown(own)}, as lesson 05 has trained it.")
    else:
        require(
            (chars, length) == (DIGITS, LENGTH),
            f"There is no {shown(own)} yet, and the model that comes with the course reads {LENGTH} characters out of "
            f"{DIGITS!r} only: run {TRAIN} with your chars and length.",
        )
        network, trained_on = load_compact(CATCH_UP, size)
        print(f"There is no {shown(own)} yet, so the model is {shown(CATCH_UP)}, which comes with the course.")
    settings = folders.records / tfrecords.SETTINGS
    if settings.exists() and any(value != trained_on.get(name, value) for name, value in read_json(settings).items()):
        print("It was trained on other captchas than yours, among which some of your test captchas may have been.")
    return network
