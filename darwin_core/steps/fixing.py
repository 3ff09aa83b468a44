"""Fix a finding of a finished run: change the training rows, train the reference on, compact it again."""

from __future__ import annotations

from pathlib import Path

from darwin_core.contracts import (
    ArtifactKind,
    CompactionConfig,
    DataSource,
    ExplainRequest,
    ExplainResult,
    Finding,
    Findings,
    FixReport,
    Snapshot,
    StepName,
    StorageOptions,
    VerdictDocument,
)
from darwin_core.errors import ObjectNotFoundError, RequestError
from darwin_core.explanation.finder.experiments import Laboratory
from darwin_core.explanation.finder.findings import figures_of
from darwin_core.explanation.finder.fixing import Neutralised, Planting, neutralise, train_on, write_neutralised
from darwin_core.explanation.finder.search import Shortcut
from darwin_core.explanation.finder.subject import Search, search_shortcuts
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.subject import Subject
from darwin_core.networks import load_network, save_network
from darwin_core.progress import Reporter
from darwin_core.steps.compaction import run_compaction
from darwin_core.steps.context import StepContext
from darwin_core.steps.explain import load_subject
from darwin_core.steps.runner import default_work_root
from darwin_core.steps.stored_runs import read_config
from darwin_core.storage import join_uri, open_store


def fix_finding(
    line: str,
    run_id: str,
    number: int,
    storage: StorageOptions,
    *,
    epochs: int = 5,
    compact: bool = False,
    reporter: Reporter,
    work_root: Path | None = None,
) -> FixReport:
    """Apply the suggested fix of a finding, and say what it changed.

    Written below ``<line>/runs/<run_id>/fix-<number>/``: train.parquet, validation.parquet, reference.keras, fix.json.

    Args:
        line: Prefix of the model line.
        run_id: The run whose explain step made the finding.
        number: Which finding, counted from 1 in the order of the report.
        storage: How to reach the store.
        epochs: How often the reference sees the changed rows.
        compact: Also run the compaction again, as run ``<run_id>-fix-<number>``.
        reporter: Where progress goes.
        work_root: Folder for scratch files.

    Raises:
        RequestError: There is no such run or finding, or the finding has no fix.
    """
    store = open_store(line, storage)
    root = work_root or default_work_root()
    workdir = root / "fix" / f"{run_id}-{number}"
    workdir.mkdir(parents=True, exist_ok=True)
    context = StepContext(StepName.EXPLAIN, line, run_id, "fix", store, workdir, root / "cache", reporter)
    request, finding = _read(context, number)
    snapshot = context.read_document(request.snapshot, Snapshot)
    subject = load_subject(request, context, snapshot, context.read_document(request.verdict_document, VerdictDocument))
    search, shortcut = _found_again(subject, finding, reporter)
    rng = subject.rng(8)
    parts = {
        "train": neutralise(shortcut.trial, subject.train, search.pool, rng),
        "validation": neutralise(shortcut.trial, subject.validation, search.pool, rng),
    }
    uris = {}
    for (name, data), ref in zip(parts.items(), (snapshot.train.data, snapshot.validation.data), strict=True):
        path = workdir / f"{name}.parquet"
        write_neutralised(context.fetch(ref), path, data, subject.bound, snapshot.roles.row_id)
        uris[name] = _upload(context, path, number)
    share = len(parts["train"].rows) / max(subject.train.rows, 1)
    planting = Planting(shortcut.trial, search.pool, share, subject.rng(11))
    fixed = _fixed_reference(context, snapshot, subject, parts["train"], planting, epochs)
    uris["reference"] = _upload(context, fixed, number)
    after = NetworkScorer(load_network(fixed), subject.kind)
    compacted = _compact_again(context, storage, number, uris, root) if compact else None
    report = _report(finding, subject, search, shortcut, (after, parts["validation"])).model_copy(
        update={
            "run_id": run_id,
            "changed_rows": len(parts["train"].rows),
            "train": uris["train"],
            "validation": uris["validation"],
            "reference": uris["reference"],
            "compacted_run": compacted,
        }
    )
    store.write(join_uri(line, "runs", run_id, f"fix-{number}", "fix.json"), report.to_json().encode())
    return report


def _read(context: StepContext, number: int) -> tuple[ExplainRequest, Finding]:
    """The request of the run's explain step, and the finding."""
    try:
        request = ExplainRequest.from_json(context.store.read(context.uri("request.json")).data)
        result = ExplainResult.from_json(context.store.read(context.uri("result.json")).data)
    except ObjectNotFoundError:
        raise RequestError(
            f"Line {context.line} has no run {context.run_id} with a finished explain step.",
            hint="Give the folder of a run, LINE/runs/NAME.",
        ) from None
    findings = context.read_document(result.findings, Findings).findings
    fixable = [index + 1 for index, finding in enumerate(findings) if finding.fix is not None]
    if number not in fixable:
        raise RequestError(
            f"Expected the number of a finding with a fix, got {number}; the run has {len(findings)} findings.",
            hint=f"Findings with a fix: {', '.join(map(str, fixable)) or 'none'}.",
        )
    return request, findings[number - 1]


def _found_again(subject: Subject, finding: Finding, reporter: Reporter) -> tuple[Search, Shortcut]:
    """The search behind the finding; it is deterministic, so that only its outcome is stored."""
    search = search_shortcuts(subject, reporter)
    for shortcut in search.shortcuts if search else ():
        named = shortcut.trial.factor.name, (subject.snapshot.classes[shortcut.trial.target],)
        if named == (finding.factor, finding.classes):
            assert search is not None
            return search, shortcut
    raise RequestError(
        f"The finding {finding.title!r} was not found again.",
        hint="It was made by another version of Darwin; run the explain step again.",
    )


def _fixed_reference(
    context: StepContext, snapshot: Snapshot, subject: Subject, train: Neutralised, planting: Planting, epochs: int
) -> Path:
    """The reference, trained on with the changed rows; a finished one of an earlier try is taken."""
    target = context.workdir / "reference.keras"
    if not target.exists():
        model = load_network(context.fetch(snapshot.reference))
        train_on(model, subject.kind, train, planting, epochs, context.reporter, seed=subject.seed)
        save_network(model, target)
    return target


def _report(
    finding: Finding, subject: Subject, search: Search, shortcut: Shortcut, fixed: tuple[NetworkScorer, Neutralised]
) -> FixReport:
    after, validation = fixed
    networks = {"before": subject.reference, "after": after}
    rule = search.rules["reference"]
    reactions = Laboratory(search.pool, networks, dict.fromkeys(networks, rule), subject.rng(9)).examine(
        shortcut.trial, alpha=0.05
    )
    assert finding.fix is not None
    return FixReport(
        run_id="",
        finding=finding.title,
        fix=finding.fix,
        changed_rows=0,
        train="",
        validation="",
        reference="",
        before=figures_of(reactions["before"]),
        after=figures_of(reactions["after"]),
        neutralised_quality_before=validation.accuracy(subject.reference, rule, subject.rng(10)),
        neutralised_quality_after=validation.accuracy(after, rule, subject.rng(10)),
    )


def _upload(context: StepContext, path: Path, number: int) -> str:
    uri = join_uri(context.line, "runs", context.run_id, f"fix-{number}", path.name)
    return context.upload(path, uri, ArtifactKind.OTHER).uri


def _compact_again(
    context: StepContext, storage: StorageOptions, number: int, uris: dict[str, str], work_root: Path
) -> str:
    """Compact the changed reference with the changed rows; the test rows stay those of the run."""
    config: CompactionConfig = read_config(context.line, context.run_id, storage)
    if config.test is None:
        raise RequestError(
            f"Run {context.run_id} sealed a share of its training rows, so the changed rows have no test rows.",
            hint="Compact the changed reference by hand: `darwin compact --reference ... --train ... --test ...`.",
        )
    again = f"{context.run_id[:100]}-fix-{number}"
    changed = config.model_copy(
        update={
            "reference": uris["reference"],
            "train": DataSource(uri=uris["train"]),
            "validation": DataSource(uri=uris["validation"]),
        }
    )
    run_compaction(changed, again, reporter=context.reporter, work_root=work_root)
    return again
