"""Captchas as TFRecord files, and back. Taught in notebook 02.

A record is a ``tf.train.Example`` with the features ``image`` (the raw bytes of a gray picture) and ``label0``,
``label1``, ... (int64, the place of each character in the character set).
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from utils.captchas import DIGITS, LENGTH, file_name, find_captchas, find_pictures, labels_of, text_from, text_of
from utils.captchas import SETTINGS as CAPTCHA_SETTINGS
from utils.code import code_of
from utils.files import CourseError, brief, check_settings, read_json, require, shown, write_aside, write_json
from utils.parameters import shortened
from utils.pictures import gray, gray_picture, open_picture
from utils.progress import progress
from utils.quiet import tf
from utils.workspace import held

SETTINGS = "records.json"
SPLITS = ("train", "validation", "test")
FAINTEST = 8  # gray levels between the darkest and the lightest pixel; captchas have many more
SHARD = 10_000  # records in one file, about 500 MB at 224x224; more of them go to several files
WRITE = "02-write-tfrecords.ipynb"
NO_CAPTCHA = "it is no PNG file named by"


class Written(NamedTuple):
    """What `write_records` did: records in each split, files it left out and why, and whether it was done before."""

    train: int
    validation: int
    test: int
    skipped: dict[str, str]
    already_there: bool


def make_example(image: np.ndarray, labels: Sequence[int]) -> tf.train.Example:
    """Pack a uint8 picture and its labels into a `tf.train.Example`."""
    features = {"image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))}
    for place, label in enumerate(labels):
        features[f"label{place}"] = tf.train.Feature(int64_list=tf.train.Int64List(value=[label]))
    return tf.train.Example(features=tf.train.Features(feature=features))


def shuffled(paths: Sequence[Path], seed: int) -> list[Path]:
    """``paths`` in an order that only the seed decides.

    They are sorted by name first: a disk lists files in any order, and Windows sorts paths without regard to capitals.
    """
    paths = sorted(paths, key=lambda path: path.name)
    random.Random(f"split {seed}").shuffle(paths)
    return paths


def write_records(
    captchas: Path,
    records: Path,
    test_count: int,
    seed: int,
    size: tuple[int, int],
    validation_count: int = 0,
    gray: Callable = gray,
    make_example: Callable = make_example,
    chars: str = DIGITS,
    length: int = LENGTH,
) -> Written:
    """Write the captchas of one folder to ``train.tfrecord`` and ``test.tfrecord`` in the folder ``records``.

    In shuffled order, the first ``test_count`` good pictures are for testing, the next ``validation_count`` for
    ``validation.tfrecord``, all others for training. Files that are no picture, or that are not named by a text, are
    left out. The record files appear only when all are whole. A split of more than ``SHARD`` captchas is dealt out
    evenly to several files, see `_shard_files`.

    Args:
        size: height and width of the pictures in the records.
        gray: a function that makes of a picture and a size what is stored, such as `utils.pictures.gray`.
        make_example: a function that packs it with its labels.

    Raises:
        CourseError: no captchas, counts that leave none for training, a ``size`` below 1, records of other settings
            already there, another run that is writing them, or a folder that cannot be written to.
    """
    paths, strangers = find_captchas(captchas, chars, length), strange_pictures(captchas, chars, length)
    held_out = test_count + validation_count
    require(
        test_count >= 1 and validation_count >= 0 and held_out < len(paths),
        f"test_count is {test_count:,} and validation_count {validation_count:,}, but {shown(captchas)} holds "
        f"{len(paths):,} captchas, of which at least one must be for the test and one left for training.",
    )
    require(min(size) >= 1, f"A picture of {size[0]} x {size[1]} pixels has none: set image_height and image_width.")
    source = captchas / CAPTCHA_SETTINGS
    settings = {
        "captchas": read_json(source) if source.exists() else None,
        "files": len(paths),
        "test_count": test_count,
        "validation_count": validation_count,
        "seed": seed,
        "image_height": size[0],
        "image_width": size[1],
        "chars": chars,
        "length": length,
    }
    made_by = code_of(gray, make_example)  # never mix records of changed functions with others
    changed = {} if made_by == _LIBRARY_CODE else {"made_by": made_by}
    wanted = {"train": len(paths) - held_out, "validation": validation_count, "test": test_count}
    files = {split: _shard_files(records, split, count) for split, count in wanted.items() if count}
    with held(records):
        found = _finished(records, settings | (changed or {"made_by": None}), files, wanted)
        if found:
            return found
        counts, skipped = _write(shuffled(paths, seed), files, wanted, size, gray, make_example, chars)
        skipped |= dict.fromkeys(strangers, f"{NO_CAPTCHA} {length} characters out of {shortened(chars)}")
        write_json(records / SETTINGS, settings | changed | counts | {"skipped": skipped})
    return Written(**counts, skipped=skipped, already_there=False)


def strange_pictures(captchas: Path, chars: str = DIGITS, length: int = LENGTH) -> list[str]:
    """The names of pictures in a folder of captchas that are not named by a text, sorted."""
    known = set(find_captchas(captchas, chars, length))
    return [path.name for path in find_pictures(captchas) if path not in known]


def _finished(records: Path, settings: dict, files: dict[str, list[Path]], wanted: dict[str, int]) -> Written | None:
    """What an earlier run with these settings has written, unless a file is missing or may have been mended since."""
    whole = all(path.exists() for paths in files.values() for path in paths)
    if not check_settings(records / SETTINGS, settings, WRITE) or not whole:
        return None
    found = read_json(records / SETTINGS, skipped=dict)
    damaged = [reason for reason in found["skipped"].values() if not str(reason).startswith(NO_CAPTCHA)]
    if damaged or any(found.get(split) != count for split, count in wanted.items()):
        return None
    return Written(found["train"], found["validation"], found["test"], found["skipped"], True)


def _write(
    paths: Sequence[Path],
    files: dict[str, list[Path]],
    wanted: dict[str, int],
    size: tuple[int, int],
    gray: Callable,
    make_example: Callable,
    chars: str,
) -> tuple[dict[str, int], dict[str, str]]:
    """Write all record files at once. Returns how many records each split got, and the files left out with reasons."""
    counts, skipped = dict.fromkeys(SPLITS, 0), {}
    with ExitStack() as stack:
        parts = {split: [stack.enter_context(write_aside(path)) for path in files[split]] for split in files}
        writers = {split: [stack.enter_context(record_writer(part)) for part in parts[split]] for split in files}
        for path in progress(paths, "Writing", "records"):
            try:
                image = gray(open_picture(path), size)
                if np.ptp(image) < FAINTEST:
                    raise CourseError(f"{shown(path)} has one gray level only: there is no text in it.")
            except CourseError as error:
                skipped[path.name] = str(error)
                continue
            split = next((split for split in ("test", "validation") if counts[split] < wanted[split]), "train")
            writer = writers[split][counts[split] % len(writers[split])]
            # A message keeps its features in any order it likes, unless it is told that the bytes shall be the same.
            writer.write(make_example(image, labels_of(text_of(path), chars)).SerializeToString(deterministic=True))
            counts[split] += 1
        require(
            all(counts[split] for split in files),
            f"Only {sum(counts.values()):,} of {len(paths):,} captchas could be read, too few for all sets. "
            f"{next(iter(skipped.values()), '')} Run 01-generate-captchas.ipynb, or lower test_count.",
        )
    return counts, skipped


_LIBRARY_CODE = code_of(gray, make_example)


@contextmanager
def record_writer(path: Path) -> Iterator[tf.io.TFRecordWriter]:
    """A record writer whose failures are the OSError that `write_aside` knows how to tell."""
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            yield writer
    except tf.errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    except tf.errors.OpError as error:
        raise OSError(error.message.rpartition("; ")[2]) from error  # before that stands the path


def _shard_files(records: Path, split: str, count: int) -> list[Path]:
    """The files for ``count`` records of a split: ``train.tfrecord``, or ``train-00-of-05.tfrecord`` and so on."""
    shards = -(-count // SHARD)
    if shards == 1:
        return [records / f"{split}.tfrecord"]
    digits = max(2, len(str(shards)))  # so that sorted names are in order
    return [records / f"{split}-{shard:0{digits}}-of-{shards:0{digits}}.tfrecord" for shard in range(shards)]


def record_files(records: Path, split: str) -> list[Path]:
    """The files of a split, ``"train"`` or ``"test"``, however many there are.

    Raises:
        CourseError: there is none.
    """
    paths = sorted(records.glob(f"{split}*.tfrecord"))
    if not paths:
        raise CourseError(f"There is no {shown(records / f'{split}.tfrecord')}: run 02-write-tfrecords.ipynb first.")
    return paths


def alphabet_of(records: Path) -> tuple[str, int]:
    """The characters of which the texts in these records are made, and how many a text has, as records.json says.

    Where there is no such file: four digits.
    """
    if not (records / SETTINGS).exists():
        return DIGITS, LENGTH
    found = read_json(records / SETTINGS)
    chars, length = found.get("chars"), found.get("length")
    fits = isinstance(chars, str) and len(chars) > 1 and type(length) is int and length > 0
    require(fits, f"{shown(records / SETTINGS)} is damaged: delete {shown(records)} and run {WRITE}.")
    return chars, length


def open_records(records: Path, split: str, size: tuple[int, int], length: int = LENGTH) -> tf.data.Dataset:
    """All records of a split, each still one serialized string; every byte is checked before anything is used.

    Returns:
        Dataset of scalar string tensors in file order, its cardinality known.

    Raises:
        CourseError: the file is missing, cut short, damaged, or holds something other than our records; or its texts
            are of another length.
    """
    paths = record_files(records, split)
    chars, there = alphabet_of(records)
    require(
        there == length,
        f"{shown(records)} holds texts of {there} characters out of {shortened(chars)}, not of {length}: set length = "
        f"{there}, or choose another `workspace`.",
    )
    about = read_json(records / SETTINGS) if (records / SETTINGS).exists() else {}
    # Pictures of another shape may have as many bytes, and would be read without a word.
    if (about.get("image_height", size[0]), about.get("image_width", size[1])) != tuple(size):
        raise _of_another_kind(paths[0], size, length)
    total = sum(_checked(path, size, length) for path in paths)
    written = about.get(split) if (records / SETTINGS).exists() else total
    require(
        total == written,
        f"{shown(records)} holds {total:,} records for {split} instead of {brief(written)}: delete it and run {WRITE}.",
    )
    return tf.data.TFRecordDataset([str(path) for path in paths]).apply(tf.data.experimental.assert_cardinality(total))


def _of_another_kind(path: Path, size: tuple[int, int], length: int) -> CourseError:
    return CourseError(
        f"{shown(path)} does not hold gray captchas of {size[0]}x{size[1]} pixels with {length} labels: use the same "
        f"image_height and image_width as in {WRITE}, or delete {shown(path.parent)} and run that notebook."
    )


def _checked(path: Path, size: tuple[int, int], length: int) -> int:
    """How many records a file holds, after reading all of them: TFRecord carries a checksum for each."""
    count = 0
    try:
        for count, record in enumerate(tf.data.TFRecordDataset(str(path)), 1):
            if count == 1 and len(parse_records(record[tf.newaxis], size, length)[0]) != 1:  # several smaller pictures
                raise _of_another_kind(path, size, length)
    except tf.errors.InvalidArgumentError as error:
        raise _of_another_kind(path, size, length) from error
    except tf.errors.OpError as error:  # bad checksums, a file cut short, a folder, no right to read
        raise CourseError(
            f"{shown(path)} is damaged after {count:,} records: delete {shown(path.parent)} and run {WRITE}."
        ) from error
    require(count > 0, f"{shown(path)} is empty: delete {shown(path.parent)} and run {WRITE}.")
    return count


def parse_records(records: tf.Tensor, size: tuple[int, int], length: int = LENGTH) -> tuple[tf.Tensor, tf.Tensor]:
    """Turn a batch of serialized records into pictures and labels; a whole batch at once is faster than one by one.

    Args:
        records: string tensor of shape (batch,).

    Returns:
        Pictures, uint8 of shape (batch, height, width, 1); labels, int64 of shape (batch, length), whose column k comes
        from the feature ``label<k>``.
    """
    features = {"image": tf.io.FixedLenFeature([], tf.string)}
    features |= {f"label{place}": tf.io.FixedLenFeature([], tf.int64) for place in range(length)}
    parsed = tf.io.parse_example(records, features)
    images = tf.reshape(tf.io.decode_raw(parsed["image"], tf.uint8), [-1, *size, 1])
    return images, tf.stack([parsed[f"label{place}"] for place in range(length)], axis=1)


def read_records(
    records: Path, split: str, size: tuple[int, int], length: int = LENGTH, most: int = -1
) -> tuple[np.ndarray, np.ndarray]:
    """A split in file order as two arrays, shaped as by `parse_records`: for held-out records, which fit in memory.

    Args:
        most: read no more than this many records; -1 reads all.
    """
    dataset = open_records(records, split, size, length).take(most)
    images, labels = zip(*(parse_records(batch, size, length) for batch in dataset.batch(500)), strict=True)
    return np.concatenate(images), np.concatenate(labels)


def same_as_file(image: np.ndarray, label: Sequence[int], captchas: Path, chars: str = DIGITS) -> bool:
    """Whether a picture from a record is, byte for byte, what the file named by its label becomes again.

    Args:
        image: uint8 array of shape (height, width, 1).
        captchas: the folder that the records were made from.
    """
    path = captchas / file_name(text_from(label, chars), chars)
    return path.exists() and np.array_equal(image[..., 0], gray_picture(path, image.shape[:2]))
