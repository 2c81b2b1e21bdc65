"""Draw captchas: the same seed gives the same pictures, byte for byte.."""

from __future__ import annotations

import multiprocessing
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path

import captcha.image
import cloudpickle
from PIL import Image

from utils.code import code_of
from utils.files import CourseError, cause, check_settings, require, shown, write_aside, write_json
from utils.machine import cores
from utils.progress import progress
from utils.workspace import held

DIGITS = "0123456789"
LENGTH = 4
WIDTH, HEIGHT = 160, 60  # pixels, the size the `captcha` package draws unless told otherwise
SETTINGS = "captchas.json"
DRAW = "01-generate-captchas.ipynb"


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
    require(type(length) is int and 1 <= length <= 12, f"length is {length!r}, but must lie between 1 and 12.")
    base, possible = len(chars), len(chars) ** length
    require(
        1 <= count <= possible,
        f"captcha_count is {count:,}, but must lie between 1 and {possible:,}: "
        f"there are only {possible:,} different texts of {length} characters out of {chars!r}.",
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


def write_captcha(text: str, folder: Path, seed: int, draw: Callable[[str, int], Image.Image] = draw_captcha) -> None:
    """Draw ``text`` into ``folder/text.png``, which appears only when it is whole."""
    picture = draw(text, seed)
    require(isinstance(picture, Image.Image), f"The function that draws returned {type(picture).__name__}, no picture.")
    with write_aside(folder / f"{text}.png") as part:
        picture.save(part, format="png")


def write_captchas(
    folder: Path,
    count: int,
    seed: int,
    chars: str = DIGITS,
    length: int = LENGTH,
    processes: int | None = None,
    draw: Callable[[str, int], Image.Image] = draw_captcha,
) -> int:
    """Draw ``count`` captchas into ``folder``; keep those that an earlier run left there, and replace damaged ones.

    Args:
        processes: how many processes draw; None takes one for each core. It changes the speed, never a picture.
        draw: a function that takes a text and a seed and returns a picture, such as `draw_captcha`.

    Returns:
        How many captchas were drawn now: ``count`` at first, 0 when all of them were there.

    Raises:
        CourseError: ``count`` or ``processes`` is impossible, the folder holds captchas of other settings or files that
            are no captchas of this set, another run is writing to it, or it cannot be written to.
    """
    texts = draw_texts(count, seed, chars, length)
    require(processes is None or processes >= 1, f"processes is {processes}, but must be at least 1.")
    settings = {"captcha_count": count, "seed": seed, "chars": chars, "length": length, "captcha": version("captcha")}
    # So that pictures of a changed function are never mixed with others.
    changed = {} if code_of(draw) == code_of(draw_captcha) else {"drawn_by": code_of(draw)}
    with held(folder):
        if not check_settings(folder / SETTINGS, settings | (changed or {"drawn_by": None}), DRAW):
            require(
                not find_pictures(folder),
                f"{shown(folder)} already holds pictures that this course has not drawn: move them away, or choose "
                "another `workspace`.",
            )
            write_json(folder / SETTINGS, settings | changed)
        missing = [text for text in texts if not is_whole(folder / f"{text}.png")]
        if missing:
            drawn = _drawn(missing, folder, seed, processes or cores(), draw)
            for _ in progress(drawn, "Drawing", "captchas", len(missing)):
                pass
    return len(missing)


def is_whole(path: Path) -> bool:
    """Whether ``path`` is a PNG file of which every byte is as it was written, by the checksums in it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=["PNG"]) as picture:
                picture.verify()
    except Exception:  # missing, cut short, changed, of far too many pixels, or another kind of file
        return False
    return True


def find_pictures(folder: Path) -> list[Path]:
    """All files in ``folder`` that are pictures by their names, sorted; hidden ones and those of killed runs aside."""
    endings = {".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp"}
    return sorted(path for path in folder.glob("*.*") if path.suffix.lower() in endings and path.name[0] != ".")


def _drawn(texts: Sequence[str], folder: Path, seed: int, processes: int, draw: Callable) -> Iterator[None]:
    """Draw every text, and yield once for each."""
    if processes == 1 or len(texts) < 100:  # starting processes costs more than drawing a few pictures
        for text in texts:
            yield write_captcha(text, folder, seed, draw)
        return
    # cloudpickle takes a function along that was written in a notebook, which no other process could import.
    try:
        task = cloudpickle.dumps((folder, seed, draw))
    except Exception as error:  # anything that a learner's function takes along may refuse
        raise CourseError(
            f"The function that draws cannot go to other processes ({cause(error)}): set processes = 1."
        ) from error
    with drawing_pool(processes, _receive, task) as pool:
        try:
            yield from pool.map(_write_received, texts, chunksize=16)
        except BrokenProcessPool as error:
            raise CourseError(
                "A process that draws has died, most often for want of memory: set processes = 1."
            ) from error
        except BaseException:  # an interrupt too: it waits for the pictures under way, not for all that were asked for
            pool.shutdown(wait=False, cancel_futures=True)
            raise


_received: list = []  # in a drawing process: folder, seed and function


def _receive(pickled: bytes) -> None:
    _received[:] = cloudpickle.loads(pickled)


def _write_received(text: str) -> None:
    folder, seed, draw = _received
    write_captcha(text, folder, seed, draw)


def drawing_pool(
    processes: int | None = None, initializer: Callable | None = None, *arguments: object
) -> ProcessPoolExecutor:
    """Processes that draw at once, one for each core if not said otherwise; Windows allows no more than 61.

    Each of them calls ``initializer(*arguments)`` first.
    """
    # "spawn" is the one way of starting that works alike on Linux, macOS and Windows.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(min(processes or cores(), 61), context, initializer, arguments)


def check_text(text: str, chars: str = DIGITS, length: int = LENGTH) -> str:
    """Give ``text`` back if it is one that this course can draw and read.

    Raises:
        CourseError: it is not ``length`` characters out of ``chars``.
    """
    require(is_text(text, chars, length), f"{text!r} is not {length} characters out of {chars!r}: choose another text.")
    return text


def labels_of(text: str, chars: str = DIGITS) -> list[int]:
    """The place of each character of ``text`` in ``chars``: for digits, the digits themselves."""
    return [chars.index(char) for char in text]


def text_from(labels: Sequence[int], chars: str = DIGITS) -> str:
    """The text that a row of labels stands for: the opposite of `labels_of`."""
    return "".join(chars[label] for label in labels)


def is_text(name: str, chars: str = DIGITS, length: int = LENGTH) -> bool:
    """Whether ``name`` is ``length`` characters out of ``chars``."""
    return len(name) == length and set(name) <= set(chars)


def find_captchas(folder: Path, chars: str = DIGITS, length: int = LENGTH) -> list[Path]:
    """All pictures in ``folder`` that are named by a text, sorted, so that the order does not depend on the disk.

    Other files, such as ``0150 - Copy.png``, are not among them.

    Raises:
        CourseError: there is no such folder, or no captcha in it; the sentence says what is there instead.
    """
    found = find_pictures(folder)
    paths = [path for path in found if path.suffix == ".png" and is_text(path.stem, chars, length)]
    if not paths and found:
        raise CourseError(
            f"{shown(folder)} holds {len(found):,} pictures, but none is a PNG file named by {length} characters out "
            f"of {chars!r}, such as {chars[:length]}.png. The first is {found[0].name}. Rename them, or choose another "
            "`workspace`."
        )
    if not paths:
        raise CourseError(f"There are no captchas in {shown(folder)}: run 01-generate-captchas.ipynb first.")
    return paths
