"""The generation loop, and nothing else."""

from __future__ import annotations

from darwin_core.contracts import SearchBudget
from darwin_core.synthesis.breeding import Breeder
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.effort import SEARCH_SHARE, Clock
from darwin_core.synthesis.pace import Pace
from darwin_core.synthesis.sizing import SizeSchedule, bracket


class GenerationLoop:
    """Generation after generation, each inheriting from the smallest network that promises to keep the quality.

    Args:
        breeder: Makes a generation.
        schedule: Says which sizes its offspring have.
        budget: How many generations.
        clock: Ends the loop where the time is up.
    """

    def __init__(self, breeder: Breeder, schedule: SizeSchedule, budget: SearchBudget, clock: Clock) -> None:
        self._breeder, self._schedule, self._budget, self._clock = breeder, schedule, budget, clock

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
            sizes = self._schedule.sizes(found, generation)
            if not sizes or (candidates and self._clock.left(SEARCH_SHARE) <= 0):
                break
            candidates += self._breeder.breed(generation, parent, sizes, parents[1:], pace)
        return candidates
