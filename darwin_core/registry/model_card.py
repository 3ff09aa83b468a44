"""The model card of a version: Markdown for a person who has to answer for the network. Reads contracts only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from darwin_core.contracts import (
    Estimate,
    Evaluation,
    Explanation,
    ExportRecord,
    NetworkCost,
    SearchRecord,
    SliceMetrics,
    Snapshot,
    VerdictDocument,
    VersionClaim,
)

_MOST_FEATURES = 10
_MOST_SLICES = 20
_LOWER_IS_BETTER = frozenset({"rmse", "brier", "ece"})


@dataclass(frozen=True)
class CardContent:
    """Everything a card is made of."""

    line: str
    claim: VersionClaim
    snapshot: Snapshot
    search: SearchRecord
    evaluation: Evaluation
    verdict: VerdictDocument
    explanation: Explanation


def render_model_card(content: CardContent) -> str:
    """The card as Markdown. The same content gives the same bytes."""
    sections = (
        _identity(content),
        _purpose(content),
        _data(content.snapshot),
        _cost(content.verdict),
        _quality(content),
        _slices(content.evaluation.slices),
        _decision(content.verdict),
        _exports(content.search.exports),
        _behaviour(content.explanation),
        _findings(content.explanation),
        _limits(content),
    )
    return "\n\n".join("\n".join(lines) for section in sections if (lines := list(section))) + "\n"


def _identity(content: CardContent) -> Iterator[str]:
    claim, verdict = content.claim, content.verdict
    yield f"# Model card: {content.line.rstrip('/').rpartition('/')[2]}, version {claim.version}"
    yield ""
    yield from _table(
        ("What", "Value"),
        (
            ("Model line", content.line),
            ("Published", claim.claimed_at.isoformat(timespec="seconds")),
            ("Run", claim.run_id),
            ("Verdict", verdict.verdict.value),
            ("Chosen by", _chooser(content.search)),
            ("Network (SHA-256)", verdict.candidate_sha256),
            ("Reference (SHA-256)", verdict.reference_sha256),
            ("Hold-out (SHA-256)", f"{verdict.holdout_sha256}, look number {verdict.look}"),
            ("Champion before", claim.previous_champion or "none"),
        ),
    )


def _chooser(search: SearchRecord) -> str:
    return "the search" if search.origin is None else f"a person, who picked {search.origin}"


def _purpose(content: CardContent) -> Iterator[str]:
    roles, classes = content.snapshot.roles, content.snapshot.classes
    yield "## What it is for"
    target = f"`{roles.label}`, one of the classes {', '.join(classes)}" if classes else f"`{roles.label}`, a number"
    if content.snapshot.mask:
        target = f"`{roles.label}`, one of the classes {', '.join(classes)} at every position"
    if len(roles.labels) > 1:
        target = f"which of the labels {', '.join(f'`{label}`' for label in roles.labels)} a row has"
    yield (
        f"It predicts {target}, from the same inputs as its reference network, and replaces the "
        "reference where that is too large or too slow. It was made by narrowing the reference and distilling it on "
        "the reference's own training data; it is meant for the same use and for no other."
    )


def _data(snapshot: Snapshot) -> Iterator[str]:
    yield "## Data"
    parts = (("training", snapshot.train), ("validation", snapshot.validation), ("sealed hold-out", snapshot.test))
    yield from _table(("Part", "Rows", "SHA-256"), ((name, f"{p.rows:,}", p.data.sha256) for name, p in parts))
    yield ""
    yield f"Split: {snapshot.split_rule}. Features: {len(snapshot.columns)}. The search never saw the hold-out."


def _cost(verdict: VerdictDocument) -> Iterator[str]:
    yield "## Size and speed"
    before, after = verdict.reference_cost, verdict.candidate_cost
    rows = [
        _change("Parameters", before.parameters, after.parameters),
        _change("Multiply-accumulates per row", before.macs, after.macs),
        _change("Weight bytes", before.weight_bytes, after.weight_bytes),
        _change("Input features", before.input_features, after.input_features),
        *_latency(before, after),
    ]
    yield from _table(("Resource", "Reference", "This version", "Change"), rows)


def _latency(before: NetworkCost, after: NetworkCost) -> Iterator[tuple[str, ...]]:
    if before.latency is None or after.latency is None:
        return
    for name in ("p50", "p95", "p99"):
        old, new = getattr(before.latency, f"{name}_ms"), getattr(after.latency, f"{name}_ms")
        yield f"Latency {name}, ms", f"{old:.3f}", f"{new:.3f}", _percent(old, new)


def _quality(content: CardContent) -> Iterator[str]:
    yield f"## Quality on {content.evaluation.rows:,} sealed rows"
    yield from _estimates(content.evaluation.estimates)
    if content.evaluation.baseline_estimates:
        yield ""
        yield f"Against the champion {content.verdict.baseline_version or 'of that time'}:"
        yield ""
        yield from _estimates(content.evaluation.baseline_estimates)


def _estimates(estimates: Sequence[Estimate]) -> Iterator[str]:
    yield from _table(
        ("Metric", "Compared with", "This version", "Difference", "Bounds (one-sided)"),
        (
            (
                estimate.metric,
                f"{estimate.reference:.4f}",
                f"{estimate.candidate:.4f}",
                f"{estimate.difference:+.4f}",
                f"{estimate.low:+.4f} to {estimate.high:+.4f}",
            )
            for estimate in estimates
        ),
    )


def _slices(slices: Sequence[SliceMetrics]) -> Iterator[str]:
    if not slices:
        return
    yield "## Slices, worst first"
    ranked = sorted(
        ((_gain(estimate), part, estimate) for part in slices for estimate in part.estimates[:1]),
        key=lambda item: (item[0], item[1].column, item[1].value),
    )
    yield from _table(
        ("Slice", "Rows", "Metric", "Difference", "Bounds (one-sided)"),
        (
            (
                f"{part.column} = {part.value}",
                f"{part.rows:,}",
                estimate.metric,
                f"{estimate.difference:+.4f}",
                f"{estimate.low:+.4f} to {estimate.high:+.4f}",
            )
            for _, part, estimate in ranked[:_MOST_SLICES]
        ),
    )


def _gain(estimate: Estimate) -> float:
    return -estimate.difference if estimate.metric in _LOWER_IS_BETTER else estimate.difference


def _decision(verdict: VerdictDocument) -> Iterator[str]:
    yield f"## Why {verdict.verdict}"
    yield from (f"- {reason}" for reason in verdict.reasons)
    yield ""
    yield from _table(
        ("Check", "Verdict", "Reason"),
        ((f"{check.check_id}: {check.title}", check.verdict.value, check.reason) for check in verdict.checks),
    )


def _exports(records: Sequence[ExportRecord]) -> Iterator[str]:
    sound = [record for record in records if record.problem is None]
    if not sound:
        return
    yield "## In other formats"
    yield "Held against this version's network on validation rows, below `exports/`."
    yield ""
    yield from _table(
        ("File", "Bytes", "Largest difference of scores", "Same decisions"),
        (
            (
                record.file or "",
                f"{record.file_bytes:,}",
                _plain(record.max_score_difference, "{:.2g}"),
                _plain(record.decision_agreement, "{:.2%}"),
            )
            for record in sound
        ),
    )


def _plain(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _behaviour(explanation: Explanation) -> Iterator[str]:
    if not explanation.features:
        return
    yield "## What it decides by"
    yield f"Share of the decision per raw column ({explanation.method}, {explanation.rows:,} rows):"
    yield ""
    yield from _table(
        ("Column", "This version", "Reference"),
        (
            (feature.feature, f"{feature.candidate:.1%}", f"{feature.reference:.1%}")
            for feature in explanation.features[:_MOST_FEATURES]
        ),
    )


def _findings(explanation: Explanation) -> Iterator[str]:
    yield "## What is known to be wrong with the data"
    if not explanation.findings:
        yield f"Nothing was found by: {', '.join(explanation.checks_run) or 'no check ran'}."
    yield from (
        f"- **{finding.severity.value}**: {finding.title}. {finding.description} {finding.suggestion}"
        for finding in explanation.findings
    )


def _limits(content: CardContent) -> Iterator[str]:
    yield "## Limits"
    yield "- It inherits the reference's mistakes: it was trained to agree with it."
    yield "- The figures hold for rows like those of the hold-out; after a shift of the data, measure again."
    yield from (f"- Not met: {text}." for text in content.search.binding_requirements)
    yield from (f"- {note}" for note in (*content.snapshot.notes, *content.evaluation.notes))


def _change(name: str, before: int, after: int) -> tuple[str, ...]:
    return name, f"{before:,}", f"{after:,}", _percent(before, after)


def _percent(before: float, after: float) -> str:
    return f"{100 * (after - before) / before:+.1f} %" if before else "-"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from (_row(row) for row in rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
