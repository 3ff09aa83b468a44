"""The long finish of the finalists, and the control that the chosen one is held against."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import CandidateStage, ControlRecord, Genome
from darwin_core.dependency import analyse, magnitude_importance
from darwin_core.networks import load_network
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.breeding import Frame
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.choice import choose, next_finalist
from darwin_core.synthesis.effort import Effort
from darwin_core.synthesis.inheritance import inherit
from darwin_core.synthesis.nursery import Birth, Nursery, Stint
from darwin_core.synthesis.pace import Pace

CONTROL_ID = "control-uniform"
_FINISH_STINT = 3
_MOST_FINALISTS = 3


def finish(population: Sequence[Candidate], nursery: Nursery, effort: Effort, pace: Pace) -> list[Candidate]:
    """Give some candidates the long finish, the one to be delivered among them.

    Each finish shows how much a finish is worth here, and the others are judged anew by it: after a failure a larger
    one is next, after a success a smaller one may have become promising.

    Returns:
        The population with the finished ones in the places of their former selves.
    """
    result = list(population)
    for _ in range(_MOST_FINALISTS):
        candidate = next_finalist(result)
        if candidate is None:
            break
        result[result.index(candidate)] = finish_one(candidate, nursery, effort, pace)
        result = [nursery.expect_again(item) for item in result]
    nearest = choose(result)
    if not nearest.finished:
        result[result.index(nearest)] = finish_one(nearest, nursery, effort, pace)
    return result


def finish_one(candidate: Candidate, nursery: Nursery, effort: Effort, pace: Pace) -> Candidate:
    """Give one candidate the long finish."""
    stint = Stint(_FINISH_STINT, effort.finish_samples(candidate.record.cost, 1), CandidateStage.FINISHED)
    pace.expect(2 * stint.samples + candidate.lineage_samples)
    pace.note(f"long finish of {candidate.candidate_id}: {candidate.record.cost.parameters:,} parameters")
    return nursery.train_on(candidate, stint, pace)


def uniform_control(
    chosen: Candidate, reference: Candidate, frame: Frame, nursery: Nursery, pace: Pace
) -> ControlRecord:
    """Uniform narrowing to the size of the chosen network: same head, inputs, distillation and number of samples.

    It is what an engineer would do without a search: the same share of channels everywhere, those of the largest
    weights, in one go from the reference. Its samples are those of the chosen one's whole line of ancestors.
    """
    network = load_network(reference.path)
    graph = analyse(network)
    allocator = WidthAllocator(graph, frame.reference_cost, head=frame.head, dropped_inputs=frame.dropped_inputs)
    widths = allocator.allocate({}, Target(chosen.size))
    genome = Genome(widths=widths, head=frame.head, dropped_inputs=frame.dropped_inputs)
    birth = Birth(CONTROL_ID, 1, reference, "uniform", genome, allocator.cost(widths))
    pace.expect(chosen.lineage_samples)
    pace.note(f"control by uniform narrowing: {birth.cost.parameters:,} parameters")
    control = nursery.raise_offspring(
        birth,
        lambda: inherit(network, graph, genome, magnitude_importance(graph)),
        Stint(1, chosen.lineage_samples, CandidateStage.FINISHED),
        pace,
    )
    return ControlRecord(name="uniform narrowing", record=control.record)
