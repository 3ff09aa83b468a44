"""Thinning: once the smallest sufficient network is known, fewer and fewer columns of the table.

Backward elimination with retraining (Guyon et al., "Gene selection for cancer classification using support vector
machines", Machine Learning 46, 2002), halving instead of one by one. It comes last because it is cheapest there: the
networks are small, and each has learned to do without the columns of the one before.
"""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import SearchBudget
from darwin_core.synthesis.breeding import Breeder
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.effort import SEARCH_SHARE, Clock, Outlook
from darwin_core.synthesis.journal import Journal
from darwin_core.synthesis.pace import Pace

_TRIALS = 4
_CLOSED = 0.88
"""Numbers of columns closer than this ratio are as good as equal."""


class Thinning:
    """Bisects the number of columns, each trial a generation of one offspring.

    Only where the budget asks for it: what is left of the room for noise is spent on columns. A search of a single
    generation is one shot: nothing is thinned there.

    Args:
        breeder: Makes a network with fewer columns.
        columns: Columns that the reference reads.
        budget: The allowed effort.
        clock: Ends the trials where the time is up.
        journal: Remembers how many there were, because a resumed run may find another amount of time left.
    """

    def __init__(self, breeder: Breeder, columns: int, budget: SearchBudget, clock: Clock, journal: Journal) -> None:
        self._breeder, self._columns, self._budget = breeder, columns, budget
        self._clock, self._journal = clock, journal

    def run(self, candidates: Sequence[Candidate], pace: Pace) -> list[Candidate]:
        """All candidates, those with fewer columns behind the others.

        Args:
            candidates: What the generations brought.
            pace: Advances by rows.
        """
        found, too_few = list(candidates), 0
        trials = _TRIALS if self._budget.fewer_columns and self._budget.generations > 1 else 0
        for left in range(trials, 0, -1):
            promising = [item for item in found if item.promising]
            if not promising:
                break
            parent = min(promising, key=lambda item: item.size)
            enough = self._columns - len(parent.record.genome.dropped_inputs)
            wanted = (enough + too_few) // 2
            generation = found[-1].record.generation + 1
            if wanted <= too_few or wanted > _CLOSED * enough or not self._go(generation):
                break
            offspring = self._breeder.thin(generation, Outlook(left, 1), parent, wanted, promising, pace)
            if not offspring:
                break
            found += offspring
            if not offspring[0].promising:
                too_few = wanted
        return found

    def _go(self, generation: int) -> bool:
        key = f"generation-{generation}/plan"
        entry = self._journal.get(key)
        if entry is None:
            entry = {"go": self._clock.left(SEARCH_SHARE) > 0}
            self._journal.append(key, entry)
        return bool(entry["go"])
