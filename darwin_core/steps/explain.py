"""explain: how both networks decide, what is wrong with the data, and the report.

Validation rows are explained against training rows; the sealed rows are known by their profile and hashes only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from darwin_core.contracts import (
    ArtifactKind,
    ArtifactRef,
    CompactionReport,
    Evaluation,
    ExplainRequest,
    Explanation,
    Finding,
    FindingKind,
    Findings,
    SearchRecord,
    Severity,
    Snapshot,
    SplitProfile,
    VerdictDocument,
)
from darwin_core.data import bind_inputs, map_split
from darwin_core.data.downloads import download_source
from darwin_core.data.sources import open_source
from darwin_core.errors import RequestError
from darwin_core.explanation.amplification import with_network_use
from darwin_core.explanation.changed_decisions import read_versions, with_changed_decisions
from darwin_core.explanation.checks import CheckedData, run_checks
from darwin_core.explanation.checks.loading import CheckSources, load_checked_data
from darwin_core.explanation.checks.serving import ServingTable, read_serving_rows
from darwin_core.explanation.faithfulness import explanation_checks
from darwin_core.explanation.finder.findings import affected_file, merged, write_affected
from darwin_core.explanation.finder.subject import NAME as SHORTCUTS
from darwin_core.explanation.finder.subject import look_for_shortcuts
from darwin_core.explanation.fixes import Means, with_fixes
from darwin_core.explanation.fixes.drop_column import droppable_columns
from darwin_core.explanation.images import explain_pictures
from darwin_core.explanation.label_errors import NAME as WRONG_LABELS
from darwin_core.explanation.label_errors import look_for_label_errors
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.subject import Subject, score_rows
from darwin_core.explanation.tables import explain_table, write_attributions
from darwin_core.explanation.weakened import NAME as WEAKENED
from darwin_core.explanation.weakened import look_for_weakened
from darwin_core.networks import load_network, network_inputs, output_kind
from darwin_core.reporting import render_report
from darwin_core.steps.context import StepContext
from darwin_core.steps.provenance import provenance
from darwin_core.storage import open_store

_BEHAVIOUR = "behaviour.json"
_ATTRIBUTIONS = "row_attributions.parquet"
_MAP = (
    "The networks decide at every position of a picture: decisions are not attributed, shortcuts, weakened groups and "
    "wrong labels are not looked for, and the data checks look at the pictures and not at their masks."
)
_SEVERAL_LABELS = (
    "A row can have several labels: attributions speak of the one that the candidate finds likeliest, and a row is "
    "decided rightly where every label is. Single changes that would flip a decision, shortcuts and wrong labels are "
    "looked for only where a row has one label; data checks look at each label on its own."
)


def run(request: ExplainRequest, context: StepContext) -> dict[str, Any]:
    """Run the step; the fields of ExplainResult come back.

    Raises:
        BindingError: The columns do not fit the network's inputs.
        NetworkError: A network cannot be loaded safely.
        IntegrityError: A stored document is not the one it was made for.
        RequestError: A column is named as actionable that the network does not read.
        DataError: The serving rows cannot be read, or share no column with the training rows.
    """
    snapshot = context.read_document(request.snapshot, Snapshot)
    verdict = context.read_document(request.verdict_document, VerdictDocument)
    behaviour = _behaviour(request, context, snapshot, verdict)
    checked, checks = _check_data(request, context, snapshot, behaviour, verdict.gate.alert_budget)
    findings = merged(_stored_flaws(context, behaviour.findings), checked)
    several_labels, is_map = len(snapshot.roles.labels) > 1, bool(snapshot.mask)
    if not several_labels and not is_map:  # fixes train the reference on by one class per row
        findings = with_fixes(findings, _means(context, snapshot, findings))
    if not is_map:
        checks = (*checks, WEAKENED) if several_labels else (*checks, SHORTCUTS, WEAKENED, WRONG_LABELS)
    explanation = behaviour.model_copy(
        update={
            "findings": findings,
            "checks_run": checks,
            "row_attributions": _stored_attributions(context),
            "notes": (_SEVERAL_LABELS,) if several_labels else (_MAP,) if is_map else (),
        }
    )
    documents = Findings(checks_run=checks, findings=findings)
    report = CompactionReport(
        title=request.title,
        provenance=provenance(context, _inputs(request, snapshot)),
        snapshot=snapshot,
        search=context.read_document(request.search_record, SearchRecord),
        evaluation=context.read_document(request.evaluation, Evaluation),
        verdict=verdict,
        explanation=explanation,
    )
    context.write_document(report, context.uri("report.json"), ArtifactKind.REPORT)
    page = render_report(report).encode()
    return {
        "explanation": context.write_document(explanation, context.uri("explanation.json"), ArtifactKind.EXPLANATION),
        "findings": context.write_document(documents, context.uri("findings.json"), ArtifactKind.FINDINGS),
        "report": context.write_bytes(page, context.uri("report.html"), ArtifactKind.REPORT),
        "finding_count": len(findings),
        "high_severity_count": sum(finding.severity is Severity.HIGH for finding in findings),
    }


def _behaviour(
    request: ExplainRequest, context: StepContext, snapshot: Snapshot, verdict: VerdictDocument
) -> Explanation:
    """The explanation, with the findings that the networks' behaviour shows and no other.

    Computed once: a step that was killed later finds it in its work folder.
    """
    done = context.workdir / _BEHAVIOUR
    if done.exists():
        return Explanation.from_json(done.read_bytes(), origin=str(done))
    if snapshot.mask:
        return Explanation(method="nothing was attributed", rows=0)
    subject = load_subject(request, context, snapshot, verdict)
    scored = score_rows(subject, context.reporter)
    if subject.is_pictures:
        pictures = explain_pictures(subject, scored, context.reporter)
        found = Explanation(
            method=pictures.method,
            rows=len(pictures.examples),
            map_agreement=pictures.agreement,
            checks=explanation_checks(verdict.gate, pictures.falls),
            image_examples=pictures.examples,
        )
    else:
        table = explain_table(subject, scored, request.rows, context.reporter)
        write_attributions(table, context.workdir / _ATTRIBUTIONS)
        found = Explanation(
            method=table.method,
            rows=len(table.row_ids),
            features=table.features,
            rank_overlap=table.rank_overlap,
            checks=explanation_checks(verdict.gate, table.falls, table.rank_overlap),
            row_examples=table.examples,
        )
    flaws = (
        *look_for_shortcuts(subject, context.reporter),
        *look_for_weakened(subject, scored, context.reporter),
        *look_for_label_errors(subject, scored, context.reporter),
    )
    write_affected(flaws, context.workdir)
    found = found.model_copy(update={"findings": tuple(flaw.finding for flaw in flaws)})
    partial = done.with_suffix(".part")
    partial.write_text(found.to_json(), encoding="utf-8")
    partial.replace(done)
    return found


def load_subject(
    request: ExplainRequest, context: StepContext, snapshot: Snapshot, verdict: VerdictDocument
) -> Subject:
    """Both networks and the rows of a run."""
    path = context.fetch(snapshot.reference)
    reference, candidate = load_network(path), load_network(context.fetch(request.candidate))
    kind = output_kind(reference, path)
    inputs = network_inputs(reference)
    train, validation = (
        map_split(context.fetch(part.data), snapshot, inputs, context.cache_dir, context.reporter)
        for part in (snapshot.train, snapshot.validation)
    )
    return Subject(
        snapshot=snapshot,
        kind=kind,
        reference=NetworkScorer(reference, kind),
        candidate=NetworkScorer(candidate, kind),
        bound=bind_inputs(inputs, snapshot.columns),
        train=train,
        validation=validation,
        alert_budget=verdict.gate.alert_budget,
        seed=request.seed,
        actionable=_actionable(request, snapshot),
    )


def _actionable(request: ExplainRequest, snapshot: Snapshot) -> tuple[str, ...]:
    known = [column.name for column in snapshot.columns]
    unknown = sorted(set(request.actionable) - set(known))
    if unknown:
        raise RequestError(
            f"Expected the names of columns that the network reads as actionable, got {', '.join(unknown)}.",
            hint=f"Columns: {', '.join(known)}.",
        )
    return request.actionable


def _means(context: StepContext, snapshot: Snapshot, findings: tuple[Finding, ...]) -> Means:
    droppable: frozenset[str] = frozenset()
    if any(finding.columns for finding in findings):
        droppable = droppable_columns(load_network(context.fetch(snapshot.reference)))
    return Means.of(snapshot, droppable)


def load_checked(
    context: StepContext, snapshot: Snapshot, seed: int, serving: ServingTable | None = None
) -> CheckedData:
    """What the data checks of a run look at."""
    train = context.read_document(snapshot.train_profile, SplitProfile)
    test = context.read_document(snapshot.test_profile, SplitProfile)
    sources = CheckSources(
        parts=_labelled_parts(context, snapshot),
        train_profile=train,
        test_profile=test,
        train_fingerprints=context.fetch(train.fingerprints),
        test_fingerprints=context.fetch(test.fingerprints),
    )
    rows = serving.rows if serving is not None else None
    return load_checked_data(snapshot, sources, context.reporter, seed=seed, serving=rows)


def _labelled_parts(context: StepContext, snapshot: Snapshot) -> tuple[Path, ...]:
    return context.fetch(snapshot.train.data), context.fetch(snapshot.validation.data)


def _check_data(
    request: ExplainRequest, context: StepContext, snapshot: Snapshot, behaviour: Explanation, alert_budget: float
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    serving = _serving_rows(request, context, snapshot)
    data = load_checked(context, snapshot, request.seed, serving)
    findings, checks = run_checks(data, context.reporter)
    findings = with_network_use(findings, behaviour.features)
    skewed = any(finding.kind is FindingKind.TRAIN_SERVE_SKEW for finding in findings)
    versions = None
    if skewed and serving is not None:
        versions = read_versions(_labelled_parts(context, snapshot), serving.table, snapshot)
    if versions is not None:
        reference = context.fetch(snapshot.reference)
        kind = output_kind(load_network(reference), reference)
        candidate = NetworkScorer(load_network(context.fetch(request.candidate)), kind)
        findings = with_changed_decisions(findings, versions, candidate, snapshot, alert_budget)
    return findings, checks


def _serving_rows(request: ExplainRequest, context: StepContext, snapshot: Snapshot) -> ServingTable | None:
    """Rows as they come in production, where the request names some."""
    if request.serving is None:
        return None
    store = open_store(request.serving.uri, request.storage)
    downloads = download_source(request.serving, store, context.workdir / "serving", context.reporter)
    source = open_source(request.serving, [item.file for item in downloads])
    return read_serving_rows(source, snapshot, context.reporter)


def _stored_flaws(context: StepContext, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """What the networks' behaviour showed, with the affected rows in the store."""
    stored = []
    for index, finding in enumerate(findings):
        path = context.workdir / affected_file(index)
        affected = context.upload(path, context.uri(path.name), ArtifactKind.TABLE)
        stored.append(finding.model_copy(update={"affected": affected}))
    return tuple(stored)


def _stored_attributions(context: StepContext) -> ArtifactRef | None:
    path = context.workdir / _ATTRIBUTIONS
    return context.upload(path, context.uri(path.name), ArtifactKind.TABLE) if path.exists() else None


def _inputs(request: ExplainRequest, snapshot: Snapshot) -> dict[str, ArtifactRef]:
    return {
        "snapshot": request.snapshot,
        "reference": snapshot.reference,
        "candidate": request.candidate,
        "train": snapshot.train.data,
        "validation": snapshot.validation.data,
        "test": snapshot.test.data,
        "search_record": request.search_record,
        "insights": request.insights,
        "evaluation": request.evaluation,
        "verdict": request.verdict_document,
        "predictions": request.predictions,
    }
