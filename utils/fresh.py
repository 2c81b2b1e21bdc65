"""Captchas that no model of the course has seen: other texts, other drawings.."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from utils.captchas import draw_captcha, draw_texts, drawing_pool, labels_of
from utils.files import require
from utils.pictures import gray

TEXTS = 5_000  # as many as a course of 5,000 captchas leaves unused
SEEDS = ("fresh 0", "fresh 1")  # never used for a captcha of the course, whose seeds are numbers


def fresh_texts(
    used: Sequence[str], most: int = len(SEEDS) * TEXTS, seeds: Sequence[str] = SEEDS
) -> list[tuple[str, str]]:
    """Texts that are not ``used``, each with the seed to draw it: first all with one seed, then all with the other.

    Args:
        used: the texts of all captchas, whether for training or for the test.
        most: no more than this many.
        seeds: each text is drawn once with each of them.

    Raises:
        CourseError: ``most`` is below 1, or every text is used.
    """
    require(most >= 1, f"fresh_count is {most}, but must be at least 1.")
    unused = sorted(set(draw_texts(10_000, 0)) - set(used))
    require(bool(unused), "Your captchas use all 10,000 texts: draw fewer of them, in another `workspace`.")
    texts = random.Random("fresh").sample(unused, min(TEXTS, len(unused)))
    return [(text, seed) for seed in seeds for text in texts][:most]


def fresh_captchas(
    wanted: Sequence[tuple[str, str]], size: tuple[int, int], batch: int = 500
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw captchas of these texts and seeds on all cores, batch by batch, so that memory stays flat.

    Args:
        wanted: texts and seeds, from `fresh_texts`.
        size: height and width of the pictures in pixels.

    Yields:
        Pictures as a record holds them, uint8 of shape (batch, height, width, 1), and labels, int64 of shape
        (batch, 4).
    """
    with drawing_pool() as pool:
        for start in range(0, len(wanted), batch):
            texts, seeds = zip(*wanted[start : start + batch], strict=True)
            drawn = pool.map(draw_captcha, texts, seeds, chunksize=25)
            pictures = np.stack([gray(picture, size) for picture in drawn])[..., None]
            yield pictures, np.array([labels_of(text) for text in texts])
