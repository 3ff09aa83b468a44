"""synthesize: search for the compact network.

Or go on from a point of an earlier search that a person picked, or take the best of several searches side by side. The
sealed hold-out is out of reach here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from darwin_core.contracts import (
    ArtifactKind,
    ArtifactRef,
    ExportRecord,
    Insights,
    SearchRecord,
    Snapshot,
    SynthesizeRequest,
    SynthesizeResult,
)
from darwin_core.data import bind_inputs, map_split
from darwin_core.errors import RequestError
from darwin_core.exports.registry import check_installed
from darwin_core.networks import load_network, network_inputs, output_kind, reference_loss
from darwin_core.steps.context import StepContext
from darwin_core.steps.exporting import export_chosen
from darwin_core.steps.rivals import take_best
from darwin_core.steps.stored_runs import find_point, front_of
from darwin_core.synthesis import Aim, Part, PickedPoint, Reference, Search, SearchOutcome, generator_named
from darwin_core.training import prepare_runtime


def run(request: SynthesizeRequest, context: StepContext) -> dict[str, Any]:
    """Search, and store the chosen network, the front, the insights and the record.

    Raises:
        RequestError: The requirements, the performance function, the generator or the columns do not fit the network,
            or there is no such point to go on from.
        MissingExtraError: The packages of an export format are not installed.
    """
    if request.rivals:
        return take_best(request, context)
    check_installed(request.exports)
    point = _picked_point(request, context)
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
    search = Search(
        reference,
        train,
        validation,
        aim,
        workdir=context.workdir,
        cache_dir=context.cache_dir,
        reporter=context.reporter,
    )
    outcome = search.run() if point is None else search.go_on_from(point)
    exports = export_chosen(
        outcome.chosen.path,
        reference.kind,
        request.exports,
        (train.split, validation.split),
        context,
        alert_budget=request.alert_budget,
    )
    return _store(outcome, exports, context)


def _picked_point(request: SynthesizeRequest, context: StepContext) -> PickedPoint | None:
    if request.pick is None:
        return None
    if request.picked_from is None:
        raise RequestError(
            "A request with a pick needs picked_from, too.",
            hint="fetch-data of the same run finds it: give that step the pick as well.",
        )
    earlier = context.read_document(request.picked_from, SynthesizeResult)
    record = context.read_document(earlier.search_record, SearchRecord)
    find_point(record, request.pick)
    networks = {item.candidate_id: context.fetch(item.network) for item in front_of(record) if item.network}
    return PickedPoint(request.pick, record, context.read_document(earlier.insights, Insights), networks)


def _store(outcome: SearchOutcome, exports: tuple[ExportRecord, ...], context: StepContext) -> dict[str, Any]:
    candidate = _upload(context, outcome.chosen.path, "candidate.keras")
    front = {
        item.candidate_id: _upload(context, item.path, "front", f"{item.candidate_id}.keras") for item in outcome.front
    }
    networks = front | {outcome.chosen.candidate_id: candidate}
    record = _with_networks(outcome.record, networks).model_copy(update={"exports": exports})
    files = [file for item in exports for file in (item.artifact, item.lookups_artifact) if file is not None]
    return {
        "candidate": candidate,
        "front": tuple(front.values()),
        "search_record": context.write_document(record, context.uri("search_record.json"), ArtifactKind.SEARCH_RECORD),
        "insights": context.write_document(outcome.insights, context.uri("insights.json"), ArtifactKind.INSIGHTS),
        "feasible": record.feasible,
        "candidate_parameters": outcome.chosen.record.cost.parameters,
        "candidate_macs": outcome.chosen.record.cost.macs,
        "exports": tuple(dict.fromkeys(files)),
    }


def _upload(context: StepContext, path: Path, *place: str) -> ArtifactRef:
    return context.upload(path, context.uri(*place), ArtifactKind.NETWORK)


def _with_networks(record: SearchRecord, networks: dict[str, ArtifactRef]) -> SearchRecord:
    candidates = tuple(
        item.model_copy(update={"network": networks.get(item.candidate_id)}) for item in record.candidates
    )
    return record.model_copy(update={"candidates": candidates})
