"""Fresh captchas: of texts that no split holds, the same each time, and labelled with their own texts."""

import numpy as np
import pytest
from conftest import SIZE

from utils.captchas import draw_captcha, draw_texts, text_from
from utils.files import CourseError
from utils.fresh import SEEDS, fresh_captchas, fresh_texts
from utils.tfrecords import gray


def test_fresh_texts_stand_in_neither_split():
    used = draw_texts(9_990, 0)
    wanted = fresh_texts(used)
    assert len(wanted) == 20 and len(set(wanted)) == 20
    assert not {text for text, _ in wanted} & set(used)
    assert [seed for _, seed in wanted] == [SEEDS[0]] * 10 + [SEEDS[1]] * 10
    assert fresh_texts(used, 7) == wanted[:7]
    assert len(fresh_texts(draw_texts(5_000, 1))) == 10_000


def test_fresh_captchas_are_drawn_and_labelled_one_by_one():
    wanted = fresh_texts(draw_texts(9_996, 0))
    batches = list(fresh_captchas(wanted, SIZE, batch=3))
    assert [len(images) for images, _ in batches] == [3, 3, 2]
    images, labels = map(np.concatenate, zip(*batches, strict=True))
    assert images.dtype == np.uint8 and images.shape == (8, *SIZE, 1)
    for image, label, (text, seed) in zip(images, labels, wanted, strict=True):
        assert text_from(label) == text
        assert np.array_equal(image[..., 0], gray(draw_captcha(text, seed), SIZE))


def test_fresh_captchas_that_cannot_be():
    with pytest.raises(CourseError, match="fresh_count is 0, but must be at least 1"):
        fresh_texts(["2026"], 0)
    with pytest.raises(CourseError, match="use all 10,000 texts"):
        fresh_texts(draw_texts(10_000, 0))


def test_fresh_texts_of_an_alphabet_too_large_to_list():
    chars = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    used = draw_texts(3000, 0, chars, 5)
    wanted = fresh_texts(used, chars=chars, length=5)
    assert len(wanted) == 10_000 and len({text for text, _ in wanted}) == 5000
    assert not {text for text, _ in wanted} & set(used)
    assert wanted == fresh_texts(used, chars=chars, length=5)
    most = [text for text, _ in fresh_texts([], chars="ab", length=3)]
    assert sorted(most[:8]) == sorted(draw_texts(8, 0, "ab", 3)) and len(most) == 16


def test_fresh_captchas_of_letters_in_their_own_size():
    wanted = fresh_texts([], 4, chars="abC", length=3)
    ((images, labels),) = fresh_captchas(wanted, SIZE, chars="abC", width=120, height=90)
    for image, label, (text, seed) in zip(images, labels, wanted, strict=True):
        assert text_from(label, "abC") == text
        assert np.array_equal(image[..., 0], gray(draw_captcha(text, seed, 120, 90), SIZE))
