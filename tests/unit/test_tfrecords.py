"""Records: every picture and label survives, no text is on both sides, and broken files are named."""

import contextlib
import filecmp
import os
import shutil
import subprocess
import sys
from uuid import UUID

import numpy as np
import pytest
from conftest import SIDE, SIZE
from PIL import Image

from utils import tfrecords
from utils.captchas import draw_captcha, find_captchas, write_captchas
from utils.files import REPO, CourseError, shown
from utils.pictures import gray, gray_picture
from utils.quiet import tf


@pytest.fixture
def broken(captcha_folder, tmp_path):
    """A folder of captchas of its own, to be broken."""
    return shutil.copytree(captcha_folder, tmp_path / "captchas")


def texts(labels):
    return ["".join(map(str, row)) for row in labels]


def test_pictures_and_labels_survive(captcha_folder, records):
    seen = []
    for split, count in (("train", 100), ("test", 20)):
        images, labels = tfrecords.read_records(records, split, SIZE)
        assert images.shape == (count, *SIZE, 1) and images.dtype == np.uint8
        assert labels.shape == (count, 4) and labels.dtype == np.int64
        for image, text in zip(images, texts(labels), strict=True):
            assert np.array_equal(image[..., 0], gray_picture(captcha_folder / f"{text}.png", SIZE))
        seen += texts(labels)
    assert sorted(seen) == [path.stem for path in find_captchas(captcha_folder)]  # each once: none on both sides


def test_features_are_those_of_the_original(records):
    record = next(iter(tf.data.TFRecordDataset(str(records / "train.tfrecord"))))
    features = tf.train.Example.FromString(record.numpy()).features.feature
    assert set(features) == {"image", "label0", "label1", "label2", "label3"}
    assert len(features["image"].bytes_list.value[0]) == SIDE * SIDE
    assert len(features["label2"].int64_list.value) == 1


def test_each_label_column_comes_from_its_own_feature():
    example = tfrecords.make_example(np.zeros((2, 3), np.uint8), [7, 1, 9, 3]).SerializeToString()
    _, labels = tfrecords.parse_records(tf.constant([example]), (2, 3))
    assert labels.numpy().tolist() == [[7, 1, 9, 3]]


def test_same_split_whatever_the_order_of_the_files(captcha_folder):
    paths = find_captchas(captcha_folder)
    assert tfrecords.shuffled(paths, 0) == tfrecords.shuffled(paths[::-1], 0)
    assert tfrecords.shuffled(paths, 0) != tfrecords.shuffled(paths, 1)


def test_same_bytes_again(captcha_folder, records, tmp_path):
    """In another process too: there a message may keep its features in another order."""
    code = (
        "from pathlib import Path; from utils.tfrecords import write_records\n"
        f"write_records(Path({str(captcha_folder)!r}), Path({str(tmp_path)!r}), 20, 0, {SIZE})"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPO, check=True, stdout=subprocess.DEVNULL)
    for split in ("train", "test"):
        name = f"{split}.tfrecord"
        assert filecmp.cmp(tmp_path / name, records / name, shallow=False)


def test_a_second_run_does_nothing_and_other_settings_are_an_error(captcha_folder, tmp_path):
    first = tfrecords.write_records(captcha_folder, tmp_path, 20, 0, SIZE)
    before = (tmp_path / "train.tfrecord").stat().st_mtime_ns
    assert tfrecords.write_records(captcha_folder, tmp_path, 20, 0, SIZE) == first._replace(already_there=True)
    assert (tmp_path / "train.tfrecord").stat().st_mtime_ns == before
    with pytest.raises(CourseError, match=r"test_count 20 instead of 30"):
        tfrecords.write_records(captcha_folder, tmp_path, 30, 0, SIZE)


@pytest.mark.parametrize("test_count", [0, -1, 120, 121])
def test_impossible_test_counts(captcha_folder, tmp_path, test_count):
    with pytest.raises(CourseError, match=r"holds 120 captchas, of which at least one"):
        tfrecords.write_records(captcha_folder, tmp_path / "records", test_count, 0, SIZE)
    assert not (tmp_path / "records").exists()


def test_pictures_without_pixels(captcha_folder, tmp_path):
    with pytest.raises(CourseError, match="A picture of 0 x 0 pixels has none"):
        tfrecords.write_records(captcha_folder, tmp_path / "records", 20, 0, (0, 0))


def test_bad_files_are_left_out_counted_and_named(broken, tmp_path):
    first, second, *_ = find_captchas(broken)
    first.write_bytes(first.read_bytes()[:500])
    second.write_text("no picture at all")
    (broken / "12x4.png").write_bytes((broken / find_captchas(broken)[5].name).read_bytes())
    (broken / "notes.txt").write_text("no PNG, no concern of ours")
    written = tfrecords.write_records(broken, tmp_path / "records", 20, 0, SIZE)
    assert (written.train, written.validation, written.test) == (98, 0, 20)
    assert set(written.skipped) == {first.name, second.name, "12x4.png"}
    assert "not a whole picture" in written.skipped[first.name]
    assert "4 characters" in written.skipped["12x4.png"]
    draw_captcha(first.stem, 0).save(first)  # drawn again, as the sentence says: now it gets in
    again = tfrecords.write_records(broken, tmp_path / "records", 20, 0, SIZE)
    assert (again.train, again.test) == (99, 20) and set(again.skipped) == {second.name, "12x4.png"}


def test_too_few_good_captchas_leave_no_file(broken, tmp_path):
    for path in find_captchas(broken)[5:]:
        path.write_text("broken")
    with pytest.raises(CourseError, match=r"Only 5 of 120 captchas could be read, too few .*is not a whole picture"):
        tfrecords.write_records(broken, tmp_path / "records", 20, 0, SIZE)
    assert {path.name for path in (tmp_path / "records").iterdir()} <= {".lock"}


def test_an_interrupted_run_leaves_no_file(captcha_folder, tmp_path, monkeypatch):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(tfrecords, "open_picture", interrupted)
    with pytest.raises(KeyboardInterrupt):
        tfrecords.write_records(captcha_folder, tmp_path / "records", 20, 0, SIZE)
    assert {path.name for path in (tmp_path / "records").iterdir()} <= {".lock"}


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full is a Linux thing")
def test_a_full_disk_under_the_record_writer(captcha_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecords, "held", contextlib.nullcontext)  # which would remove the link
    monkeypatch.setattr("uuid.uuid4", lambda: UUID(int=0))
    (tmp_path / ".part-00000000-train.tfrecord").symlink_to("/dev/full")
    with pytest.raises(CourseError, match=r"Cannot write .*Free some space") as told:
        tfrecords.write_records(captcha_folder, tmp_path, 20, 0, SIZE)
    assert ".part" not in str(told.value) and str(tmp_path.parent) not in str(told.value).replace(shown(tmp_path), "")
    assert not list(tmp_path.iterdir())


def test_missing_records_name_the_notebook_to_run(tmp_path):
    with pytest.raises(CourseError, match=r"run 02-write-tfrecords\.ipynb first"):
        tfrecords.open_records(tmp_path, "train", SIZE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: good[:-100], "damaged after 99 records"),
        (lambda good: good[:5000] + b"x" + good[5001:], "damaged after 0 records"),
        (lambda good: good[: len(good) // 100 * 99], "holds 99 records for train instead of 100"),
        (lambda good: b"", "is empty"),
        (lambda good: b"this is no record file, whatever its name says", "damaged after 0 records"),
    ],
)
def test_truncated_and_foreign_files(records, tmp_path, content, message):
    good = (records / "train.tfrecord").read_bytes()
    (tmp_path / "train.tfrecord").write_bytes(content(good))
    shutil.copy(records / "records.json", tmp_path)
    with pytest.raises(CourseError, match=message):
        tfrecords.open_records(tmp_path, "train", SIZE)


def test_records_of_another_kind_or_size(records, tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "train.tfrecord")) as writer:
        writer.write(tf.train.Example().SerializeToString())
    with pytest.raises(CourseError, match="does not hold gray captchas of 96x96 pixels"):
        tfrecords.open_records(tmp_path, "train", SIZE)
    with pytest.raises(CourseError, match="same image_height and image_width"):
        tfrecords.open_records(records, "train", (224, 224))


@pytest.mark.parametrize(("size", "beside"), [((72, 128), 1), ((48, 192), 1), ((48, 48), 1), ((48, 48), 0)])
def test_pictures_of_another_shape_whose_bytes_would_fit_are_not_read(records, tmp_path, size, beside):
    """What stands beside the records tells their shape; where nothing does, one picture must not become several."""
    for name in ["train.tfrecord", "records.json"][: 1 + beside]:
        shutil.copy(records / name, tmp_path)
    with pytest.raises(CourseError, match=f"does not hold gray captchas of {size[0]}x{size[1]} pixels"):
        tfrecords.open_records(tmp_path, "train", size)


def test_many_records_go_to_several_files_and_are_read_alike(captcha_folder, records, tmp_path, monkeypatch):
    monkeypatch.setattr(tfrecords, "SHARD", 30)
    assert tfrecords.write_records(captcha_folder, tmp_path, 20, 0, SIZE).train == 100
    assert sorted(path.name for path in tmp_path.glob("*.tfrecord")) == [
        "test.tfrecord", "train-00-of-04.tfrecord", "train-01-of-04.tfrecord", "train-02-of-04.tfrecord",
        "train-03-of-04.tfrecord",
    ]  # fmt: skip
    dealt, one_file = (tfrecords.read_records(folder, "train", SIZE) for folder in (tmp_path, records))
    assert sorted(texts(dealt[1])) == sorted(texts(one_file[1]))
    for image, text in zip(dealt[0], texts(dealt[1]), strict=True):
        assert np.array_equal(image[..., 0], gray_picture(captcha_folder / f"{text}.png", SIZE))
    assert tfrecords.write_records(captcha_folder, tmp_path, 20, 0, SIZE).already_there


def test_five_characters(tmp_path):
    write_captchas(tmp_path / "captchas", 12, 0, chars="abc", length=5)
    tfrecords.write_records(tmp_path / "captchas", tmp_path, 4, 0, SIZE, chars="abc", length=5)
    assert tfrecords.alphabet_of(tmp_path) == ("abc", 5)
    with pytest.raises(CourseError, match="holds texts of 5 characters out of 'abc', not of 4: set length = 5"):
        tfrecords.read_records(tmp_path, "test", SIZE)
    images, labels = tfrecords.read_records(tmp_path, "test", SIZE, length=5)
    assert all(tfrecords.same_as_file(*pair, tmp_path / "captchas", "abc") for pair in zip(images, labels, strict=True))
    assert labels.shape == (4, 5) and labels.max() <= 2


def test_a_validation_set_is_taken_from_the_training_captchas(captcha_folder, records, tmp_path):
    """The test set stays as it is without one, no text is in two sets, and none gets lost."""
    written = tfrecords.write_records(captcha_folder, tmp_path, 20, 0, SIZE, validation_count=30)
    assert (written.train, written.validation, written.test) == (70, 30, 20)
    sets = [set(texts(tfrecords.read_records(tmp_path, split, SIZE)[1])) for split in tfrecords.SPLITS]
    assert [len(one) for one in sets] == [70, 30, 20] and len(set().union(*sets)) == 120
    assert filecmp.cmp(tmp_path / "test.tfrecord", records / "test.tfrecord", shallow=False)
    with pytest.raises(CourseError, match=r"There is no .*validation\.tfrecord"):
        tfrecords.open_records(records, "validation", SIZE)


def test_changed_functions_are_used_and_not_mixed_with_others(captcha_folder, tmp_path):
    def negative(picture, size):
        return 255 - gray(picture, size)

    def no_order(image, labels):
        return tfrecords.make_example(image, labels[::-1])

    tfrecords.write_records(captcha_folder, tmp_path / "a", 20, 0, SIZE, gray=negative, make_example=no_order)
    tfrecords.write_records(captcha_folder, tmp_path / "b", 20, 0, SIZE)
    (image, label), (other, other_label) = (tfrecords.read_records(tmp_path / ab, "test", SIZE) for ab in "ab")
    assert np.array_equal(image, 255 - other) and np.array_equal(label, other_label[:, ::-1])
    with pytest.raises(CourseError, match="another function makes them"):
        tfrecords.write_records(captcha_folder, tmp_path / "a", 20, 0, SIZE)


def test_a_picture_without_any_ink_does_not_get_in(broken, tmp_path):
    first = find_captchas(broken)[0]
    Image.new("RGB", (160, 60), "white").save(first)
    written = tfrecords.write_records(broken, tmp_path, 20, 0, SIZE)
    assert "one gray level only" in written.skipped[first.name] and written.train == 99


def test_a_wide_picture_is_stored_as_such(captcha_folder, tmp_path):
    tfrecords.write_records(captcha_folder, tmp_path, 20, 0, (70, 90))
    images, labels = tfrecords.read_records(tmp_path, "test", (70, 90))
    assert images.shape == (20, 70, 90, 1)
    assert all(
        tfrecords.same_as_file(image, label, captcha_folder) for image, label in zip(images, labels, strict=True)
    )
