"""Who gets the long finish, who is chosen, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import CandidateStage
from darwin_core.synthesis.candidates import Candidate

MOST_FINALISTS = 3


def finalists(population: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Candidates for the long finish in the order in which they get it, until one of them is safe afterwards.

    Those that promise to meet every requirement, best performing first, so that each failure leads to a larger network;
    where nothing promises to, the nearest.
    """
    hopeful = [item for item in population if item.promising and _within_ceilings(item)]
    if hopeful:
        best = sorted(hopeful, key=lambda item: -item.performance)
        return tuple(_spread(best))
    return tuple(sorted(population, key=lambda item: (item.cautious_shortfall, -item.performance))[:1])


def _within_ceilings(candidate: Candidate) -> bool:
    """Whether the requirements on resources are met, as far as they are known; latency is measured at the end."""
    return all(
        status.met or status.value is None
        for status in candidate.record.requirements
        if status.requirement.metric.is_resource
    )


def _spread(ranked: Sequence[Candidate]) -> list[Candidate]:
    """The best, and after it, as long as there are more, every other one: neighbours fail together."""
    return list(ranked[: 2 * MOST_FINALISTS - 1 : 2])


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
    if not chosen.record.feasible:
        return (
            f"None of {tried} networks met every requirement; {subject(chosen)} comes nearest and misses "
            f"{missed(chosen)}."
        )
    if not chosen.safe:
        return (
            f"{subject(chosen)} meets every requirement on the validation rows, though by less than their noise; none "
            f"of {tried} networks did better."
        )
    return (
        f"Of {tried} networks, {subject(chosen)} has the best performance ({performance_function}) among those that "
        "meet every requirement on the validation rows with room for their noise."
    )


def subject(chosen: Candidate) -> str:
    """A candidate with its cost, as the beginning of a sentence."""
    return f"{chosen.candidate_id} ({chosen.record.cost.parameters:,} parameters, {chosen.record.cost.macs:,} MACs)"


def missed(chosen: Candidate) -> str:
    """The requirements that a candidate misses, each with what it reached."""
    return "; ".join(
        f"{status.requirement} (reached {'nothing' if status.value is None else f'{status.value:.4g}'})"
        for status in chosen.record.requirements
        if not status.met
    )
