"""What evaluate prepares before it opens the hold-out: networks, costs, validation rows, the champion."""

from __future__ import annotations

from dataclasses import dataclass

from darwin_core.contracts import EvaluateRequest, NetworkCost, Pointer, SearchRecord, Snapshot
from darwin_core.data import MappedSplit, map_split
from darwin_core.errors import NetworkError
from darwin_core.evaluation.scoring import LoadedNetwork
from darwin_core.networks import measure_cost, measure_latency
from darwin_core.steps.context import StepContext

_LATENCY_ROWS = 32


@dataclass(frozen=True)
class Networks:
    """The networks of a run. ``champion`` is None where there is none, or where it cannot be compared any more."""

    reference: LoadedNetwork
    candidate: LoadedNetwork
    champion: LoadedNetwork | None

    def all(self) -> tuple[LoadedNetwork, ...]:
        """Those there are, the reference first."""
        return tuple(one for one in (self.reference, self.candidate, self.champion) if one is not None)


@dataclass(frozen=True)
class OpenCase:
    """Everything that is known before the hold-out is opened.

    ``pointer`` is the champion's with its ETag; ``champion_problem`` says why the champion cannot be compared, and is
    empty otherwise.
    """

    snapshot: Snapshot
    search: SearchRecord
    networks: Networks
    costs: dict[str, NetworkCost]
    validation: MappedSplit
    pointer: tuple[Pointer, str] | None
    champion_problem: str


def open_case(request: EvaluateRequest, context: StepContext, pointer: tuple[Pointer, str] | None) -> OpenCase:
    """Load the networks, measure what they cost, and decode the validation rows.

    Args:
        request: The step's request.
        context: The step's surroundings.
        pointer: The champion's pointer and its ETag, read before anything else.

    Raises:
        NetworkError: The candidate cannot be compared with the reference at all.
    """
    snapshot = context.read_document(request.snapshot, Snapshot)
    search = context.read_document(request.search_record, SearchRecord)
    reference = LoadedNetwork.load("reference", snapshot.reference, context.fetch(snapshot.reference))
    path = context.fetch(request.candidate)
    candidate = LoadedNetwork.load("candidate", request.candidate, path, compiled=reference.path)
    _check_comparable(reference, candidate)
    champion, problem = (None, "") if pointer is None else _load_champion(context, pointer[0], reference)
    rows = context.fetch(snapshot.validation.data)
    validation = map_split(rows, snapshot, reference.inputs, context.cache_dir, context.reporter)
    costs = {one.name: _cost(one, validation, request.threads, context) for one in (reference, candidate)}
    return OpenCase(snapshot, search, Networks(reference, candidate, champion), costs, validation, pointer, problem)


def _check_comparable(reference: LoadedNetwork, candidate: LoadedNetwork) -> None:
    known = {item.name for item in reference.inputs}
    unknown = [item.name for item in candidate.inputs if item.name not in known]
    if unknown:
        raise NetworkError(
            f"The candidate reads the input {unknown[0]!r}; the reference has {', '.join(sorted(known))}.",
            hint="Evaluate a candidate against the reference that it was made from.",
        )
    if (candidate.kind.task, candidate.kind.units) != (reference.kind.task, reference.kind.units):
        raise NetworkError(
            f"The candidate's output is {candidate.kind.task} with {candidate.kind.units} unit(s), the reference's is "
            f"{reference.kind.task} with {reference.kind.units}.",
            hint="Evaluate a candidate against the reference that it was made from.",
        )


def _load_champion(
    context: StepContext, pointer: Pointer, reference: LoadedNetwork
) -> tuple[LoadedNetwork | None, str]:
    """The champion, or why it cannot be compared: its line moved on to other columns or classes."""
    try:
        champion = LoadedNetwork.load(
            "champion", pointer.network, context.fetch(pointer.network), compiled=reference.path
        )
    except NetworkError as error:
        return None, str(error)
    if not champion.reads_from(reference):
        return None, "It reads inputs that the reference does not have."
    if (champion.kind.task, champion.kind.units) != (reference.kind.task, reference.kind.units):
        return None, f"It predicts {champion.kind.units} class(es), the reference {reference.kind.units}."
    return champion, ""


def _cost(network: LoadedNetwork, validation: MappedSplit, threads: int, context: StepContext) -> NetworkCost:
    rows = validation.take(range(min(_LATENCY_ROWS, validation.rows))).inputs
    own = {item.name: rows[item.name] for item in network.inputs}
    with context.reporter.track(f"Measuring the latency of the {network.name}", 1) as tracker:
        latency = measure_latency(network.path, own, threads=threads)
        tracker.advance()
    return measure_cost(network.model).model_copy(update={"latency": latency})
