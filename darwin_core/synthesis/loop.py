"""The generation loop, and nothing else."""

from __future__ import annotations

from darwin_core.contracts import NetworkCost, SearchBudget
from darwin_core.synthesis.breeding import Breeder
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.effort import SEARCH_SHARE, Clock, Effort, Outlook
from darwin_core.synthesis.journal import Journal
from darwin_core.synthesis.pace import Pace
from darwin_core.synthesis.sizing import Bracket, SizeSchedule, bracket


class GenerationLoop:
    """Generation after generation, each inheriting from the smallest network that promises to keep the quality.

    Args:
        breeder: Makes a generation.
        schedule: Says which sizes its offspring have.
        budget: How many generations and offspring.
        effort: Says how many of them the seconds admit.
        clock: Ends the loop where the time is up.
        journal: Remembers how many it were, because a resumed run may find another amount of time left.
    """

    def __init__(
        self,
        breeder: Breeder,
        schedule: SizeSchedule,
        budget: SearchBudget,
        effort: Effort,
        clock: Clock,
        journal: Journal,
    ) -> None:
        self._breeder, self._schedule, self._budget = breeder, schedule, budget
        self._effort, self._clock, self._journal = effort, clock, journal

    def run(self, reference: Candidate, pace: Pace) -> list[Candidate]:
        """All candidates, in the order of their birth.

        Args:
            reference: Generation 0; counts as keeping the quality whatever is asked for.
            pace: Advances by rows.
        """
        candidates: list[Candidate] = []
        for generation in range(1, self._budget.generations + 1):
            parents = [reference, *(item for item in candidates if item.promising)]
            parent = min(parents, key=lambda item: item.size)
            found = bracket([(1.0, True), *((item.size, item.promising) for item in candidates)])
            outlook = self._outlook(generation, found, reference.record.cost)
            sizes = self._schedule.sizes(found, outlook) if outlook else ()
            if not sizes or outlook is None:
                break
            candidates += self._breeder.breed(
                generation, outlook, parent, sizes, parents[1:], pace, [reference, *candidates]
            )
        return candidates

    def _outlook(self, generation: int, found: Bracket, reference: NetworkCost) -> Outlook | None:
        """What is still to be tried; None where the time is up."""
        key = f"generation-{generation}/plan"
        entry = self._journal.get(key)
        if entry is None:
            if generation > 1 and self._clock.left(SEARCH_SHARE) <= 0:
                return None
            left = self._budget.generations - generation + 1
            sizes = self._schedule.sizes(found, Outlook(left, self._budget.offspring))
            largest = max(sizes, default=found.good)
            outlook = self._effort.outlook(reference.model_copy(update={"macs": round(largest * reference.macs)}), left)
            entry = {"generations": outlook.generations, "offspring": outlook.offspring}
            self._journal.append(key, entry)
        return Outlook(**entry)
