"""The program that runs notebooks: what it takes, what it refuses, and that a good run prints nothing alarming."""

import base64
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import nbformat
import pytest
from conftest import POSIX
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from utils import captchas, copies, run
from utils.files import REPO, CourseError
from utils.progress import Progress, fraction_of
from utils.run import NOTEBOOKS, SOLUTIONS, _Client, defaults, find_notebook, main, read_values, run_notebook, store

KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
TOY = [
    new_code_cell("seed = 0  # a seed\nlearning_rate = 0.1", metadata={"tags": ["parameters"]}),
    new_code_cell("import matplotlib.pyplot as plt\nplt.plot([seed, 1])\nplt.show()"),
    new_code_cell(
        "import time\nfrom utils.progress import progress\nfor _ in progress(range(20), 'Doing', 'things'):\n"
        "    time.sleep(0.03)\nprint('✓ seed', seed, learning_rate)"
    ),
]


def toy(folder, *cells, name="01-toy.ipynb"):
    """A small notebook in ``folder``, which exists from then on."""
    folder.mkdir(exist_ok=True)
    nbformat.write(new_notebook(cells=[*TOY, *cells], metadata=KERNEL), folder / name)
    return folder / name


def printed(path):
    outputs = [output for cell in nbformat.read(path, as_version=4).cells for output in cell.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs), outputs


@pytest.mark.parametrize("name", ["5", "05", "05-train-alexnet", "05-train-alexnet.ipynb"])
def test_a_notebook_may_be_named_in_many_ways(name):
    assert find_notebook(name).name == "05-train-alexnet.ipynb"
    assert find_notebook(str(REPO / "notebooks" / "05-train-alexnet.ipynb")).name == "05-train-alexnet.ipynb"
    assert find_notebook("notebooks/05-train-alexnet.ipynb") in NOTEBOOKS
    assert find_notebook(name, SOLUTIONS) in SOLUTIONS
    assert find_notebook("0").name.startswith("00-")


def test_a_path_to_a_copy_means_the_copy(tmp_path):
    path = toy(tmp_path, name="05-train-alexnet.ipynb")
    assert find_notebook(str(path)) == path.resolve()


@pytest.mark.parametrize(
    "name",
    ["17", "", "005", "5x", "train", "x" * 5000, "a\0b", "notebooks", "README.md", "my-cours/05-train-alexnet.ipynb"],
)
def test_a_notebook_that_is_not_there(name):
    with pytest.raises(CourseError, match=r"There is no notebook .* There are: 00, 01, "):
        find_notebook(name)


def test_a_solution_is_not_run_in_place_of_the_lesson():
    with pytest.raises(CourseError, match="is a solution: add --solutions"):
        find_notebook(str(SOLUTIONS[0]))


TEXT = "# Größe\nepochs: 010\nlearning_rate: 1e-3\naugmentation: false\nown_text: 0042\n"
VALUES = {"epochs": "010", "learning_rate": "1e-3", "augmentation": "false", "own_text": "0042"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_parameter_files_of_any_encoding(tmp_path, encoding, end):
    path = tmp_path / "a.yaml"
    path.write_bytes(TEXT.replace("\n", end).encode(encoding))
    assert read_values(path) == VALUES


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"- epochs", "a.yaml is no list of parameters such as `epochs: 3`"),
        (b"epochs", "is no list of parameters"),
        (b"epochs: [", "is no list of parameters"),
        (b"a: 1\n---\nb: 2", "is no list of parameters"),
        (b"\xff\xfe\x00", "is no list of parameters"),
        (b"\x89PNG\r\n\x1a\n\0\0", "is no list of parameters"),
        (b"[" * 50_000, "is no list of parameters"),
        (b"epochs: [3]", "a.yaml: epochs needs one value"),
        (b"epochs: 3\nepochs: 4", "a.yaml names epochs twice"),
        (b"? [a]\n: 1", "is no list of parameters"),
    ],
)
def test_parameter_files_that_are_none(tmp_path, data, says):
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    with pytest.raises(CourseError, match=re.escape(says)):
        read_values(path)


def test_parameter_files_that_are_empty_or_not_there(tmp_path):
    (tmp_path / "a.yaml").write_text("# nothing yet\n")
    assert read_values(tmp_path / "a.yaml") == {}
    for path in (tmp_path, tmp_path / "missing.yaml"):
        with pytest.raises(CourseError, match=f"Cannot read the parameter file .*{path.name}: "):
            read_values(path)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["-p", "captcha_cuont", "100"],
            "No notebook has a parameter called 'captcha_cuont'. Did you mean 'captcha_count'",
        ),
        (
            ["-p", "captcha_count", "many"],
            "captcha_count is the text 'many', but must be a whole number from 1 to 10,000",
        ),
        (["-p", "batch_norm", "3"], "batch_norm is the text '3', but must be True or False"),
        (["-p", "learning_rate", "-1e-3"], "learning_rate is -0.001, but must be a number, above 0"),
        (["-p", "seed", "-1"], "seed is -1"),
        (["-p", "picture_count", "0"], "picture_count is 0"),
        (["-p", "test_count", "6000"], "captcha_count is 5,000, of which test_count 6,000"),
        (["01", "-p", "epochs", "3"], "No notebook that you run now has a parameter 'epochs': only "),
        (["-p", "epochs"], "-p takes a name and a value, as in `-p epochs 3`"),
        (["-f", "README.md"], "README.md is no list of parameters such as `epochs: 3`"),
        (["17"], "There is no notebook 17"),
        (["-p", "workspace", ""], "workspace is empty"),
        pytest.param(["-p", "workspace", "~nosuchuser/x"], "leads nowhere", marks=POSIX),
        pytest.param(["-p", "workspace", "x" * 300], "File name too long", marks=POSIX),
        (["-o", "notebooks"], "--output is"),
        (["-o", "."], "--output is"),
        (["-o", ""], "--output is empty"),
        (["-o", "README.md"], "--output is"),
    ],
)
def test_wrong_arguments_are_one_sentence_before_anything_runs(arguments, says, capsys, monkeypatch):
    monkeypatch.chdir(REPO)
    monkeypatch.setattr(run, "run_notebook", lambda *_: pytest.fail("it runs"))
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert says in error and error.count("\n") == 2, error


def test_a_copy_runs_when_its_lesson_would_but_not_beside_it(capsys, monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr(run, "run_notebook", lambda notebook, *_: ran.append(notebook.name[:2]))
    copy = toy(tmp_path / "a-copy", name="02-write-tfrecords.ipynb")
    assert main(["03", str(copy), "01", "-o", str(tmp_path)]) == 0, capsys.readouterr().err
    assert ran == ["01", "02", "03"]
    assert main(["02", str(copy), "-o", str(tmp_path)]) == 1
    assert "have the same name: run them one after the other" in capsys.readouterr().err


def test_a_shortened_option_is_not_passed_over(capsys):
    with pytest.raises(SystemExit):
        main(["05", "--param", "epochs", "3"])
    assert "--param" in capsys.readouterr().err


def test_what_is_passed_on(capsys, monkeypatch, tmp_path):
    calls = {}
    monkeypatch.setattr(run, "run_notebook", lambda notebook, output, values: calls.update({notebook.name[:2]: values}))
    (tmp_path / "a.yaml").write_text("epochs: 010\ncaptcha_count: 20\ntest_count: 5\nvalidation_count: 0\n")
    arguments = ["5", "-f", str(tmp_path / "a.yaml"), "-p", "epochs", "3", "-p", "learning_rate=1e-3"]
    assert main([*arguments, "-p", "workspace", str(tmp_path), "-o", str(tmp_path)]) == 0, capsys.readouterr().err
    assert calls["05"] == {
        "epochs": 3, "captcha_count": 20, "test_count": 5, "validation_count": 0, "learning_rate": 0.001,
        "workspace": str(tmp_path),
    }  # fmt: skip


def test_a_look_that_only_lesson_01_draws_is_not_dropped_in_silence(capsys, monkeypatch, tmp_path):
    ran = []
    monkeypatch.setattr(run, "run_notebook", lambda notebook, *_: ran.append(notebook.name[:2]))
    (tmp_path / "wide.yaml").write_text("width: 200\nheight: 60\nfonts: ','\n")
    arguments = ["-f", str(tmp_path / "wide.yaml"), "-p", "workspace", str(tmp_path), "-o", str(tmp_path / "runs")]
    for lesson in ("02", "05", "06"):
        assert main([lesson, *arguments]) == 1
        assert "which only 01-generate-captchas.ipynb draws: run 01 with the same values" in capsys.readouterr().err
    assert ran == []
    assert main(["01", "02", *arguments]) == main(["00", *arguments]) == 0
    captchas.write_captchas(tmp_path / "captchas", 3, 0, width=200)
    assert main(["02", *arguments]) == 0, capsys.readouterr().err
    assert ran == ["01", "02", "00", "02"]


def test_a_picture_of_ones_own_is_looked_for_before_anything_runs(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "run_notebook", lambda *_: pytest.fail("it ran"))
    assert main(["05", "06", "-p", "own_picture", "nowhere.png", "-o", str(tmp_path)]) == 1
    assert "own_picture is nowhere.png, and there is no such file" in capsys.readouterr().err


def test_the_accuracy_of_a_model_is_said_only_of_the_model_that_is_there(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(run, "run_notebook", lambda *_: None)
    arguments = ["05", "-p", "workspace", str(tmp_path), "-o", str(tmp_path / "runs")]
    history = {"settings": {"records": {"seed": 0}}, "epochs": [{"test_whole": 0.1}, {"test_whole": 0.5}]}
    for path, text in {"model/history.json": json.dumps(history), "records/records.json": '{"seed": 0}'}.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    assert main(arguments) == 0 and "reads" not in capsys.readouterr().out  # the model is gone
    (tmp_path / "model" / "alexnet.keras").touch()
    assert main(arguments) == 0 and "reads 50.0% of the test captchas whole" in capsys.readouterr().out
    watched = history | {"epochs": [{"validation_whole": 0.25}]}
    (tmp_path / "model" / "history.json").write_text(json.dumps(watched))
    assert main(arguments) == 0 and "reads 25.0% of the validation captchas whole" in capsys.readouterr().out
    (tmp_path / "records" / "records.json").write_text('{"seed": 1}')
    assert main(arguments) == 0 and "reads" not in capsys.readouterr().out  # other captchas than it was trained on


def test_a_default_that_holds_an_equals_sign_brings_no_warning(tmp_path, caplog):
    given = new_code_cell('own_chars = "+="  # an alphabet', metadata={"tags": ["parameters"]})
    cells = [given, new_code_cell("print(own_chars)")]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), tmp_path / "01-toy.ipynb")
    run_notebook(tmp_path / "01-toy.ipynb", tmp_path / "out.ipynb", {"own_chars": "-="}, bars=False)
    assert printed(tmp_path / "out.ipynb")[0] == "-=\n"
    assert caplog.text == ""


def test_the_parameters_of_a_notebook_are_literals(tmp_path):
    assert defaults(toy(tmp_path)) == {"seed": 0, "learning_rate": 0.1}
    (tmp_path / "a.ipynb").write_text("{")
    with pytest.raises(CourseError, match=r"a\.ipynb cannot be read as a notebook"):
        defaults(tmp_path / "a.ipynb")
    TOY[0].source, before = "seed = 2 * 3", TOY[0].source
    try:
        with pytest.raises(CourseError, match=r"01-toy\.ipynb cannot be read as a notebook of the course"):
            defaults(toy(tmp_path))
    finally:
        TOY[0].source = before


def program(folder, *arguments, **environment):
    command = [sys.executable, "-m", "utils.run", *map(str, arguments), "-o", str(folder / "runs")]
    environment = os.environ | environment
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=120, check=False)


def test_a_good_run_prints_nothing_that_looks_like_an_error(tmp_path):
    """On a server where MPLBACKEND is set, in a console that has no ✓, in a folder whose name has braces."""
    folder = tmp_path / "odd {seed} ü"
    notebook = toy(folder)
    done = program(folder, notebook, "-p", "seed", "010", MPLBACKEND="agg", PYTHONIOENCODING="cp1252")
    assert done.returncode == 0, done.stderr
    assert done.stdout.decode("cp1252").splitlines()[0] == "1 of 1: 01-toy.ipynb"
    lines = done.stderr.decode("cp1252").splitlines()
    assert lines and all(re.fullmatch(r"  Doing: [0-9]+ of 20 things.*", line) for line in lines), lines
    text, outputs = printed(folder / "runs" / "01-toy.ipynb")
    assert "✓ seed 10 0.1" in text
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 1


@pytest.mark.skipif(os.name != "posix", reason="Ctrl+C is another thing on Windows")
@pytest.mark.parametrize(("lesson", "begun"), [("01-toy.ipynb", "begun"), ("01", "captchas/*.png")])
def test_an_interrupted_run_says_so_and_nothing_else(tmp_path, lesson, begun):
    """In a cell that waits, and while other processes draw."""
    toy(tmp_path, new_code_cell("open('begun', 'w').close()\nimport time\ntime.sleep(60)"))
    workspace = ["-p", "workspace", str(tmp_path)] * (lesson == "01")
    command = [sys.executable, "-m", "utils.run", lesson, *workspace, "-o", str(tmp_path / "runs")]
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(begun)) and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells the whole group
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    wanted = "Stopped. Run this again: what is drawn, written and trained is kept."
    passed_over = ("  Doing", "  Drawing", "Task was destroyed", "task: ")  # bars, and what a kernel says as it ends
    assert [line for line in error.splitlines() if line and not line.startswith(passed_over)] == [wanted]


def test_a_program_that_stops_while_it_imports_says_so_in_a_sentence(tmp_path):
    (tmp_path / "papermill.py").write_text("")
    done = program(tmp_path)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("\nThe file ") and done.stderr.count(b"\n") == 2
    stopping = "import sys; sys.argv = ['-m']; import utils; raise KeyboardInterrupt"
    done = subprocess.run([sys.executable, "-c", stopping], capture_output=True, check=False)
    assert done.returncode and done.stderr.decode().split() == ["Stopped."]


@pytest.mark.parametrize("first", ["", "import matplotlib.pyplot as plt\n"])
def test_plain_papermill_checks_the_parameters_and_gets_pictures_too(tmp_path, first):
    """No matter who runs the notebook: the checks and the figures do not hang on `utils.run`."""
    notebook = tmp_path / "01-toy.ipynb"
    cells = [
        new_code_cell("augmentation = True", metadata={"tags": ["parameters"]}),
        new_code_cell(f"{first}from utils.parameters import check_parameters\ncheck_parameters(globals())"),
        new_code_cell("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"),
    ]
    nbformat.write(new_notebook(cells=cells, metadata=KERNEL), notebook)
    command = [sys.executable, "-m", "papermill", "-k", "python3", notebook.name, "out.ipynb", "-p", "augmentation"]
    options = {"cwd": tmp_path, "env": os.environ | {"MPLBACKEND": "agg"}, "capture_output": True, "text": True}
    wrong = subprocess.run([*command, "false"], check=False, **options)
    says = "CourseError: augmentation is the text 'false', but must be True or False: in a notebook write False"
    assert wrong.returncode and says in wrong.stderr
    assert subprocess.run([*command, "False"], check=False, **options).returncode == 0
    assert sum("image/png" in output.get("data", {}) for output in printed(tmp_path / "out.ipynb")[1]) == 1


def test_a_failed_cell_is_a_sentence(tmp_path):
    raising = new_code_cell("from utils.files import CourseError\nraise CourseError('Do this.')")
    with pytest.raises(CourseError, match=r"^01-toy\.ipynb failed in cell \[4\]: Do this\.\nThe executed copy is out/"):
        run_notebook(toy(tmp_path, raising), tmp_path / "out" / "01-toy.ipynb", {}, bars=False)
    (tmp_path / "taken.ipynb").mkdir()
    with pytest.raises(CourseError, match=r"Cannot write .*taken\.ipynb: .*Choose another folder with --output"):
        run_notebook(toy(tmp_path), tmp_path / "taken.ipynb", {}, bars=False)
    with pytest.raises(CourseError, match="Cannot make the folder"):
        run_notebook(toy(tmp_path), tmp_path / "01-toy.ipynb" / "x" / "y.ipynb", {})


def test_a_kernel_that_does_not_start_is_started_once_more(tmp_path, monkeypatch):
    tries, path = [], toy(tmp_path)

    def fails(times):
        def execute(*_, **__):
            tries.append(1)
            if len(tries) <= times:
                raise RuntimeError("Kernel died before replying to kernel_info")

        monkeypatch.setattr(run.papermill, "execute_notebook", execute)
        tries.clear()
        run_notebook(path, tmp_path / "out.ipynb", {}, bars=False)

    fails(1)
    with pytest.raises(CourseError, match=r"no Python kernel started .*Install the course again"):
        fails(2)
    assert len(tries) == 2


def test_bars_are_known_by_their_metadata(monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda bar, display_id: shown.append(bar))
    Progress("Drawing", 4, "captchas")
    data, metadata = shown[0]._repr_mimebundle_()
    assert fraction_of(metadata) == 0.0 and data["text/plain"] == "Drawing: 0 of 4 captchas"
    assert "course-progress" in data["text/html"]
    assert fraction_of({}) is None and fraction_of({"course": 3}) is None and fraction_of({"course": {}}) is None


@pytest.mark.parametrize("columns", [40, 120])
def test_a_bar_on_a_terminal_stays_on_its_line(monkeypatch, columns):
    """A longer line would wrap, and each update would add one more."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    terminal.isatty = lambda: True
    _Client.show_bar(None, "Training: 76 of 400 steps, about 2 min 31 s left; epoch 1: 0.0% read whole", False)
    _Client.show_bar(None, "Done", True)
    assert {len(line) for line in terminal.getvalue().strip("\r\n").split("\r")} == {columns - 1}


PNG = base64.b64encode(b"picture").decode()


def executed(folder, *outputs, **metadata):
    cell = new_code_cell("1", outputs=list(outputs), metadata={"papermill": {"duration": 1}, "tags": [], **metadata})
    nb = new_notebook(cells=[new_markdown_cell("# A", metadata={"tags": ["x"], "papermill": 1}), cell])
    nb.metadata = {"papermill": {"duration": 12.34, "input_path": "/home/me"}, "widgets": {"state": 1}, "peak_mb": 900}
    nbformat.write(nb, folder / "executed.ipynb")
    return folder / "executed.ipynb"


def test_what_is_stored(tmp_path):
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "interactive(...)"}
    path = executed(
        tmp_path,
        new_output("display_data", data={"image/png": PNG}, metadata={"image/png": {"width": 3}}),
        new_output("display_data", data=dict(widget)),
        new_output("display_data", data={**widget, "text/html": "<b>still</b>"}),
        new_output("stream", text="said"),
        alt="A captcha.",
        jupyter={"outputs_hidden": True},
    )
    store(path, tmp_path / "stored.ipynb")
    nb = nbformat.read(tmp_path / "stored.ipynb", as_version=4)
    assert set(nb.metadata) == {"kernelspec", "language_info", "seconds", "peak_mb"} and nb.metadata["seconds"] == 12.3
    assert nb.cells[0].metadata == {"tags": ["x"]}
    metadata = nb.cells[1].metadata
    assert metadata.pop("executed") == run.source_hash("1")
    assert metadata == {"alt": "A captcha.", "jupyter": {"outputs_hidden": True}}
    picture, still, said = nb.cells[1].outputs
    assert picture.metadata == {"image/png": {"width": 3, "alt": "A captcha."}}
    assert set(still.data) == {"text/plain", "text/html"} and said.text == "said"
    assert "widget" not in json.dumps(nb)


def test_a_stored_picture_does_not_look_like_a_path(monkeypatch):
    file = io.BytesIO()
    captchas.draw_captcha("2026", 0).resize((640, 240)).save(file, format="png")
    png = base64.b64encode(file.getvalue()).decode()
    usual = run._smaller(png)
    monkeypatch.setattr(run, "LIKE_A_PATH", re.compile(re.escape(usual[-80:-60])))
    other = run._smaller(png)
    assert usual[-80:-60] not in other
    pictures = [Image.open(io.BytesIO(base64.b64decode(one))).convert("RGB").tobytes() for one in (usual, other)]
    assert pictures[0] == pictures[1]


def test_only_a_run_at_the_defaults_is_stored(tmp_path, capsys):
    assert main(["00", "--store", "-p", "seed", "1"]) == 1  # said before anything runs
    assert "Only a run at the defaults is stored" in capsys.readouterr().err
    path = executed(tmp_path, tags=["injected-parameters"])
    with pytest.raises(CourseError, match="only a run at the defaults is stored"):
        store(path, tmp_path / "stored.ipynb")


def test_the_picture_of_the_readme(tmp_path):
    path = executed(tmp_path, new_output("display_data", data={"image/png": PNG}))
    nb = nbformat.read(path, as_version=4)
    nb.cells[1].source = "figures.show_predictions(images)"
    nbformat.write(nb, path)
    run.store_picture(path, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == b"picture"
    with pytest.raises(CourseError, match="shows no picture"):
        run.store_picture(executed(tmp_path), tmp_path / "a.png")


@pytest.fixture
def course(tmp_path):
    """A course of two notebooks: folders of the originals and of the copies, and a function that changes one."""

    def changed(path, source, output=""):
        cell = new_code_cell(source, outputs=[new_output("stream", text=output)] if output else [])
        path.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(new_notebook(cells=[cell]), path)

    for name in ("01-a.ipynb", "solutions/01-a.ipynb"):
        changed(tmp_path / "notebooks" / name, "old")
    return tmp_path / "notebooks", tmp_path / "my-course", changed


def source(path):
    return nbformat.read(path, as_version=4).cells[0].source


def test_copies_are_made_once_and_an_unchanged_one_follows_the_course(course):
    notebooks, mine, changed = course
    assert copies.make_copies(notebooks, mine) == []
    assert source(mine / "01-a.ipynb") == source(mine / "solutions" / "01-a.ipynb") == "old"
    changed(notebooks / ".ipynb_checkpoints" / "01-a-checkpoint.ipynb", "JupyterLab's own")
    changed(mine / "01-a.ipynb", "old", output="looked at and saved")
    assert copies.make_copies(notebooks, mine) == []
    assert "looked at and saved" in (mine / "01-a.ipynb").read_text()
    changed(notebooks / "01-a.ipynb", "new")
    assert copies.make_copies(notebooks, mine) == [] and source(mine / "01-a.ipynb") == "new"
    assert sorted(path.name for path in mine.iterdir() if path.is_dir()) == ["solutions"]


def test_a_changed_copy_is_kept_and_fresh_lays_it_aside(course):
    notebooks, mine, changed = course
    copies.make_copies(notebooks, mine)
    changed(mine / "01-a.ipynb", "mine")
    assert copies.make_copies(notebooks, mine) == []  # the course has nothing newer
    changed(notebooks / "01-a.ipynb", "new")
    said = copies.make_copies(notebooks, mine)
    assert "newer versions of notebooks that you changed: 01-a.ipynb" in said[0]
    assert source(mine / "01-a.ipynb") == "mine"
    for number in (1, 2):
        (said,) = copies.make_copies(notebooks, mine, fresh=True)
        assert f"before-{number}/01-a.ipynb" in said
        assert source(mine / "01-a.ipynb") == "new" and source(mine / f"before-{number}" / "01-a.ipynb") == "mine"
        changed(mine / "01-a.ipynb", "mine")
    assert copies.make_copies(notebooks, mine) == []


def test_a_copy_that_is_damaged_counts_as_changed(course):
    notebooks, mine, _ = course
    copies.make_copies(notebooks, mine)
    (mine / "01-a.ipynb").write_text("{")
    copies.make_copies(notebooks, mine)
    assert (mine / "01-a.ipynb").read_text() == "{"
    (mine / copies.MADE).write_text("{")
    copies.make_copies(notebooks, mine)
    assert (mine / "01-a.ipynb").read_text() == "{", "a damaged note costs a copy"
    copies.make_copies(notebooks, mine, fresh=True)
    assert source(mine / "01-a.ipynb") == "old" and (mine / "before-1" / "01-a.ipynb").read_text() == "{"
