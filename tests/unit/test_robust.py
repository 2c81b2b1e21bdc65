"""Nothing goes wrong silently: whatever is put in, the right thing comes out, or one sentence that names the cause.

Each test tries 500 inputs that Hypothesis makes up, other ones each time. ``EXAMPLES=20000`` tries more of them.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import bomb
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from utils import any_console, captchas, checkpoints, copies, prepare, run, tfrecords
from utils.files import REPO, CourseError, check_settings, read_json, write_json
from utils.model import load_compact, load_model
from utils.parameters import NO_SETTINGS, PARAMETERS, check_parameters, value_of
from utils.pictures import as_seen, doubts, gray_picture
from utils.quiet import tf
from utils.workspace import Folders, open_workspace

EXAMPLES = int(os.environ.get("EXAMPLES", "500"))
# The same inputs each time where changes are checked: there, a new find would look like a fault of the change.
ROBUST = {"derandomize": "CI" in os.environ}
ROBUST |= {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck), "print_blob": True}
many = settings(max_examples=EXAMPLES, **ROBUST)


def one_sentence(error: CourseError | str, *names: str) -> None:
    """The error must be short, on one line, without paths of this machine, and name what it is about."""
    text = str(error)
    assert text and "\n" not in text and len(text) < 700, text
    assert any(name in text for name in names), text
    assert not re.search(r"(^|[\s'\"(])/(tmp|home|root|work)/", text), text


# Pictures

MODES = [
    "1",
    "L",
    "LA",
    "La",
    "P",
    "PA",
    "RGB",
    "RGBA",
    "RGBa",
    "RGBX",
    "CMYK",
    "YCbCr",
    "HSV",
    "LAB",
    "I",
    "F",
    "I;16",
]
BYTES = {"1": 1, "L": 1, "P": 1, "LA": 2, "La": 2, "PA": 2, "I;16": 2, "I": 4, "F": 4, "RGB": 3, "YCbCr": 3, "HSV": 3}
Image.init()
FORMATS = sorted({*Image.SAVE} - {"EPS"})  # Pillow starts another program to read EPS
LOSSLESS = {"PNG", "TIFF"}


@st.composite
def pictures(draw):
    """A small picture of any mode, with any pixels, and how it is saved."""
    mode, width, height = draw(st.sampled_from(MODES)), draw(st.integers(1, 9)), draw(st.integers(1, 7))
    channels = BYTES.get(mode, 3 if mode in ("LAB",) else 4)
    size = (width + 7) // 8 * height if mode == "1" else width * height * channels
    raw = draw(st.binary(min_size=size, max_size=size))
    if mode in ("La", "RGBa", "PA", "LA"):  # Pillow has no bytes for some of these: by way of its own conversions
        picture = Image.frombytes("RGBA", (width, height), (raw * 4)[: width * height * 4])
        picture = picture.convert("LA").convert(mode) if mode in ("La", "LA") else picture
        picture = picture.convert("RGBa") if mode == "RGBa" else picture
        if mode == "PA":
            alpha = picture.getchannel("A")
            picture = picture.convert("P").convert("PA")
            picture.putalpha(alpha)
    else:
        picture = Image.frombytes(mode, (width, height), raw)
    if mode == "P":
        picture.putpalette(draw(st.binary(min_size=768, max_size=768)))
    options = {}
    if mode in ("1", "L", "P", "RGB", "I;16") and draw(st.booleans()):
        levels = st.integers(0, 65535 if mode == "I;16" else 255)
        options["transparency"] = draw(st.tuples(levels, levels, levels)) if mode == "RGB" else draw(levels)
        if mode == "P" and draw(st.booleans()):
            options["transparency"] = draw(st.binary(min_size=1, max_size=256))
    orientation = draw(st.sampled_from([None, None, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]))
    if orientation is not None:
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    return picture, options, draw(st.sampled_from(FORMATS))


def written(picture, options, kind):
    """The bytes of a file; None where Pillow cannot write such a picture."""
    file = io.BytesIO()
    try:
        picture.save(file, kind, **options)
    except Exception:
        return None
    return file.getvalue()


def right(picture, options):
    """What a person sees, worked out in another way than the course does; None where it is a matter of taste."""
    if options.get("exif") or picture.mode in (
        "I",
        "F",
        "LAB",
        "HSV",
        "YCbCr",
        "CMYK",
        "PA",
        "La",
        "RGBa",
        "I;16",
        "1",
    ):
        return None
    if picture.mode == "P" and isinstance(options.get("transparency"), bytes):
        return None
    colours = np.asarray(picture.convert("RGB")).astype(float)
    alpha = np.ones(colours.shape[:2])
    if picture.mode in ("LA", "RGBA"):
        alpha = np.asarray(picture.getchannel("A")) / 255
    elif "transparency" in options:
        alpha = (np.asarray(picture) != np.asarray(options["transparency"])).astype(float)
        alpha = alpha.max(axis=2) if alpha.ndim == 3 else alpha
    paper = colours * alpha[..., None] + 255 * (1 - alpha[..., None])
    return paper @ [0.299, 0.587, 0.114]


@many
@given(pictures())
def test_any_picture_that_pillow_can_write(tmp_path_factory, drawn):
    picture, options, kind = drawn
    data = written(picture, options, kind)
    assume(data is not None)
    path = tmp_path_factory.getbasetemp() / "0150.png"
    path.write_bytes(data)
    size = (picture.height, picture.width)
    try:
        found = gray_picture(path, size)
    except CourseError as error:
        assert kind not in (*LOSSLESS, "GIF", "BMP", "JPEG", "WEBP"), error
        return one_sentence(error, "0150.png")
    assert found.shape == size and found.dtype == np.uint8
    wanted = right(picture, options) if kind in LOSSLESS and (kind == "PNG" or not options) else None
    if wanted is not None:
        assert np.abs(found - wanted).max() <= 2


@many
@given(pictures())
def test_any_picture_in_memory(drawn):
    picture, options, _ = drawn
    picture.info.update(options)
    seen = as_seen(picture)
    assert seen.mode in ("L", "RGB") and sorted(seen.size) == sorted(picture.size)
    said = doubts(picture)
    assert all(sentence.endswith(".") for sentence in said)
    if len(set(np.asarray(seen.convert("L")).flat)) == 1:  # an empty page is doubted, whatever its shade
        assert said


@st.composite
def damaged(draw, whole: bytes):
    """The bytes of a file after any damage: cut, a part replaced, or something else altogether."""
    kind = draw(st.sampled_from(["cut", "flip", "replace", "insert", "other"]))
    if kind == "other" or not whole:
        return draw(st.binary(max_size=200))
    place = draw(st.integers(0, len(whole) - 1))
    if kind == "cut":
        return whole[:place]
    if kind == "flip":
        return whole[:place] + bytes([whole[place] ^ draw(st.integers(1, 255))]) + whole[place + 1 :]
    part = draw(st.binary(min_size=1, max_size=16))
    return whole[:place] + part + whole[place + (len(part) if kind == "replace" else 0) :]


@many
@given(st.data())
def test_any_damage_to_any_picture(tmp_path_factory, data):
    whole = written(*data.draw(pictures()))
    assume(whole is not None)
    path = tmp_path_factory.getbasetemp() / "0150.png"
    path.write_bytes(data.draw(damaged(whole)))
    try:
        assert gray_picture(path, (6, 16)).shape == (6, 16)
    except CourseError as error:
        one_sentence(error, "0150.png")
        assert not captchas.is_whole(path)


def chunks(kinds):
    """A PNG file of any chunks, in any order, all with right checksums."""
    file = io.BytesIO(PngImagePlugin._MAGIC)
    file.seek(0, io.SEEK_END)
    for kind, data in kinds:
        PngImagePlugin.putchunk(file, kind, data)
    return file.getvalue()


KINDS = [b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"eXIf", b"iCCP", b"zTXt", b"iTXt", b"acTL", b"fcTL", b"fdAT", b"gAMA"]


@many
@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.binary(max_size=30)), max_size=6), st.binary(min_size=5, max_size=5)
)
def test_any_chunks_in_a_png(tmp_path_factory, kinds, header):
    path = tmp_path_factory.getbasetemp() / "0150.png"
    path.write_bytes(chunks([(b"IHDR", b"\0\0\0\x08\0\0\0\x03" + header), *kinds, (b"IEND", b"")]))
    captchas.is_whole(path)  # a chunk may be nonsense with a right checksum; at least nothing is raised
    try:
        assert gray_picture(path, (6, 16)).shape == (6, 16)
    except CourseError as error:
        one_sentence(error, "0150.png")


def test_one_file_with_far_too_many_pixels_stops_nothing(tmp_path):
    """It is told with its name and left out, or drawn again where it stands for a captcha."""
    captchas.write_captchas(tmp_path / "captchas", 6, 0, processes=1)
    path = captchas.find_captchas(tmp_path / "captchas")[0]
    whole = path.read_bytes()
    bomb(path)
    assert not captchas.is_whole(path)
    done = tfrecords.write_records(tmp_path / "captchas", tmp_path / "records", 2, 0, (67, 67))
    assert (done.train, done.test, list(done.skipped)) == (3, 2, [path.name])
    one_sentence(done.skipped[path.name], f"{path.name} has more pixels than Pillow opens")
    assert captchas.write_captchas(tmp_path / "captchas", 6, 0, processes=1) == 1 and path.read_bytes() == whole


# Parameters

NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, -1, 2**32, 67, 0.5, 1e-9, 10**400, math.nan]))
VALUES = st.one_of(
    st.none(), st.booleans(), NUMBERS, st.text(), st.binary(), st.complex_numbers(), st.lists(st.integers()),
    st.integers().map(str), st.just(np.float32(1)), st.just(np.int64(1)), st.just(object()),
)  # fmt: skip


def fits(name, value):
    """Whether a value is right, by the table alone."""
    kind, lowest, highest, open_at = PARAMETERS[name]
    if kind is bool:
        return value is True or value is False
    if name in ("chars", "own_chars") and type(value) is str:
        return len(value) == len(set(value)) > 1 and all(unicodedata.category(char)[0] in "LNPS" for char in value)
    if kind is str:
        return type(value) is str
    if type(value) is not int and (kind is int or type(value) is not float):
        return False
    return lowest <= value <= highest and value != open_at and (name != "worker_batch_size" or value % 16 == 0)


@many
@given(st.sampled_from(sorted(PARAMETERS)), VALUES)
def test_any_value_of_any_parameter(name, value):
    try:
        found = check_parameters({name: value, "other": value})
    except CourseError as error:
        assert not fits(name, value)
        return one_sentence(error, f"{name} is ")
    assert fits(name, value)
    assert found == ({} if name in NO_SETTINGS else {name: value}) and all(
        type(found[n]) is PARAMETERS[n].kind for n in found
    )


NUMERIC = [name for name, parameter in PARAMETERS.items() if parameter.kind in (int, float)]
COUNTS = ("captcha_count", "trial_captchas")


@many
@given(st.data())
def test_any_parameters_together(data):
    values = {}
    for name in data.draw(st.lists(st.sampled_from(NUMERIC), unique=True)):
        kind, lowest, highest, open_at = PARAMETERS[name]
        numbers = st.integers(lowest, min(highest, lowest + 300)) if kind is int else st.floats(lowest, highest)
        if name == "worker_batch_size":
            numbers = st.integers(1, 20).map(lambda parts: 16 * parts)
        values[name] = data.draw(numbers.filter(lambda value, bound=open_at: value != bound))
    kept = values.get("test_count", 0) + values.get("validation_count", 0)
    sides = [("image_height", "stride_down"), ("image_width", "stride_across")]
    too_few = {"captcha_count", "test_count"} <= values.keys() and kept >= values["captcha_count"]
    too_many = any(values.get(name, 0) > 10 ** values.get("length", 4) for name in COUNTS)
    too_small = any({a, b} <= values.keys() and values[a] < 11 + 14 * values[b] for a, b in sides)
    too_wide = values.get("worker_batch_size", 16) > values.get("worker_captchas", math.inf)
    too_plain = values.get("plain_epochs", 0) > values.get("epochs", math.inf)
    if too_few or too_many or too_small or too_wide or too_plain:
        with pytest.raises(CourseError) as error:
            check_parameters(values)
        names = ("captcha_count", "image_height", "image_width", "length", "trial_captchas", "worker_batch_size")
        one_sentence(error.value, *names, "plain_epochs")
    else:
        check_parameters(values)


@many
@given(st.sampled_from(sorted(PARAMETERS)), st.one_of(st.text(), NUMBERS.filter(lambda n: n != 10**400).map(str)))
@example("epochs", "010")
@example("epochs", "٣")
@example("learning_rate", "1_0e1")
def test_any_text_for_any_parameter(name, text):
    try:
        value = value_of(name, text)
    except CourseError as error:
        return one_sentence(error, f"{name} is ")
    assert fits(name, value)
    if PARAMETERS[name].kind in (int, float):
        assert value == float(text)


WORDS = ["-p", "-f", "-o", "--store", "--solutions", "--", "-", "5", "05", "epochs", "seed", "3", "workspace", "-1e-3"]


@many
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(sorted(PARAMETERS)), st.text()), max_size=7))
def test_any_command_line(tmp_path_factory, words):
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        patched.chdir(tmp_path_factory.getbasetemp())
        patched.setattr(run, "run_notebook", lambda *_: None)
        patched.setattr(run, "_store_all", lambda *_: None)
        patched.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding="cp1252"))
        said = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", write_through=True)
        patched.setattr("sys.stderr", said)
        any_console()  # as `python -m utils.run` begins
        try:
            code = run.main(words)
        except SystemExit as left:  # as argparse does, with a line about how to call the program
            code = left.code
        printed = said.buffer.getvalue().decode("cp1252")
    assert code in (0, 1, 2) and "Traceback" not in printed
    assert (code == 0) == (not printed.strip())


@many
@given(st.one_of(st.text(), st.text(alphabet="./~ab\0\\"), VALUES))
def test_any_workspace(value):
    before = sorted(REPO.iterdir())
    try:
        folders = open_workspace(value)
    except CourseError as error:
        assert str(error).startswith("workspace is ") and len(str(error)) < 400
    else:
        assert isinstance(folders.root, Path) and folders.root.is_absolute()
        assert folders.root != REPO and not folders.root.is_relative_to(REPO / "notebooks")
    assert sorted(REPO.iterdir()) == before


# Files of a workspace

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@st.composite
def altered(draw, value):
    """A JSON file after somebody has worked on it: values replaced or gone, at any depth, or any other bytes."""
    kind = draw(st.sampled_from(["replace", "remove", "inside", "all", "bytes", "damage"]))
    text = json.dumps(value).encode()
    if kind in ("bytes", "damage"):
        return draw(st.binary(max_size=100) if kind == "bytes" else damaged(text))
    if kind == "all":
        return json.dumps(draw(JSON)).encode()
    value = json.loads(text)
    place = value
    name = draw(st.sampled_from(sorted(place)))
    while kind == "inside" and isinstance(place[name], dict) and place[name]:
        place = place[name]
        name = draw(st.sampled_from(sorted(place)))
    if kind == "remove":
        del place[name]
    else:
        place[name] = draw(JSON)
    return json.dumps(value).encode()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A small workspace with captchas and records."""
    folders = Folders(*(tmp_path_factory.mktemp(name) for name in Folders._fields))
    captchas.write_captchas(folders.captchas, 6, 0, processes=1)
    tfrecords.write_records(folders.captchas, folders.records, 2, 0, (67, 67))
    return folders


@many
@given(st.data())
def test_any_bytes_in_the_settings_of_the_captchas(made, data):
    path = made.captchas / captchas.SETTINGS
    whole = path.read_bytes()
    path.write_bytes(data.draw(altered(json.loads(whole))))
    drawn = []
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(captchas, "write_captchas", lambda *arguments, **_: drawn.append(arguments))
            prepare.ready_captchas(made, 6, 0)
        assert check_settings(path, json.loads(whole), "this") and not drawn
    except CourseError as error:
        one_sentence(error, "captchas", "captcha_count")
    finally:
        path.write_bytes(whole)


@many
@given(st.data())
def test_any_bytes_in_the_settings_of_the_records(made, data):
    """The record files themselves stay whole here, so nothing checks them again each time."""
    path = made.records / tfrecords.SETTINGS
    whole = path.read_bytes()
    path.write_bytes(data.draw(altered(json.loads(whole))))
    try:
        for use in (read_again, written_again):
            try:
                use(made)
            except CourseError as error:
                one_sentence(error, "records")
    finally:
        path.write_bytes(whole)


def read_again(made):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(tfrecords, "_checked", lambda *_: 2)
        patched.setattr(tf.data, "TFRecordDataset", dataset_of)
        assert int(tfrecords.open_records(made.records, "test", (67, 67)).cardinality()) == 2


def written_again(made):
    done = tfrecords.write_records(made.captchas, made.records, 2, 0, (67, 67))
    assert (done.train, done.validation, done.test, done.skipped) == (4, 0, 2, {})


_datasets: dict[str, tf.data.Dataset] = {}


def dataset_of(files, make=tf.data.TFRecordDataset):
    """A dataset of these files, made once: each reading opens them anew, and making one takes longer than reading."""
    if str(files) not in _datasets:
        _datasets[str(files)] = make(files)
    return _datasets[str(files)]


@many
@given(st.data())
def test_any_bytes_in_the_records(made, data):
    path = made.records / "test.tfrecord"
    whole = path.read_bytes()
    path.write_bytes(data.draw(damaged(whole)))
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(tf.data, "TFRecordDataset", dataset_of)
            images, labels = tfrecords.read_records(made.records, "test", (67, 67))
        assert images.shape == (2, 67, 67, 1) and labels.shape == (2, 4)
    except CourseError as error:
        one_sentence(error, "records", "test.tfrecord")
    finally:
        path.write_bytes(whole)


HISTORY = {
    "settings": {"epochs": 2, "records": {"seed": 0, "captchas": {"seed": 0}}},
    "epochs": [{"loss": 2.0, "test_whole": 0.1}, {"loss": 1.0, "test_whole": 0.2}],
}


@many
@given(st.data())
def test_any_bytes_in_the_history(made, data):
    path, records = made.model / checkpoints.HISTORY, made.records / tfrecords.SETTINGS
    path.write_bytes(data.draw(altered(HISTORY | {"settings": {"records": json.loads(records.read_bytes())}})))
    (made.model / checkpoints.MODEL).touch()
    for read in (lambda: checkpoints.read_history(made.model), lambda: run._say_accuracy(made)):
        try:
            epochs = read()
        except CourseError as error:
            one_sentence(error, "history.json")
        else:
            assert epochs is None or (isinstance(epochs, list) and all(isinstance(epoch, dict) for epoch in epochs))


@many
@given(st.data())
def test_any_bytes_in_the_history_of_the_model_that_is_used(made, data):
    (made.model / checkpoints.MODEL).write_bytes(b"")
    path = made.model / checkpoints.HISTORY
    path.write_bytes(data.draw(altered(HISTORY)))
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(prepare, "load_model", lambda *_: "model")
            patched.setattr(prepare, "about_model", lambda _: {})
            assert prepare.ready_model(made, (67, 67)) == "model"
    except CourseError as error:
        one_sentence(error, "history.json")


@many
@given(st.data())
def test_any_bytes_in_a_checkpoint(tmp_path_factory, data):
    file = io.BytesIO()
    np.savez(file, about=json.dumps(HISTORY), state_0=np.zeros(3), state_1=np.ones((2, 2)))
    path = tmp_path_factory.getbasetemp() / "epoch-0002.npz"
    path.write_bytes(data.draw(damaged(file.getvalue())))
    try:
        about, values = checkpoints._read(path)
    except CourseError as error:
        one_sentence(error, "epoch-0002.npz")
    else:
        # A zip file may lose its last members without a word. `resume` counts them.
        assert about == HISTORY and [value.shape for value in values] == [(3,), (2, 2)][: len(values)]


@many
@given(st.data())
def test_any_facts_in_a_checkpoint(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "epoch-0002.npz"
    with zipfile.ZipFile(path, "w"):
        pass
    text = data.draw(altered(HISTORY)).decode("latin-1")
    np.savez(path, about=text, state_0=np.zeros(3))
    try:
        about, _ = checkpoints._read(path)
    except CourseError as error:
        one_sentence(error, "epoch-0002.npz")
    else:
        assert isinstance(about["settings"], dict) and isinstance(about["epochs"], list)


@many
@given(st.data())
def test_any_bytes_in_a_compact_model(tmp_path_factory, data):
    about = {"size": [67, 67], "fc_units": 4, "records": {}, "strides": [4, 4]}
    file = io.BytesIO()
    np.savez(file, data.draw(st.one_of(altered(about).map(lambda b: b.decode("latin-1")), st.just(json.dumps(about)))))
    path = tmp_path_factory.getbasetemp() / "small.npz"
    path.write_bytes(data.draw(damaged(file.getvalue())) if data.draw(st.booleans()) else file.getvalue())
    with pytest.raises(CourseError) as caught:  # the weights are missing in any case
        load_compact(path, (67, 67))
    one_sentence(caught.value, "small.npz")


@many
@given(st.data())
def test_any_bytes_in_a_model(tmp_path_factory, data):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, data.draw(st.binary(max_size=40) | JSON.map(json.dumps).map(str.encode)))
    path = tmp_path_factory.getbasetemp() / "alexnet.keras"
    path.write_bytes(data.draw(damaged(file.getvalue())) if data.draw(st.booleans()) else file.getvalue())
    with pytest.raises(CourseError) as caught:
        load_model(path, (67, 67))
    one_sentence(caught.value, "alexnet.keras")


@many
@given(st.data())
def test_any_bytes_in_a_parameter_file(tmp_path_factory, data):
    text = "epochs: 3\nown_text: 'Größe'\naugmentation: false\n"
    whole = text.encode(data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "latin-1"])))
    path = tmp_path_factory.getbasetemp() / "mine.yaml"
    path.write_bytes(data.draw(damaged(whole) | st.text().map(str.encode) | JSON.map(json.dumps).map(str.encode)))
    try:
        values = run.read_values(path)
    except CourseError as error:
        one_sentence(error, "mine.yaml")
    else:
        assert all(type(name) is str and type(value) is str for name, value in values.items())


@many
@given(st.data())
def test_any_bytes_in_any_json_file(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "facts.json"
    path.write_bytes(data.draw(altered({"seed": 1, "rate": 0.5, "on": True, "deep": {"a": {}}})))
    try:
        found = read_json(path, seed=int, rate=float, on=bool, deep=dict)
    except CourseError as error:
        one_sentence(error, "facts.json")
    else:
        assert type(found["seed"]) is int and type(found["on"]) is bool and type(found["deep"]) is dict
        write_json(path, found)
    assert copies.cells_of(path) is None or isinstance(copies.cells_of(path), str)
