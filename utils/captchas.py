"""Draw captchas: the same seed gives the same pictures, byte for byte. Introduced in notebook 01."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from importlib.metadata import version
from pathlib import Path

import captcha.image
from PIL import Image

from utils.files import CourseError, check, check_settings, shown, write_aside, write_json
from utils.machine import cores
from utils.progress import progress

DIGITS = "0123456789"
LENGTH = 4
WIDTH, HEIGHT = 160, 60  # pixels, the size the `captcha` package draws unless told otherwise
SETTINGS = "captchas.json"


class SeededSecrets:
    """The three functions that the ``captcha`` package takes from ``secrets``, drawn from a seed instead."""

    def __init__(self, seed: str):
        self.random = random.Random(seed)  # a text seed is hashed with SHA-512: the same on every machine
        self.choice = self.random.choice
        self.randbits = self.random.getrandbits
        self.randbelow = self.random.randrange


@contextmanager
def seeded(seed: str) -> Iterator[None]:
    """Let every random choice of the ``captcha`` package follow from ``seed`` inside the block.

    Since 0.7.1 the package draws from ``secrets``, which no seed reaches: its module gets a stand-in of that name.
    """
    original = captcha.image.secrets
    captcha.image.secrets = SeededSecrets(seed)
    try:
        yield
    finally:
        captcha.image.secrets = original


def draw_texts(count: int, seed: int, chars: str = DIGITS, length: int = LENGTH) -> list[str]:
    """Draw ``count`` different texts of ``length`` characters out of ``chars``.

    Raises:
        CourseError: ``count`` is below 1 or above the number of different texts.
    """
    base, possible = len(chars), len(chars) ** length
    if not 1 <= count <= possible:
        raise CourseError(
            f"captcha_count is {count:,}, but must lie between 1 and {possible:,}: "
            f"there are only {possible:,} different texts of {length} characters out of {chars!r}."
        )
    numbers = random.Random(f"texts {seed}").sample(range(possible), count)
    return ["".join(chars[number // base**place % base] for place in reversed(range(length))) for number in numbers]


@cache
def painter(width: int, height: int) -> captcha.image.ImageCaptcha:
    """The package's painter for pictures of this size, made once: it loads its fonts when it first draws."""
    return captcha.image.ImageCaptcha(width, height)


def draw_captcha(text: str, seed: int | str, width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    """Draw ``text`` as an RGB picture of ``width`` x ``height`` pixels; ``seed`` and ``text`` decide every pixel."""
    with seeded(f"captcha {seed} {text}"):
        return painter(width, height).generate_image(text)


def write_captcha(text: str, folder: Path, seed: int, width: int = WIDTH, height: int = HEIGHT) -> None:
    """Draw ``text`` into ``folder/text.png``, which appears only when it is whole."""
    with write_aside(folder / f"{text}.png") as part:
        draw_captcha(text, seed, width, height).save(part, format="png")


def write_captchas(
    folder: Path, count: int, seed: int, chars: str = DIGITS, length: int = LENGTH, processes: int | None = None
) -> int:
    """Draw ``count`` captchas into ``folder``, skipping those that an earlier run left there.

    Args:
        processes: how many processes draw; None takes one for each core. It changes the speed, never a picture.

    Returns:
        How many captchas were drawn now: ``count`` at first, 0 when all of them were there.

    Raises:
        CourseError: ``count`` or ``processes`` is impossible, the folder holds captchas of other settings, or it cannot
            be written to.
    """
    texts = draw_texts(count, seed, chars, length)
    check(processes is None or processes >= 1, f"processes is {processes}, but must be at least 1.")
    settings = {"captcha_count": count, "seed": seed, "chars": chars, "length": length, "captcha": version("captcha")}
    if not check_settings(folder / SETTINGS, settings, "01-generate-captchas.ipynb"):
        write_json(folder / SETTINGS, settings)
    there = {path.stem for path in folder.glob("*.png")}
    missing = [text for text in texts if text not in there]
    if missing:
        for _ in progress(_drawn(missing, folder, seed, processes or cores()), "Drawing", "captchas", len(missing)):
            pass
    return len(missing)


def _drawn(texts: Sequence[str], folder: Path, seed: int, processes: int) -> Iterator[None]:
    """Draw every text, and yield once for each."""
    draw = partial(write_captcha, folder=folder, seed=seed)
    if processes == 1 or len(texts) < 100:  # starting processes costs more than drawing a few pictures
        yield from map(draw, texts)
        return
    with drawing_pool(processes) as pool:
        try:
            yield from pool.map(draw, texts, chunksize=16)
        except BaseException:  # an interrupt too: it waits for the pictures under way, not for all that were asked for
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def drawing_pool(processes: int | None = None) -> ProcessPoolExecutor:
    """Processes that draw at once, one for each core if not said otherwise; Windows allows no more than 61."""
    # "spawn" is the one way of starting that works alike on Linux, macOS and Windows.
    return ProcessPoolExecutor(min(processes or cores(), 61), multiprocessing.get_context("spawn"))


def check_text(text: str, chars: str = DIGITS, length: int = LENGTH) -> str:
    """Give ``text`` back if it is one that this course can draw and read.

    Raises:
        CourseError: it is not ``length`` characters out of ``chars``.
    """
    if len(text) != length or not set(text) <= set(chars):
        raise CourseError(f"{text!r} is not a text of {length} characters out of {chars!r}: choose another.")
    return text


def find_captchas(folder: Path) -> list[Path]:
    """All PNG files in ``folder``, sorted by name, so that the order does not depend on the disk.

    Raises:
        CourseError: there is no such folder, or no picture in it.
    """
    paths = sorted(path for path in folder.glob("*.png") if not path.name.startswith("."))
    if not paths:
        raise CourseError(f"There are no captchas in {shown(folder)}: run 01-generate-captchas.ipynb first.")
    return paths
