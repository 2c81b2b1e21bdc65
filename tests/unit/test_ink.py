"""Where the ink lands: watching changes no pixel, and overlaps and centres are those of the drawing."""

import numpy as np
import pytest
from PIL import Image

from utils import ink
from utils.captchas import HEIGHT, WIDTH, draw_captcha

TEXTS = ["2026", "1111", "8888", "0707", "4096"]


@pytest.mark.parametrize("text", TEXTS)
def test_watching_changes_no_byte(text):
    for seed in (0, 1, "fresh 0"):
        picture, characters = ink.draw_watched(text, seed)
        assert picture.tobytes() == draw_captcha(text, seed).tobytes()
        assert characters.shape == (4, HEIGHT, WIDTH) and characters.dtype == bool
        assert characters.any(axis=(1, 2)).all()


def test_pasting_is_what_it_was_afterwards():
    paste = Image.Image.paste
    ink.draw_watched("2026", 0)
    assert Image.Image.paste is paste
    with pytest.raises(ZeroDivisionError), ink._watched():
        raise ZeroDivisionError
    assert Image.Image.paste is paste


def test_the_ink_is_where_the_picture_is_dark():
    """The recorded ink is dark, and what is far from it is paper; dots and arc are few."""
    for seed in range(5):
        picture, characters = ink.draw_watched("8888", seed)
        gray = np.asarray(picture.convert("L")).astype(int)
        text, paper = gray[characters.any(axis=0)], np.median(gray[~characters.any(axis=0)])
        assert np.mean(text < paper - 10) > 0.97
        moved = np.roll(characters.any(axis=0), 12, axis=1)  # the check can fail: ink of the wrong place is not dark
        assert np.mean(gray[moved] < paper - 10) < 0.9


def test_characters_come_in_the_order_of_the_text():
    """The package stretches every character to its cell: a full stop becomes a blot, with more ink than a 1."""
    for text in (".111", "1.11", "11.1", "111."):
        _, characters = ink.draw_watched(text, 0)
        assert characters.sum(axis=(1, 2)).argmax() == text.index(".")


def test_overlap_is_the_shared_share_of_each():
    characters = np.zeros((3, 4, 10), bool)
    characters[0, :, 0:4] = True  # 16 pixels, 4 of them shared with the second
    characters[1, :, 3:5] = True  # 8 pixels, 4 of them shared with the first
    characters[2, :, 8:9] = True  # alone
    assert ink.overlap(characters).tolist() == [0.25, 0.5, 0]


def test_centres_are_mean_columns():
    characters = np.zeros((2, 4, 10), bool)
    characters[0, :, 0:4] = True
    characters[1, 1, 9] = True
    assert ink.middles(characters).tolist() == pytest.approx([0.2, 0.95])


def test_darkness_is_that_of_the_text_and_not_of_the_dots():
    gray, characters = np.full((4, 10), 250, np.uint8), np.zeros((2, 4, 10), bool)
    gray[:, 2:5] = 210  # pale text
    characters[0, :, 2:4] = characters[1, :, 4:5] = True
    gray[0, 2] = gray[0, 9] = 0  # black dots, one of them on the text
    assert ink.darkness(Image.fromarray(gray), characters) == 40


def test_many_are_watched_as_one_is():
    wanted = [(text, "fresh 0") for text in TEXTS]
    columns = []
    for (text, seed), (picture, masks) in zip(wanted, ink.watch_all(wanted), strict=True):
        same, same_masks = ink.draw_watched(text, seed)
        assert picture.tobytes() == same.tobytes() and np.array_equal(masks, same_masks)
        columns.append(ink.middles(masks))
    assert (np.diff(columns) > 0).all()  # digits stand from left to right
