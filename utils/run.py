"""Run the course headlessly: ``python -m utils.run``, and ``python -m utils.run --help`` for more."""

from __future__ import annotations

import argparse
import ast
import base64
import codecs
import hashlib
import io
import logging
import os
import re
import shutil
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import nbformat
import papermill
import yaml
from jupyter_client.kernelspec import NoSuchKernel
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from PIL import Image

from utils import numbers
from utils.captchas import DRAW, USUAL, unusual_look
from utils.files import MEND_HISTORY, REPO, CourseError, brief, cause, in_course, read_json, require, shown, write_aside
from utils.machine import peak_memory
from utils.parameters import PARAMETERS, check_names, check_parameters, settings_in, value_of
from utils.progress import fraction_of
from utils.workspace import Folders, open_workspace, outside_course

NOTEBOOKS = sorted((REPO / "notebooks").glob("[0-9][0-9]-*.ipynb"))
SOLUTIONS = sorted((REPO / "notebooks" / "solutions").glob("[0-9][0-9]-*.ipynb"))
LIKE_A_PATH = re.compile(r"/(tmp|home|root|work|Users|usr|var|opt)")
WIDGET = "application/vnd.jupyter.widget-view+json"


def find_notebook(name: str, notebooks: Sequence[Path] = NOTEBOOKS) -> Path:
    """The notebook that ``name`` means: a number (``3`` or ``03``), a file name with or without ending, or a path.

    A path to a notebook elsewhere, such as a copy of yours, means that file.

    Raises:
        CourseError: there is none.
    """
    path, folder = Path(name), shown(notebooks[0].parent)
    with suppress(OSError, ValueError):
        if path.suffix == ".ipynb" and path.is_file() and path.resolve() not in [*NOTEBOOKS, *SOLUTIONS]:
            return path.resolve()
        if path.is_file() and path.resolve() in SOLUTIONS and path.resolve() not in notebooks:
            raise CourseError(f"{shown(path.resolve())} is a solution: add --solutions.")
    for notebook in notebooks:
        short = {notebook.name[:2], notebook.name[:2].lstrip("0") or "0"}
        with suppress(OSError, ValueError):
            if name in {*short, notebook.name, notebook.stem} or path.resolve() == notebook:
                return notebook
    there = ", ".join(notebook.name[:2] for notebook in notebooks)
    raise CourseError(f"There is no notebook {name[:80]} in {folder}. There are: {there}.")


class _Client(PapermillNotebookClient):
    """papermill's client, which also shows how far a long cell is: in place on a terminal, else a line now and then."""

    last_line = 0.0
    bars = True

    def process_message(self, msg, cell, cell_index):
        if self.bars and msg["msg_type"] == "update_display_data":
            fraction = fraction_of(msg["content"].get("metadata", {}))
            if fraction is not None:
                self.show_bar(msg["content"]["data"].get("text/plain", ""), fraction == 1)
        return super().process_message(msg, cell, cell_index)

    def papermill_execute_cells(self):
        super().papermill_execute_cells()
        peak = peak_memory(self.km.provisioner.pid)
        self.nb.metadata["peak_mb"] = peak and int(peak)

    def show_bar(self, text: str, finished: bool) -> None:
        if sys.stderr.isatty():
            wide = shutil.get_terminal_size().columns - 1  # a longer line would not be written over, but repeated
            print(f"\r{f'  {text}'[:wide]:<{wide}}", end="\n" if finished else "", file=sys.stderr, flush=True)
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
            # Jupyter interrupts every kernel before it ends it, and the kernel calls that an ERROR.
            extra_arguments=["--log-level=CRITICAL"],
        )
        client.bars = bars
        client.execute()


papermill_engines.register("captcha-course", _Engine)
logging.getLogger("papermill").setLevel(logging.ERROR)  # it warns of a default that holds a "=", and all goes well


def defaults(notebook: Path) -> dict[str, object]:
    """The parameters of a notebook and their default values, which are plain literals.

    Raises:
        CourseError: the file is no notebook, or its parameters are no plain literals.
    """
    found = {}
    try:
        nb = nbformat.read(notebook, as_version=4)
        sources = [cell.source for cell in nb.cells if "parameters" in cell.metadata.get("tags", [])]
        for source in sources[:1]:
            for line in ast.parse(source).body:
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    found[line.targets[0].id] = ast.literal_eval(line.value)
    except Exception as error:  # nbformat has many ways to fail, and a learner can write anything into the cell
        raise CourseError(f"{shown(notebook)} cannot be read as a notebook of the course: {cause(error)}.") from error
    return found


def read_values(path: Path) -> dict[str, str]:
    """The texts that a YAML file gives to parameters, as on the command line. So ``epochs: 010`` is ten here too.

    The file may be in UTF-8, UTF-16 (as PowerShell writes it) or Latin-1.

    Raises:
        CourseError: it cannot be read, is no YAML, or holds something else than names and values.
    """
    wrong = f"{shown(path)} is no list of parameters such as `epochs: 3`, one in each line."
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CourseError(f"Cannot read the parameter file {shown(path)}: {cause(error)}.") from error
    try:
        node = yaml.compose(_decoded(data), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise CourseError(wrong) from error
    if node is None:
        return {}
    require(isinstance(node, yaml.MappingNode), wrong)
    values = {}
    for key, value in node.value:
        require(isinstance(key, yaml.ScalarNode), wrong)
        name = " ".join(key.value[:80].split()) or "an empty name"
        require(isinstance(value, yaml.ScalarNode), f"{shown(path)}: {name} needs one value, as in `epochs: 3`.")
        require(key.value not in values, f"{shown(path)} names {name} twice.")
        values[key.value] = value.value
    return values


def _decoded(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def run_notebook(notebook: Path, output: Path, values: dict[str, object], bars: bool = True) -> None:
    """Execute one notebook into ``output`` with those of the values that it has parameters for.

    Args:
        bars: whether the notebook's progress bars are shown on the terminal.

    Raises:
        CourseError: a cell failed, and the executed copy is kept, with the error in it; or the kernel died.
    """
    own = {name: value for name, value in values.items() if name in defaults(notebook)}
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CourseError(f"Cannot make the folder {shown(output.parent)}: {cause(error)}.") from error
    os.environ.pop("MPLBACKEND", None)  # a server may set it to `agg`, and then no notebook has a picture
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

    def execute() -> None:
        papermill.execute_notebook(
            _plain(notebook),
            _plain(output),
            own,
            engine_name="captcha-course",
            kernel_name="python3",
            start_timeout=300,  # seconds; the very first start after an installation can be slow
            progress_bar=False,
            bars=bars,
        )

    try:
        try:
            execute()
        except DeadKernelError:
            raise
        except RuntimeError:  # the kernel has not started: another program may have been given one of its ports
            execute()
    except OSError as error:
        raise CourseError(
            f"Cannot write {shown(output)}: {cause(error)}. Choose another folder with --output."
        ) from error
    except PapermillExecutionError as error:
        said = error.evalue if error.ename == "CourseError" else f"{error.ename}: {error.evalue}"
        raise CourseError(
            f"{notebook.name} failed in cell [{error.exec_count}]: {said}\nThe executed copy is {shown(output)}."
        ) from error
    except DeadKernelError as error:
        raise CourseError(
            f"{notebook.name}: its kernel died, most often for want of memory. Close other programs and run "
            "this again: it goes on where it was. A smaller batch_size needs less memory, but starts a new training."
        ) from error
    except (NoSuchKernel, RuntimeError) as error:
        raise CourseError(
            f"{notebook.name}: no Python kernel started ({cause(error)}). Install the course again: "
            "`python -m pip install -r requirements.txt`."
        ) from error


def _plain(path: Path) -> str:
    """``path`` for papermill, which would put parameters in the place of braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


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
    } | ({"peak_mb": nb.metadata["peak_mb"]} if nb.metadata.get("peak_mb") else {})
    for cell in nb.cells:
        cell.metadata = {name: cell.metadata[name] for name in ("alt", "jupyter", "tags") if cell.metadata.get(name)}
        if cell.cell_type == "code":
            cell.metadata["executed"] = source_hash(cell.source)
            cell.outputs = [output for output in cell.outputs if _kept(output, cell.metadata.get("alt"))]
    with write_aside(notebook) as part:
        nbformat.write(nb, part)


def _kept(output: dict, alt: str | None) -> bool:
    """Make an output ready to be stored; False for a widget, which is nothing without its kernel."""
    data = output.get("data", {})
    if data.pop(WIDGET, None) is not None and set(data) <= {"text/plain"}:
        return False
    if "image/png" in data:
        data["image/png"] = _smaller(data["image/png"])
        if alt:
            output["metadata"].setdefault("image/png", {})["alt"] = alt
    return True


def _smaller(png: str) -> str:
    """A picture in base64 with at most 256 colours, which figures hardly ever have more of: a third of the size."""
    try:
        picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    except (OSError, ValueError):  # a cell may display anything as a picture
        return png
    picture, small = picture.quantize(256, dither=Image.Dither.NONE), png
    for level in range(9, 3, -1):
        file = io.BytesIO()
        picture.save(file, format="png", compress_level=level)
        small = base64.b64encode(file.getvalue()).decode()
        if not LIKE_A_PATH.search(small):  # by chance, base64 may look like a path of this machine
            break
    return small if len(small) < len(png) or LIKE_A_PATH.search(png) else png


def store_picture(notebook: Path, path: Path) -> None:
    """Save the first picture of predictions that ``notebook`` shows as ``path``."""
    nb = nbformat.read(notebook, as_version=4)
    outputs = [output for cell in nb.cells if "show_predictions(" in cell.source for output in cell.get("outputs", [])]
    first = next((output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})), None)
    require(first is not None, f"{shown(notebook)} shows no picture.")
    with write_aside(path) as part:
        part.write_bytes(base64.b64decode(first))


def _values(chosen: Sequence[Path], given: dict[str, str], settings: Sequence[tuple[str, str]]) -> dict[str, object]:
    """The values of all parameters that were given, checked before anything runs.

    A parameter file may serve all notebooks. What stands on the command line is for the notebooks that run now.
    """
    has = {notebook: defaults(notebook) for notebook in {*NOTEBOOKS, *chosen}}
    here = {notebook.name: has[notebook] for notebook in chosen}
    other = {notebook.name: has[notebook] for notebook in NOTEBOOKS if notebook not in chosen}
    check_names([name for name, _ in settings], here, other)
    check_names(given, here | other, {})
    values = {}
    for name, text in {**given, **dict(settings)}.items():
        require(name in PARAMETERS, f"{name} is missing in PARAMETERS in utils/parameters.py: write its type there.")
        values[name] = value_of(name, text)
    for notebook in chosen:
        check_parameters(has[notebook] | {name: value for name, value in values.items() if name in has[notebook]})
    return values


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m utils.run", description="Run the course's notebooks in order.", allow_abbrev=False
    )
    parser.add_argument("notebooks", nargs="*", help="numbers of the notebooks to run, such as 01 03; all by default")
    parser.add_argument(
        "-p", "--parameter", nargs=2, metavar=("NAME", "VALUE"), help="set a parameter; as often as you like"
    )
    parser.add_argument("-f", "--file", type=Path, help="a YAML file of parameters; -p comes on top")
    parser.add_argument("-o", "--output", default=str(REPO / "runs"), help="folder for the executed notebooks")
    parser.add_argument("--solutions", action="store_true", help="run the solutions of the exercises instead")
    parser.add_argument("--store", action="store_true", help="then store the executed notebooks as the course's own")
    try:
        rest, settings = settings_in(sys.argv[1:] if arguments is None else arguments)
        options = parser.parse_args(rest)
        return _run(options, settings)
    except (CourseError, OSError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # the client was ended in the middle, and asyncio tells
        print("\nStopped. Run this again: what is drawn, written and trained is kept.", file=sys.stderr)
        return 130


def _run(options: argparse.Namespace, settings: list[tuple[str, str]]) -> int:
    output = outside_course(Path(os.path.expanduser(options.output)).absolute() if options.output else "", "--output")
    notebooks = SOLUTIONS if options.solutions else NOTEBOOKS
    output = output / "solutions" if options.solutions else output
    chosen = {find_notebook(name, notebooks) for name in options.notebooks} or set(notebooks)
    chosen = sorted(chosen, key=lambda path: path.name)  # a copy of a lesson runs when the lesson would
    for notebook in chosen:
        same = [shown(path) for path in chosen if path.name == notebook.name]
        require(len(same) == 1, f"{' and '.join(same)} have the same name: run them one after the other.")
        require(output / notebook.name != notebook, f"--output is where {notebook.name} lies: choose another folder.")
    values = _values(chosen, read_values(options.file) if options.file else {}, settings)
    require(not (options.store and values), "Only a run at the defaults is stored: leave out the parameters.")
    folders = open_workspace(values.get("workspace", "workspace"))
    _check_files(chosen, values, folders)
    for number, notebook in enumerate(chosen, 1):
        print(f"{number} of {len(chosen)}: {notebook.name}", flush=True)
        run_notebook(notebook, output / notebook.name, values)
    if options.store:
        _store_all(chosen, output)
    print(f"Done. The executed notebooks are in {shown(output)}: look at {chosen[-1].name} first.")
    _say_accuracy(folders)
    return 0


def _check_files(chosen: Sequence[Path], values: dict[str, object], folders: Folders) -> None:
    """Refuse values that do not fit the files that are there, before anything runs.

    Only lesson 01 draws captchas of another size or with other fonts; the lessons after it take what it has drawn.
    """
    asked = {name: values[name] for name in USUAL if name in values}
    take = any("captcha_count" in has and "fonts" not in has for has in map(defaults, chosen))
    if asked and take and DRAW not in [notebook.name for notebook in chosen]:
        from utils.prepare import look_of  # it imports TensorFlow, which nothing else here needs

        wanted, found = unusual_look(USUAL | asked), unusual_look(USUAL | look_of(folders))
        require(
            all(wanted.get(name) == found.get(name) for name in asked),
            f"Your {' and '.join(asked)} are not those of the captchas in {shown(folders.captchas)}, which only {DRAW} "
            "draws: run 01 with the same values first.",
        )
    own = values.get("own_picture", "")
    require(
        not own or in_course(own).exists(),
        f"own_picture is {brief(own)}, and there is no such file: give a path counted from the course's folder.",
    )


def _store_all(chosen: Sequence[Path], output: Path) -> None:
    """Store what was executed, with the picture of the README and every number that is taken from a run."""
    for notebook in chosen:
        store(output / notebook.name, notebook)
    for notebook in chosen:
        if notebook in NOTEBOOKS and notebook.name.startswith("06-"):
            store_picture(notebook, REPO / "docs" / "predictions.png")
    numbers.update(numbers.pages())


def _say_accuracy(folders: Folders) -> None:
    """Say how well the trained model reads the test captchas, or those of the validation set if there is one.

    Nothing is said where the model is gone, or was trained on other captchas than those that are there now.
    """
    model, records = folders.model, folders.records / "records.json"
    history = model / "history.json"
    if history.exists() and (model / "alexnet.keras").exists():
        found = read_json(history, MEND_HISTORY, epochs=list, settings=dict)
        if records.exists() and found["settings"].get("records") != read_json(records):
            return
        epochs = found["epochs"]
        last = epochs[-1] if epochs and isinstance(epochs[-1], dict) else {}
        for watched in ("test", "validation"):
            if isinstance(whole := last.get(f"{watched}_whole"), float | int):
                print(f"The model reads {whole:.1%} of the {watched} captchas whole ({shown(model)}).")


if __name__ == "__main__":
    sys.exit(main())
