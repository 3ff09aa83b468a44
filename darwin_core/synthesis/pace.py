"""Progress of a whole search in training rows, with a total that is corrected as soon as more is known."""

from __future__ import annotations

from darwin_core.contracts import SearchBudget
from darwin_core.progress import Tracker


class Pace(Tracker):
    """Counts rows done and expects rows to come.

    Args:
        tracker: Where it is shown.
        budget: How many generations there may be.
        finish_rows: Rows expected of the long finish and of the control together.
    """

    def __init__(self, tracker: Tracker, budget: SearchBudget, finish_rows: int) -> None:
        self._tracker, self._budget, self._finish_rows = tracker, budget, finish_rows
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

    def expect_generations(self, generation: int, rows: int) -> None:
        """From ``generation`` on each generation takes so many rows."""
        left = self._budget.generations - generation + 1
        self._tracker.set_total(self._done + left * rows + self._finish_rows)

    def expect(self, rows: int) -> None:
        """So many rows are left."""
        self._tracker.set_total(self._done + rows)
