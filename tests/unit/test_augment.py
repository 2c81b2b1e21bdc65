"""Augmentation: pictures change as far as it is said, each in its own way, and their labels stay true."""

import numpy as np
import pytest
from conftest import SIZE

from benchmarks.accuracy import known_parameters, read_recipe
from utils import augment
from utils.captchas import draw_texts
from utils.fresh import fresh_captchas, fresh_texts
from utils.model import load_compact, probabilities
from utils.prepare import CATCH_UP
from utils.scores import whole_accuracy
from utils.tfrecords import read_records


def test_augmentation_follows_from_its_seed(records):
    images, _ = read_records(records, "test", SIZE)
    once, again, other = (
        augment.augment(images, seed, bend=5.0, tone=0.5).numpy() for seed in [(0, 1), (0, 1), (0, 2)]
    )
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)
    assert once.shape == images.shape and once.min() >= 0 and once.max() <= 255


def test_augmentation_by_nothing_changes_nothing(records):
    images, _ = read_records(records, "test", SIZE)
    assert np.array_equal(augment.augment(images, (0, 1), shift=0.0, scale=0.0, shear=0.0), images)


def test_each_picture_is_changed_in_its_own_way(records):
    images = np.repeat(read_records(records, "test", SIZE)[0][:1], 8, axis=0)
    for only in ({"shift": 12.0}, {"scale": 0.1}, {"shear": 0.1}, {"bend": 5.0}, {"tone": 0.5}):
        nothing = {"shift": 0.0, "scale": 0.0, "shear": 0.0}
        changed = augment.augment(images, (0, 1), **nothing | only).numpy()
        assert len({picture.tobytes() for picture in changed}) == 8, only
        assert 0.1 < np.abs(changed - images).mean() < 40, only


def test_augmentation_moves_no_further_than_it_says():
    """A dot in the middle of a picture of 224 pixels, moved by up to 12, must be found within 12 pixels."""
    images = np.full((64, 225, 225, 1), 255, np.uint8)
    images[:, 112, 112] = 0
    moved = augment.augment(images, (0, 1), shift=12.0, scale=0.1, shear=0.1).numpy()[..., 0]
    rows, columns = np.array([np.unravel_index(image.argmin(), image.shape) for image in moved]).T - 112
    assert np.abs(rows).max() <= 15 and np.abs(columns).max() <= 15  # 12, seen through up to 20 % of scale and shear
    assert np.abs(rows).max() >= 8 and np.abs(columns).max() >= 8
    assert rows.min() < 0 < rows.max() and columns.min() < 0 < columns.max()


def test_a_moved_picture_is_the_old_one_elsewhere():
    """By value: a picture whose pixels are their own column's number tells where each one was taken from."""
    columns = np.broadcast_to(np.arange(224, dtype=np.uint8)[None, None, :, None], (32, 224, 224, 1))
    moved = augment.augment(columns, (0, 1), shift=12.0, scale=0.0, shear=0.0).numpy()[:, 112, 20:200, 0]
    by = moved - np.arange(20, 200)
    assert np.abs(by).max() <= 12 and np.ptp(by, axis=1).max() < 1e-3  # the whole picture by the same distance
    assert by.min() < -8 and by.max() > 8


def test_bends_are_as_large_as_they_say_and_smooth():
    waves = np.stack(augment.waves((0, 1), 64, (224, 224), 5.0))
    assert waves.shape == (2, 64, 224, 224)
    assert 4.5 < waves[0].std() < 5.5 and 9 < waves[1].std() < 11  # up and down twice as far
    assert np.abs(np.diff(waves, axis=-1)).max() < 4
    alike = [abs(np.corrcoef(waves[0, :, 112, 60], waves[0, :, 112, column])[0, 1]) for column in (66, 160)]
    assert alike[0] > 0.9 > 0.6 > alike[1]  # neighbouring columns stay together, distant ones go their own ways


def test_tone_keeps_paper_and_order(records):
    """Changed ink is darker or paler, but what was darker stays darker, and the paper stays as bright as it was."""
    images, _ = read_records(records, "test", SIZE)
    changed = augment.augment(images, (0, 1), shift=0.0, scale=0.0, shear=0.0, tone=0.5).numpy()
    for before, after in zip(images[..., 0], changed[..., 0], strict=True):
        assert after.max() == pytest.approx(before.max(), abs=0.01)
        order = np.argsort(before, axis=None)
        assert (np.diff(after.flat[order]) > -1e-3).all()
    means = (changed - images).mean(axis=(1, 2, 3))
    assert means.min() < -1 and means.max() > 1


@pytest.mark.parametrize("recipe", ["default", "long"])
def test_augmented_captchas_still_say_what_their_labels_say(recipe):
    """The model that comes with the course has never seen bent strokes, and reads most of these captchas whole."""
    values = known_parameters() | read_recipe(recipe)
    strength = {name: values[name] for name in ("tone", "bend")}
    model, _ = load_compact(CATCH_UP, (224, 224))
    unseen = fresh_texts(draw_texts(5000, 0), 100)
    images, labels = map(np.concatenate, zip(*fresh_captchas(unseen, (224, 224)), strict=True))
    changed = augment.augment(images, seed=(0, 1), **strength).numpy().round().astype(np.uint8)
    assert np.abs(changed - images.astype(float)).mean() > 5
    assert whole_accuracy(probabilities(model, changed).argmax(axis=-1), labels) > 0.7


def test_a_wide_picture_is_changed_as_a_square_one_would_be():
    """Moves, slants and bends are in proportion: on half the height, half as far up and down."""
    for part in (augment.affine((0, 1), 8, (112, 224), 12.0, 0.1, 0.1), augment.waves((0, 1), 8, (112, 224), 5.0)):
        assert part[0].shape == part[1].shape == (8, 112, 224)
    square, wide = (np.stack(augment.affine((0, 1), 8, size, 12.0, 0.0, 0.1)) for size in ((225, 225), (113, 225)))
    for row, half in ((0, 0), (112, 56), (224, 112)):  # the same places of the picture
        assert np.allclose(square[0][:, row], wide[0][:, half], atol=0.1)
        assert np.allclose(square[1][:, row] - row, 2 * (wide[1][:, half] - half), atol=0.3)
