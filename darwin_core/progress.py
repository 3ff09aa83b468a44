"""Progress of long steps: a live bar with an estimate on a terminal, a plain log line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

logger = logging.getLogger("darwin")

_LOG_EVERY_SECONDS = 10.0


class Tracker:
    """One long piece of work. ``advance`` is cheap enough to call per batch."""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Report ``amount`` of the total done; ``note`` says what is going on, in a few words."""

    def set_total(self, total: float) -> None:
        """Correct the total once it is known better."""


class Reporter:
    """Where progress goes. This base says nothing (``--quiet``)."""

    @contextmanager
    def track(self, title: str, total: float | None = None) -> Iterator[Tracker]:  # noqa: ARG002 - says nothing
        """Show one long piece of work while the block runs."""
        yield Tracker()

    def message(self, text: str) -> None:
        """Say one line."""


class _LogTracker(Tracker):
    def __init__(self, title: str, total: float | None) -> None:
        self._title, self._total, self._done = title, total, 0.0
        self._started = self._last = time.monotonic()

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._last >= _LOG_EVERY_SECONDS:
            self._last = now
            logger.info("%s: %s%s", self._title, self._position(now), f" ({note})" if note else "")

    def set_total(self, total: float) -> None:
        self._total = total

    def _position(self, now: float) -> str:
        if not self._total or not self._done:
            return f"{self._done:g} done"
        left = (now - self._started) / self._done * max(self._total - self._done, 0)
        return f"{100 * self._done / self._total:.0f} %, about {left:.0f} s left"


class LogReporter(Reporter):
    """Plain log lines, for logs of orchestrators: start, one line every ten seconds, end with the time it took."""

    @contextmanager
    def track(self, title: str, total: float | None = None) -> Iterator[Tracker]:
        """Log the start and, when the block ends, how long it took."""
        started = time.monotonic()
        logger.info("%s ...", title)
        yield _LogTracker(title, total)
        logger.info("%s: done in %.1f s", title, time.monotonic() - started)

    def message(self, text: str) -> None:
        """Log one line."""
        logger.info("%s", text)


class _BarTracker(Tracker):
    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def advance(self, amount: float = 1, note: str = "") -> None:
        self._progress.update(self._task, advance=amount, note=note)

    def set_total(self, total: float) -> None:
        self._progress.update(self._task, total=total)


class BarReporter(Reporter):
    """Live bars on a terminal. The estimate comes from the work done so far: honest from the second tick on."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None

    @contextmanager
    def track(self, title: str, total: float | None = None) -> Iterator[Tracker]:
        """Show a bar while the block runs; nested blocks share the display."""
        outermost = self._progress is None
        progress = self._progress or Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            TextColumn("[dim]{task.fields[note]}"),
            console=self._console,
            transient=True,
        )
        if outermost:
            self._progress = progress
            progress.start()
        started = time.monotonic()
        task = progress.add_task(title, total=total, note="")
        try:
            yield _BarTracker(progress, task)
        finally:
            progress.remove_task(task)
            if outermost:
                progress.stop()
                self._progress = None
        if outermost:
            self._console.print(f"[green]✓[/] {title} [dim]{time.monotonic() - started:.1f} s[/]")

    def message(self, text: str) -> None:
        """Print one line above the bars."""
        (self._progress.console if self._progress else self._console).print(text)


def default_reporter(*, quiet: bool = False) -> Reporter:
    """Bars on a terminal, log lines elsewhere, silence with ``quiet``."""
    if quiet:
        return Reporter()
    if sys.stderr.isatty():
        return BarReporter(Console(stderr=True))
    return LogReporter()
