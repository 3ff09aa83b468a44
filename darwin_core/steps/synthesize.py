"""synthesize: search for the compact network. The sealed hold-out is out of reach here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from darwin_core.contracts import ArtifactKind, ArtifactRef, SearchRecord, Snapshot, SynthesizeRequest
from darwin_core.data import bind_inputs, map_split
from darwin_core.networks import load_network, network_inputs, output_kind, reference_loss
from darwin_core.steps.context import StepContext
from darwin_core.synthesis import Aim, Part, Reference, Search, SearchOutcome, generator_named
from darwin_core.training import prepare_runtime


def run(request: SynthesizeRequest, context: StepContext) -> dict[str, Any]:
    """Search, and store the chosen network, the front, the insights and the record.

    Raises:
        RequestError: The requirements, the performance function, the generator or the columns do not fit the network.
    """
    prepare_runtime(request.seed, request.threads)
    snapshot = context.read_document(request.snapshot, Snapshot)
    path = context.fetch(snapshot.reference)
    network = load_network(path)
    inputs = network_inputs(network)
    bound = bind_inputs(inputs, snapshot.columns)
    reference = Reference(
        path=path,
        sha256=snapshot.reference.sha256,
        kind=output_kind(network, path),
        loss=reference_loss(path),
        features={item.input.name: tuple(column.name for column in item.columns) for item in bound},
    )
    train, validation = (
        Part(
            map_split(context.fetch(part.data), snapshot, inputs, context.cache_dir, context.reporter), part.data.sha256
        )
        for part in (snapshot.train, snapshot.validation)
    )
    aim = Aim(
        requirements=request.requirements,
        budget=request.budget,
        performance_function=request.performance_function,
        generator=generator_named(request.generator),
        alert_budget=request.alert_budget,
        seed=request.seed,
    )
    outcome = Search(
        reference,
        train,
        validation,
        aim,
        workdir=context.workdir,
        cache_dir=context.cache_dir,
        reporter=context.reporter,
    ).run()
    return _store(outcome, context)


def _store(outcome: SearchOutcome, context: StepContext) -> dict[str, Any]:
    candidate = _upload(context, outcome.chosen.path, "candidate.keras")
    front = {
        item.candidate_id: _upload(context, item.path, "front", f"{item.candidate_id}.keras") for item in outcome.front
    }
    networks = front | {outcome.chosen.candidate_id: candidate}
    record = _with_networks(outcome.record, networks)
    return {
        "candidate": candidate,
        "front": tuple(front.values()),
        "search_record": context.write_document(record, context.uri("search_record.json"), ArtifactKind.SEARCH_RECORD),
        "insights": context.write_document(outcome.insights, context.uri("insights.json"), ArtifactKind.INSIGHTS),
        "feasible": record.feasible,
        "candidate_parameters": outcome.chosen.record.cost.parameters,
        "candidate_macs": outcome.chosen.record.cost.macs,
    }


def _upload(context: StepContext, path: Path, *place: str) -> ArtifactRef:
    return context.upload(path, context.uri(*place), ArtifactKind.NETWORK)


def _with_networks(record: SearchRecord, networks: dict[str, ArtifactRef]) -> SearchRecord:
    candidates = tuple(
        item.model_copy(update={"network": networks.get(item.candidate_id)}) for item in record.candidates
    )
    return record.model_copy(update={"candidates": candidates})
