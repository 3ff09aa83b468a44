"""Which sizes the offspring of a generation should have.

As long as every size so far kept the quality, the next generation goes down a ladder from the smallest. A reference is
usually many times larger than its task needs, and small networks train in a fraction of the time, so each step of the
ladder is three steps of the resource factor at once, though no more than a tenth. Once some size lost the quality, the
answer lies between the smallest network that kept it and the next smaller one that did not, and the generation spends
its offspring there. Ceilings from the requirements shift the ladder so that it reaches them in time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darwin_core.contracts import SearchBudget

_FACTORS_PER_STEP = 3
_LONGEST_STEP = 0.1

_CLOSED = 0.88
"""A bracket whose ends are closer than this ratio cannot be told apart on validation rows."""


@dataclass(frozen=True)
class Bracket:
    """Where the smallest sufficient size lies.

    Attributes:
        good: Size of the smallest network that keeps the quality.
        bad: Size of the largest network below ``good`` that does not; None where none was found yet.
    """

    good: float
    bad: float | None


def bracket(sizes: Sequence[tuple[float, bool]]) -> Bracket:
    """The bracket that judged networks give.

    Args:
        sizes: (size, whether the quality was kept) of each network; the reference (1.0, True) belongs to them.
    """
    good = min(size for size, kept in sizes if kept)
    below = [size for size, kept in sizes if not kept and size < good]
    return Bracket(good, max(below) if below else None)


class SizeSchedule:
    """Sizes for the next generation.

    Args:
        budget: Number of generations and offspring, and the resource factor.
        ceiling: Largest size that the requirements on resources admit; 1 where there are none.
    """

    def __init__(self, budget: SearchBudget, ceiling: float) -> None:
        self._budget, self._ceiling = budget, ceiling
        factor = budget.resource_factor
        self._step = min(factor, max(factor**_FACTORS_PER_STEP, _LONGEST_STEP))

    def sizes(self, found: Bracket, generation: int) -> tuple[float, ...]:
        """Relative sizes for the offspring of a generation (the first is 1), largest first; empty: nothing to gain."""
        count = self._budget.offspring
        if found.good > self._ceiling:
            if found.bad is not None or generation == self._budget.generations:
                return (self._ceiling,) * count
            return self._ladder(found.good, self._reaching(found.good, generation))
        if found.bad is None:
            return self._ladder(found.good, self._step)
        if found.bad / found.good > _CLOSED:
            return ()
        step = (found.bad / found.good) ** (1.0 / (count + 1))
        return self._ladder(found.good, step)

    def _ladder(self, start: float, factor: float) -> tuple[float, ...]:
        return tuple(start * factor**step for step in range(1, self._budget.offspring + 1))

    def _reaching(self, start: float, generation: int) -> float:
        """The factor that comes to the ceiling one generation before the last, so that one is left to refine."""
        left = max(1, self._budget.generations - generation)
        reaching: float = (self._ceiling / start) ** (1.0 / (left * self._budget.offspring))
        return min(self._step, reaching)
