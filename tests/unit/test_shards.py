"""Data for many workers: nobody's file is another's, and the global batches are the same for any number of workers."""

import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

import matplotlib
import numpy as np
import pytest

from utils import shards, tfrecords
from utils.captchas import DIGITS, draw_captcha, draw_texts, file_name, labels_of
from utils.files import CourseError, read_json
from utils.pictures import gray
from utils.tfrecords import shuffled

SIZE, TEXTS = (67, 67), shards.training_texts(30, 10, 0, DIGITS, 4)


def written(folder, worker=0, workers=1, **more):
    given = {"count": 26, "texts": TEXTS, "seed": 0, "size": SIZE, "lanes": 4} | more
    return shards.write_shards(folder, worker=worker, workers=workers, **given)


def records_of(path):
    return list(tfrecords.tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def test_texts_for_training_are_those_of_the_records():
    """Sorted by the names of their files, shuffled, and without those for the test, as `write_records` does it."""
    for chars in (DIGITS, "aAbB.", "aBc"):
        texts = draw_texts(30, 3, chars, 4)
        for kind in (PurePosixPath, PureWindowsPath):  # Windows sorts paths in another order
            paths = {kind("captchas", file_name(text, chars)): text for text in texts}
            expected = [paths[path] for path in shuffled(list(paths), 3)[10:]]
            assert list(shards.training_texts(30, 10, 3, chars, 4)) == expected


def test_the_endless_row_has_every_text_once_in_each_turn_and_is_never_the_same():
    row = [shards.drawing(TEXTS, 0, number) for number in range(3 * len(TEXTS))]
    turns = [row[start : start + len(TEXTS)] for start in range(0, len(row), len(TEXTS))]
    assert all({text for text, _ in turn} == set(TEXTS) for turn in turns)
    assert len({tuple(text for text, _ in turn) for turn in turns}) == 3
    assert len(set(row)) == len(row)
    assert [shards.drawing(TEXTS, 1, number) for number in range(len(row))] != row


def names_in(folder):
    """The files in a folder of shards, without the locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_workers_write_without_a_file_in_common(tmp_path):
    """What two have written is, byte for byte, what one writes alone."""
    assert [written(tmp_path / "two", worker, 2) for worker in (1, 0)] == [13, 13]
    assert written(tmp_path / "one") == 26
    names = names_in(tmp_path / "one")
    assert names == names_in(tmp_path / "two")
    assert len(names) == 9 and "manifest.json" in names
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
    path = tmp_path / "one" / "train-00001-of-00004.tfrecord"
    left = path.with_name(f".part-1234-{path.name}")  # as a killed worker leaves it
    left.touch()
    path.unlink()
    assert written(tmp_path / "one") == 7 and path.exists() and not left.exists()
    manifest = read_json(tmp_path / "one" / "manifest.json")
    assert list(manifest["files"].values()) == [7, 7, 6, 6]
    alone = tmp_path / "alone"
    written(alone, 1, 2)
    assert {name[:11] for name in names_in(alone)} == {"train-00001", "train-00003"}  # and no manifest


def test_records_are_the_captchas_of_their_numbers(tmp_path):
    written(tmp_path)
    images, labels = tfrecords.parse_records(records_of(shards.shard_path(tmp_path, 1, 4)), SIZE)
    expected, texts = shards.draw_numbers(range(1, 26, 4), TEXTS, 0, SIZE)
    assert np.array_equal(images, expected) and np.array_equal(labels, texts)
    text, seed = shards.drawing(TEXTS, 0, 1)
    assert list(texts[0]) == labels_of(text)
    look = {"width": 200, "height": 70}
    wide, _ = shards.draw_numbers([1], TEXTS, 0, SIZE, look=look)
    assert np.array_equal(wide[0, ..., 0], gray(draw_captcha(text, seed, **look), SIZE))
    written(tmp_path / "wide", look=look)
    assert read_json(tmp_path / "wide" / "manifest.json")["settings"].items() >= look.items()


def test_writing_goes_on_where_it_stopped(tmp_path):
    written(tmp_path)
    assert written(tmp_path) == 0
    first, second = (shards.shard_path(tmp_path, shard, 4) for shard in (0, 2))
    before = first.read_bytes()
    first.with_suffix(".json").unlink()  # killed before it was noted
    second.write_bytes(second.read_bytes()[:-5])  # a disk that lost its end
    assert written(tmp_path) == 13
    assert first.read_bytes() == before and len(records_of(second)) == 6


def test_two_runs_never_write_the_same_shard(tmp_path):
    """Two trainings in one workspace share their shards: the second waits for a lane, and takes what is there."""
    with ThreadPoolExecutor(2) as pool:
        assert sum(pool.map(written, [tmp_path, tmp_path])) == 26
    assert sum(len(records_of(path)) for path in tmp_path.glob("*.tfrecord")) == 26


@pytest.mark.parametrize(
    "changed",
    [
        *({"seed": 1}, {"count": 27}, {"size": (68, 67)}, {"texts": TEXTS[:-1]}, {"chars": DIGITS[::-1]}),
        {"look": {"width": 200}},
    ],
)
def test_shards_of_other_settings_are_refused(tmp_path, changed):
    written(tmp_path)
    with pytest.raises(CourseError, match="holds other shards: delete that folder"):
        written(tmp_path, **changed)


def test_another_font_of_the_same_name_is_noticed(tmp_path):
    fonts = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    own = shutil.copy(fonts / "DejaVuSans.ttf", tmp_path / "own.ttf")
    written(tmp_path / "shards", look={"fonts": str(own)})
    shutil.copy(fonts / "DejaVuSerif.ttf", own)
    with pytest.raises(CourseError, match="holds other shards"):
        written(tmp_path / "shards", look={"fonts": str(own)})


def test_a_disk_that_is_full_is_told_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(path):
        raise tfrecords.tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tfrecords.tf.io, "TFRecordWriter", full)
    with pytest.raises(CourseError, match="No space left"):
        written(tmp_path)
    assert names_in(tmp_path) == []


def test_too_few_captchas_are_told(tmp_path):
    with pytest.raises(CourseError, match="3 captchas are too few for 4 lanes"):
        written(tmp_path, count=3)


@pytest.mark.parametrize(
    ("count", "lanes", "expected"), [(1, 8, 8), (80_000, 8, 8), (80_001, 8, 16), (10**8, 8, 10**4)]
)
def test_shards_are_many_enough_and_fill_the_lanes(count, lanes, expected):
    assert shards.shard_count(count, lanes) == expected


def batches_of(lanes_of, workers, first_step, steps, augmented):
    """The first global batches of several workers, each a sorted list of what the pictures sum up to."""
    own = []
    for worker in range(workers):
        found = {lane: lanes_of(lane, first_step) for lane in range(worker, 4, workers)}
        stream = shards.worker_batches(found, 2, SIZE, augmented=augmented, first_step=first_step)
        own.append(list(stream.take(steps)))
    together = []
    for parts in zip(*own, strict=True):
        rows = []
        for images, labels in parts:
            texts = np.stack([label.numpy() for label in labels], axis=1)
            sums = images.numpy().sum(axis=(1, 2, 3)).round(1)
            rows += [(*text, total) for text, total in zip(texts.tolist(), sums.tolist(), strict=True)]
        together.append(sorted(rows))
    return together


@pytest.mark.parametrize("augmented", [False, True])
def test_global_batches_do_not_depend_on_the_number_of_workers(tmp_path, augmented):
    written(tmp_path)

    def stored(lane, first_step):
        tfrecords.tf.random.set_seed(0)
        return shards.lane_batches(tmp_path, 26, lane, 4, 2, 3, SIZE, first_step=first_step)

    one, two = (batches_of(stored, workers, 0, 5, augmented) for workers in (1, 2))
    assert one == two and len(one[0]) == 8
    assert one[0] != one[3]  # another order in the second epoch
    assert batches_of(stored, 2, 4, 1, augmented) == one[4:]  # begun later
    if not augmented:
        assert max(Counter(row for batch in one[:3] for row in batch).values()) == 1  # nothing twice in an epoch


def test_a_lane_reads_its_own_files_only(tmp_path):
    """Other shards lie there too, and on a disk of its own a worker has only the shards of its lanes."""
    written(tmp_path, 1, 2)
    written(tmp_path, 1, 2, lanes=8, count=40, seed=1)
    for lane in (1, 3):
        images, labels = next(iter(shards.lane_batches(tmp_path, 26, lane, 4, 6, 1, SIZE)))
        expected = {shards.drawing(TEXTS, 0, number)[0] for number in range(lane, 26, 4)}
        assert {"".join(map(str, row)) for row in labels.numpy()} <= expected and len(images) == 6


def test_drawn_batches_do_not_depend_on_the_number_of_workers_either():
    draw = partial(shards.draw_numbers, texts=TEXTS, seed=0, size=SIZE)

    def drawn(lane, first_step):
        return shards.drawn_batches(lane, 2, 8, draw, SIZE, first_step=first_step)

    one, two = (batches_of(drawn, workers, 0, 3, False) for workers in (1, 2))
    assert one == two and batches_of(drawn, 2, 1, 2, False) == one[1:]
    assert len({row for batch in one for row in batch}) == 24
