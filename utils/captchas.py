"""Draw captchas: the same seed gives the same pictures, byte for byte."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from functools import cache, partial
from importlib.metadata import version
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from pathlib import Path
from urllib.parse import unquote

import captcha.image
import cloudpickle
from fontTools.ttLib import TTFont
from PIL import Image, ImageFont

from utils.code import code_of
from utils.files import (
    CourseError,
    cause,
    check_settings,
    in_course,
    read_json,
    require,
    shown,
    write_aside,
    write_json,
)
from utils.machine import cores
from utils.parameters import checked, shortened
from utils.progress import progress
from utils.workspace import held

DIGITS = "0123456789"
LENGTH = 4
WIDTH, HEIGHT = 160, 60  # pixels, the size the `captcha` package draws unless told otherwise
DIED = "A process that draws has died, most often for want of memory"
USUAL = {"width": WIDTH, "height": HEIGHT, "fonts": ""}  # what a captcha looks like, if nobody says otherwise
RESERVED = {"CON", "PRN", "AUX", "NUL"} | {f"{device}{number}" for device in ("COM", "LPT") for number in range(10)}
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
        CourseError: ``count`` is below 1 or above the number of different texts, or ``length`` is not 1 to 12.
    """
    require(type(length) is int and 1 <= length <= 12, f"length is {length!r}, but must lie between 1 and 12.")
    base, possible = len(chars), len(chars) ** length
    require(
        1 <= count <= possible <= sys.maxsize,
        f"captcha_count is {count:,}, but must lie between 1 and {min(possible, sys.maxsize):,}: "
        f"there are only {possible:,} different texts of {length} characters out of {shortened(chars)}.",
    )
    numbers = random.Random(f"texts {seed}").sample(range(possible), count)
    return ["".join(chars[number // base**place % base] for place in reversed(range(length))) for number in numbers]


def font_names(fonts: str) -> list[str]:
    """What a text such as ``a.ttf, b.ttf`` names; an empty list for no font, or for commas alone."""
    return [name.strip() for name in fonts.split(",") if name.strip()]


def font_files(fonts: str = "") -> list[str]:
    """The paths in ``fonts``, which are separated by commas and counted from the course's folder.

    An empty text stands for the font that comes with the ``captcha`` package.

    Raises:
        CourseError: one of them is no font file.
    """
    named = font_names(fonts)
    files = list(map(in_course, named))
    for name, file in zip(named, files, strict=True):
        _characters_of(str(file), name)
    return [str(file) for file in files] or list(captcha.image.DEFAULT_FONTS)


@cache
def _characters_of(file: str, name: str) -> frozenset[int]:
    """The code points that a font file has a picture for."""
    try:
        with TTFont(file, fontNumber=0, lazy=True) as font:
            return frozenset(code for code, glyph in font.getBestCmap().items() if glyph != ".notdef")
    except Exception as error:  # missing, cut short, of another kind: fontTools fails in many ways
        raise _no_font(name, error) from error


def _no_font(name: str, error: Exception) -> CourseError:
    return CourseError(
        f"fonts names {name}, which is no font file that can be read ({cause(error)}): give the paths of TrueType or "
        "OpenType files, separated by commas."
    )


def check_alphabet(chars: str, fonts: str = "", name: str = "chars") -> str:
    """Give ``chars`` back if captchas of these characters can be drawn with these fonts and read again.

    Args:
        name: of the parameter that holds them, for the sentence.

    Raises:
        CourseError: there are fewer than two characters, or repeated ones, or such as no picture shows alone (spaces,
            control characters, combining marks); or a font has no picture for one of them, or no blank space. A font
            draws what it does not know as one and the same box.
    """
    checked(name, chars)
    other_fonts = "" if name == "own_chars" else ", or name fonts that can in the parameter fonts of " + DRAW
    for file in font_files(fonts):
        known = _characters_of(file, Path(file).name)
        unknown = [char for char in chars if ord(char) not in known or not _inked(file, char)]
        require(
            not unknown,
            f"The font {Path(file).name} cannot draw {', '.join(unknown)}: leave that out of {name}{other_fonts}.",
        )
        require(
            ord(" ") in known and not _inked(file, " "),  # the painter draws a space between some characters
            f"The font {Path(file).name} has no blank space, and so it would draw boxes between the characters: name "
            "another font in the parameter fonts of 01-generate-captchas.ipynb.",
        )
    return chars


def _inked(file: str, char: str) -> bool:
    try:
        return ImageFont.truetype(file, 42).getmask(char).getbbox() is not None
    except OSError as error:  # not everything that fontTools reads can be drawn
        raise _no_font(Path(file).name, error) from error


def example_text(chars: str = DIGITS, length: int = LENGTH) -> str:
    """A text to show: 2026 where texts are four digits, else one that is drawn by chance and always the same."""
    return "2026" if (chars, length) == (DIGITS, LENGTH) else draw_texts(1, 0, chars, length)[0]


@cache
def painter(width: int, height: int, fonts: str = "") -> captcha.image.ImageCaptcha:
    """The package's painter for pictures of this size, made once: it loads its fonts when it first draws.

    Args:
        fonts: see `font_files`.
    """
    return captcha.image.ImageCaptcha(width, height, font_files(fonts))


def draw_captcha(text: str, seed: int | str, width: int = WIDTH, height: int = HEIGHT, fonts: str = "") -> Image.Image:
    """Draw ``text`` as an RGB picture of ``width`` x ``height`` pixels; ``seed`` and ``text`` decide every pixel."""
    with seeded(f"captcha {seed} {text}"):
        return painter(width, height, fonts).generate_image(text)


def look_in(folder: Path) -> dict[str, object]:
    """How the captchas in ``folder`` are drawn, as arguments of `draw_captcha`; empty where it is the usual way."""
    return checked_look(read_json(folder / SETTINGS) if (folder / SETTINGS).exists() else {})


def unusual_look(values: Mapping[str, object]) -> dict[str, object]:
    """What of ``values``, which hold at least width, height and fonts, is not as usual: arguments of `draw_captcha`."""
    values = {**values, "fonts": ",".join(font_names(values["fonts"]))}  # spaces and a comma too many say nothing
    return {name: values[name] for name, usual in USUAL.items() if values[name] != usual}


def checked_look(settings: object) -> dict[str, object]:
    """What the settings of captchas say about how they are drawn, as arguments of `draw_captcha`.

    Raises:
        CourseError: a value is impossible, or a font file is no longer what it was.
    """
    found = settings if isinstance(settings, dict) else {}
    look = {name: checked(name, found[name]) for name in USUAL if name in found}
    if "fonts" in look and "font_files" in found:
        require(
            found["font_files"] == font_print(look["fonts"]),
            f"The font files {', '.join(Path(name).name for name in font_names(look['fonts']))} are other ones than "
            "those that your captchas were drawn with: put the former files back, or choose another `workspace`.",
        )
    return look


def file_name(text: str, chars: str = DIGITS) -> str:
    """The name of the file for ``text``: no two texts out of ``chars`` share one, on any disk of any system.

    ASCII digits and letters stay. Windows and macOS take ``a.png`` and ``A.png`` for one file, so a capital letter
    whose small letter is in ``chars`` too is written by its code, ``%41``. So are all other characters, many of which
    no file name may hold, and the first letter of a name that Windows keeps for a device, such as CON.
    """
    kept = [char.isascii() and char.isalnum() and not (char.isupper() and char.lower() in chars) for char in text]
    if text.upper() in RESERVED:
        kept[0] = False
    codes = ["".join(f"%{byte:02X}" for byte in char.encode()) for char in text]
    return "".join(char if keep else code for char, keep, code in zip(text, kept, codes, strict=True)) + ".png"


def text_of(path: Path) -> str:
    """The text that the name of a captcha's file stands for: the opposite of `file_name`."""
    return unquote(path.stem)


def write_captcha(
    text: str,
    folder: Path,
    seed: int | str,
    draw: Callable[..., Image.Image] = draw_captcha,
    chars: str = DIGITS,
    **look: object,
) -> None:
    """Draw ``text`` into the file of ``folder`` that `file_name` says; it appears only when it is whole.

    Args:
        look: what ``draw`` gets besides text and seed, such as ``width``.
    """
    picture = draw(text, seed, **look)
    require(isinstance(picture, Image.Image), f"The function that draws returned {type(picture).__name__}, no picture.")
    with write_aside(folder / file_name(text, chars)) as part:
        picture.save(part, format="png")


def write_captchas(
    folder: Path,
    count: int,
    seed: int,
    chars: str = DIGITS,
    length: int = LENGTH,
    processes: int | None = None,
    draw: Callable[..., Image.Image] = draw_captcha,
    width: int = WIDTH,
    height: int = HEIGHT,
    fonts: str = "",
) -> int:
    """Draw ``count`` captchas into ``folder``; keep those that an earlier run left there, and replace damaged ones.

    Args:
        processes: how many processes draw; None takes one for each core. It changes the speed, never a picture.
        draw: a function that takes a text and a seed and returns a picture, such as `draw_captcha`. It gets width,
            height and fonts by name, as far as they are not the usual ones.
        fonts: see `font_files`.

    Returns:
        How many captchas were drawn now: ``count`` at first, 0 when all of them were there.

    Raises:
        CourseError: ``count`` or ``processes`` is impossible, `check_alphabet` refuses the characters, the folder holds
            captchas of other settings, or pictures and no settings, another run is writing to it, or it cannot be
            written to.
    """
    texts = draw_texts(count, seed, check_alphabet(chars, fonts), length)
    require(processes is None or processes >= 1, f"processes is {processes}, but must be at least 1.")
    settings = {"captcha_count": count, "seed": seed, "chars": chars, "length": length, "captcha": version("captcha")}
    look = unusual_look({"width": width, "height": height, "fonts": fonts})
    # So that pictures of a changed function, of another size or of other fonts are never mixed with others.
    changed = look | ({} if code_of(draw) == code_of(draw_captcha) else {"drawn_by": code_of(draw)})
    if "fonts" in look:
        changed["font_files"] = font_print(fonts)
    with held(folder):
        if not check_settings(folder / SETTINGS, settings | dict.fromkeys([*USUAL, "drawn_by"]) | changed, DRAW):
            require(
                not find_pictures(folder),
                f"{shown(folder)} already holds pictures that this course has not drawn: move them away, or choose "
                "another `workspace`.",
            )
            write_json(folder / SETTINGS, settings | changed)
        missing = missing_texts(folder, texts, chars)
        if missing:
            # closed at once when the loop is interrupted, so that nothing is drawn into a folder that nobody holds
            with closing(_drawn(missing, folder, seed, processes or cores(), draw, chars, look)) as drawn:
                for _ in progress(drawn, "Drawing", "captchas", len(missing)):
                    pass
    return len(missing)


def font_print(fonts: str) -> str:
    """A fingerprint of what the font files hold: another font may have the same name."""
    return hashlib.sha256(b"".join(Path(file).read_bytes() for file in font_files(fonts))).hexdigest()[:16]


def split_texts(
    captcha_count: int, test_count: int, seed: int, chars: str = DIGITS, length: int = LENGTH
) -> tuple[list[str], list[str]]:
    """The texts for the test, and those for training, as notebook 02 splits the captchas of notebook 01."""
    texts = sorted(draw_texts(captcha_count, seed, chars, length), key=lambda text: file_name(text, chars))
    random.Random(f"split {seed}").shuffle(texts)
    return texts[:test_count], texts[test_count:]


def missing_texts(folder: Path, texts: Sequence[str], chars: str = DIGITS) -> list[str]:
    """Those of ``texts`` for which ``folder`` holds no file, or a damaged one."""
    return [text for text in texts if not is_whole(folder / file_name(text, chars))]


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
    found = [path for path in folder.glob("*.*") if path.suffix.lower() in endings and path.name[0] != "."]
    return sorted(found, key=lambda path: path.name)  # paths alone are sorted in another way on Windows


def _drawn(
    texts: Sequence[str], folder: Path, seed: int, processes: int, draw: Callable, chars: str, look: dict
) -> Iterator[None]:
    """Draw every text, and yield once for each."""
    if processes == 1 or len(texts) < 100:  # starting processes costs more than drawing a few pictures
        for text in texts:
            yield write_captcha(text, folder, seed, draw, chars, **look)
        return
    # cloudpickle takes a function along that was written in a notebook, which no other process could import.
    try:
        task = cloudpickle.dumps((folder, seed, draw, chars, look))
    except Exception as error:  # anything that a learner's function takes along may refuse
        raise CourseError(
            f"The function that draws cannot go to other processes ({cause(error)}): set processes = 1."
        ) from error
    with drawing_pool(processes, _receive, task) as pool:
        try:
            yield from pool.map(_write_received, texts, chunksize=16)
        except BrokenProcessPool as error:
            raise CourseError(f"{DIED}: set processes = 1.") from error
        except BaseException:  # an interrupt too: it waits for the pictures under way, not for all that were asked for
            pool.shutdown(wait=True, cancel_futures=True)
            raise


_received: list = []  # in a drawing process: folder, seed, function, alphabet and look


def _receive(pickled: bytes) -> None:
    _received[:] = cloudpickle.loads(pickled)


def _write_received(text: str) -> None:
    folder, seed, draw, chars, look = _received
    write_captcha(text, folder, seed, draw, chars, **look)


class _Process(SpawnProcess):
    """A process that does not hear Ctrl+C, not even while it starts: the one that started it hears it, and ends it."""

    def start(self) -> None:
        if os.name != "posix":
            return super().start()
        resource_tracker.ensure_running()  # else it is started inside, and lets Ctrl+C through again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # the new process inherits it
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Context(SpawnContext):
    """The one way of starting a process, "spawn", that works alike on Linux, macOS and Windows."""

    Process = _Process


def drawing_pool(
    processes: int | None = None, initializer: Callable | None = None, *arguments: object
) -> ProcessPoolExecutor:
    """Processes that draw at once, one for each core if not said otherwise; Windows allows no more than 61.

    Each of them calls ``initializer(*arguments)`` first, and ends when the process that started it is killed.
    """
    return ProcessPoolExecutor(min(processes or cores(), 61), _Context(), _begin, (initializer, arguments))


def _begin(initializer: Callable | None, arguments: tuple) -> None:
    parent = multiprocessing.parent_process()
    # else it would go on writing into a folder that nobody holds any more
    threading.Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()
    if initializer:
        initializer(*arguments)


def draw_all(
    function: Callable, wanted: Sequence[tuple[str, int | str]], batch: int = 500, **look: object
) -> Iterator[list]:
    """What ``function(text, seed, **look)`` returns for each of these texts and seeds, in order, on all cores.

    Args:
        function: `draw_captcha`, or another one that a process can import.
        batch: so many at once, so that memory stays flat.

    Raises:
        CourseError: a process that draws has died.
    """
    with drawing_pool() as pool:
        for start in range(0, len(wanted), batch):
            texts, seeds = zip(*wanted[start : start + batch], strict=True)
            try:
                drawn = list(pool.map(partial(function, **look), texts, seeds, chunksize=8))
            except BrokenProcessPool as error:
                raise CourseError(f"{DIED}: close other programs and notebooks, and run this again.") from error
            yield drawn


def check_text(text: str, chars: str = DIGITS, length: int = LENGTH) -> str:
    """Give ``text`` back if it is one that this course can draw and read.

    Raises:
        CourseError: it is not ``length`` characters out of ``chars``.
    """
    require(
        is_text(text, chars, length),
        f"{text!r} is not {length} characters out of {shortened(chars)}: choose another text.",
    )
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
    """All pictures in ``folder`` that are named by a text, as `file_name` names them, sorted, so that the order does
    not depend on the disk.

    Other files, such as ``0150 - Copy.png``, are not among them.

    Raises:
        CourseError: there is no such folder, or no captcha in it; the sentence says what is there instead.
    """
    found = find_pictures(folder)
    paths = [path for path in found if _names_a_text(path, chars, length)]
    if not paths and found:
        raise CourseError(
            f"{shown(folder)} holds {len(found):,} pictures, but none is a PNG file named by {length} characters out "
            f"of {shortened(chars)}, such as {file_name((chars * length)[:length], chars)}. The first is "
            f"{found[0].name}. Rename them, or choose another `workspace`, `chars` or `length`."
        )
    if not paths:
        raise CourseError(f"There are no captchas in {shown(folder)}: run 01-generate-captchas.ipynb first.")
    return paths


def _names_a_text(path: Path, chars: str, length: int) -> bool:
    text = text_of(path)
    return is_text(text, chars, length) and path.name == file_name(text, chars)
