"""A fetched line with a reference, and search records for candidates that were made by hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from darwin_core.contracts import (
    ArtifactKind,
    ArtifactRef,
    CandidateRecord,
    CandidateStage,
    EvaluateRequest,
    EvaluateResult,
    Evaluation,
    ExplainRequest,
    ExplainResult,
    Explanation,
    FetchDataRequest,
    FetchDataResult,
    GateConfig,
    Genome,
    NetworkCost,
    SearchBudget,
    SearchRecord,
    Snapshot,
    StepName,
    VerdictDocument,
)
from darwin_core.progress import Reporter
from darwin_core.steps.runner import run_step
from darwin_core.storage import ObjectStore, file_digest, join_uri, open_store

COST = NetworkCost(parameters=10, macs=10, weight_bytes=40, input_features=1)


def record(candidate_id: str, genome: Genome) -> CandidateRecord:
    return CandidateRecord(
        candidate_id=candidate_id,
        generation=1,
        parents=(),
        strategy="by hand",
        genome=genome,
        cost=COST,
        quality=None,
        stage=CandidateStage.FINISHED,
        samples=0,
        seconds=0.0,
    )


def search_record(dropped_inputs: tuple[str, ...] = ()) -> SearchRecord:
    chosen = record("chosen", Genome(widths={}, dropped_inputs=dropped_inputs))
    return SearchRecord(
        seed=0,
        budget=SearchBudget(),
        performance_function="smallest",
        reference=record("reference", Genome(widths={})),
        candidates=(chosen,),
        front=("chosen",),
        chosen="chosen",
        feasible=True,
        reference_layers=(),
        chosen_layers=(),
        reason="made by hand",
    )


@dataclass(frozen=True)
class Line:
    """A model line after fetch-data."""

    uri: str
    work: Path
    fetched: FetchDataResult

    @classmethod
    def fetch(cls, folder: Path, **request) -> Line:
        uri = str(folder / "line")
        fetched = run_step(
            StepName.FETCH_DATA,
            FetchDataRequest(line=uri, run_id="fetch", **request),
            reporter=Reporter(),
            work_root=folder / "work",
        )
        assert isinstance(fetched, FetchDataResult)
        return cls(uri, folder / "work", fetched)

    @property
    def store(self) -> ObjectStore:
        return open_store(self.uri)

    def put(self, path: Path, name: str) -> ArtifactRef:
        uri = join_uri(self.uri, "candidates", name)
        self.store.upload(path, uri)
        digest = file_digest(path)
        return ArtifactRef(uri=uri, sha256=digest.sha256, size_bytes=digest.size_bytes, kind=ArtifactKind.NETWORK)

    def put_record(self, record: SearchRecord, name: str) -> ArtifactRef:
        path = self.work / f"{name}.json"
        path.write_text(record.to_json())
        return self.put(path, f"{name}.json")

    def request(self, run_id: str, candidate: ArtifactRef, *, dropped_inputs: tuple[str, ...] = (), **more):
        found = {"tfma_rows": 0, "gate": GateConfig(), **more}
        return EvaluateRequest(
            line=self.uri,
            run_id=run_id,
            snapshot=self.fetched.snapshot,
            candidate=candidate,
            search_record=self.put_record(search_record(dropped_inputs), f"search-{run_id}"),
            **found,
        )

    def evaluate(
        self, run_id: str, candidate: ArtifactRef, **more
    ) -> tuple[EvaluateResult, Evaluation, VerdictDocument]:
        result = run_step(
            StepName.EVALUATE, self.request(run_id, candidate, **more), reporter=Reporter(), work_root=self.work
        )
        assert isinstance(result, EvaluateResult)
        return (
            result,
            Evaluation.from_json(self.store.read(result.evaluation.uri).data),
            VerdictDocument.from_json(self.store.read(result.verdict_document.uri).data),
        )


class JudgedCandidate:
    """A line with a judged candidate."""

    def __init__(self, line: Line, candidate: ArtifactRef, **more) -> None:
        self.line = line
        self.candidate = candidate
        self.evaluated, _, _ = line.evaluate("judged", candidate, **more)
        self.record = line.put_record(search_record(), "record")

    def request(self, run_id: str, **more) -> ExplainRequest:
        return ExplainRequest(
            line=self.line.uri,
            run_id=run_id,
            snapshot=self.line.fetched.snapshot,
            candidate=self.candidate,
            search_record=self.record,
            insights=self.record,
            evaluation=self.evaluated.evaluation,
            verdict_document=self.evaluated.verdict_document,
            predictions=self.evaluated.predictions,
            **({"rows": 64} | more),
        )

    def explain(self, run_id: str, **more) -> tuple[ExplainResult, Explanation]:
        result = run_step(StepName.EXPLAIN, self.request(run_id, **more), reporter=Reporter(), work_root=self.line.work)
        assert isinstance(result, ExplainResult)
        return result, Explanation.from_json(self.read(result.explanation))

    def read(self, artifact: ArtifactRef) -> bytes:
        return self.line.store.read(artifact.uri).data

    @property
    def snapshot(self) -> Snapshot:
        return Snapshot.from_json(self.read(self.line.fetched.snapshot))
