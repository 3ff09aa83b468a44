"""Who gets the long finish, who is chosen, and why, in words."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import Relaxation
from darwin_core.synthesis.candidates import Candidate


def next_finalist(population: Sequence[Candidate]) -> Candidate | None:
    """Who gets the long finish next; None where nobody could improve on what is finished.

    The best performing one of those that promise to meet every requirement and would perform better than every
    finished network that is safe. Where nothing promises to and nothing is finished, the nearest.
    """
    safe = [item.performance for item in population if item.finished and item.safe]
    best = max(safe, default=float("-inf"))
    hopeful = [
        item
        for item in population
        if not item.finished and item.promising and item.performance > best and _within_ceilings(item)
    ]
    if hopeful:
        return max(hopeful, key=lambda item: item.performance)
    if any(item.finished for item in population):
        return None
    return min(population, key=lambda item: (item.cautious_shortfall, -item.performance))


def _within_ceilings(candidate: Candidate) -> bool:
    """Whether the requirements on resources are met, as far as they are known; latency is measured at the end."""
    return all(
        status.met or status.value is None
        for status in candidate.record.requirements
        if status.requirement.metric.is_resource
    )


def choose(population: Sequence[Candidate]) -> Candidate:
    """The network to deliver.

    Among finished networks that are safe, the best performing one; else among finished ones that meet every
    requirement as measured, the one with most room; else any that meets them; else the nearest of all.
    """
    finished = [item for item in population if item.finished]
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


def relaxations(population: Sequence[Candidate]) -> tuple[Relaxation, ...]:
    """Where no candidate is feasible: for each requirement the nearest of those that meet all the others."""
    if any(item.record.feasible for item in population):
        return ()
    nearest: dict[str, tuple[float, Relaxation]] = {}
    for item in population:
        unmet = [status for status in item.record.requirements if not status.met]
        if len(unmet) != 1 or unmet[0].value is None:
            continue
        requirement, value = unmet[0].requirement, unmet[0].value
        found = (requirement.shortfall(value), item.candidate_id)
        known = nearest.get(str(requirement))
        if known is None or found < (known[0], known[1].candidate_id):
            relaxed = Relaxation(requirement=requirement, value=value, candidate_id=item.candidate_id)
            nearest[str(requirement)] = (found[0], relaxed)
    return tuple(relaxed for _, relaxed in nearest.values())


def reason(chosen: Candidate, population: Sequence[Candidate], performance_function: str) -> str:
    """Why this candidate, as a sentence."""
    tried = len(population)
    if not chosen.record.feasible:
        ways = " or ".join(
            f"{item.requirement.metric}{item.requirement.comparator}{item.value:.4g} ({item.candidate_id})"
            for item in relaxations(population)
        )
        return (
            f"None of {tried} networks met every requirement; {subject(chosen)} comes nearest and misses "
            f"{missed(chosen)}." + (f" All others are met with {ways}." if ways else "")
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
