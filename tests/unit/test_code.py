"""Comparing code: words and checks do not count, and everything that changes the work does."""

import pytest

from utils.code import code_of, definitions

LIBRARY = '''
def half(x: float, least: float = 0.0) -> float:
    """Half of it.

    Args: x.
    """
    require(x > 0, "x must be above 0.")
    whole: float = x  # a comment
    return max(whole / 2, least)
'''
CELL = "def half(x, least=0.0):\n    whole = x\n    return max(whole / 2, least)"


def test_docstrings_annotations_and_checks_do_not_count():
    assert definitions(LIBRARY) == definitions(CELL)


@pytest.mark.parametrize(
    ("old", "new"),
    [("/ 2", "/ 3"), ("least=0.0", "least=0.5"), ("max", "min"), ("def half", "def third"), ("x\n", "-x\n")],
)
def test_what_changes_the_work_counts(old, new):
    assert old in CELL and definitions(CELL.replace(old, new)) != definitions(CELL)


def test_a_decorator_counts():
    assert definitions("@cache\n" + CELL) != definitions(CELL)


def changed(tmp_path, monkeypatch, source):
    """The function `outer` of a module that holds this source, under a name of the course's own."""
    import importlib
    import sys

    (tmp_path / "lesson.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    sys.modules.pop("lesson", None)
    importlib.invalidate_caches()
    module = importlib.import_module("lesson")
    for value in vars(module).values():
        if getattr(value, "__module__", "") == "lesson":
            value.__module__ = "__main__"
    return module.outer


def test_the_fingerprint_follows_what_a_function_calls(tmp_path, monkeypatch):
    source = "def inner(x):\n    return x + 1\n\n\ndef outer(x):\n    return inner(x)\n"
    found = {}
    for number, text in enumerate(
        (source, source.replace("x + 1", "x + 2"), source.replace("def inner", "# a word\ndef inner"))
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        found[number] = code_of(changed(folder, monkeypatch, text))
    assert found[0] == found[2] != found[1]


def fingerprints(tmp_path, monkeypatch, *sources):
    found = []
    for number, source in enumerate(sources):
        folder = tmp_path / f"version-{number}"
        folder.mkdir()
        found.append(code_of(changed(folder, monkeypatch, source)))
    return found


@pytest.mark.parametrize(
    ("source", "old", "new"),
    [
        ("K = 3\n\n\ndef outer(x):\n    return K * x\n", "K = 3", "K = 4"),
        ("def outer(x, k=3):\n    return k * x\n", "k=3", "k=4"),
        (
            "def make(k):\n    def outer(x):\n        return k * x\n    return outer\n\n\nouter = make(3)\n",
            "(3)",
            "(4)",
        ),
        (
            "from functools import partial\n\n\ndef f(x, k):\n    return k * x\n\n\nouter = partial(f, k=3)\n",
            "k=3",
            "k=4",
        ),
        ("class Scale:\n    k = 3\n\n\ndef outer(x):\n    return Scale.k * x\n", "k = 3", "k = 4"),
        ("import numpy as np\n\nK = np.arange(3)\n\n\ndef outer(x):\n    return K * x\n", "(3)", "(1, 4)"),
        ("def of(k, f):\n    return f\n\n\nouter = of(\n    2, lambda x: x + 1)\n", "x + 1", "x + 2"),
        ("K = {1: {3, 5}}\n\n\ndef outer(x):\n    return x in K[1]\n", "3, 5", "3, 6"),
        (
            "from captcha.image import ImageCaptcha\n\nown = ImageCaptcha()\nown.character_rotate = (0, 9)\n\n\n"
            "def outer(text, seed):\n    return own.generate_image(text)\n",
            "(0, 9)",
            "(0, 8)",
        ),
        ("def one(x):\n    return x + 1\n\n\nsteps = [one]\n\n\ndef outer(x):\n    return steps[0](x)\n", "+ 1", "+ 2"),
        (
            "from functools import partial\n\n\ndef f(x, k):\n    return k * x\n\n\n"
            "strong, weak = partial(f, k=2), partial(f, k=1)\n\n\ndef outer(x):\n    return strong(x) - weak(x)\n",
            "strong, weak = partial(f, k=2), partial(f, k=1)",
            "strong, weak = partial(f, k=1), partial(f, k=2)",
        ),
    ],
    ids=[
        *("a global value", "a default", "a closure", "a partial", "a class without methods"),
        *("an array", "a part of a call over two lines", "a set", "a painter"),
        *("a list of functions", "two values that change places"),
    ],
)
def test_what_a_function_takes_from_around_counts(tmp_path, monkeypatch, source, old, new):
    first, again, other = fingerprints(tmp_path, monkeypatch, source, source, source.replace(old, new))
    assert first == again != other
