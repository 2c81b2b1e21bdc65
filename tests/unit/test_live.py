"""The live picture shows what was trained so far, and nothing where no notebook is."""

import numpy as np
import pytest

from utils import live
from utils.live import LiveCurves


def epoch_of(curves, number, losses):
    """Call the callback as Keras does in one epoch: with the mean loss over the steps so far."""
    curves.on_epoch_begin(number)
    for step in range(len(losses)):
        curves.on_train_batch_end(step, {"loss": float(np.mean(losses[: step + 1]))})
    curves.on_epoch_end(number, {"loss": np.mean(losses), "test_loss": 0.5, "test_whole": 0.25 * (number + 1)})


@pytest.fixture
def curves():
    curves = LiveCurves([])
    curves.set_params({"epochs": 3, "steps": 2})
    curves.on_train_begin()
    return curves


def test_it_draws_the_loss_of_single_steps_and_the_share_read_whole(curves, monkeypatch):
    monkeypatch.setattr(live, "SMOOTHED", 1)
    epoch_of(curves, 0, [2.0, 1.0])
    epoch_of(curves, 1, [0.8, 0.4])
    losses, whole = curves.figure().axes
    assert np.allclose(losses.lines[1].get_xydata(), [(0.5, 2.0), (1, 1.0), (1.5, 0.8), (2, 0.4)])
    assert np.allclose(whole.lines[0].get_xydata(), [(1, 0.25), (2, 0.5)])
    assert losses.get_xlim()[1] > 3  # there is room for the epochs to come


def test_a_resumed_training_shows_the_epochs_before(curves):
    resumed = LiveCurves([{"validation_loss": 1.5, "validation_whole": 0.125}], of="validation")
    resumed.set_params({"epochs": 2, "steps": 2})
    _, whole = resumed.figure().axes
    assert whole.lines[0].get_ydata() == [0.125] and "validation" in whole.get_title("left")


def test_without_a_notebook_nothing_is_drawn(curves, capsys):
    epoch_of(curves, 0, [2.0, 1.0])
    assert curves.handle is None and capsys.readouterr().out == ""
    assert curves.picture().data.startswith(b"\x89PNG")


def test_in_a_notebook_the_picture_is_replaced_at_each_epoch(monkeypatch):
    shown = []

    class Handle:
        update = shown.append

    monkeypatch.setattr(live, "get_ipython", lambda: object())
    monkeypatch.setattr(live, "display", lambda picture, display_id: Handle)
    curves = LiveCurves([])
    curves.set_params({"epochs": 2, "steps": 2})
    curves.on_train_begin()
    epoch_of(curves, 0, [2.0, 1.0])
    epoch_of(curves, 1, [2.0, 1.0])
    assert len(shown) == 2  # and not at every step
    monkeypatch.setattr(live, "PAUSE", -1)
    epoch_of(curves, 1, [2.0, 1.0])
    assert len(shown) == 5
