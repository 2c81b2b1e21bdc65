"""Where the ink of each character of a captcha lands, and how dark it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from PIL import Image

from utils.captchas import USUAL, draw_all, draw_captcha


@contextmanager
def _watched() -> Iterator[list[tuple[int, tuple[int, int], Image.Image]]]:
    """Note every pasting through a mask inside the block: width of the picture, corner, and the mask itself."""
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


def draw_watched(text: str, seed: int | str, **look: object) -> tuple[Image.Image, np.ndarray]:
    """Draw a captcha as `draw_captcha` does, the same to the last byte, and note where its characters are pasted.

    Args:
        look: how `draw_captcha` draws it, if not as usual.

    Returns:
        The picture, and a bool array of shape (length, height, width): the pixels that carry ink of each character, at
        least half as much as its darkest.
    """
    with _watched() as seen:
        picture = draw_captcha(text, seed, **look)
    masks, size = [], ((USUAL | look)["width"], (USUAL | look)["height"])
    for width, corner, mask in seen:
        alone = Image.new("L", (width, size[1]))
        alone.paste(mask, corner)
        alone = np.asarray(alone.resize(size))  # where the text was too wide, the package squeezed it
        if alone.any():  # a space has none
            masks.append(alone > alone.max() / 2)
    return picture, np.stack(masks)


def watch_all(wanted: Sequence[tuple[str, int | str]], **look: object) -> Iterator[tuple[Image.Image, np.ndarray]]:
    """What `draw_watched` returns for each of these texts and seeds, in order, drawn on all cores."""
    for some in draw_all(draw_watched, wanted, **look):
        yield from some


def overlap(masks: np.ndarray) -> np.ndarray:
    """The share of each character's ink, 0 to 1, that lies where other characters have ink too: shape (length,)."""
    shared = masks & (masks.sum(axis=0) > 1)
    return shared.sum(axis=(1, 2)) / masks.sum(axis=(1, 2))


def middles(masks: np.ndarray) -> np.ndarray:
    """The mean column of each character's ink, from 0 at the left edge to 1 at the right one: shape (length,)."""
    columns = (np.arange(masks.shape[2]) + 0.5) / masks.shape[2]
    return (masks.sum(axis=1) * columns).sum(axis=1) / masks.sum(axis=(1, 2))


def darkness(picture: Image.Image, masks: np.ndarray) -> float:
    """How much darker the text is than the paper, in gray levels from 0 to 255.

    It is the median over the ink of all characters. The dots and the arc are often darker, but cover few of its pixels.
    """
    gray = np.asarray(picture.convert("L")).astype(float)
    return float(gray.max() - np.median(gray[masks.any(axis=0)]))
