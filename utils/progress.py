"""A progress bar that still looks finished when the notebook is read as a static page."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from typing import TypeVar

Item = TypeVar("Item")


class _Bar:
    """One state of the bar: HTML for a notebook page, one line of text for a terminal, and metadata for programs."""

    def __init__(self, label: str, done: int, total: int, unit: str, seconds: float, note: str = ""):
        # The first steps are slower than all others, and an estimate from them would only frighten.
        enough = 0.02 * total <= done < total
        left = f", about {duration(seconds / done * (total - done))} left" if enough and done else ""
        took = f" in {duration(seconds)}" if done == total else ""
        self.fraction = done / total if total else 1.0
        self.text = f"{label}: {done:,} of {total:,} {unit}{took}{left}{'; ' + note if note else ''}"

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include=None, exclude=None) -> tuple[dict[str, str], dict[str, object]]:
        page = (
            '<div class="course-progress" style="font-family:monospace">'
            f'<progress value="{self.fraction:.3f}" max="1" aria-label="progress"></progress> {self.text}</div>'
        )
        return {"text/plain": self.text, "text/html": page}, {"course": {"progress": self.fraction}}


def fraction_of(metadata: Mapping) -> float | None:
    """How far the bar is that an output with this ``metadata`` shows; None where the output is no bar."""
    course = metadata.get("course")
    return course.get("progress") if isinstance(course, Mapping) else None


def duration(seconds: float) -> str:
    """Seconds as a person says them: ``0.4 s``, ``12 s``, ``3 min 05 s``."""
    if round(seconds, 1) < 10:
        return f"{seconds:.1f} s"
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    return f"{round(seconds) // 60} min {round(seconds) % 60:02d} s"


class Progress:
    """A bar that is advanced by hand: ``bar = Progress("Training", 20, "epochs")``, then ``bar.update(done, note)``."""

    def __init__(self, label: str, total: int, unit: str):
        self.label, self.total, self.unit = label, total, unit
        self.started = self.drawn = time.monotonic()
        from IPython.display import display  # not above: the processes that draw captchas need not wait for it

        self.handle = display(_Bar(label, 0, total, unit, 0.0), display_id=True)

    def update(self, done: int, note: str = "") -> None:
        """Show ``done`` of ``total``; redrawn at most five times a second, and always at the end."""
        now = time.monotonic()
        if done < self.total and now - self.drawn < 0.2:
            return
        self.drawn = now
        if self.handle is not None:  # None outside a notebook, where `display` has printed the bar
            self.handle.update(_Bar(self.label, done, self.total, self.unit, now - self.started, note))


def progress(items: Iterable[Item], label: str, unit: str, total: int | None = None) -> Iterator[Item]:
    """Go through ``items`` and show how far it is. ``total`` is needed where ``items`` has no length."""
    if total is None:
        if not isinstance(items, Sized):
            raise TypeError("progress() needs `total` for items without a length")
        total = len(items)
    bar = Progress(label, total, unit)
    for done, item in enumerate(items, 1):
        yield item
        bar.update(done)
