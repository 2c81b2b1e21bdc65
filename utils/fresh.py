"""Captchas that no model of the course has seen: other texts, other drawings."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np

from utils.captchas import DIGITS, LENGTH, draw_all, draw_captcha, draw_texts, labels_of
from utils.files import require
from utils.pictures import gray

TEXTS = 5_000  # as many as a course of 5,000 captchas leaves unused
LISTED = 1_000_000  # texts; of more than so many, the unused ones are not listed but drawn by chance
SEEDS = ("fresh 0", "fresh 1")  # never used for a captcha of the course, whose seeds are numbers


def fresh_texts(
    used: Sequence[str],
    most: int = len(SEEDS) * TEXTS,
    seeds: Sequence[str] = SEEDS,
    chars: str = DIGITS,
    length: int = LENGTH,
) -> list[tuple[str, str]]:
    """Texts that are not ``used``, each with the seed to draw it: first all with one seed, then all with the other.

    Args:
        used: the texts of all captchas, whether for training or for the test.
        most: no more than this many. There are at most `TEXTS` for each seed.
        seeds: each text is drawn once with each of them.

    Raises:
        CourseError: ``most`` is below 1, or every text is used.
    """
    require(most >= 1, f"fresh_count is {most}, but must be at least 1.")
    possible, dice, used = len(chars) ** length, random.Random("fresh"), set(used)
    if possible <= LISTED:
        unused = sorted(set(draw_texts(possible, 0, chars, length)) - used)
        texts = dice.sample(unused, min(TEXTS, len(unused)))
    else:
        wanted, found = min(TEXTS, possible - len(used)), {}  # a dict keeps the order in which they were drawn
        while len(found) < wanted:
            text = "".join(dice.choices(chars, k=length))
            if text not in used:
                found[text] = True
        texts = list(found)
    require(bool(texts), f"Your captchas use all {possible:,} texts: draw fewer of them, in another `workspace`.")
    return [(text, seed) for seed in seeds for text in texts][:most]


def fresh_captchas(
    wanted: Sequence[tuple[str, str]], size: tuple[int, int], batch: int = 500, chars: str = DIGITS, **look: object
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Draw captchas of these texts and seeds on all cores, batch by batch, so that memory stays flat.

    Args:
        wanted: texts and seeds, from `fresh_texts`.
        size: height and width of the pictures in pixels.
        look: how `draw_captcha` draws them, if not as usual, see `utils.captchas.look_in`.

    Yields:
        Pictures as a record holds them, uint8 of shape (batch, height, width, 1), and labels, int64 of shape
        (batch, length).
    """
    for start, pictures in enumerate(drawn(wanted, size, batch, **look)):
        texts = [text for text, _ in wanted[start * batch : (start + 1) * batch]]
        yield pictures, np.array([labels_of(text, chars) for text in texts])


def drawn(
    wanted: Sequence[tuple[str, int | str]], size: tuple[int, int], batch: int = 500, **look: object
) -> Iterator[np.ndarray]:
    """The pictures alone, as `fresh_captchas` yields them; the texts need not be equally long."""
    for captchas in draw_all(draw_captcha, wanted, batch, **look):
        yield np.stack([gray(captcha, size) for captcha in captchas])[..., None]
