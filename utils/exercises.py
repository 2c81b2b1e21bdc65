"""Checkers for the exercises. They say ✅, or ❌ with what is expected and a hint, or that there is no answer yet.

An exercise has a name, which its checker, its stub in a notebook and its solution share.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from utils import room
from utils.captchas import DIGITS, HEIGHT, LENGTH, WIDTH, draw_captcha, find_captchas, painter, seeded, text_of
from utils.files import CourseError
from utils.scores import wilson_interval
from utils.workspace import open_workspace


class Exercise(NamedTuple):
    """What a checker knows: the kind of value that is expected, how to judge an answer, and a hint for wrong ones.

    ``judge`` gets the answer, and what else `check` was given by name. It returns whether the answer is right, or None
    if there is none yet, or nothing to judge it by.
    """

    expected: str
    judge: Callable[..., bool | None]
    hint: str


def check(name: str, answer: object, **facts: object) -> None:
    """Say whether an answer is right, and note it in the workspace. Whatever the answer is, this never fails."""
    exercise, reason = EXERCISES[name], ""
    try:
        right = None if answer is None else exercise.judge(answer, **facts)
        right = right if right is None else bool(right)  # of an array it is an error
    except Exception as error:  # an answer may be anything, and a function of the learner's may do anything
        right, reason = False, f" Yours led to {type(error).__name__}: {error}."
    if right is None and answer is not None and not callable(answer):
        print(f"… {name}: this run has too few mistakes to judge your answer by. More captchas have more.")
    elif right is None:  # a function that gives None is the stub, whose body is still missing
        print(f"… {name}: not answered yet. Expected: {exercise.expected}.")
    elif right:
        print(f"✅ {name}: right.")
    else:
        print(f"❌ {name}: not yet. Expected: {exercise.expected}.{reason} Hint: {exercise.hint}")
    if right is not None:
        _note(name, right)


def _note(name: str, right: bool) -> None:
    """Add an answer to the tally of the notebook's workspace; outside a notebook there is nothing to add to."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    workspace = getattr(shell, "user_ns", {}).get("workspace")
    if workspace is not None:
        with suppress(CourseError, OSError):  # a tally is never worth an error
            room.note(open_workspace(workspace).root, name, right)


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
                else np.array_equal(result, expected)
                if isinstance(expected, list)
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


def _palest(answer: object, folder: Path, chars: str = DIGITS, length: int = LENGTH) -> bool:
    """Whether no captcha in the folder is brighter on average than the one with this text."""
    paths = find_captchas(folder, chars, length)
    means = {text_of(path): float(np.asarray(Image.open(path).convert("L")).mean()) for path in paths}
    return means[str(answer)] >= max(means.values()) - 1e-9


def _drawn_otherwise(answer: object) -> bool:
    """Whether this is a picture of the usual size, not blank, and not what `draw_captcha` draws by itself."""
    if not isinstance(answer, Image.Image):
        raise TypeError(f"{type(answer).__name__} is no picture")
    given = answer.convert("RGB")
    plain = [draw_captcha("2026", seed).tobytes() for seed in range(50)]
    return given.size == (WIDTH, HEIGHT) and len(given.getcolors(WIDTH * HEIGHT)) > 1 and given.tobytes() not in plain


def _on_white_paper(answer: object) -> bool:
    """Whether `draw_captcha` would draw this, with white paper, for the text 2026 and seed 0."""
    if not isinstance(answer, Image.Image):
        raise TypeError(f"{type(answer).__name__} is no picture")
    with seeded("captcha 0 2026"):
        white = painter(WIDTH, HEIGHT).generate_image("2026", bg_color=(255, 255, 255))
    return answer.convert("RGB").tobytes() == white.tobytes()


def _levels(answer: object, picture: Image.Image, size: tuple[int, int]) -> bool:
    """Whether this is the number of gray levels of a picture that was resized without mixing pixels."""
    high, wide = size
    near = picture.convert("RGB").convert("L").resize((wide, high), Image.Resampling.NEAREST)
    return _number(answer) == len(np.unique(np.asarray(near)))


def _unshuffled(answer: object, paths: Sequence[Path], test_count: int) -> bool:
    """Whether these are the first characters of the texts that come first in sorted order."""
    if isinstance(answer, str):
        raise TypeError(f"{answer!r} is a text, no set")
    return set(answer) == {text_of(path)[0] for path in sorted(paths, key=lambda path: path.name)[:test_count]}


def with_a_wrong_label(labels: np.ndarray, seed: int, classes: int = len(DIGITS)) -> np.ndarray:
    """A copy of the labels, an array of shape (captchas, length), in which one character of one captcha is wrong."""
    chance = np.random.default_rng(seed + 7)
    row, place = chance.integers(len(labels)), chance.integers(labels.shape[1])
    planted = labels.copy()
    planted[row, place] = (planted[row, place] + 1 + chance.integers(max(classes - 2, 1))) % classes
    return planted


def _planted(answer: object, labels: np.ndarray, planted: np.ndarray) -> bool:
    return _number(answer) == np.flatnonzero((labels != planted).any(axis=1))[0]


def _finds_horizontal_edges(answer: object) -> bool:
    """Whether a filter is above zero where dark lies over bright, and zero on even areas and vertical edges."""
    weights = np.asarray(answer, dtype=float)
    if weights.shape != (3, 3):
        raise ValueError(f"its shape is {weights.shape}, not (3, 3)")
    dark_over_bright = np.repeat([0.0, 0.0, 1.0], 3).reshape(3, 3), np.repeat([0.0, 1.0, 1.0], 3).reshape(3, 3)
    even = [*(piece.T for piece in dark_over_bright), np.ones((3, 3))]
    found = [(piece * weights).sum() for piece in dark_over_bright]  # a filter may look at two of the three rows only
    return min(found) > -1e-6 and max(found) > 1e-6 and all(abs((piece * weights).sum()) < 1e-6 for piece in even)


def _pools_smallest(answer: object, picture: np.ndarray) -> bool | None:
    """Whether this function keeps the smallest number of each window."""
    for side, stride in ((3, 2), (2, 2), (4, 1)):
        given = answer(picture, side, stride)
        if given is None:
            return None  # the stub, whose body is still missing
        windows = np.lib.stride_tricks.sliding_window_view(picture, (side, side))[::stride, ::stride]
        expected = windows.min(axis=(2, 3))
        if np.shape(given) != expected.shape or not np.allclose(given, expected):
            return False
    return True


def _breaks(answer: object, network: object, image: np.ndarray) -> bool:
    """Whether the network reads something else when this column of the picture is black."""
    from utils.model import probabilities

    changed = image.copy()
    changed[:, int(_number(answer))] = 0
    before, after = probabilities(network, np.stack([image, changed])).argmax(axis=-1)
    return bool((before != after).any())


def _half_conv5(answer: object, network: object) -> bool:
    """Whether this is the number of parameters that are left with half of the filters in the last convolution."""
    layers = [layer for layer in network.layers if layer.weights]
    at = [layer.name for layer in layers].index("conv5")
    after = next(layer for layer in layers[at:] if layer.name == "fc6")
    lost = sum(np.prod(weight.shape) for layer in layers[at : layers.index(after)] for weight in layer.weights)
    return _number(answer) == network.count_params() - (lost + np.prod(after.kernel.shape)) / 2


def _without_scaling(answer: object, network: object, images: np.ndarray, labels: np.ndarray) -> bool:
    """Whether this share is read whole if gray levels are only brought to [-1, 1]; one captcha more or less is fine."""
    read = np.stack(network.predict_on_batch(images / 127.5 - 1), axis=1).argmax(axis=-1)
    return abs(_number(answer) - (read == labels).all(axis=1).mean()) <= 1.01 / len(labels)


def _unread(
    answer: object,
    network: object,
    size: tuple[int, int],
    drawings: int = 20,
    chars: str = DIGITS,
    length: int = LENGTH,
    **look: object,
) -> bool:
    """Whether these settings of the playground's sliders lie in their ranges and make most drawings be misread."""
    from utils import playground

    if not isinstance(answer, dict) or not answer:
        raise TypeError(f"{answer!r} is no dict of settings")
    fits = all(playground.SLIDERS[name][1] <= value <= playground.SLIDERS[name][2] for name, value in answer.items())
    texts = playground.some_texts(drawings, chars, length)
    read = playground.read_drawings(network, size, texts, chars=chars, **answer, **look)
    return fits and read <= 0.5


def _overlap(answer: object) -> bool:
    if not isinstance(answer, (bool, np.bool_)):
        raise TypeError(f"{answer!r} is neither True nor False")
    return bool(answer) == (wilson_interval(490, 500)[0] <= wilson_interval(485, 500)[1])


def _one_wrong(answer: object, right: np.ndarray) -> bool | None:
    wrong = (~right).sum(axis=1)
    if not wrong.any():
        return None  # nothing was misread, so there is nothing to count
    return math.isclose(_number(answer), (wrong == 1).sum() / (wrong > 0).sum(), abs_tol=5e-4)


def _surely_wrong(answer: object, sure: np.ndarray, whole: np.ndarray) -> bool | None:
    if whole.all():
        return None
    return _number(answer) in np.flatnonzero(~whole & (sure == sure[~whole].max()))


def _second_pair(answer: object, matrices: np.ndarray, chars: str = DIGITS) -> bool | None:
    """Whether only one pair of characters was confused more often, in either direction, than these or their labels."""
    counts = matrices.sum(axis=0)
    counts = np.triu(counts + counts.T, 1)
    if np.count_nonzero(counts) < 2:
        return None  # there is no second pair
    first, second = sorted(chars.index(one) if isinstance(one, str) else one for one in answer)
    return first != second and counts[first, second] == np.sort(counts, axis=None)[-2]


def _lowest_threshold(answer: object, sure: np.ndarray, whole: np.ndarray, promise: float = 0.999) -> bool:
    """Whether this confidence keeps the promise, and no more captchas are refused than must be."""

    def answered(level: float) -> int:
        """How many captchas are answered at this level, or -1 where the promise is broken."""
        chosen = sure >= level
        return int(chosen.sum()) if not chosen.any() or whole[chosen].mean() >= promise else -1

    best = max(answered(level) for level in [*np.unique(sure), 2.0])
    return answered(_number(answer)) == best


def _first_lost(answer: object, network: object, image: np.ndarray) -> bool:
    """Whether less than half of this picture is covered with paper, and all is read alike but the first character."""
    from utils.model import probabilities

    changed = np.asarray(answer, dtype=np.uint8).reshape(image.shape)
    before, after = probabilities(network, np.stack([image, changed])).argmax(axis=-1)
    only_paper, small = (changed[changed != image] == image.max()).all(), (changed != image).mean() < 0.5
    return bool(only_paper and small and before[0] != after[0] and (before[1:] == after[1:]).all())


@cache
def _training_cost(size: tuple[int, int]) -> float:
    """GFLOP of one training picture in the AlexNet of the lessons."""
    from utils.machine import gflop
    from utils.model import alexnet

    return 3 * gflop(alexnet(size))


def _nine_looks(answer: object, network: object, images: np.ndarray, shift: float = 1 / 56) -> bool | None:
    """Whether this function averages over nine looks, as `averaged_probabilities` does over five."""
    from utils.model import probabilities

    found = answer(network, images)
    if found is None:
        return None  # the stub, whose body is still missing
    height, width = images.shape[1:3]
    far = round(width * shift)
    wider = np.pad(images, ((0, 0), (far, far), (far, far), (0, 0)), mode="edge")
    moves = [(down, right) for down in (0, far, 2 * far) for right in (0, far, 2 * far)]
    moved = [wider[:, down : down + height, right : right + width] for down, right in moves]
    total = sum(np.log(np.maximum(probabilities(network, some), 1e-12)) for some in moved)
    mean = np.exp(total / len(moved))
    logs = [np.log(np.maximum(chances, 1e-9)) for chances in (found, mean / mean.sum(axis=-1, keepdims=True))]
    return bool(np.allclose(*logs, atol=0.01))  # of logarithms: sure probabilities hardly differ in themselves


def _black_patch(answer: object, network: object, images: np.ndarray, digits: np.ndarray) -> bool | None:
    """Whether this function covers as `utils.looking.cover` does, but with black: tried with a strip at four places."""
    from utils.looking import chance_of

    width = images.shape[2] // 4
    found = answer(network, images, digits, images.shape[1], width, width)
    if found is None:
        return None
    before, falls = chance_of(network, images, digits), []
    for left in range(0, images.shape[2] - width + 1, width):
        black = images.copy()
        black[:, :, left : left + width] = 0
        falls.append(before - chance_of(network, black, digits))
    return bool(np.allclose(found.falls[:, :, 0], np.moveaxis(falls, 0, -1), atol=0.02))


def _weights_of_the_outputs(answer: object, network: object) -> bool:
    """Whether this is how many weights the outputs of the network have, with their biases."""
    outputs = [layer for layer in network.layers if layer.name.startswith("digit_")]
    return _number(answer) == sum(layer.count_params() for layer in outputs)


def _best_left_out(answer: object, matrix: np.ndarray, chars: str) -> bool:
    """Whether no other two characters leave fewer mistakes among the rest when they are left out."""
    wrong = matrix * (1 - np.eye(len(chars), dtype=int))
    both = wrong + wrong.T
    gone = both.sum(axis=0)[:, None] + both.sum(axis=0)[None, :] - both  # by the two of each pair, counted once
    one, other = (chars.index(char) for char in answer)
    return one != other and gone[one, other] == np.triu(gone, 1).max()


def _same_set(*right: str) -> Callable[[Sequence[str]], bool]:
    return lambda answer: not isinstance(answer, str) and set(answer) == set(right)


def _weighted(answer: object) -> bool | None:
    """Whether this function gives the gradient of a whole batch from those of two parts of unequal size."""
    whole = np.arange(15.0).reshape(5, 3) ** 2  # the gradient of each picture
    for cut in (1, 2, 4):
        one, two = whole[:cut], whole[cut:]
        found = answer(one.mean(axis=0), len(one), two.mean(axis=0), len(two))
        if found is None:
            return None  # the stub, whose body is still missing
        if not np.allclose(found, whole.mean(axis=0)):
            return False
    return True


# Eight different pictures of 2 x 3 pixels, for the exercise `in_both`.
_PICTURES = np.arange(48, dtype=np.uint8).reshape(8, 2, 3)

EXERCISES = {
    # Notebook 00
    "what_it_says": Exercise(
        "the text of the captcha, in quotes",
        lambda answer, text: answer == text,
        "look again, and mind the quotes: 0042 without them would be the number 42.",
    ),
    "pictures_in_all": Exercise(
        "a whole number of pictures",
        lambda answer, in_epoch: _number(answer) == 30 * in_epoch,
        "after the change, run the cell of the parameters and then every cell below it, and read section 2 again. "
        "Write the number without a comma.",
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
    "paper_colours": Exercise(
        "a whole number of colours",
        lambda answer: _number(answer) == 1,
        "`max(picture.getcolors(10_000))[1]` is the most frequent colour of a picture, and a set keeps different ones.",
    ),
    "white_paper": Exercise(
        "the picture of 2026 with seed 0 and white paper, 160 x 60 pixels",
        _on_white_paper,
        "call `generate_image(text, bg_color=(255, 255, 255))` in `draw_captcha`, and run both cells again.",
    ),
    "palest": Exercise(
        "the text of a captcha, in quotes",
        _palest,
        "open every file of the folder, turn it gray, and look for the highest mean.",
    ),
    "harder": Exercise(
        "a picture of 160 x 60 pixels, not as `draw_captcha` draws it; only you can see whether it is harder",
        _drawn_otherwise,
        "make a new `captcha.image.ImageCaptcha(160, 60)`, change its `character_rotate`, and draw with `seeded`.",
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
    "levels": Exercise(
        "a whole number of gray levels",
        _levels,
        "`len(np.unique(gray(colour, size)))` counts the levels, after the cell of `gray` was changed and run.",
    ),
    "unshuffled": Exercise(
        'a set of characters in quotes, such as {"3", "7"}',
        _unshuffled,
        "`captchas.text_of(path)[0]` is the first character. Collect those of `shuffled(paths, seed)[:test_count]`.",
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
    "horizontal_edge": Exercise(
        "three lists of three numbers each",
        _finds_horizontal_edges,
        "the weights of one row are all equal, and all nine add up to 0. Mind the sign: bright is the larger number.",
    ),
    "stride_for_28": Exercise(
        "a whole number",
        lambda answer: _number(answer) == 8,
        "`(224 - 3) // stride + 1` places fit into one direction.",
    ),
    "min_pool": Exercise(
        "a function like `max_pool` that returns an array",
        _pools_smallest,
        "for each window, return the smallest number. The size of the result stays that of `max_pool`.",
    ),
    "fc6_across": Exercise(
        "a whole number",
        lambda answer, units: _number(answer) == 5 * 12 * 256 * units,
        "how high and wide are the 256 maps after the last pooling? Each of their numbers has a weight in each unit.",
    ),
    "smoother": Exercise(
        "a share between 0 and 1 that is above that of the small start",
        lambda answer, to_beat: to_beat < _number(answer) <= 1,
        "the smaller the start, the less noise is left in the end. Divide it by more than 10.",
    ),
    # Notebook 04
    "cross_entropy": Exercise(
        "a function that returns a number",
        gives(
            (([0.0] * 10, 3), math.log(10)),
            (([2.0, 0.0, 0.0], 0), -math.log(math.e**2 / (math.e**2 + 2))),
            (([1.0, 5.0, -3.0], 2), -math.log(math.e**-3 / (math.e + math.e**5 + math.e**-3))),
        ),
        "exponentiate all logits, divide the true digit's by the sum of all, and take minus the natural logarithm.",
    ),
    "loss_of_letters": Exercise(
        "a number",
        near(math.log(26), 0.005),
        "with ten digits it was the logarithm of ten.",
    ),
    "one_step": Exercise(
        "a learning rate",
        near(0.5, 0.01),
        "the step is the rate times the gradient; from 5 to 2 it must be 3, and the gradient at 5 is 6.",
    ),
    "less_overfitting": Exercise(
        "the distance between the last two losses, smaller than with 200 captchas",
        lambda answer, distance: 0 < _number(answer) < distance,
        "`watched(400)` returns a network and its curves; take the last validation loss minus the last training loss.",
    ),
    "off_the_plateau": Exercise(
        "a mean loss that is at least 0.05 lower than without your change",
        lambda answer, to_beat: 0 < _number(answer) < to_beat - 0.05,
        "divide the weights of each layer by the spread of what it gives, one layer after the other.",
    ),
    # Notebook 05
    "steps_in_all": Exercise(
        "a whole number of steps",
        lambda answer, epochs, steps: _number(answer) == epochs * steps,
        "in one epoch there are as many steps as there are whole batches.",
    ),
    "fc6_weights": Exercise(
        "a whole number",
        lambda answer, network: _number(answer) == np.prod(network.get_layer("fc6").kernel.shape),
        "every one of the numbers that go in is multiplied by one weight for every one that comes out.",
    ),
    "harmful": Exercise(
        "a set of two of the four names",
        _same_set("mirror", "upside down"),
        "after which change can you no longer tell what the characters were, or read them in another order?",
    ),
    "half_conv5": Exercise(
        "a whole number",
        _half_conv5,
        "change 256 to 128 in the line of `conv5`, run that cell, and count with `new_network().count_params()`.",
    ),
    "one_batch": Exercise(
        "a loss from 0 to half of that of guessing",
        lambda answer, classes=10: 0 <= _number(answer) < math.log(classes) / 2,
        "try rates that are 10 and 100 times as large as 0.00001.",
    ),
    # Notebook 06
    "worst_output": Exercise(
        "a number of captchas",
        lambda answer, places, count: _number(answer) == round((1 - min(places)) * count),
        "`(read != labels).sum(axis=0)` counts the misread characters of each output; take the largest number.",
    ),
    "if_independent": Exercise(
        "a number between 0 and 1",
        lambda answer, places: math.isclose(_number(answer), np.prod(places), abs_tol=5e-4),
        "the chance that several independent things all happen is the product of their chances.",
    ),
    "refused": Exercise(
        "a whole number of captchas",
        lambda answer, chances: _number(answer) == (chances.max(axis=-1).prod(axis=-1) < 0.9).sum(),
        "the confidence in a whole captcha is the product of those of its places, and `chances.max(axis=-1)` has them.",
    ),
    "breaking_column": Exercise(
        "the number of a column, counted from 0, whose blackening changes the reading",
        _breaks,
        "make one copy of the picture for each column, blacken it there, and let the network read all copies at once.",
    ),
    "unscaled": Exercise(
        "a share between 0 and 1",
        _without_scaling,
        "in `probabilities`, `some / 127.5 - 1` in the place of `scaled(some)` brings 0 to 255 to -1 to 1.",
    ),
    "unread": Exercise(
        'a dict of sliders and their values, such as {"tilt": 45}, with which at least half of 20 captchas are misread',
        _unread,
        "find the slider that hurts most in the last figure, move it to its end, and add a second one.",
    ),
    # Notebook 07
    "fastest": Exercise(
        "a number of pictures a second, within a fiftieth",
        lambda answer: near(200 / _training_cost((224, 224)), 0.02)(answer),
        "divide what the machine can do in a second by what one picture costs.",
    ),
    "cheaper": Exercise(
        "a number of GFLOP for one training picture, within a fiftieth",
        lambda answer: near(_training_cost((112, 224)), 0.02)(answer),
        "call `gflop` with an `alexnet` of the other size, and remember that training costs three times as much.",
    ),
    "overlap": Exercise(
        "True or False",
        _overlap,
        "`scores.wilson_interval` gives both. They overlap if the better one's low end is below the other's high end.",
    ),
    "enough": Exercise(
        "a number of captchas, within a tenth",
        near(1.96**2 * 0.99 * 0.01 / 0.002**2, 0.1),
        "half the width of the interval is about 1.96 times the square root of p (1 - p) / n. Solve for n.",
    ),
    "nine_looks": Exercise(
        "a function like `averaged_probabilities` that averages over nine looks",
        _nine_looks,
        "add the four diagonal moves, such as (-far, -far), to the list of moves, and divide by 9.",
    ),
    "own_recipe": Exercise(
        "an accuracy above that of the trial *wide*",
        lambda answer, to_beat: to_beat < _number(answer) <= 1,
        "with so few captchas, the network gets too few steps. How could the same epochs have more of them?",
    ),
    # Notebook 08
    "one_wrong": Exercise(
        "a share between 0 and 1, not rounded",
        _one_wrong,
        "`(~right).sum(axis=1)` counts the wrong characters of each captcha; divide by the captchas that have any.",
    ),
    "second_pair": Exercise(
        "a set of two characters, or of their labels",
        _second_pair,
        "add the mirrored matrix, `.T`, to the sum of all, leave out the diagonal, and take the pair after the first.",
    ),
    "surely_wrong": Exercise(
        "the number of a row, counted from 0",
        _surely_wrong,
        "use `np.where` to give a confidence of 0 to all captchas that were read whole, and find the highest.",
    ),
    "threshold": Exercise(
        "a confidence between 0 and 1, not rounded",
        _lowest_threshold,
        "try every confidence in `sure`: of the captchas with at least that much, what share was read whole?",
    ),
    "covered": Exercise(
        "a copy of the picture, less than half of it covered with paper, in which only the first character is "
        "read differently",
        _first_lost,
        "set some columns to `surest.max()`, which is paper, and try several places and widths at once.",
    ),
    "black_patch": Exercise(
        "a function like `cover` whose patch is black",
        _black_patch,
        "black is the gray value 0. Which line of `cover` says what the patch is made of?",
    ),
    # Notebook 09
    "label_mistake": Exercise(
        "one of the three letters, in quotes",
        lambda answer: answer == "B",
        "multiply the four accuracies. Outputs that read different digits make their mistakes on different captchas.",
    ),
    "misfits": Exercise(
        "a function that returns a list of names",
        gives(
            ((["2026.png", "0042.png"], [[2, 0, 2, 6], [0, 0, 4, 2]]), []),
            (
                (["2741.png", "5555.png", "0042.png"], [[2, 2, 2, 2], [5, 5, 5, 5], [0, 0, 0, 0]]),
                ["2741.png", "0042.png"],
            ),
            ((["1203.png", "7413.png"], [[1, 2, 3, 0], [7, 5, 0, 3]]), ["1203.png", "7413.png"]),  # equal sums
        ),
        "turn each row of labels into a text, add `.png`, and compare. A label of 0 is a digit too.",
    ),
    "moved_labels": Exercise(
        "a mean loss",
        lambda answer: 2.2 < _number(answer) < 2.7,
        "use `tf.roll(label, 1, axis=0)` on each of the four labels. Take the mean of the last 50 losses.",
    ),
    "calm": Exercise(
        "the highest loss of a training that stays below 3",
        lambda answer, losses: max(losses) < 3 and near(max(losses), 0.005)(answer),
        "change only the learning rate of section 5, by a factor of a hundred, and run its cell again.",
    ),
    "in_both": Exercise(
        "a function that returns a list of numbers",
        gives(
            ((_PICTURES[:4], _PICTURES[4:]), []),
            ((_PICTURES[:4], _PICTURES[[5, 2, 6, 0]]), [1, 3]),
            ((_PICTURES[:1], _PICTURES[[0, 0, 3]]), [0, 1]),
        ),
        "put `tobytes()` of each training picture into a set. A set can tell at once whether it holds something.",
    ),
    "lines_to_change": Exercise(
        "a set of four line numbers",
        lambda answer: not isinstance(answer, str) and set(answer) == {1, 5, 8, 10},
        "does each line do the same on another machine? Is the test set unchanged and unseen? What is saved?",
    ),
    # Notebook 11
    "megabytes_a_step": Exercise(
        "a number of megabytes, within a fiftieth",
        lambda answer, parameters: near(parameters * 4 / 1e6, 0.02)(answer),
        "each gradient is a float32 number, which takes four bytes.",
    ),
    "lanes_for_six": Exercise(
        "a whole number",
        lambda answer: _number(answer) == 12,
        "go through the multiples of 6 from 8 on, and divide 96 by each.",
    ),
    "seconds_to_average": Exercise(
        "a function that returns a number of seconds",
        gives(((2, 1e9, 8.0), 1.0), ((4, 1e9, 8.0), 1.5), ((1, 1e9, 1.0), 0.0), ((10, 2e8, 10.0), 0.288)),
        "8 Gbit/s are 1e9 bytes a second. Each worker sends 2 (N - 1) / N of the bytes.",
    ),
    "unequal_parts": Exercise(
        "a function that returns one gradient, an array",
        _weighted,
        "each gradient is a mean over its pictures. Multiply each by their number, add, and divide by all pictures.",
    ),
    # Notebook 10
    "first_loss": Exercise(
        "a number above 3",
        near(math.log(31), 0.005),
        "each character has the probability 1/31, and the loss is minus its logarithm.",
    ),
    "with_a_coin": Exercise(
        "a share between 0 and 1",
        near((35 / 36) ** 4, 0.005),
        "two of 36 characters are doubtful, and half of those are read wrong. Then all four must be right.",
    ),
    "trained_weights": Exercise(
        "a whole number",
        _weights_of_the_outputs,
        "freeze the network, and add up `np.prod(weight.shape)` of its `trainable_weights`.",
    ),
    "columns_needed": Exercise(
        "a function of a text that returns a whole number",
        gives((("2026",), 4), (("0011",), 6), (("777",), 5), (("5",), 1)),
        "a column for each character, and one more for each pair of equal neighbours.",
    ),
    "left_out": Exercise(
        "a text of two different characters of the alphabet",
        _best_left_out,
        "try all pairs, and delete the rows and the columns of both from the matrix before you count the mistakes.",
    ),
}
