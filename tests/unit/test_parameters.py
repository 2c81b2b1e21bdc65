"""Types and ranges of all parameters, and how they are read from a command line."""

import math
import re

import pytest

from utils.files import CourseError
from utils.parameters import NO_SETTINGS, PARAMETERS, check_names, check_parameters, value_of
from utils.run import NOTEBOOKS, defaults


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "augmentation",
            "false",
            "augmentation is the text 'false', but must be True or False: in a notebook write False, for papermill",
        ),
        ("augmentation", "ture", "augmentation is the text 'ture', but must be True or False."),
        ("augmentation", 1, "in a notebook write True, for papermill write `-p augmentation True`"),
        ("own_text", 2031, "own_text is the number 2,031, but must be a text"),
        ("own_picture", None, "own_picture is None, but must be a text"),
        ("epochs", 1.5, "epochs is the number 1.5, but must be a whole number from 1 to 10,000."),
        ("epochs", 2.0, "write 2."),
        ("epochs", True, "epochs is True, but must be a whole number"),
        ("epochs", "3", "epochs is the text '3', but must be a whole number"),
        ("epochs", [3], "epochs is of the type list"),
        pytest.param("epochs", 10**5000, "epochs is above 2 to the power of 16,609, but must be", id="long"),
        ("seed", -1, "seed is -1, but must be a whole number from 0 to 4,294,967,295."),
        ("chars", "abca", "chars is 'abca', but 'a' must not stand in it twice: write each character once."),
        ("chars", 123, "chars is the number 123, but must be a text: in a notebook write it in quotes"),
        ("length", 0, "length is 0, but must be a whole number from 1 to 12."),
        ("picture_count", 0, "picture_count is 0, but must be a whole number from 1 to 64."),
        ("trial_steps", -3, "trial_steps is -3, but must be a whole number from 20 to 100,000."),
        ("trial_steps", 10, "trial_steps is 10"),
        ("learning_rate", 0, "learning_rate is 0, but must be a number, above 0 and at most 10."),
        ("learning_rate", math.nan, "learning_rate is nan"),
        ("learning_rate", -math.inf, "learning_rate is -inf"),
        ("dropout", 1, "dropout is 1, but must be a number, at least 0 and below 1."),
        ("dropout", False, "dropout is False"),
        ("image_width", 66, "image_width is 66, but must be a whole number from 67 to 1,024."),
        ("tone", "x" * 500, "tone is the text 'xxx"),
    ],
)
def test_a_wrong_value_is_one_sentence(name, value, says):
    with pytest.raises(CourseError, match=re.escape(says)) as caught:
        check_parameters({name: value})
    assert len(str(caught.value)) < 250 and "\n" not in str(caught.value)


def test_what_is_returned():
    namespace = {"seed": 3, "tone": 1, "picture_count": 8, "workspace": "w", "processes": 0, "other": object()}
    settings = check_parameters(namespace)
    assert settings == {"seed": 3, "tone": 1.0} and type(settings["tone"]) is float


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"captcha_count": 20, "test_count": 20}, "captcha_count is 20, of which test_count 20 leaves no captcha"),
        (
            {"captcha_count": 20, "test_count": 12, "validation_count": 8},
            "of which test_count 12 and validation_count 8 together leave no captcha for training",
        ),
        ({"captcha_count": 1, "test_count": 500}, "captcha_count is 1"),
        (
            {"captcha_count": 10_001},
            "captcha_count is 10,001, but there are only 10,000 different texts of 4 character",
        ),
        ({"captcha_count": 9, "chars": "ab", "length": 3}, "only 8 different texts of 3 characters out of 'ab'"),
        ({"chars": "".join(map(chr, range(33, 127))), "length": 12}, "make more than 9,223,372,036,854,775,807 texts"),
        ({"image_height": 80, "stride_down": 8}, "image_height is 80, too small for stride_down 8: take at least 123"),
        ({"image_width": 67, "stride_across": 5}, "image_width is 67, too small for stride_across 5"),
        ({"plain_epochs": 6, "epochs": 3}, "plain_epochs is 6, but there are only 3 epochs: choose at most so many"),
        ({"own_text": "12", "chars": "123", "length": 3}, "own_text is '12', which is not 3 characters out of '123': "),
        ({"own_text": "ab", "chars": "ac", "length": 2}, "own_text is 'ab', which is not 2 characters out of 'ac'"),
        ({"worker_batch_size": 24}, "worker_batch_size is 24, but must be a multiple of 16"),
        ({"worker_batch_size": 256, "worker_captchas": 64}, "worker_batch_size is 256, but worker_captchas is 64"),
    ],
)
def test_values_that_do_not_fit_together(values, says):
    with pytest.raises(CourseError, match=re.escape(says)):
        check_parameters(values)


def test_values_that_just_fit_together():
    check_parameters({"captcha_count": 3, "test_count": 1, "validation_count": 1})
    check_parameters({"captcha_count": 100_000, "chars": "0123456789ABCDEF", "length": 5})
    check_parameters({"own_text": "cab", "chars": "abc", "length": 3})
    check_parameters({"image_height": 67, "stride_down": 4, "image_width": 123, "stride_across": 8})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "010", 10),
        ("epochs", "+3", 3),
        ("captcha_count", "5_000", 5000),
        ("learning_rate", "1e-3", 0.001),
        ("learning_rate", ".5", 0.5),
        ("learning_rate", "1", 1.0),
        ("augmentation", "false", False),
        ("augmentation", "True", True),
        ("own_text", "0042", "0042"),
        ("own_text", "true", "true"),
        ("own_picture", "", ""),
    ],
)
def test_a_value_on_the_command_line(name, text, value):
    found = value_of(name, text)
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("learning_rate", "-1e-3", "learning_rate is -0.001, but must be a number, above 0"),
        ("learning_rate", "1e999", "learning_rate is inf"),
        ("epochs", "0x10", "epochs is the text '0x10'"),
        ("epochs", "5,000", "epochs is the text '5,000'"),
        ("epochs", "1.0", "epochs is the text '1.0'"),
        ("epochs", "9" * 6000, "epochs is the text '999"),
        ("epochs", "[", "epochs is the text '[', but must be a whole number"),
        (
            "augmentation",
            "yes",
            "augmentation is the text 'yes', but must be True or False: in a notebook write True, for papermill",
        ),
    ],
)
def test_a_wrong_value_on_the_command_line(name, text, says):
    with pytest.raises(CourseError, match=re.escape(says)):
        value_of(name, text)


def test_names():
    chosen, other = {"05-x.ipynb": ["epochs", "seed"]}, {"01-x.ipynb": ["captcha_count"], "02-x.ipynb": ["seed"]}
    check_names(["epochs", "seed"], chosen, other)
    with pytest.raises(CourseError, match=r"No notebook that you run now .*'captcha_count': only 01-x.ipynb has it\."):
        check_names(["captcha_count"], chosen, other)
    with pytest.raises(CourseError, match=r"No notebook has a parameter called 'epoch'\. Did you mean 'epochs'\?"):
        check_names(["epoch"], chosen, other)
    with pytest.raises(CourseError, match=r"There are: captcha_count, epochs, seed\."):
        check_names(["zzz"], chosen, other)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name[:2])
def test_every_parameter_of_a_notebook_is_in_the_table_and_its_default_fits(notebook):
    values = defaults(notebook)
    assert values and set(values) <= set(PARAMETERS), set(values) - set(PARAMETERS)
    assert check_parameters(values) == {name: value for name, value in values.items() if name not in NO_SETTINGS}


def test_the_table_has_nothing_that_no_notebook_uses():
    assert {name for notebook in NOTEBOOKS for name in defaults(notebook)} == set(PARAMETERS)
