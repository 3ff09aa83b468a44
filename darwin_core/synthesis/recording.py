"""From what a search did to its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from darwin_core.contracts import ControlRecord, SearchRecord, Task
from darwin_core.networks import layer_costs, load_network
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.choice import binding_requirements, reason, relaxations
from darwin_core.synthesis.pareto import pareto_front
from darwin_core.synthesis.picking import PickedPoint, pick_reason
from darwin_core.synthesis.task import Aim


def record_search(
    aim: Aim,
    task: Task,
    reference: Candidate,
    candidates: Sequence[Candidate],
    controls: Sequence[ControlRecord],
    chosen: Candidate,
    seconds: Mapping[str, float],
    picked: PickedPoint | None = None,
) -> SearchRecord:
    """The record of a search.

    Args:
        aim: What was asked for.
        task: What the networks predict.
        reference: Generation 0.
        candidates: All that were tried.
        controls: What the choice is held against.
        chosen: One of ``candidates``.
        seconds: Phase -> seconds.
        picked: Where a person made the choice: what was picked.
    """
    front = pareto_front([candidate.record for candidate in candidates], task)
    return SearchRecord(
        seed=aim.seed,
        budget=aim.budget,
        performance_function=aim.performance_function,
        reference=reference.record,
        candidates=tuple(
            item.record.model_copy(update={"on_front": item.candidate_id in front}) for item in candidates
        ),
        controls=tuple(controls),
        front=front,
        chosen=chosen.candidate_id,
        origin=picked.pick if picked else None,
        feasible=chosen.record.feasible,
        binding_requirements=binding_requirements(chosen),
        relaxations=relaxations(candidates),
        reference_layers=layer_costs(load_network(reference.path)),
        chosen_layers=layer_costs(load_network(chosen.path)),
        seconds={phase: round(value, 3) for phase, value in seconds.items()},
        reason=pick_reason(picked, chosen) if picked else reason(chosen, candidates, aim.performance_function),
    )
