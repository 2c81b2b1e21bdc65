"""Where the ink of each character of a captcha lands, and how dark it is. Introduced in notebook 06."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image

from utils.captchas import HEIGHT, WIDTH, draw_captcha, drawing_pool


@contextmanager
def _watched() -> Iterator[list[tuple[int, tuple[int, int], Image.Image]]]:
    """Note down every pasting through a mask inside the block: width of the picture, corner, and the mask itself."""
    seen, paste = [], Image.Image.paste

    def noted(picture, im, box=None, mask=None):
        if mask is not None:
            seen.append((picture.width, box, mask))
        return paste(picture, im, box, mask)

    Image.Image.paste = noted
    try:
        yield seen
    finally:
        Image.Image.paste = paste


def draw_watched(text: str, seed: int | str) -> tuple[Image.Image, np.ndarray]:
    """Draw a captcha as `draw_captcha` does, the same to the last byte, and watch where its characters are pasted.

    Returns:
        The picture, and a bool array of shape (length, 60, 160): the pixels that carry ink of each character, at least
        half as much as its darkest.
    """
    with _watched() as seen:
        picture = draw_captcha(text, seed)
    ink = []
    for width, corner, mask in seen:
        alone = Image.new("L", (width, HEIGHT))
        alone.paste(mask, corner)
        alone = np.asarray(alone.resize((WIDTH, HEIGHT)))  # where the text was too wide, the package squeezed it
        if alone.any():  # a space has none
            ink.append(alone > alone.max() / 2)
    return picture, np.stack(ink)


def overlap(ink: np.ndarray) -> np.ndarray:
    """The share of each character's ink, 0 to 1, that lies where other characters have ink too: shape (length,)."""
    shared = ink & (ink.sum(axis=0) > 1)
    return shared.sum(axis=(1, 2)) / ink.sum(axis=(1, 2))


def _middles(ink: np.ndarray) -> np.ndarray:
    """The mean column of each character's ink, from 0 at the left edge to 1 at the right one: shape (length,)."""
    columns = (np.arange(ink.shape[2]) + 0.5) / ink.shape[2]
    return (ink.sum(axis=1) * columns).sum(axis=1) / ink.sum(axis=(1, 2))


def darkness(picture: Image.Image, ink: np.ndarray) -> float:
    """How much darker the text is than the paper, in gray levels from 0 to 255.

    It is the median over the ink of all characters: the dots and the arc, which are often darker, lie on few of them.
    """
    gray = np.asarray(picture.convert("L")).astype(float)
    return float(gray.max() - np.median(gray[ink.any(axis=0)]))


def _measure(text: str, seed: int | str) -> np.ndarray:
    """Overlap and centre of each character, and the darkness of them all: float array of shape (3, length)."""
    picture, ink = draw_watched(text, seed)
    return np.stack([overlap(ink), _middles(ink), np.full(len(ink), darkness(picture, ink))])


def measure_all(wanted: Sequence[tuple[str, int | str]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Overlaps, centres and darkness of many captchas, drawn again on all cores from their texts and seeds.

    Returns:
        Two float arrays of shape (captchas, length): shares as in `overlap`, and the mean column of the ink of each
        character, from 0 at the left edge to 1 at the right one; and one of shape (captchas,), as in `darkness`.
    """
    with drawing_pool() as pool:
        measured = np.stack(list(pool.map(_measure, *zip(*wanted, strict=True), chunksize=25)))
    return measured[:, 0], measured[:, 1], measured[:, 2, 0]
