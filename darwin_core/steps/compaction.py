"""A whole compaction run in this process: the five steps in order, and the summary of what came out."""

from __future__ import annotations

from pathlib import Path

from darwin_core.contracts import (
    CandidateRecord,
    CompactionConfig,
    CompactionSummary,
    Estimate,
    EvaluateResult,
    Evaluation,
    ExplainResult,
    FetchDataResult,
    NetworkCost,
    NetworkSummary,
    PublishResult,
    SearchRecord,
    StepName,
    StepResult,
    SynthesizeResult,
    VerdictDocument,
    VersionManifest,
    request_for,
)
from darwin_core.contracts.artifacts import ArtifactRef
from darwin_core.data.downloads import find_files
from darwin_core.errors import ObjectNotFoundError, RequestError
from darwin_core.progress import Reporter
from darwin_core.steps.runner import run_step
from darwin_core.steps.stored_runs import store_config
from darwin_core.storage import ObjectStore, join_uri, open_store


def run_compaction(
    config: CompactionConfig, run_id: str, *, reporter: Reporter, work_root: Path | None = None
) -> CompactionSummary:
    """Run the five steps, one after the other; steps that already succeeded with the same inputs are not run again.

    Returns:
        The summary, also stored as ``<line>/runs/<run_id>/summary.json`` and as ``<line>/summary.json`` (the latest).

    Raises:
        DataError: No serving rows lie where the configuration says.
    """
    if config.serving is not None:
        find_files(config.serving, open_store(config.serving.uri, config.storage))  # explain reads them, hours later
    results: dict[StepName, StepResult] = {}
    for name in StepName:
        request = request_for(name, config, run_id, results)
        if name is StepName.SYNTHESIZE:
            store_config(config, run_id)  # not before: bad data leave nothing behind
        results[name] = run_step(name, request, reporter=reporter, work_root=work_root)
    return store_summary(config, run_id, results)


def store_summary(config: CompactionConfig, run_id: str, results: dict[StepName, StepResult]) -> CompactionSummary:
    """Summarise a run whose steps are all done, wherever they ran, and keep the summary.

    Raises:
        RequestError: A step is not done.
    """
    missing = [name.value for name in StepName if name not in results]
    if missing:
        raise RequestError(
            f"Run {run_id} has no summary yet: {', '.join(missing)} not done.",
            hint="Whatever started it takes it up again where it stopped.",
        )
    store = open_store(config.line, config.storage)
    summary = summarise(config, run_id, results, store)
    for uri in (join_uri(config.line, "runs", run_id, "summary.json"), join_uri(config.line, "summary.json")):
        store.write(uri, summary.to_json().encode())
    return summary


def summarise(
    config: CompactionConfig, run_id: str, results: dict[StepName, StepResult], store: ObjectStore
) -> CompactionSummary:
    """Put the figures that people ask for first into one document."""
    fetched, synthesized, evaluated, explained, published = (results[name] for name in StepName)
    assert isinstance(fetched, FetchDataResult)
    assert isinstance(synthesized, SynthesizeResult)
    assert isinstance(evaluated, EvaluateResult)
    assert isinstance(explained, ExplainResult)
    assert isinstance(published, PublishResult)

    def read(ref: ArtifactRef) -> bytes:
        return store.read(ref.uri).data

    record = SearchRecord.from_json(read(synthesized.search_record))
    evaluation = Evaluation.from_json(read(evaluated.evaluation))
    verdict = VerdictDocument.from_json(read(evaluated.verdict_document))
    paths = {
        "candidate": synthesized.candidate.uri,
        "reference": fetched.reference.uri,
        "report": explained.report.uri,
        "findings": explained.findings.uri,
        "search_record": synthesized.search_record.uri,
        "evaluation": evaluated.evaluation.uri,
        "verdict": evaluated.verdict_document.uri,
        "snapshot": fetched.snapshot.uri,
    }
    if published.version_uri is not None:
        paths["version"] = published.version_uri
    paths |= {f"export {item.format}": item.artifact.uri for item in record.exports if item.artifact is not None}
    return CompactionSummary(
        run_id=run_id,
        line=config.line,
        origin=record.origin,
        reference=_summary(verdict.reference_cost, {e.metric: e.reference for e in evaluation.estimates}),
        candidate=_summary(verdict.candidate_cost, {e.metric: e.candidate for e in evaluation.estimates}),
        baseline=_baseline(config.line, verdict, evaluation.baseline_estimates, store),
        controls={control.name: _control(control.record) for control in record.controls},
        verdict=verdict.verdict,
        reasons=verdict.reasons,
        requirements=verdict.requirements,
        published=published.published,
        version=published.version,
        seconds={name.value: results[name].seconds for name in StepName},
        paths=paths,
        exports=record.exports,
    )


def _summary(cost: NetworkCost, metrics: dict[str, float]) -> NetworkSummary:
    return NetworkSummary(
        parameters=cost.parameters,
        macs=cost.macs,
        weight_bytes=cost.weight_bytes,
        input_features=cost.input_features,
        latency_ms=cost.latency,
        metrics=metrics,
    )


def _control(record: CandidateRecord) -> NetworkSummary:
    quality = record.quality.model_dump(exclude_none=True) if record.quality else {}
    return _summary(record.cost, {f"validation_{name}": value for name, value in quality.items()})


def _baseline(
    line: str, verdict: VerdictDocument, estimates: tuple[Estimate, ...], store: ObjectStore
) -> NetworkSummary | None:
    if verdict.baseline_version is None:
        return None
    manifest_uri = join_uri(line, "versions", verdict.baseline_version, "manifest.json")
    try:
        manifest = VersionManifest.from_json(store.read(manifest_uri).data, origin=manifest_uri)
    except ObjectNotFoundError:
        return None
    return _summary(manifest.cost, {estimate.metric: estimate.reference for estimate in estimates})
