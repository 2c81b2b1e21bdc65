"""What the programs of this folder share."""

from __future__ import annotations

import sys
from collections.abc import Callable

from utils.files import CourseError


def run(program: Callable[[], None]) -> None:
    """Run a program that may raise a `CourseError`, whose sentence is then its last word, without a stack."""
    try:
        program()
    except CourseError as error:
        sys.exit(str(error))
