"""Progress of a whole search in training rows, with a total that is corrected as soon as more is known."""

from __future__ import annotations

from darwin_core.progress import Tracker


class Pace(Tracker):
    """Counts rows done and expects rows to come.

    Args:
        tracker: Where it is shown.
        finish_rows: Rows expected of the long finish and of the control together.
    """

    def __init__(self, tracker: Tracker, finish_rows: int) -> None:
        self._tracker, self._finish_rows = tracker, finish_rows
        self._done, self._note = 0.0, ""

    def advance(self, amount: float = 1, note: str = "") -> None:
        """Rows that are done."""
        self._done += amount
        self._tracker.advance(amount, note or self._note)

    def set_total(self, total: float) -> None:
        """Replace the expected total."""
        self._tracker.set_total(total)

    def note(self, text: str) -> None:
        """What is going on from now on."""
        self._note = text
        self._tracker.advance(0, text)

    def expect_generations(self, left: int, rows: int) -> None:
        """So many generations are left, of so many rows each."""
        self._tracker.set_total(self._done + left * rows + self._finish_rows)

    def expect(self, rows: int) -> None:
        """So many rows are left."""
        self._tracker.set_total(self._done + rows)
