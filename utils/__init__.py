"""Helpers that more than one notebook of the course needs.

Importing this package, or its modules ``files``, ``workspace``, ``parameters``, ``pictures``, ``captchas``, ``scores``,
``machine``, ``figures`` and ``progress``, does not load TensorFlow.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path

from utils.files import CourseError, shown

INLINE = "module://matplotlib_inline.backend_inline"


def _hidden(folder: Path) -> None:
    """Refuse files in ``folder``, where Python looks first, that would be imported instead of a package we need."""
    for name in ("captcha", "tensorflow", "keras", "numpy", "PIL", "matplotlib", "papermill"):
        path = folder / f"{name}.py"
        if path.is_file():
            raise CourseError(
                f"The file {shown(path)} hides the package {name}, which the course needs: rename that file, delete "
                "the folder __pycache__ beside it, and restart the kernel."
            )


def _figures_inline() -> None:
    """Show figures in the notebook, even where MPLBACKEND (set on many servers) or a matplotlibrc says otherwise."""
    if os.environ.get("MPLBACKEND", "agg").lower() in ("agg", "cairo", "pdf", "ps", "svg", "template"):
        os.environ["MPLBACKEND"] = INLINE
        if "matplotlib" in sys.modules:
            from IPython import get_ipython

            if get_ipython() is not None:
                get_ipython().run_line_magic("matplotlib", "inline")


def _in_a_sentence(kind: type, error: BaseException, trace: object) -> None:
    """How a program of the course ends that stops early, even while it still imports what it needs."""
    if issubclass(kind, CourseError | KeyboardInterrupt):
        print(f"\n{error if isinstance(error, CourseError) else 'Stopped.'}", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


def any_console() -> None:
    """Let a program write what its console can: one of Windows may have no sign for ✓, or for a letter of a name."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")


if sys.argv[:1] == ["-m"]:  # python -m utils.run and the like
    sys.excepthook = _in_a_sentence
    any_console()
_hidden(Path.cwd())
if "ipykernel.kernelapp" in sys.modules:  # in a notebook
    _figures_inline()
