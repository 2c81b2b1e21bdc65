"""A picture of a training that grows while it trains."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence

import numpy as np
from IPython import get_ipython
from IPython.display import Image, display
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from utils.captchas import DIGITS
from utils.figures import RIGHT, WRONG, losses_on_a_log_axis
from utils.model import keras
from utils.training import pure_loss

PAUSE = 10  # seconds between two pictures within an epoch
SMOOTHED = 20  # the loss of single steps jumps: the mean of so many is drawn


class LiveCurves(keras.callbacks.Callback):
    """Draw the loss of every step, and after every epoch how many captchas are read whole, into one picture.

    In JupyterLab the picture is replaced by a newer one, at the end of each epoch and at most every `PAUSE` seconds
    in between. What a notebook stores is the last one. Without a notebook nothing is drawn.

    Args:
        history: the epochs that were done before, as from `utils.checkpoints.resume`.
        of: the set that `utils.training.Evaluation` reads, which must come before this callback.
        classes: how many characters there are to choose from.
    """

    def __init__(self, history: Sequence[dict[str, float]], of: str = "test", classes: int = len(DIGITS)):
        super().__init__()
        self.history, self.of, self.classes = list(history), of, classes
        self.steps: list[tuple[float, float]] = []  # epochs done so far, and the loss of the step
        self.handle, self.drawn = None, 0.0

    def on_train_begin(self, logs=None):
        if get_ipython() is not None:
            self.handle = display(self.picture(), display_id=True)
            self.drawn = time.monotonic()

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.total = epoch, 0.0

    def on_train_batch_end(self, batch, logs):
        total = pure_loss(logs) * (batch + 1)  # Keras gives the mean over the epoch so far
        self.steps.append((self.epoch + (batch + 1) / self.params["steps"], max(total - self.total, 1e-6)))
        self.total = total
        if time.monotonic() - self.drawn > PAUSE:
            self.redraw()

    def on_epoch_end(self, epoch, logs):
        self.history.append(dict(logs))
        self.redraw()

    def redraw(self) -> None:
        if self.handle is not None:
            self.handle.update(self.picture())
            self.drawn = time.monotonic()

    def picture(self) -> Image:
        """The curves so far as a picture twice as fine as it is shown."""
        file = io.BytesIO()
        self.figure().savefig(file, format="png", dpi=200)
        return Image(file.getvalue(), retina=True)

    def figure(self) -> Figure:
        figure = Figure(figsize=(9, 3.2))
        losses, whole = figure.subplots(1, 2)
        last = max(self.params.get("epochs", 1), len(self.history))
        end = 1.02 * last + 0.1  # so that the last mark is whole
        done = np.arange(1, len(self.history) + 1)
        guessing = np.log(self.classes)
        losses.axhline(guessing, color="0.4", linestyle="--", linewidth=1.5)
        losses.annotate(f"guessing: {guessing:.2f}", (last, guessing), (0, 5), textcoords="offset points", ha="right")
        values = [guessing, *(epoch[f"{self.of}_loss"] for epoch in self.history)]
        if self.steps:
            places, each = np.array(self.steps).T
            some = min(SMOOTHED, len(each))
            smooth = np.convolve(each, np.full(some, 1 / some), mode="valid")
            losses.plot(places[some - 1 :], smooth, color=WRONG, linewidth=1.2, label=f"training, mean of {some} steps")
            values += [smooth.min(), smooth.max()]
        if self.history:
            losses.plot(done, [epoch[f"{self.of}_loss"] for epoch in self.history], "s-", color=RIGHT, label=self.of)
            whole.plot(done, [epoch[f"{self.of}_whole"] for epoch in self.history], "o-", color=RIGHT)
        losses.set(title="Loss", ylabel="mean cross-entropy", xlim=(0, end))
        losses_on_a_log_axis(losses, values)
        if self.steps or self.history:
            losses.legend(fontsize=9, loc="lower left")
        whole.set(title=f"Read whole, {self.of} set", ylabel="captchas", xlim=(0, end), ylim=(-0.02, 1.02))
        whole.yaxis.set_major_formatter(PercentFormatter(1))
        for ax in (losses, whole):
            ax.set_xlabel("epoch")
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        return figure
