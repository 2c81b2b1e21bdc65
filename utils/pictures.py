"""Pictures of any kind as a person sees them, and as the network does, without TensorFlow."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from utils.captchas import USUAL
from utils.files import CourseError, cause, in_course, require, shown

MOST_PIXELS = 50_000_000  # a captcha has about 10,000; a photograph of a modern telephone 50,000,000


def as_seen(picture: Image.Image) -> Image.Image:
    """A picture of any kind as a person sees it on white paper: turned upright, in one of the modes L and RGB."""
    picture.load()  # some readers turn the picture themselves, and only now
    with suppress(Exception):  # its note about the way up is damaged: it stays as it is
        picture = ImageOps.exif_transpose(picture)
    if picture.mode in ("L", "RGB") and "transparency" not in picture.info:
        return picture
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return Image.fromarray(_eight_bits(picture))
    if picture.mode == "LAB":
        return picture.getchannel("L")
    if picture.has_transparency_data:
        if picture.mode == "La":  # Pillow turns it into LA only
            picture = picture.convert("LA")
        inked = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", inked.size, "white"), inked).convert("RGB")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _eight_bits(picture: Image.Image) -> np.ndarray:
    """The pixels of a picture of more than eight bits, by its range: uint8."""
    pixels = np.asarray(picture).astype(np.float64)
    unseen = ~np.isfinite(pixels)
    if isinstance(picture.info.get("transparency"), int):
        unseen |= pixels == picture.info["transparency"]
    seen = pixels[~unseen]
    if not seen.size:
        return np.full(pixels.shape, 255, np.uint8)
    low, high = min(float(seen.min()), 0.0), float(seen.max())
    ranges = [65535.0] if picture.mode.startswith("I;16") else [255.0, 65535.0]
    if picture.mode == "F":
        ranges = [1.0, *ranges]
    if low == 0:  # the range that numbers of this kind have; other numbers, from the darkest to the lightest
        high = next((most for most in ranges if high <= most), high)
    pixels[unseen] = high
    return np.rint((pixels - low) / max(high - low, 1e-300) * 255).clip(0, 255).astype(np.uint8)


def gray(picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
    """A picture as the network sees it: gray, of ``size`` (height, width); uint8, 0 for black and 255 for white."""
    height, width = size
    return np.asarray(as_seen(picture).convert("L").resize((width, height), Image.Resampling.BILINEAR))


def open_picture(path: Path) -> Image.Image:
    """A picture file as a person sees it, read whole. A relative ``path`` is counted from the course's folder.

    Raises:
        CourseError: there is no such file, it is too large, or it is no whole picture. The sentence names the file.
    """
    path = in_course(path)
    name = shown(path)  # once: a data set has many pictures
    try:
        require(not path.is_dir(), f"{name} is a folder, not a picture: choose a file in it.")
        require(path.is_file() or not path.exists(), f"{name} is no ordinary file, and so no picture.")
        # Pillow maps a file that it opens by name into memory, and then turns some TIFF pictures wrongly.
        with open(path, "rb") as file:
            return read_picture(file, name)
    except FileNotFoundError as error:
        raise CourseError(f"There is no file {name}: check its name and folder.") from error
    except (OSError, ValueError) as error:  # no right to read, or a name that no file can have
        raise CourseError(f"{name} cannot be read: {cause(error)}.") from error


def read_picture(file: BinaryIO, name: str) -> Image.Image:
    """A picture as a person sees it, read whole from an open file.

    Args:
        name: of the file, for the sentence.

    Raises:
        CourseError: it is too large, or no whole picture.
    """
    too_large = "far too many for a captcha: cut out the captcha and save it again."
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on odd files: what matters raises below
            with Image.open(file) as picture:
                size = f"{picture.width:,} x {picture.height:,} pixels"
                require(picture.width * picture.height <= MOST_PIXELS, f"{name} has {size}, {too_large}")
                picture.load()
                return as_seen(picture).copy()
    except CourseError:
        raise
    except Image.DecompressionBombError as error:
        raise CourseError(f"{name} has more pixels than Pillow opens, {too_large}") from error
    except MemoryError as error:
        raise CourseError(f"{name} has more pixels than fit into the memory, {too_large}") from error
    except UnidentifiedImageError as error:
        why = "it is of no kind that Pillow knows" if file.seek(0, 2) else "it is empty"
        raise CourseError(f"{name} is not a whole picture ({why}): draw or save it again.") from error
    except Exception as error:  # each of Pillow's readers fails in its own way on a damaged file
        raise CourseError(f"{name} is not a whole picture ({cause(error)}): draw or save it again.") from error


def gray_picture(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read a picture file by `gray`: uint8 array of ``size`` (height, width).

    Raises:
        CourseError: as by `open_picture`.
    """
    return gray(open_picture(path), size)


def doubts(picture: Image.Image, look: Mapping[str, object] | None = None) -> list[str]:
    """Why ``picture`` may be no captcha of the kind that the network knows, in sentences; none where it looks like one.

    The network reads a text from anything, even from a blank page: so look at these sentences too.

    Args:
        look: width and height of the captchas that the network knows, if not the usual ones.
    """
    seen = as_seen(picture).convert("L")
    pixels, (width, height) = np.asarray(seen).astype(int), seen.size
    found = []
    darkest, paper, lightest = np.percentile(pixels, [0.5, 50, 99.5])
    if lightest - darkest < 24:
        return ["The picture has almost one gray level only: there is no text to see in it."]
    usual = USUAL | dict(look or {})
    wide, high = Fraction(usual["width"], usual["height"]).as_integer_ratio()
    if not 2 / 3 <= width / height / (wide / high) <= 3 / 2:
        found.append(
            f"The picture has {width:,} x {height:,} pixels, and the captchas of this course are {wide} wide to {high} "
            "high: cut out the captcha alone."
        )
    if paper < 128:
        found.append("The picture shows light text on a dark ground, and the network knows only dark text on light.")
    ink = np.abs(pixels - paper) > 40
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if rows.size and (np.ptp(rows) + 1) * (np.ptp(columns) + 1) < 0.35 * width * height:
        found.append("The text fills only a small part of the picture: cut out the captcha alone.")
    return found
