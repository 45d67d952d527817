"""Progress bars with a time estimate, on stderr, for everything that takes over a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self, TypeVar

__all__ = ["Progress", "silent", "track"]

T = TypeVar("T")
PATIENCE = 0.7  # seconds before a bar appears, so that short work stays silent

_SILENT = ContextVar("silent", default=False)


@contextmanager
def silent(really: bool = True) -> Iterator[None]:
    """Hide every bar that is made in the block by this thread, where `really`."""
    before = _SILENT.set(_SILENT.get() or really)
    try:
        yield
    finally:
        _SILENT.reset(before)


class Progress:
    """A bar: `with Progress("Encoding", total=1000, unit="passages") as bar: bar.advance(32)`.

    It appears once the work has lasted `PATIENCE` seconds, with the rate and the time left (the time spent where the
    total is not known), and stays on the screen when the work is done. Where stderr is not a terminal it prints one
    line at the end instead.

    Args:
        what: the work, as a word or two.
        total: how many steps, or None where nobody knows.
        unit: what is counted.
        show: False hides it.
    """

    def __init__(self, what: str, total: int | None = None, unit: str = "", *, show: bool = True) -> None:
        self.what, self.total, self.unit, self.show = what, total, unit, show and not _SILENT.get()
        self.done = 0
        self._news = ""
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        self._start = time.monotonic()
        return self

    def advance(self, steps: int = 1) -> None:
        self.done += steps
        if not self.show or not sys.stderr.isatty():
            return
        if self._bar is None and time.monotonic() - self._start > PATIENCE:
            self._appear()
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, rate=self._rate())

    def tell(self, text: str) -> None:
        """Put news behind the work's name, for example how well it goes."""
        self._news = text
        if self._bar is not None:
            self._bar.update(self._task, description=f"{self.what} {text}")

    def left(self) -> float | None:
        """Seconds left at the rate so far; None where nobody knows."""
        if self.total is None or not self.done:
            return None
        return (self.total - self.done) * (time.monotonic() - self._start) / self.done

    def _rate(self) -> str:
        rate = self.done / max(time.monotonic() - self._start, 1e-9)
        return f"{rate:,.0f} {self.unit}/s" if rate >= 10 else f"{rate:.1f} {self.unit}/s"

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        left = [TextColumn("left"), TimeRemainingColumn(compact=True)] if self.total else [TimeElapsedColumn()]
        count = "{task.completed:,}/{task.total:,}" if self.total else "{task.completed:,}"
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn(count),
            TextColumn("{task.fields[rate]}"),
            *left,
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(f"{self.what} {self._news}".rstrip(), total=self.total, rate="")
        self._bar.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = time.monotonic() - self._start
        if self._bar is not None:
            self._bar.stop()
        elif self.show and kind is None and seconds > PATIENCE and not sys.stderr.isatty():
            print(f"{self.what}: {self.done:,} {self.unit} in {seconds:.1f} s", file=sys.stderr)


def track(items: Iterable[T], what: str, total: int | None = None, unit: str = "", *, show: bool = True) -> Iterator[T]:
    """Yield `items` behind a bar."""
    with Progress(what, total, unit, show=show) as bar:
        for item in items:
            yield item
            bar.advance()
