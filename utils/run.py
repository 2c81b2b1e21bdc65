"""Run the course headlessly: ``python -m utils.run``, and ``python -m utils.run --help`` for more."""

from __future__ import annotations

import argparse
import ast
import base64
import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import nbformat
import papermill
import yaml
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError

from utils.files import REPO, CourseError, check, read_json, shown, workspace_path, write_aside
from utils.progress import BAR_MARK

NOTEBOOKS = sorted((REPO / "notebooks").glob("[0-9][0-9]-*.ipynb"))
SOLUTIONS = sorted((REPO / "notebooks" / "solutions").glob("[0-9][0-9]-*.ipynb"))


def find_notebook(number: str, notebooks: Sequence[Path] = NOTEBOOKS) -> Path:
    """The notebook with this number, such as ``"03"``.

    Raises:
        CourseError: there is none.
    """
    found = [notebook for notebook in notebooks if notebook.name[:2] == number]
    if not found:
        raise CourseError(f"There is no notebook {number} in {shown(notebooks[0].parent)}.")
    return found[0]


class _Client(PapermillNotebookClient):
    """papermill's client, which also shows how far a long cell is: in place on a terminal, else a line now and then."""

    last_line = 0.0
    bars = True

    def process_message(self, msg, cell, cell_index):
        if (
            self.bars
            and msg["msg_type"] == "update_display_data"
            and BAR_MARK in msg["content"]["data"].get("text/html", "")
        ):
            self.show_bar(msg["content"]["data"]["text/plain"], 'value="1.000"' in msg["content"]["data"]["text/html"])
        return super().process_message(msg, cell, cell_index)

    def show_bar(self, text: str, finished: bool) -> None:
        if sys.stderr.isatty():
            print(f"\r  {text:<100}", end="\n" if finished else "", file=sys.stderr, flush=True)
        elif finished or time.monotonic() - self.last_line > 30:
            self.last_line = time.monotonic()
            print(f"  {text}", file=sys.stderr, flush=True)


class _Engine(NBClientEngine):
    """papermill's engine with our client. Its own bar counts cells, and one of ours takes most of the time."""

    @classmethod
    def execute_managed_notebook(cls, nb_man, kernel_name, start_timeout=60, bars=True, **kwargs):
        client = _Client(
            nb_man,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=None,
            extra_arguments=["--log-level=ERROR"],
        )
        client.bars = bars
        client.execute()


papermill_engines.register("captcha-course", _Engine)


def defaults(notebook: Path) -> dict[str, object]:
    """The parameters of a notebook and their default values, which are plain literals."""
    found = papermill.inspect_notebook(str(notebook))
    return {name: ast.literal_eval(parameter["default"]) for name, parameter in found.items()}


def check_values(values: dict[str, object], known: dict[str, object]) -> dict[str, object]:
    """Give every value the type of its default, so that ``-p x 0042`` stays text where text is meant.

    Raises:
        CourseError: a name that no notebook knows, or a value of the wrong type.
    """
    checked = {}
    for name, value in values.items():
        if name not in known:
            raise CourseError(f"No notebook has a parameter called {name!r}. There are: {', '.join(sorted(known))}.")
        kind = type(known[name])
        parsed = value if kind is str or not isinstance(value, str) else _parsed(value)
        if kind is float and type(parsed) is str:  # YAML takes 1e-3 for text
            parsed = _float_or_text(parsed)
        if kind is float and type(parsed) is int:
            parsed = float(parsed)
        if type(parsed) is not kind:
            raise CourseError(f"The parameter {name} takes a value like {known[name]!r}, not {value!r}.")
        checked[name] = parsed
    return checked


def read_values(path: Path) -> dict[str, object]:
    """The values that a YAML file gives to parameters.

    Raises:
        CourseError: it is no YAML, or holds something else than names and values.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError:
        values = None
    check(isinstance(values, dict), f"{shown(path)} is no list of parameters such as `epochs: 3`, one in each line.")
    return values


def _parsed(text: str) -> object:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text  # which is then refused as being of the wrong kind


def _float_or_text(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def run_notebook(notebook: Path, output: Path, values: dict[str, object], bars: bool = True) -> None:
    """Execute one notebook into ``output`` with those of the values that it has parameters for.

    Args:
        bars: whether the notebook's progress bars are shown on the terminal.

    Raises:
        CourseError: a cell failed, and the executed copy is kept, with the error in it; or the kernel died.
    """
    own = {name: value for name, value in values.items() if name in defaults(notebook)}
    output.parent.mkdir(parents=True, exist_ok=True)
    # The kernel finds `utils` by PYTHONPATH wherever it is started, and TensorFlow keeps its log lines to itself.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(REPO), os.environ.get("PYTHONPATH")]))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        papermill.execute_notebook(
            str(notebook),
            str(output),
            own,
            engine_name="captcha-course",
            kernel_name="python3",
            start_timeout=300,  # seconds; the very first start after an installation can be slow
            progress_bar=False,
            bars=bars,
        )
    except PapermillExecutionError as error:
        raise CourseError(
            f"{notebook.name} failed in cell [{error.exec_count}]: {error.ename}: {error.evalue}\n"
            f"The executed copy is {shown(output)}."
        ) from error
    except DeadKernelError as error:
        raise CourseError(
            f"{notebook.name}: its kernel died, most often for want of memory. Close other programs or lower "
            "batch_size, then run this again: it goes on where it was."
        ) from error


def source_hash(source: str) -> str:
    """A fingerprint of a code cell: it tells whether the cell was changed after its outputs were made."""
    return hashlib.sha256(source.strip().encode()).hexdigest()[:16]


def store(executed: Path, notebook: Path) -> None:
    """Put an executed copy in the place of the notebook: outputs kept, everything else of that run dropped."""
    nb = nbformat.read(executed, as_version=4)
    if any(cell.metadata.get("tags") == ["injected-parameters"] for cell in nb.cells):
        raise CourseError(f"{shown(executed)} was run with other parameters; only a run at the defaults is stored.")
    nb.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "seconds": round(nb.metadata["papermill"]["duration"], 1),  # how long it ran, for the README
    }
    for cell in nb.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
        if cell.cell_type == "code":
            cell.metadata["executed"] = source_hash(cell.source)
    nbformat.write(nb, notebook)


def store_picture(notebook: Path, path: Path) -> None:
    """Save the first picture that ``notebook`` shows as ``path``."""
    nb = nbformat.read(notebook, as_version=4)
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    first = next(output.data["image/png"] for output in outputs if "image/png" in output.get("data", {}))
    with write_aside(path) as part:
        part.write_bytes(base64.b64decode(first))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m utils.run", description="Run the course's notebooks in order.")
    parser.add_argument("notebooks", nargs="*", help="numbers of the notebooks to run, such as 01 03; all by default")
    parser.add_argument("-p", "--parameter", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    parser.add_argument("-f", "--file", type=Path, help="a YAML file of parameters; -p comes on top")
    parser.add_argument("-o", "--output", type=Path, default=REPO / "runs", help="folder for the executed notebooks")
    parser.add_argument("--solutions", action="store_true", help="run the solutions of the exercises instead")
    parser.add_argument("--store", action="store_true", help="then store the executed notebooks as the course's own")
    options = parser.parse_args(arguments)
    try:
        notebooks, output = NOTEBOOKS, options.output
        if options.solutions:
            notebooks, output = SOLUTIONS, options.output / "solutions"
        chosen = sorted({find_notebook(number, notebooks) for number in options.notebooks}) or notebooks
        known = {name: value for notebook in NOTEBOOKS for name, value in defaults(notebook).items()}
        given = read_values(options.file) if options.file else {}
        values = check_values(given | dict(options.parameter), known)
        for number, notebook in enumerate(chosen, 1):
            print(f"{number} of {len(chosen)}: {notebook.name}", flush=True)
            run_notebook(notebook, output / notebook.name, values)
        if options.store:
            for notebook in chosen:
                store(output / notebook.name, notebook)
            store_picture(REPO / "notebooks" / "04-predict.ipynb", REPO / "docs" / "predictions.png")
    except (CourseError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. Run this again to go on from here.", file=sys.stderr)
        return 130
    workspace = workspace_path(values.get("workspace", known["workspace"]))
    print(f"Done. The executed notebooks are in {shown(output)}: look at {chosen[-1].name} first.")
    _say_accuracy(workspace)
    return 0


def _say_accuracy(workspace: Path) -> None:
    """Say how well the trained model reads the test captchas."""
    history = workspace / "model" / "history.json"
    if history.exists():
        last = read_json(history)["epochs"][-1]
        print(f"The model reads {last['test_whole']:.1%} of the test captchas whole ({shown(history.parent)}).")


if __name__ == "__main__":
    sys.exit(main())
