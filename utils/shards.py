"""Captchas for many workers: shards that each writes for itself, or captchas that each draws. Taught in notebook 11.

A shard is a record file of `utils.tfrecords`. Shards are dealt to **lanes**, and lanes to workers. A global batch takes
an equal part from each lane, so it does not depend on the number of workers.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from utils.augment import augment
from utils.captchas import DIGITS, LENGTH, draw_captcha, font_print, labels_of, split_texts
from utils.code import code_of
from utils.files import PART, cannot_write, read_json, require, shown, write_aside, write_json
from utils.model import scaled
from utils.pictures import gray
from utils.quiet import tf
from utils.tfrecords import SHARD, make_example, parse_records, record_writer

SHUFFLE = 5_000  # records that a worker holds for shuffling, all its lanes together no more than that
MANIFEST = "manifest.json"


@cache
def training_texts(captcha_count: int, test_count: int, seed: int, chars: str, length: int) -> tuple[str, ...]:
    """The texts of the course's captchas that are not for the test, as in the records of notebook 02 at its defaults.

    Where notebook 02 also keeps captchas for validation, they are among these texts.
    """
    return tuple(split_texts(captcha_count, test_count, seed, chars, length)[1])


@lru_cache(2)
def _order(count: int, seed: int, turn: int) -> list[int]:
    return random.Random(f"order {seed} {turn}").sample(range(count), count)


def drawing(texts: tuple[str, ...], seed: int, number: int) -> tuple[str, str]:
    """The text, and the seed to draw it, of the captcha with this number in an endless row of different captchas.

    All texts come once, in an order of chance, then all again in another order and drawn anew. Nobody needs to know
    the captchas before, so several workers can draw at once.
    """
    turn, place = divmod(number, len(texts))
    return texts[_order(len(texts), seed, turn)[place]], f"endless {seed} {turn}"


def draw_numbers(
    numbers: Sequence[int],
    texts: tuple[str, ...],
    seed: int,
    size: tuple[int, int],
    chars: str = DIGITS,
    look: Mapping[str, object] = {},
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the captchas with these numbers, see `drawing`.

    Args:
        look: how `draw_captcha` draws them, if not as usual, see `utils.captchas.look_in`.

    Returns:
        Pictures, uint8 of shape (numbers, height, width, 1), and labels, int64 of shape (numbers, length).
    """
    wanted = [drawing(texts, seed, number) for number in numbers]
    pictures = np.stack([gray(draw_captcha(text, by, **look), size) for text, by in wanted])[..., None]
    return pictures, np.array([labels_of(text, chars) for text, _ in wanted])


def shard_count(count: int, lanes: int) -> int:
    """How many files ``count`` records need: no more than `SHARD` in each, and as many files in each lane."""
    return -(-count // (SHARD * lanes)) * lanes


def shard_path(folder: Path, shard: int, shards: int) -> Path:
    """The file of one shard, such as ``train-00003-of-00008.tfrecord``."""
    return folder / f"train-{shard:05d}-of-{shards:05d}.tfrecord"


def mine(total: int, worker: int, workers: int) -> list[int]:
    """Which of ``total`` lanes belong to this worker."""
    return list(range(worker, total, workers))


def write_shards(
    folder: Path,
    count: int,
    texts: tuple[str, ...],
    seed: int,
    size: tuple[int, int],
    chars: str = DIGITS,
    lanes: int = 8,
    worker: int = 0,
    workers: int = 1,
    look: Mapping[str, object] = {},
) -> int:
    """Draw this worker's share of ``count`` captchas into record files that no other worker touches.

    A shard is there when the small JSON file beside it is there. So a run that was killed goes on where it stopped.
    Whoever finds all shards there writes ``manifest.json``, which lists them; if two do so, they write the same.

    Args:
        look: how they are drawn, if not as usual, as for `draw_numbers`.

    Returns:
        How many records were written now.

    Raises:
        CourseError: as many shards of other settings are there, there are too few records for the lanes, or the folder
            cannot be written to.
    """
    require(count >= lanes, f"{count:,} captchas are too few for {lanes} lanes: take more, or fewer lanes.")
    shards, written = shard_count(count, lanes), 0
    settings = {
        "count": count,
        "shards": shards,
        "chars": chars,
        "seed": seed,
        "image_height": size[0],
        "image_width": size[1],
        "texts": hashlib.sha256(" ".join(texts).encode()).hexdigest()[:16],
        "made_by": code_of(drawing, draw_captcha, gray),
        **look,
    }
    if look.get("fonts"):
        settings["font_files"] = font_print(look["fonts"])
    for lane in mine(lanes, worker, workers):
        with _alone(folder, lane):
            for shard in range(lane, shards, lanes):
                path = shard_path(folder, shard, shards)
                about = path.with_suffix(".json")
                if about.exists() and path.exists():
                    found = read_json(about, settings=dict, records=int, bytes=int)
                    fits = found["settings"] == settings
                    require(fits, f"{shown(folder)} holds other shards: delete that folder, and run this again.")
                    if path.stat().st_size == found["bytes"]:
                        continue
                records = _write_shard(path, range(shard, count, shards), texts, seed, size, chars, look)
                write_json(about, {"settings": settings, "records": records, "bytes": path.stat().st_size})
                written += records
    found = [shard_path(folder, shard, shards).with_suffix(".json") for shard in range(shards)]
    if all(path.exists() for path in found):
        files = {path.with_suffix(".tfrecord").name: read_json(path)["records"] for path in found}
        manifest = {"settings": settings, "files": files}
        if not (folder / MANIFEST).exists() or read_json(folder / MANIFEST) != manifest:
            write_json(folder / MANIFEST, manifest)
    return written


@contextmanager
def _alone(folder: Path, lane: int) -> Iterator[None]:
    """Wait until no other run writes the shards of this lane."""
    import filelock

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(folder / f".lane-{lane}.lock")
        lock.acquire()
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def _write_shard(
    path: Path,
    numbers: range,
    texts: tuple[str, ...],
    seed: int,
    size: tuple[int, int],
    chars: str,
    look: Mapping[str, object],
) -> int:
    for left in path.parent.glob(f"{PART}*-{path.name}"):  # of a worker that was killed
        left.unlink(missing_ok=True)
    with write_aside(path) as part, record_writer(part) as writer:
        for number in numbers:
            (image,), (labels,) = draw_numbers([number], texts, seed, size, chars, look)
            writer.write(make_example(image, labels).SerializeToString(deterministic=True))
    return len(numbers)


def lane_batches(
    folder: Path,
    count: int,
    lane: int,
    lanes: int,
    part: int,
    steps: int,
    size: tuple[int, int],
    length: int = LENGTH,
    first_step: int = 0,
) -> tf.data.Dataset:
    """One lane as an endless row of parts of batches: its shards in a new order in each epoch, and shuffled.

    Args:
        count: how many records all shards have together, as `write_shards` got it.

    Returns:
        Dataset of pictures, uint8 of shape (part, height, width, 1), and labels, int64 of shape (part, length).
    """
    shards = shard_count(count, lanes)
    files = [str(shard_path(folder, shard, shards)) for shard in range(lane, shards, lanes)]
    records = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=lane).flat_map(tf.data.TFRecordDataset)
    epoch = records.shuffle(max(SHUFFLE // lanes, 1), seed=lane).batch(part, drop_remainder=True).take(steps)
    return epoch.repeat().skip(first_step).map(lambda batch: parse_records(batch, size, length))


def drawn_batches(
    lane: int,
    part: int,
    batch_size: int,
    draw: Callable[[Sequence[int]], tuple[np.ndarray, np.ndarray]],
    size: tuple[int, int],
    length: int = LENGTH,
    first_step: int = 0,
) -> tf.data.Dataset:
    """The same as `lane_batches`, but of captchas that are drawn now and never come again.

    Args:
        draw: a function of numbers, such as `draw_numbers` with its other arguments.
    """

    def rows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        step = first_step
        while True:
            start = step * batch_size + lane * part
            yield draw(range(start, start + part))
            step += 1

    signature = (tf.TensorSpec((part, *size, 1), tf.uint8), tf.TensorSpec((part, length), tf.int64))
    return tf.data.Dataset.from_generator(rows, output_signature=signature)


def worker_batches(
    lanes: dict[int, tf.data.Dataset],
    part: int,
    size: tuple[int, int],
    length: int = LENGTH,
    augmented: bool = False,
    first_step: int = 0,
) -> tf.data.Dataset:
    """This worker's share of every global batch: the parts of its lanes, one after the other, scaled.

    Args:
        lanes: for each lane of this worker, its dataset.
        augmented: change the pictures at random. Which change a picture gets depends on its lane and step only.

    Returns:
        Dataset of pictures, float32 of shape (batch, height, width, 1) in [-1, 1], and a tuple of ``length`` labels.
    """

    def prepared(step, *parts):
        images, labels = zip(*parts, strict=True)
        if augmented:
            seeds = [tf.stack([tf.constant(lane, tf.int64), step]) for lane in lanes]
            images = [augment(one, seed, tone=0.5) for one, seed in zip(images, seeds, strict=True)]
        together = tf.ensure_shape(scaled(tf.concat(images, 0)), [part * len(lanes), *size, 1])
        return together, tuple(tf.unstack(tf.concat(labels, 0), length, axis=1))

    numbered = tf.data.Dataset.zip(tf.data.Dataset.counter(first_step), *lanes.values())
    return numbered.map(prepared).prefetch(2)
