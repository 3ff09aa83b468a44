"""Fix a finding of a finished run: change the training rows, train the reference on, compact it again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from darwin_core.contracts import (
    ArtifactKind,
    CompactionConfig,
    DataRoles,
    DataSource,
    ExplainRequest,
    ExplainResult,
    Finding,
    Findings,
    FixKind,
    FixReport,
    Snapshot,
    StepName,
    StorageOptions,
    SuggestedFix,
    VerdictDocument,
)
from darwin_core.errors import ObjectNotFoundError, RequestError
from darwin_core.explanation.fixes import Case, Evidence, Fix, Means, Part, choose_fix, flaw_behind
from darwin_core.explanation.fixes.drop_column import droppable_columns
from darwin_core.explanation.fixes.judging import judge
from darwin_core.explanation.fixes.training import train_on
from darwin_core.explanation.fixes.writing import other_parts, write_part
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.subject import Subject, decision_rule
from darwin_core.networks import load_network, save_network
from darwin_core.progress import Reporter
from darwin_core.steps.compaction import run_compaction
from darwin_core.steps.context import StepContext
from darwin_core.steps.explain import load_checked, load_subject
from darwin_core.steps.runner import default_work_root
from darwin_core.steps.stored_runs import read_config
from darwin_core.storage import join_uri, open_store


def fix_finding(
    line: str,
    run_id: str,
    number: int,
    storage: StorageOptions,
    *,
    kind: FixKind | None = None,
    epochs: int = 5,
    compact: bool = False,
    reporter: Reporter,
    work_root: Path | None = None,
) -> FixReport:
    """Apply a suggested fix of a finding, and say what it changed.

    Written below ``<line>/runs/<run_id>/fix-<number>-<kind>/``: train.parquet, validation.parquet, reference.keras,
    fix.json.

    Args:
        line: Prefix of the model line.
        run_id: The run whose explain step made the finding.
        number: Which finding, counted from 1 in the order of the report.
        storage: How to reach the store.
        kind: Which of its fixes; None for the first.
        epochs: How often the reference sees the changed rows.
        compact: Also run the compaction again, as run ``<run_id>-fix-<number>-<kind>``.
        reporter: Where progress goes.
        work_root: Folder for scratch files.

    Raises:
        RequestError: There is no such run or finding, the finding has no such fix, or its rows do not admit it.
    """
    store = open_store(line, storage)
    root = work_root or default_work_root()
    reading = StepContext(StepName.EXPLAIN, line, run_id, "fix", store, root / "fix", root / "cache", reporter)
    request, finding = _read(reading, number)
    chosen = _chosen(finding, kind)
    config = _config_to_compact(line, run_id, storage) if compact else None
    name = f"fix-{number}-{chosen}"
    # Runs of other lines have the same names, and a run that is made again has other rows.
    meaning = "\n".join([line, request.snapshot.sha256, finding.model_dump_json(), chosen])
    context = replace(reading, workdir=root / "fix" / hashlib.sha256(meaning.encode()).hexdigest()[:24])
    context.workdir.mkdir(parents=True, exist_ok=True)
    bench = _Bench.of(request, context, finding, chosen)
    train = bench.fix.treat(bench.case)
    # What was dropped from the training rows nothing reads any more; until then the old reference is judged by it.
    flawless = bench.flawless()
    parts = {"train": train, "validation": replace(flawless, dropped=train.dropped)}
    uris = {part: _upload(context, bench.written(part, data), name) for part, data in parts.items()}
    fixed = bench.trained(train, epochs)
    uris["reference"] = _upload(context, fixed, name)
    report = bench.report(NetworkScorer(load_network(fixed), bench.subject.kind), flawless, train, uris)
    document = join_uri(line, "runs", run_id, name, "fix.json")
    store.write(document, report.to_json().encode())
    if config is not None:
        again = f"{run_id[:90]}-{name}"
        run_compaction(_changed(config, uris, train.dropped), again, reporter=context.reporter, work_root=root)
        report = report.model_copy(update={"compacted_run": again})
        store.write(document, report.to_json().encode())
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
    fixable = [index + 1 for index, finding in enumerate(findings) if finding.fixes]
    if number not in fixable:
        raise RequestError(
            f"Expected the number of a finding with a fix, got {number}; the run has {len(findings)} findings.",
            hint=f"Findings with a fix: {', '.join(map(str, fixable)) or 'none'}.",
        )
    return request, findings[number - 1]


def _chosen(finding: Finding, kind: FixKind | None) -> FixKind:
    """The fix that was asked for, checked before anything is loaded."""
    offered = [fix.kind for fix in finding.fixes]
    if kind is not None and kind not in offered:
        raise RequestError(
            f"{finding.title}: expected one of its fixes ({', '.join(offered)}), got {kind}.",
            hint="Leave `--kind` out for the first of them.",
        )
    return kind or offered[0]


@dataclass(frozen=True)
class _Bench:
    """A finding with everything its fix needs."""

    context: StepContext
    snapshot: Snapshot
    subject: Subject
    case: Case
    fix: Fix
    suggested: SuggestedFix

    @classmethod
    def of(cls, request: ExplainRequest, context: StepContext, finding: Finding, kind: FixKind) -> _Bench:
        snapshot = context.read_document(request.snapshot, Snapshot)
        verdict = context.read_document(request.verdict_document, VerdictDocument)
        subject = load_subject(request, context, snapshot, verdict)
        fix, suggested = choose_fix(finding, kind, Means.of(snapshot, droppable_columns(subject.reference.model)))
        checked = partial(load_checked, context, snapshot, request.seed)
        flaw = flaw_behind(finding, Evidence(subject, checked, context.reporter))
        return cls(context, snapshot, subject, Case(finding, flaw, subject.train, subject.rng(8)), fix, suggested)

    def flawless(self) -> Part:
        """The validation rows without the flaw."""
        return self.case.flaw.without(self.subject.validation, self.subject.rng(12))

    def written(self, part: str, data: Part) -> Path:
        """A changed part as a file."""
        source = {"train": self.snapshot.train, "validation": self.snapshot.validation}[part]
        path = self.context.workdir / f"{part}.parquet"
        roles, rng = self.snapshot.roles, self.subject.rng(13)
        write_part(self.context.fetch(source.data), path, data, self.subject.bound, roles, rng)
        return path

    def trained(self, train: Part, epochs: int) -> Path:
        """The reference, trained on with the changed rows; a finished one of an earlier try is taken."""
        target = self.context.workdir / f"{epochs}-epochs" / "reference.keras"
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            # Loaded anew: the subject's own is judged afterwards as it was before.
            reference = load_network(self.context.fetch(self.snapshot.reference))
            model = self.fix.adapt(reference, self.case)
            train_on(model, self.subject.kind, train, epochs, self.context.reporter, seed=self.subject.seed)
            save_network(model, target)
        return target

    def report(self, after: NetworkScorer, flawless: Part, train: Part, uris: Mapping[str, str]) -> FixReport:
        """Both networks before and after, each with its own threshold for the same alert budget."""
        networks = {"before": self.subject.reference, "after": after}
        rule_for = partial(decision_rule, self.subject)
        found = judge(self.case.flaw, flawless, networks, rule_for, [self.subject.seed, 9])
        return FixReport(
            run_id=self.context.run_id,
            finding=self.case.finding.title,
            fix=self.suggested,
            changed_rows=train.changed_rows,
            train=uris["train"],
            validation=uris["validation"],
            reference=uris["reference"],
            dropped_columns=train.dropped,
            before=found.reactions.get("before"),
            after=found.reactions.get("after"),
            neutralised_quality_before=found.quality["before"],
            neutralised_quality_after=found.quality["after"],
        )


def _upload(context: StepContext, path: Path, name: str) -> str:
    uri = join_uri(context.line, "runs", context.run_id, name, path.name)
    return context.upload(path, uri, ArtifactKind.OTHER).uri


def _config_to_compact(line: str, run_id: str, storage: StorageOptions) -> CompactionConfig:
    """The run's configuration; checked before anything is changed."""
    config = read_config(line, run_id, storage)
    if config.test is None:
        raise RequestError(
            f"Run {run_id} sealed a share of its training rows, so the changed rows have no test rows.",
            hint="Compact the changed reference by hand: `darwin compact --reference ... --train ... --test ...`.",
        )
    return config


def _changed(config: CompactionConfig, uris: Mapping[str, str], dropped: tuple[str, ...]) -> CompactionConfig:
    """The changed reference and rows in place of the run's; the test rows stay those of the run.

    A run that took a network from an earlier one's front is searched anew: that network learned from the old rows.
    """
    return config.model_copy(
        update={
            "reference": uris["reference"],
            "pick": None,
            "train": DataSource(uri=uris["train"]),
            "validation": DataSource(uri=uris["validation"]),
            "roles": _without(config.roles, dropped),
            "actionable": tuple(name for name in config.actionable if name not in dropped),
        }
    )


def _without(roles: DataRoles, dropped: tuple[str, ...]) -> DataRoles:
    """Roles in which these columns are no features; other parts they keep."""
    kept = tuple(name for name in roles.features if name not in dropped)
    others = tuple(name for name in dropped if name in other_parts(roles) and name not in roles.exclude)
    return roles.model_copy(update={"features": kept, "exclude": (*roles.exclude, *others)})
