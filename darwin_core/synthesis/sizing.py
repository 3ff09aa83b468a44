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

from darwin_core.synthesis.effort import Outlook

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
        factor: Cost of a generation over its parents', below 1.
        ceiling: Largest size that the requirements on resources admit; 1 where there are none.
    """

    def __init__(self, factor: float, ceiling: float) -> None:
        self._ceiling = ceiling
        self._step = min(factor, max(factor**_FACTORS_PER_STEP, _LONGEST_STEP))

    def sizes(self, found: Bracket, outlook: Outlook) -> tuple[float, ...]:
        """Relative sizes for the offspring of the next generation, largest first; empty: nothing to gain."""
        count = outlook.offspring
        if found.good > self._ceiling:
            if found.bad is not None or outlook.generations == 1:
                return (self._ceiling,) * count
            return _ladder(found.good, self._reaching(found.good, outlook), count)
        if found.bad is None:
            return _ladder(found.good, self._step, count)
        if found.bad / found.good > _CLOSED:
            return ()
        return _ladder(found.good, (found.bad / found.good) ** (1.0 / (count + 1)), count)

    def _reaching(self, start: float, outlook: Outlook) -> float:
        """The factor that comes to the ceiling one generation before the last, so that one is left to refine."""
        steps = (outlook.generations - 1) * outlook.offspring
        reaching: float = (self._ceiling / start) ** (1.0 / steps)
        return min(self._step, reaching)


def _ladder(start: float, factor: float, count: int) -> tuple[float, ...]:
    return tuple(start * factor**step for step in range(1, count + 1))
