"""Where the result came from: data, digests, packages, machine, seeds, and what limits the evaluation."""

from __future__ import annotations

from dataclasses import dataclass

from darwin_core.contracts import CompactionReport, SplitPart
from darwin_core.reporting.formatting import count, share

_CLASSES_SHOWN = 12


@dataclass(frozen=True)
class PartRow:
    """One part of the split."""

    name: str
    rows: str
    classes: str
    digest: str


@dataclass(frozen=True)
class Origin:
    """Where the result came from."""

    facts: tuple[tuple[str, str], ...]
    parts: tuple[PartRow, ...]
    digests: tuple[tuple[str, str], ...]
    packages: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def show_origin(report: CompactionReport) -> Origin:
    """The provenance section of ``report``."""
    origin, snapshot, verdict = report.provenance, report.snapshot, report.verdict
    facts = [
        ("Run", origin.run_id),
        ("Model line", origin.line),
        ("Created", origin.created_at.strftime("%Y-%m-%d %H:%M:%S %Z").strip()),
        ("Darwin", origin.darwin_version),
        ("Machine", origin.machine),
        ("Seeds", f"search {report.search.seed}, gate {verdict.gate.seed}, split {snapshot.split.seed}"),
        ("Split", snapshot.split_rule),
        ("Label", ", ".join(snapshot.roles.labels)),
        ("Feature columns", count(len(snapshot.columns))),
        ("Looks at this hold-out", f"{count(verdict.look)}, this one included"),
        ("Champion compared with", verdict.baseline_version or "none"),
        ("TensorFlow Model Analysis", _tfma(report)),
    ]
    digests = {
        "candidate": verdict.candidate_sha256,
        "reference": verdict.reference_sha256,
        "hold-out": verdict.holdout_sha256,
        **{f"source {name}": digest for name, digest in snapshot.sources.items()},
        **origin.digests,
    }
    return Origin(
        facts=tuple(facts),
        parts=(
            _part("Training", snapshot.train),
            _part("Validation", snapshot.validation),
            _part("Sealed hold-out", snapshot.test),
        ),
        digests=tuple(digests.items()),
        packages=tuple(sorted(origin.packages.items())),
        notes=(*snapshot.notes, *report.evaluation.notes),
    )


def _part(name: str, part: SplitPart) -> PartRow:
    shown = sorted(part.label_counts.items(), key=lambda item: -item[1])[:_CLASSES_SHOWN]
    texts = [f"{label}: {count(rows)} ({share(rows / part.rows)})" for label, rows in shown]
    more = len(part.label_counts) - len(shown)
    classes = ", ".join(texts) + (f" and {more} more classes" if more > 0 else "")
    return PartRow(name, count(part.rows), classes, part.data.sha256)


def _tfma(report: CompactionReport) -> str:
    evaluation = report.evaluation
    if evaluation.tfma_validation_ok is None:
        return "did not run"
    outcome = "validation passed" if evaluation.tfma_validation_ok else "validation did not pass"
    missing = (
        f"; slices not found: {', '.join(evaluation.tfma_missing_slices)}" if evaluation.tfma_missing_slices else ""
    )
    return f"{outcome} on {count(evaluation.tfma_rows)} rows{missing}"
