"""All parameters of all notebooks: their types and ranges, in one table, and one sentence for each wrong value."""

from __future__ import annotations

import difflib
import math
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from utils.files import CourseError, require


class Parameter(NamedTuple):
    """What a parameter may be. ``open_at`` is a bound that does not belong to the range itself."""

    kind: type
    lowest: float | None
    highest: float | None
    open_at: float | None = None


PARAMETERS = {
    "captcha_count": Parameter(int, 1, 10_000_000),
    "chars": Parameter(str, None, None),
    "length": Parameter(int, 1, 12),
    "width": Parameter(int, 20, 4096),
    "height": Parameter(int, 20, 4096),
    "fonts": Parameter(str, None, None),
    "test_count": Parameter(int, 1, 9_999_998),
    "validation_count": Parameter(int, 0, 9_999_998),
    "seed": Parameter(int, 0, 2**32 - 1),
    "image_height": Parameter(int, 67, 1024),
    "image_width": Parameter(int, 67, 1024),
    "stride_down": Parameter(int, 1, 8),
    "stride_across": Parameter(int, 1, 8),
    "epochs": Parameter(int, 1, 10_000),
    "batch_size": Parameter(int, 1, 10_000),
    "learning_rate": Parameter(float, 0, 10, open_at=0),
    "fc_units": Parameter(int, 1, 65_536),
    "batch_norm": Parameter(bool, None, None),
    "dropout": Parameter(float, 0, 1, open_at=1),
    "weight_decay": Parameter(float, 0, 1),
    "label_smoothing": Parameter(float, 0, 1, open_at=1),
    "augmentation": Parameter(bool, None, None),
    "plain_epochs": Parameter(int, 0, 10_000),
    "tone": Parameter(float, 0, 3),
    "bend": Parameter(float, 0, 50),
    "picture_count": Parameter(int, 1, 64),
    "own_picture": Parameter(str, None, None),
    "own_text": Parameter(str, None, None),
    "fresh_count": Parameter(int, 1, 10_000),
    "looking_count": Parameter(int, 1, 1000),
    "trial_fresh": Parameter(int, 1, 10_000),
    "trial_captchas": Parameter(int, 160, 10_000),
    "letter_captchas": Parameter(int, 50, 10_000),
    "trial_image_size": Parameter(int, 67, 1024),
    "trial_epochs": Parameter(int, 1, 1000),
    "trial_steps": Parameter(int, 20, 100_000),
    "worker_captchas": Parameter(int, 64, 10_000_000),
    "worker_image_size": Parameter(int, 67, 1024),
    "worker_fc_units": Parameter(int, 1, 65_536),
    "worker_batch_size": Parameter(int, 16, 10_000),
    "worker_epochs": Parameter(int, 2, 1000),
    "own_chars": Parameter(str, None, None),
    "processes": Parameter(int, 0, 1024),
    "workspace": Parameter(str, None, None),
}
# They say where and how, or only what is shown: a result does not depend on them.
NO_SETTINGS = {"workspace", "processes", "picture_count", "own_picture", "own_text", "own_chars"}


def check_parameters(namespace: Mapping[str, object]) -> dict[str, object]:
    """Check every parameter of the course that stands in ``namespace``, which is ``globals()`` in a notebook.

    Returns:
        The parameters that a result depends on, with their values.

    Raises:
        CourseError: a value has the wrong type or lies outside its range, or two of them do not fit together.
    """
    values = {name: checked(name, namespace[name]) for name in PARAMETERS if name in namespace}
    _check_together(values)
    return {name: value for name, value in values.items() if name not in NO_SETTINGS}


def checked(name: str, value: object) -> object:
    """``value`` in the type of the parameter ``name``.

    Raises:
        CourseError: it has another type, or lies outside the range of this parameter.
    """
    kind, lowest, highest, open_at = PARAMETERS[name]
    taken = (int, float) if kind is float else (kind,)
    if type(value) not in taken:
        raise CourseError(f"{name} is {_said(value)}, but must be {_wanted(name)}{_write(name, value)}.")
    if kind in (int, float):
        inside = math.isfinite(value) if kind is float and type(value) is float else True
        require(
            inside and lowest <= value <= highest and value != open_at,
            f"{name} is {_number(value)}, but must be {_wanted(name)}.",
        )
    if name in ("chars", "own_chars"):
        _check_chars(name, value)
    if name == "worker_batch_size":
        require(value % 16 == 0, f"{name} is {value}, but must be a multiple of 16: its half has 8 equal parts.")
    return kind(value)


def _check_chars(name: str, chars: str) -> None:
    """Refuse an alphabet of which a text could not be read again: see `utils.captchas.check_alphabet` for the fonts."""
    said = f"{name} is {shortened(chars)}, but"
    require(len(chars) >= 2, f"{said} one character is nothing to tell apart: take at least two.")
    repeated = sorted({char for char in chars if chars.count(char) > 1})
    require(not repeated, f"{said} {_listed(repeated)} must not stand in it twice: write each character once.")
    unseen = [char for char in chars if unicodedata.category(char)[0] in "ZCM"]  # separators, controls, combining marks
    require(
        not unseen,
        f"{said} no picture can show {_listed(unseen)} alone: leave out spaces, control characters and combining "
        "marks.",
    )


def _listed(chars: Sequence[str]) -> str:
    """Characters in quotes, a few of them; those that cannot be seen alone by their names."""
    named = ((char, unicodedata.name(char, f"U+{ord(char):04X}")) for char in chars[:3])
    shown = [name if unicodedata.category(char)[0] in "ZCM" else f"{char!r}" for char, name in named]
    return ", ".join(shown) + (f" and {len(chars) - 3} more" if len(chars) > 3 else "")


def value_of(name: str, text: str) -> object:
    """The value that ``text`` gives to the parameter ``name``: for the command line, and for parameter files.

    A number is read as people write it: ``010`` is ten.

    Raises:
        CourseError: the text is no such value.
    """
    kind, word = PARAMETERS[name].kind, text.strip()
    value: object = text
    if kind is bool and word.lower() in ("true", "false"):
        value = word.lower() == "true"
    elif kind in (int, float) and re.fullmatch(r"[+-]?[0-9]{1,30}(_[0-9]{1,30})*", word):
        value = int(word)
    elif kind is float and re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|[+-]?(inf|nan)", word, re.I):
        value = float(word)
    return checked(name, value)


def settings_in(arguments: Sequence[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """Take every ``-p NAME VALUE`` out of ``arguments``: argparse holds a value such as ``-1e-3`` for an option.

    Returns:
        The other arguments, and the pairs of name and value.

    Raises:
        CourseError: a name or a value is missing.
    """
    rest, settings, left = [], [], list(arguments)
    while left:
        argument = left.pop(0)
        if argument not in ("-p", "--parameter"):
            rest.append(argument)
            continue
        pair, left = left[:2], left[2:]
        if pair and "=" in pair[0] and pair[0].split("=")[0] in PARAMETERS:  # -p epochs=3, as many programs have it
            left = pair[1:] + left
            pair = pair[0].split("=", 1)
        require(len(pair) == 2, f"{argument} takes a name and a value, as in `-p epochs 3`.")
        settings.append((pair[0], pair[1]))
    return rest, settings


def check_names(names: Iterable[str], chosen: Mapping[str, Iterable[str]], other: Mapping[str, Iterable[str]]) -> None:
    """Check that each of ``names`` is a parameter of a notebook that is going to run.

    Args:
        chosen: for each notebook that will run, the names of its parameters.
        other: the same for the other notebooks of the course.

    Raises:
        CourseError: no notebook has such a parameter, or only one that does not run now.
    """
    known = {name for has in [*chosen.values(), *other.values()] for name in has}
    for name in names:
        if any(name in has for has in chosen.values()):
            continue
        elsewhere = [notebook for notebook, has in other.items() if name in has]
        require(
            not elsewhere,
            f"No notebook that you run now has a parameter {name!r}: only {', '.join(elsewhere)} "
            f"{'has' if len(elsewhere) == 1 else 'have'} it.",
        )
        near = difflib.get_close_matches(name, known, 1)
        hint = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(sorted(known))}."
        raise CourseError(f"No notebook has a parameter called {name[:80]!r}. {hint}")


def smallest_side(stride: int) -> int:
    """The smallest height or width in pixels: its 15 places of the first filters (11 pixels) become 7, 3 and 1."""
    return 11 + 14 * stride


def _check_together(values: Mapping[str, object]) -> None:
    captchas, test, validation = (values.get(f"{name}_count") for name in ("captcha", "test", "validation"))
    chars, length = values.get("chars", "0123456789"), values.get("length", 4)
    possible = len(chars) ** length
    require(
        possible <= sys.maxsize,
        f"{length} characters out of {len(chars)} make more than {sys.maxsize:,} texts: choose a smaller length.",
    )
    for name in ("captcha_count", "trial_captchas"):
        count = values.get(name, 0)
        require(
            count <= possible,
            f"{name} is {count:,}, but there are only {possible:,} different texts of {length} characters out of "
            f"{shortened(chars)}: draw fewer captchas, or choose a larger length.",
        )
    if captchas is not None and test is not None:
        kept = f"test_count {test:,}" + (f" and validation_count {validation:,} together" if validation else "")
        require(
            test + (validation or 0) < captchas,
            f"captcha_count is {captchas:,}, of which {kept} {'leave' if validation else 'leaves'} no captcha for "
            "training: draw more captchas, or keep fewer of them.",
        )
    require(
        values.get("batch_size") != 1 or not values.get("batch_norm"),
        "batch_size is 1, but batch_norm compares the captchas of a batch: take at least 2, or batch_norm = False.",
    )
    plain, epochs = values.get("plain_epochs", 0), values.get("epochs", math.inf)
    require(plain <= epochs, f"plain_epochs is {plain}, but there are only {epochs} epochs: choose at most so many.")
    own = values.get("own_text", "") if {"chars", "length"} <= values.keys() else ""
    require(
        not own or (len(own) == length and set(own) <= set(chars)),
        f"own_text is {shortened(own)}, which is not {length} characters out of {shortened(chars)}: choose another "
        "text.",
    )
    batch, written = values.get("worker_batch_size", 16), values.get("worker_captchas", math.inf)
    require(
        batch <= written,
        f"worker_batch_size is {batch}, but worker_captchas is {written}: take a smaller batch, or more captchas.",
    )
    for side, stride in (("image_height", "stride_down"), ("image_width", "stride_across")):
        if side in values and stride in values:
            needed = smallest_side(values[stride])
            require(
                values[side] >= needed,
                f"{side} is {values[side]}, too small for {stride} {values[stride]}: take at least {needed} "
                "pixels, or a smaller stride.",
            )


def shortened(chars: str) -> str:
    """An alphabet in quotes, cut where it is long."""
    return f"{chars if len(chars) <= 40 else chars[:37] + '...'!r}"


def _number(value: float) -> str:
    if type(value) is int and value.bit_length() > 99:
        return f"{'above' if value > 0 else 'below minus'} 2 to the power of {value.bit_length() - 1:,}"
    return f"{value:,}" if type(value) is int else repr(value)


def _said(value: object) -> str:
    """``value`` with its type, as a reader would say it."""
    if isinstance(value, str):
        return f"the text {value if len(value) <= 60 else value[:50] + '...'!r}"
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return f"the number {_number(value)}"
    return f"of the type {type(value).__name__}"


def _wanted(name: str) -> str:
    kind, lowest, highest, open_at = PARAMETERS[name]
    if kind is bool:
        return "True or False"
    if kind is str:
        return "a text"
    low = f"above {lowest:,}" if open_at == lowest else f"from {lowest:,}"
    high = f"below {highest:,}" if open_at == highest else f"{highest:,}"
    joined = " and " if open_at is not None else " to "
    if open_at == lowest:
        high = f"at most {high}"
    elif open_at == highest:
        low = f"at least {lowest:,}"
    return f"a {'whole ' if kind is int else ''}number{',' if open_at is not None else ''} {low}{joined}{high}"


def _write(name: str, value: object) -> str:
    """How to write it instead, where that can be known."""
    kind = PARAMETERS[name].kind
    if kind is bool and isinstance(value, str | int | float):
        word = str(value).strip().lower()
        if word in ("true", "yes", "on", "1", "false", "no", "off", "0"):
            meant = word in ("true", "yes", "on", "1")
            return f": in a notebook write {meant}, for papermill write `-p {name} {meant}`"
    if kind is str and isinstance(value, int | float):
        return f": in a notebook write it in quotes, for papermill write `-r {name} TEXT`"
    if kind is int and isinstance(value, float) and math.isfinite(value) and value == int(value):
        return f": write {_number(int(value))}"
    return ""
