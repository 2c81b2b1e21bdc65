"""Checkers for the exercises. They say ✅, or ❌ with what is expected and a hint, or that there is no answer yet.

An exercise has a name, which its checker, its stub in a notebook and its solution share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from utils.captchas import HEIGHT, WIDTH, draw_captcha, find_captchas
from utils.scores import wilson_interval


class Exercise(NamedTuple):
    """What a checker knows: the kind of value that is expected, how to judge an answer, and a hint for wrong ones.

    ``judge`` gets the answer, and what else `check` was given by name. It returns whether the answer is right, or None
    if there is none yet.
    """

    expected: str
    judge: Callable[..., bool | None]
    hint: str


def check(name: str, answer: object, **facts: object) -> None:
    """Print what is to be said about an answer. Whatever the answer is, this never fails."""
    exercise, reason = EXERCISES[name], ""
    try:
        right = None if answer is None else exercise.judge(answer, **facts)
        right = right if right is None else bool(right)  # of an array it is an error
    except Exception as error:  # an answer may be anything, and a function of the learner's may do anything
        right, reason = False, f" Yours led to {type(error).__name__}: {error}."
    if right is None:
        print(f"… {name}: not answered yet. Expected: {exercise.expected}.")
    elif right:
        print(f"✅ {name}: right.")
    else:
        print(f"❌ {name}: not yet. Expected: {exercise.expected}.{reason} Hint: {exercise.hint}")


def near(value: float, share: float = 0.01) -> Callable[[object], bool]:
    """Judge a number: right if it differs by no more than ``share`` of ``value``."""
    return lambda answer: abs(_number(answer) - value) <= share * abs(value)


def gives(*cases: tuple[tuple, object]) -> Callable[[object], bool | None]:
    """Judge a function by what it returns: each case is its arguments and the expected result."""

    def judge(answer: object) -> bool | None:
        results = [answer(*arguments) for arguments, _ in cases]
        if all(result is None for result in results):
            return None  # the stub, whose body is still missing
        for result, (_, expected) in zip(results, cases, strict=True):
            same = (
                math.isclose(_number(result), expected, rel_tol=1e-4, abs_tol=1e-6)
                if isinstance(expected, float)
                else result == expected
            )
            if not same:
                return False
        return True

    return judge


def _number(value: object) -> float:
    if isinstance(value, (str, bool)):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _palest(answer: object, folder: Path) -> bool:
    """Whether no captcha in the folder is brighter on average than the one with this text."""
    means = {path.stem: float(np.asarray(Image.open(path).convert("L")).mean()) for path in find_captchas(folder)}
    return means[str(answer)] >= max(means.values()) - 1e-9


def _drawn_otherwise(answer: object) -> bool:
    """Whether this is a picture of the usual size, not blank, and not what `draw_captcha` draws by itself."""
    if not isinstance(answer, Image.Image):
        raise TypeError(f"{type(answer).__name__} is no picture")
    given = answer.convert("RGB")
    plain = [draw_captcha("2026", seed).tobytes() for seed in range(50)]
    return given.size == (WIDTH, HEIGHT) and len(given.getcolors(WIDTH * HEIGHT)) > 1 and given.tobytes() not in plain


def with_a_wrong_label(labels: np.ndarray, seed: int) -> np.ndarray:
    """A copy of the labels, an array of shape (captchas, length), in which one digit of one captcha is wrong."""
    chance = np.random.default_rng(seed + 7)
    row, place = chance.integers(len(labels)), chance.integers(labels.shape[1])
    planted = labels.copy()
    planted[row, place] = (planted[row, place] + 1 + chance.integers(8)) % 10
    return planted


def _planted(answer: object, labels: np.ndarray, planted: np.ndarray) -> bool:
    return _number(answer) == np.flatnonzero((labels != planted).any(axis=1))[0]


def _worst(answer: object, places: np.ndarray) -> bool:
    return _number(answer) in range(len(places)) and places[int(answer)] == min(places)


def _breaks(answer: object, network: object, image: np.ndarray) -> bool:
    """Whether the network reads something else when this column of the picture is black."""
    from utils.model import probabilities

    changed = image.copy()
    changed[:, int(_number(answer))] = 0
    before, after = probabilities(network, np.stack([image, changed])).argmax(axis=-1)
    return bool((before != after).any())


def _overlap(answer: object) -> bool:
    if not isinstance(answer, (bool, np.bool_)):
        raise TypeError(f"{answer!r} is neither True nor False")
    return bool(answer) == (wilson_interval(490, 500)[0] <= wilson_interval(485, 500)[1])


def _one_wrong(answer: object, right: np.ndarray) -> bool:
    wrong = (~right).sum(axis=1)
    return math.isclose(_number(answer), (wrong == 1).sum() / (wrong > 0).sum(), abs_tol=5e-4)


def _most_confused(answer: object, matrices: np.ndarray) -> bool:
    """Whether no two digits were confused more often, in either direction, than these two."""
    counts = matrices.sum(axis=0)
    counts = np.triu(counts + counts.T, 1)
    first, second = sorted(answer)
    return counts[first, second] == counts.max()


def _lowest_threshold(answer: object, sure: np.ndarray, whole: np.ndarray, promise: float = 0.999) -> bool:
    """Whether this confidence keeps the promise, and no more captchas are refused than must be."""

    def answered(level: float) -> int:
        """How many captchas are answered at this level, or -1 where the promise is broken."""
        chosen = sure >= level
        return int(chosen.sum()) if not chosen.any() or whole[chosen].mean() >= promise else -1

    best = max(answered(level) for level in [*np.unique(sure), 2.0])
    return answered(_number(answer)) == best


def _first_lost(answer: object, network: object, image: np.ndarray) -> bool:
    """Whether this is the picture with less than half of it changed, of which all is read alike but the first digit."""
    from utils.model import probabilities

    changed = np.asarray(answer, dtype=np.uint8).reshape(image.shape)
    before, after = probabilities(network, np.stack([image, changed])).argmax(axis=-1)
    small = (changed != image).mean() < 0.5
    return bool(small and before[0] != after[0] and (before[1:] == after[1:]).all())


def _same_set(*right: str) -> Callable[[Sequence[str]], bool]:
    return lambda answer: not isinstance(answer, str) and set(answer) == set(right)


# Eight different pictures of 2 x 3 pixels, for the exercise `in_both`.
_PICTURES = np.arange(48, dtype=np.uint8).reshape(8, 2, 3)

EXERCISES = {
    # Notebook 00
    "what_it_says": Exercise(
        "a text of four digits, in quotes",
        lambda answer, text: answer == text,
        "look again, and mind the quotes: 0042 without them would be the number 42.",
    ),
    "pictures_in_all": Exercise(
        "a whole number of pictures",
        lambda answer, pictures: _number(answer) == 30 * pictures,
        "after the change, run the cell of the parameters and then every cell below it, and read section 2 again.",
    ),
    "order_of_cells": Exercise(
        "two numbers in brackets",
        lambda answer: tuple(answer) == (5, 20),
        "the numbers beside the cells tell the order for the first; for the second, read from top to bottom.",
    ),
    # Notebook 01
    "files_left": Exercise(
        "a number of files",
        near(1000 * (1 - (1 - 1 / 1000) ** 2000), 0.01),
        "one draw misses a text with probability 1 - 1/1,000, and 2,000 draws with that to the power of 2,000.",
    ),
    "possible_texts": Exercise(
        "a whole number",
        near(36**5, 0),
        "how many choices are there for the first character? For the first two?",
    ),
    "palest": Exercise(
        "a text of four digits, in quotes",
        _palest,
        "open every file of the folder, turn it gray, and look for the highest mean.",
    ),
    "harder": Exercise(
        "a picture of 160 x 60 pixels, not as `draw_captcha` draws it; only you can see whether it is harder",
        _drawn_otherwise,
        "make a painter of your own, change its `character_rotate`, and draw with `captchas.seeded`.",
    ),
    # Notebook 02
    "megabytes": Exercise(
        "a number of megabytes, within a tenth",
        near(4500 * (64 * 64 + 110) / 1e6, 0.1),
        "a record is as large as its picture, one byte a pixel, and about a hundred bytes around it.",
    ),
    "text_of": Exercise(
        "a function that turns a list of four digits into a text",
        gives((([2, 0, 2, 6],), "2026"), (([0, 0, 0, 7],), "0007")),
        "`str` turns one digit into a text, and `''.join` makes one text of many.",
    ),
    "wrong_row": Exercise(
        "the number of a row, counted from 0",
        _planted,
        "`same_as_file` compares a picture with the file that its label names; the file may not even be there.",
    ),
    "leak": Exercise(
        "a function that returns a share between 0 and 1",
        gives(
            ((["0001", "0002"], ["0003", "0004"]), 0.0),
            ((["0001", "0002", "0003"], ["0003", "0004"]), 0.5),
            ((["0001", "0002"], ["0001", "0002"]), 1.0),
        ),
        "count the test texts that are in the set of the training texts, and divide by the number of *test* texts.",
    ),
    # Notebook 03
    "steps_in_all": Exercise(
        "a whole number of steps",
        lambda answer, epochs, steps: _number(answer) == epochs * steps,
        "in one epoch there are as many steps as there are whole batches.",
    ),
    "cross_entropy": Exercise(
        "a function that returns a number",
        gives(
            (([0.0] * 10, 3), math.log(10)),
            (([2.0, 0.0, 0.0], 0), -math.log(math.e**2 / (math.e**2 + 2))),
            (([1.0, 5.0, -3.0], 2), -math.log(math.e**-3 / (math.e + math.e**5 + math.e**-3))),
        ),
        "exponentiate all logits, divide the true digit's by the sum of all, and take minus the natural logarithm.",
    ),
    "chance_of_letters": Exercise(
        "a number",
        near(math.log(26), 0.005),
        "with ten digits it was the logarithm of ten.",
    ),
    "fc6_weights": Exercise(
        "a whole number",
        lambda answer, network: _number(answer) == np.prod(network.get_layer("fc6").kernel.shape),
        "every one of the numbers that go in is multiplied by one weight for every one that comes out.",
    ),
    "harmful": Exercise(
        "a set of two of the four names",
        _same_set("mirror", "upside down"),
        "after which change can you no longer tell what the digits were, or read them in another order?",
    ),
    # Notebook 04
    "worst_output": Exercise(
        "0, 1, 2 or 3",
        _worst,
        "`places` holds the four accuracies, and NumPy has `argmin`.",
    ),
    "if_independent": Exercise(
        "a number between 0 and 1",
        lambda answer, places: math.isclose(_number(answer), np.prod(places), abs_tol=5e-4),
        "the chance that four independent things all happen is the product of their chances.",
    ),
    "refused": Exercise(
        "a whole number of captchas",
        lambda answer, chances: _number(answer) == (chances.max(axis=-1).prod(axis=-1) < 0.9).sum(),
        "the confidence in a whole captcha is the product of its four; `chances.max(axis=-1)` has the four.",
    ),
    "breaking_column": Exercise(
        "the number of a column, counted from 0, whose blackening changes the reading",
        _breaks,
        "make one copy of the picture for each column, blacken it there, and let the network read all copies at once.",
    ),
    # Notebook 05
    "fastest": Exercise(
        "a number of pictures a second, within a fiftieth",
        near(200 / 4.11, 0.02),
        "divide what the machine can do in a second by what one picture costs.",
    ),
    "overlap": Exercise(
        "True or False",
        _overlap,
        "`scores.wilson_interval` gives both; they overlap if the better one's lower end lies below the other's upper.",
    ),
    "enough": Exercise(
        "a number of captchas, within a tenth",
        near(1.96**2 * 0.99 * 0.01 / 0.002**2, 0.1),
        "half the width of the interval is about 1.96 times the square root of p (1 - p) / n. Solve for n.",
    ),
    "own_recipe": Exercise(
        "an accuracy above that of the trial *as it is*",
        lambda answer, to_beat: to_beat < _number(answer) <= 1,
        "with so few captchas, steps are what is missing: how could the same epochs have more of them?",
    ),
    # Notebook 06
    "one_wrong": Exercise(
        "a share between 0 and 1",
        _one_wrong,
        "`(~right).sum(axis=1)` counts the wrong digits of each captcha; divide by the captchas that have any.",
    ),
    "most_confused": Exercise(
        "a set of two digits",
        _most_confused,
        "add up the four matrices, then add the mirrored matrix, `.T`, to that; and leave out the diagonal.",
    ),
    "surely_wrong": Exercise(
        "the number of a row, counted from 0",
        lambda answer, sure, whole: _number(answer) in np.flatnonzero(~whole & (sure == sure[~whole].max())),
        "give the captchas that were read whole a confidence of 0, with `np.where`, and look for the highest.",
    ),
    "threshold": Exercise(
        "a confidence between 0 and 1, not rounded",
        _lowest_threshold,
        "try every confidence that occurs: of the captchas with at least this one, what share was read whole?",
    ),
    "covered": Exercise(
        "a copy of the picture, less than half of it changed, in which only the first digit is read otherwise",
        _first_lost,
        "set some columns to `surest.max()`, which is paper, and try several places and widths at once.",
    ),
    # Notebook 07
    "label_mistake": Exercise(
        "one of the three letters, in quotes",
        lambda answer: answer == "B",
        "multiply the four accuracies. Outputs that look at digits of their own err on different captchas.",
    ),
    "misfits": Exercise(
        "a function that returns a list of names",
        gives(
            ((["2026.png", "0042.png"], [[2, 0, 2, 6], [0, 0, 4, 2]]), []),
            (
                (["2741.png", "5555.png", "0042.png"], [[2, 2, 2, 2], [5, 5, 5, 5], [0, 0, 0, 0]]),
                ["2741.png", "0042.png"],
            ),
        ),
        "make a text of each row of labels, put `.png` behind it, and compare; a label of 0 is a digit too.",
    ),
    "in_both": Exercise(
        "a function that returns a list of numbers",
        gives(
            ((_PICTURES[:4], _PICTURES[4:]), []),
            ((_PICTURES[:4], _PICTURES[[5, 2, 6, 0]]), [1, 3]),
            ((_PICTURES[:1], _PICTURES[[0, 0, 3]]), [0, 1]),
        ),
        "a picture's `tobytes()` can be put into a set, and a set knows at once whether it holds something.",
    ),
    "lines_to_change": Exercise(
        "a set of four line numbers",
        lambda answer: not isinstance(answer, str) and set(answer) == {1, 5, 8, 10},
        "would another machine do the same in this line? Does the test stay as it is, and unseen? What is saved?",
    ),
}
