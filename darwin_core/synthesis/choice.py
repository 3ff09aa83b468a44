"""Who gets the long finish, who is chosen, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import CandidateStage
from darwin_core.synthesis.candidates import Candidate

MOST_FINALISTS = 3

_HOPEFUL = 2.0
"""Total shortfall up to which the long finish may still bring a network above its requirements."""


def finalists(population: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates for the long finish in the order in which they get it, until one of them is safe afterwards.

    First the nearest of those that would perform better than every safe one, then the safe ones, best first. Where
    nothing is safe, the nearest to the requirements.
    """
    safe = sorted((item for item in population if item.safe), key=lambda item: -item.performance)
    best = safe[0].performance if safe else float("-inf")
    open_cases = sorted(
        (item for item in population if not item.safe and item.performance > best),
        key=lambda item: (item.cautious_shortfall, -item.performance),
    )
    if not safe:
        return tuple(open_cases[: MOST_FINALISTS - 1])
    hopeful = [item for item in open_cases if item.cautious_shortfall <= _HOPEFUL]
    return tuple([*hopeful[:1], *safe][:MOST_FINALISTS])


def choose(population: Sequence[Candidate]) -> Candidate:
    """The network to deliver.

    Among finished networks that are safe, the best performing one; else among finished ones that meet every
    requirement as measured, the one with most room; else any that meets them; else the nearest of all.
    """
    finished = [item for item in population if item.record.stage is CandidateStage.FINISHED]
    safe = [item for item in finished if item.safe]
    if safe:
        return max(safe, key=lambda item: item.performance)
    for pool in (finished, population):
        feasible = [item for item in pool if item.record.feasible]
        if feasible:
            return min(feasible, key=lambda item: (item.cautious_shortfall, -item.performance))
    return min(population, key=lambda item: (item.shortfall, item.cautious_shortfall, -item.performance))


def binding_requirements(chosen: Candidate) -> tuple[str, ...]:
    """The requirements that a candidate misses, as text."""
    return tuple(str(status.requirement) for status in chosen.record.requirements if not status.met)


def reason(chosen: Candidate, tried: int, performance_function: str) -> str:
    """Why this candidate, as a sentence."""
    subject = f"{chosen.candidate_id} ({chosen.record.cost.parameters:,} parameters, {chosen.record.cost.macs:,} MACs)"
    if not chosen.record.feasible:
        missed = "; ".join(
            f"{status.requirement} (reached {'nothing' if status.value is None else f'{status.value:.4g}'})"
            for status in chosen.record.requirements
            if not status.met
        )
        return f"None of {tried} networks met every requirement; {subject} comes nearest and misses {missed}."
    if not chosen.safe:
        return (
            f"{subject} meets every requirement on the validation rows, though by less than their noise; none of "
            f"{tried} networks did better."
        )
    return (
        f"Of {tried} networks, {subject} has the best performance ({performance_function}) among those that meet every "
        "requirement on the validation rows with room for their noise."
    )
