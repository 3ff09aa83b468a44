"""The before/after table, the controls in the same table."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.contracts import CandidateRecord, CompactionReport, Estimate, GateConfig, NetworkCost, QualityMetrics
from darwin_core.reporting.figures import Interval, IntervalScale
from darwin_core.reporting.formatting import MISSING, confidence_level, count, data_size, milliseconds, relative_change
from darwin_core.reporting.metrics import margin_of, style_of


@dataclass(frozen=True)
class ComparisonRow:
    """One measure of all networks."""

    label: str
    reference: str
    candidate: str
    change: str
    bounds: str
    figure: Markup | None
    controls: tuple[str, ...]


@dataclass(frozen=True)
class ComparisonGroup:
    """Rows that were measured in the same way."""

    title: str
    note: str
    rows: tuple[ComparisonRow, ...]


@dataclass(frozen=True)
class Comparison:
    """The before/after table."""

    control_names: tuple[str, ...]
    groups: tuple[ComparisonGroup, ...]
    confidence: str


def compare(report: CompactionReport) -> Comparison:
    """The before/after table of ``report``."""
    gate = report.verdict.gate
    controls = [control.record for control in report.search.controls]
    groups = [_cost_group(report.verdict.reference_cost, report.verdict.candidate_cost, controls)]
    rows = count(report.evaluation.rows)
    blank = len(controls)
    if report.evaluation.estimates:
        note = f"{rows} rows that neither search nor training saw; both networks on the same rows"
        groups.append(estimate_group("Quality on the sealed hold-out", note, report.evaluation.estimates, gate, blank))
    if report.evaluation.baseline_estimates:
        version = report.verdict.baseline_version or "unnamed version"
        note = f"the column 'Reference' holds the champion, {version}; the same {rows} rows"
        estimates = report.evaluation.baseline_estimates
        groups.append(estimate_group("Candidate against the champion", note, estimates, gate, blank))
    validation = _validation_group(report, controls)
    if validation is not None:
        groups.append(validation)
    names = tuple(control.name for control in report.search.controls)
    return Comparison(names, tuple(groups), confidence_level(gate.confidence))


def estimate_group(
    title: str, note: str, estimates: Iterable[Estimate], gate: GateConfig, controls: int
) -> ComparisonGroup:
    """Paired estimates with their bounds; ``controls`` empty cells, since controls never see these rows."""
    found = [(style_of(estimate.metric), estimate, interval_of(estimate, gate)) for estimate in estimates]
    shared = IntervalScale.around(interval for style, _, interval in found if style.is_share)
    rows = []
    for style, estimate, interval in found:
        scale = shared if style.is_share else IntervalScale.around([interval])
        rows.append(
            ComparisonRow(
                label=style.label,
                reference=style.value(estimate.reference),
                candidate=style.value(estimate.candidate),
                change=style.difference(estimate.difference),
                bounds=f"{style.difference(estimate.low)} to {style.difference(estimate.high)}",
                figure=scale.draw(interval),
                controls=(MISSING,) * controls,
            )
        )
    return ComparisonGroup(title, note, tuple(rows))


def interval_of(estimate: Estimate, gate: GateConfig, margin: float | None = None) -> Interval:
    """The estimate as a figure needs it; ``margin`` replaces the overall margin."""
    style = style_of(estimate.metric)
    label = (
        f"{style.label}: difference {style.difference(estimate.difference)}, bounds {style.difference(estimate.low)} "
        f"to {style.difference(estimate.high)}, {count(estimate.rows)} rows, {estimate.method}"
    )
    tolerated = margin if margin is not None else margin_of(estimate, gate)
    return Interval(estimate.difference, estimate.low, estimate.high, tolerated, label)


def _cost_group(before: NetworkCost, after: NetworkCost, controls: list[CandidateRecord]) -> ComparisonGroup:
    costs = [record.cost for record in controls]

    def row(label: str, read: Callable[[NetworkCost], float | None], show: Callable[..., str]) -> ComparisonRow:
        old, new = read(before), read(after)
        others = tuple(show(read(cost)) for cost in costs)
        return ComparisonRow(label, show(old), show(new), relative_change(old, new), "", None, others)

    rows = [
        row("Parameters", lambda cost: cost.parameters, count),
        row("MACs per row", lambda cost: cost.macs, count),
        row("Bytes of weights", lambda cost: cost.weight_bytes, data_size),
        row("Input features read", lambda cost: cost.input_features, count),
        row("Latency, p50", lambda cost: cost.latency.p50_ms if cost.latency else None, milliseconds),
        row("Latency, p95", lambda cost: cost.latency.p95_ms if cost.latency else None, milliseconds),
    ]
    return ComparisonGroup("Cost", _latency_note(after), tuple(rows))


def _latency_note(cost: NetworkCost) -> str:
    latency = cost.latency
    if latency is None:
        return "latency was not measured in this run"
    threads = "1 thread" if latency.threads == 1 else f"{latency.threads} threads"
    return f"latency: batch of {latency.batch_size}, {threads}, {count(latency.calls)} calls after a warm-up"


def _validation_group(report: CompactionReport, controls: list[CandidateRecord]) -> ComparisonGroup | None:
    chosen = next((record for record in report.search.candidates if record.candidate_id == report.search.chosen), None)
    before, after = report.search.reference.quality, chosen.quality if chosen else None
    if before is None or after is None:
        return None
    rows = []
    for metric in QualityMetrics.model_fields:
        style = style_of(metric)
        old, new = getattr(before, metric), getattr(after, metric)
        if old is not None and new is not None:
            others = tuple(style.value(getattr(c.quality, metric) if c.quality else None) for c in controls)
            change = style.difference(new - old)
            rows.append(ComparisonRow(style.label, style.value(old), style.value(new), change, "", None, others))
    seen = "; controls: same distillation, same number of training rows" if controls else ""
    note = f"{count(report.snapshot.validation.rows)} rows the search chose by{seen}"
    return ComparisonGroup("Quality on the validation rows", note, tuple(rows))
