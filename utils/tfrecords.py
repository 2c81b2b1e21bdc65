"""Captchas as TFRecord files, and back. Introduced in notebook 02.

A record is a ``tf.train.Example`` with the features ``image`` (the raw bytes of a square gray picture) and ``label0``,
``label1``, ... (int64, the place of each character in the character set).
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from utils.captchas import DIGITS, LENGTH, check_text, find_captchas
from utils.captchas import SETTINGS as CAPTCHA_SETTINGS
from utils.files import CourseError, check, check_settings, read_json, shown, write_aside, write_json
from utils.progress import progress
from utils.quiet import tf

SETTINGS = "records.json"
SPLITS = ("train", "test")
SHARD = 10_000  # records in one file, about 500 MB at 224x224; more of them go to several files


class Written(NamedTuple):
    """What `write_records` did: records in each split, files it left out and why, and whether it was done before."""

    train: int
    test: int
    skipped: dict[str, str]
    already_there: bool


def gray(picture: Image.Image, image_size: int) -> np.ndarray:
    """A picture as the network sees it: gray, resized to a square; uint8 array of shape (image_size, image_size)."""
    return np.asarray(picture.convert("L").resize((image_size, image_size), Image.Resampling.BILINEAR))


def gray_picture(path: Path, image_size: int) -> np.ndarray:
    """Read a picture file by `gray`: uint8 array of shape (image_size, image_size), 0 for black and 255 for white.

    Raises:
        CourseError: there is no such file, or it is no whole picture.
    """
    try:
        with Image.open(path) as picture:
            return gray(picture, image_size)
    except FileNotFoundError as error:
        raise CourseError(f"There is no file {shown(path)}: check its name and folder.") from error
    except (OSError, SyntaxError, ValueError) as error:  # what Pillow raises for truncated, foreign and broken files
        raise CourseError(f"{shown(path)} is not a whole picture: draw or save it again.") from error


def labels_of(text: str, chars: str = DIGITS) -> list[int]:
    """The place of each character of ``text`` in ``chars``: for digits, the digits themselves."""
    return [chars.index(char) for char in text]


def make_example(image: np.ndarray, labels: Sequence[int]) -> tf.train.Example:
    """Pack a uint8 picture and its labels into a `tf.train.Example`."""
    features = {"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))}
    for place, label in enumerate(labels):
        features[f"label{place}"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    return tf.train.Example(features=tf.train.Features(feature=features))


def shuffled(paths: Sequence[Path], seed: int) -> list[Path]:
    """``paths`` in an order that only the seed decides: sorted first, because a disk lists files in any order."""
    paths = sorted(paths)
    random.Random(f"split {seed}").shuffle(paths)
    return paths


def write_records(
    captchas: Path,
    records: Path,
    test_count: int,
    seed: int,
    image_size: int,
    chars: str = DIGITS,
    length: int = LENGTH,
) -> Written:
    """Write the captchas of one folder to ``records/train.tfrecord`` and ``records/test.tfrecord``.

    The first ``test_count`` good pictures in shuffled order are for testing, all others for training. Files that
    are no picture, or that are not named by a text, are left out. The record files appear only when all are whole.
    A split of more than ``SHARD`` captchas is dealt out evenly to several files, see `_shard_files`.

    Raises:
        CourseError: no captchas, ``test_count`` below 1 or not below their number, ``image_size`` below 1, records of
            other settings already there, or a folder that cannot be written to.
    """
    paths = find_captchas(captchas)
    check(
        1 <= test_count < len(paths),
        f"test_count is {test_count:,}, but must lie between 1 and {len(paths) - 1:,}: {shown(captchas)} holds "
        f"{len(paths):,} captchas, and at least one must be left for training.",
    )
    check(image_size >= 1, f"image_size is {image_size}, but a picture needs at least one pixel.")
    source = captchas / CAPTCHA_SETTINGS
    settings = {
        "captchas": read_json(source) if source.exists() else None,
        "files": len(paths),
        "test_count": test_count,
        "seed": seed,
        "image_size": image_size,
    }
    done = records / SETTINGS
    files = {
        "train": _shard_files(records, "train", len(paths) - test_count),
        "test": _shard_files(records, "test", test_count),
    }
    whole = all(path.exists() for split in SPLITS for path in files[split])
    if check_settings(done, settings, "02-write-tfrecords.ipynb") and whole:
        found = read_json(done)
        if not found["skipped"]:  # what was skipped may have been mended since
            return Written(found["train"], found["test"], {}, True)

    counts, skipped = dict.fromkeys(SPLITS, 0), {}
    with ExitStack() as stack:
        parts = {split: [stack.enter_context(write_aside(path)) for path in files[split]] for split in SPLITS}
        writers = {split: [stack.enter_context(_writer(part)) for part in parts[split]] for split in SPLITS}
        for path in progress(shuffled(paths, seed), "Writing", "records"):
            try:
                labels = labels_of(check_text(path.stem, chars, length), chars)
                image = gray_picture(path, image_size)
            except CourseError as error:
                skipped[path.name] = str(error)
                continue
            split = "test" if counts["test"] < test_count else "train"
            writer = writers[split][counts[split] % len(writers[split])]
            # A message keeps its features in any order it likes, unless it is told that the bytes shall be the same.
            writer.write(make_example(image, labels).SerializeToString(deterministic=True))
            counts[split] += 1
        if not all(counts.values()):
            raise CourseError(
                f"Only {sum(counts.values())} good captchas are left in {shown(captchas)}, too few for both splits: "
                f"run 01-generate-captchas.ipynb, or lower test_count."
            )
    write_json(done, settings | counts | {"skipped": skipped})
    return Written(counts["train"], counts["test"], skipped, False)


@contextmanager
def _writer(path: Path) -> Iterator[tf.io.TFRecordWriter]:
    """A record writer whose failures are the OSError that `write_aside` knows how to tell."""
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            yield writer
    except tf.errors.OpError as error:
        raise OSError(error.message) from error


def _shard_files(records: Path, split: str, count: int) -> list[Path]:
    """The files for ``count`` records of a split: ``train.tfrecord``, or ``train-00-of-05.tfrecord`` and so on."""
    shards = -(-count // SHARD)
    if shards == 1:
        return [records / f"{split}.tfrecord"]
    return [records / f"{split}-{shard:02d}-of-{shards:02d}.tfrecord" for shard in range(shards)]


def record_files(records: Path, split: str) -> list[Path]:
    """The files of a split, ``"train"`` or ``"test"``, however many there are.

    Raises:
        CourseError: there is none.
    """
    paths = sorted(records.glob(f"{split}*.tfrecord"))
    if not paths:
        raise CourseError(f"There is no {shown(records / f'{split}.tfrecord')}: run 02-write-tfrecords.ipynb first.")
    return paths


def open_records(records: Path, split: str, image_size: int, length: int = LENGTH) -> tf.data.Dataset:
    """All records of a split, each still one serialized string; every byte is checked before anything is used.

    Returns:
        Dataset of scalar string tensors in file order, its cardinality known.

    Raises:
        CourseError: the file is missing, cut short, damaged, or holds something other than our records.
    """
    paths = record_files(records, split)
    total = sum(_checked(path, image_size, length) for path in paths)
    written = read_json(records / SETTINGS)[split] if (records / SETTINGS).exists() else total
    if total != written:
        raise CourseError(
            f"{shown(records)} holds {total:,} records for {split} instead of {written:,}: delete it and run "
            "02-write-tfrecords.ipynb."
        )
    return tf.data.TFRecordDataset([str(path) for path in paths]).apply(tf.data.experimental.assert_cardinality(total))


def _checked(path: Path, image_size: int, length: int) -> int:
    """How many records a file holds, after reading all of them: TFRecord carries a checksum for each."""
    count = 0
    try:
        for count, record in enumerate(tf.data.TFRecordDataset(str(path)), 1):
            if count == 1:
                parse_records(record[tf.newaxis], image_size, length)
    except tf.errors.DataLossError as error:
        raise CourseError(
            f"{shown(path)} is damaged after {count:,} records: delete {shown(path.parent)} and run "
            "02-write-tfrecords.ipynb."
        ) from error
    except tf.errors.InvalidArgumentError as error:
        raise CourseError(
            f"{shown(path)} does not hold gray {image_size}x{image_size} captchas with {length} labels: use the same "
            f"image_size as in 02-write-tfrecords.ipynb, or delete {shown(path.parent)} and run that notebook."
        ) from error
    if not count:
        raise CourseError(f"{shown(path)} is empty: delete {shown(path.parent)} and run 02-write-tfrecords.ipynb.")
    return count


def parse_records(records: tf.Tensor, image_size: int, length: int = LENGTH) -> tuple[tf.Tensor, tf.Tensor]:
    """Turn a batch of serialized records into pictures and labels; a whole batch at once is faster than one by one.

    Args:
        records: string tensor of shape (batch,).

    Returns:
        Pictures, uint8 of shape (batch, image_size, image_size, 1); labels, int64 of shape (batch, length), whose
        column k comes from the feature ``label<k>``.
    """
    features = {"image": tf.io.FixedLenFeature([], tf.string)}
    features |= {f"label{place}": tf.io.FixedLenFeature([], tf.int64) for place in range(length)}
    parsed = tf.io.parse_example(records, features)
    images = tf.io.decode_raw(parsed["image"], tf.uint8)
    images = tf.reshape(images, [tf.shape(records)[0], image_size, image_size, 1])
    return images, tf.stack([parsed[f"label{place}"] for place in range(length)], axis=1)


def read_records(
    records: Path, split: str, image_size: int, length: int = LENGTH, most: int = -1
) -> tuple[np.ndarray, np.ndarray]:
    """A split in file order as two arrays, shaped as by `parse_records`: for the test records, which fit in memory.

    Args:
        most: read no more than this many records; -1 reads all.
    """
    dataset = open_records(records, split, image_size, length).take(most)
    images, labels = zip(*(parse_records(batch, image_size, length) for batch in dataset.batch(500)), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def same_as_file(image: np.ndarray, label: Sequence[int], captchas: Path) -> bool:
    """Whether a picture from a record is, byte for byte, what the file named by its label becomes again.

    Args:
        image: uint8 array of shape (image_size, image_size, 1).
        captchas: the folder that the records were made from.
    """
    path = captchas / f"{''.join(str(digit) for digit in label)}.png"
    return path.exists() and np.array_equal(image[..., 0], gray_picture(path, len(image)))
