"""Earlier runs of a line, and the points of their Pareto fronts, as they lie in the object store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from darwin_core.contracts import (
    ArtifactKind,
    ArtifactRef,
    CandidateRecord,
    CompactionConfig,
    FetchDataResult,
    ParetoFront,
    Pick,
    SearchRecord,
    StepName,
    StorageOptions,
    SynthesizeResult,
)
from darwin_core.errors import ObjectNotFoundError, RequestError
from darwin_core.storage import ObjectStore, join_uri, open_store

_CONFIG = "config.json"
_RUNS_LISTED = 20


@dataclass(frozen=True)
class StoredSearch:
    """A run whose search is done.

    Attributes:
        fetched: What its fetch-data reported.
        synthesized: Where what its synthesize reported lies.
        record: The record of its search.
    """

    fetched: FetchDataResult
    synthesized: ArtifactRef
    record: SearchRecord


def read_search(store: ObjectStore, line: str, run_id: str) -> StoredSearch:
    """The search of an earlier run.

    Raises:
        RequestError: There is no such run, or its search was never finished; the runs that there are are listed.
    """
    fetched_uri, uri = (_result_uri(line, run_id, step) for step in (StepName.FETCH_DATA, StepName.SYNTHESIZE))
    try:
        fetched = FetchDataResult.from_json(store.read(fetched_uri).data, origin=fetched_uri)
        data = store.read(uri).data
    except ObjectNotFoundError:
        raise _no_search(store, line, run_id) from None
    result = SynthesizeResult.from_json(data, origin=uri)
    record = SearchRecord.from_json(store.read(result.search_record.uri).data, origin=result.search_record.uri)
    sha256 = hashlib.sha256(data).hexdigest()
    return StoredSearch(
        fetched, ArtifactRef(uri=uri, sha256=sha256, size_bytes=len(data), kind=ArtifactKind.OTHER), record
    )


def front_of(record: SearchRecord) -> tuple[CandidateRecord, ...]:
    """The candidates that can be picked, cheapest first: those on the front whose networks were kept."""
    by_id = {item.candidate_id: item for item in record.candidates if item.network is not None}
    return tuple(by_id[name] for name in record.front if name in by_id)


def find_point(record: SearchRecord, pick: Pick) -> CandidateRecord:
    """The record of the picked candidate.

    Raises:
        RequestError: It is not on the front, or its network was not kept; the points that there are are listed.
    """
    points = front_of(record)
    for point in points:
        if point.candidate_id == pick.candidate_id:
            return point
    known = any(item.candidate_id == pick.candidate_id for item in record.candidates)
    trouble = "is not on the front, so its network was not kept" if known else "is no candidate of that run"
    listed = ", ".join(f"{point.candidate_id} ({point.cost.parameters:,} parameters)" for point in points)
    raise RequestError(
        f"Expected a point of the front of run {pick.run_id}, got {pick.candidate_id!r}, which {trouble}.",
        hint=f"Points of the front: {listed or 'none'}.",
    )


def read_front(line: str, run_id: str, storage: StorageOptions) -> ParetoFront:
    """The points of a run's front.

    Raises:
        RequestError: There is no such run, or its search was never finished.
    """
    record = read_search(open_store(line, storage), line, run_id).record
    return ParetoFront(
        line=line,
        run_id=run_id,
        chosen=record.chosen,
        origin=record.origin,
        reference=record.reference,
        points=front_of(record),
    )


def store_config(config: CompactionConfig, run_id: str) -> None:
    """Keep a run's configuration beside its steps, so that somebody can go on from the run without it."""
    uri = join_uri(config.line, "runs", run_id, _CONFIG)
    open_store(config.line, config.storage).write(uri, config.to_json().encode())


def read_config(line: str, run_id: str, storage: StorageOptions) -> CompactionConfig:
    """The configuration that a run kept; reached through ``storage`` where that says something.

    Raises:
        RequestError: It kept none.
    """
    uri = join_uri(line, "runs", run_id, _CONFIG)
    try:
        config = CompactionConfig.from_json(open_store(line, storage).read(uri).data, origin=uri)
    except ObjectNotFoundError:
        raise RequestError(
            f"Run {run_id} kept no configuration: {uri} does not exist.",
            hint="It stopped before its search, or it was made step by step from requests, or by an earlier version. "
            'To go on from it, put the pick into your own: "pick": {"run_id": ..., "candidate_id": ...}.',
        ) from None
    reached = config.storage.model_copy(update=storage.model_dump(exclude_defaults=True))
    return config.model_copy(update={"line": line, "storage": reached})


def picking_config(line: str, pick: Pick, storage: StorageOptions) -> CompactionConfig:
    """The configuration of the run that goes on from ``pick``: that of the earlier run, but for the pick.

    Args:
        line: Prefix of the model line.
        pick: The point.
        storage: How to reach the store from here; what it leaves open is as it was in the earlier run.

    Raises:
        RequestError: There is no such run or point, or the run kept no configuration.
    """
    store = open_store(line, storage)
    find_point(read_search(store, line, pick.run_id).record, pick)
    return read_config(line, pick.run_id, storage).model_copy(update={"pick": pick})


def _no_search(store: ObjectStore, line: str, run_id: str) -> RequestError:
    runs = _runs_with_search(store, line)
    listed = ", ".join(runs[-_RUNS_LISTED:]) + (
        f" and {len(runs) - _RUNS_LISTED} more" if len(runs) > _RUNS_LISTED else ""
    )
    hint = f"Runs of this line with a finished search: {listed or 'none'}."
    if any(True for _ in store.list(join_uri(line, "runs", run_id))):
        return RequestError(
            f"Run {run_id} of {line} stopped before its search was done, so it has no front yet.",
            hint=f"The command that started it takes it up again. {hint}",
        )
    return RequestError(f"Line {line} has no run {run_id}.", hint=hint)


def _runs_with_search(store: ObjectStore, line: str) -> list[str]:
    end = f"/{StepName.SYNTHESIZE}/result.json"
    objects = (item.uri for item in store.list(join_uri(line, "runs")))
    return [uri.removesuffix(end).rpartition("/")[2] for uri in objects if uri.endswith(end)]


def _result_uri(line: str, run_id: str, step: StepName) -> str:
    return join_uri(line, "runs", run_id, step.value, "result.json")
