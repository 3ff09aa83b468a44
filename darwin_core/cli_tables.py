"""What the command line prints: a few figures and where to look further."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from darwin_core.contracts import (
    CandidateRecord,
    CompactionSummary,
    ExportRecord,
    ExportReport,
    FixReport,
    Latency,
    NetworkInspection,
    NetworkSummary,
    ParetoFront,
    Verdict,
)

if TYPE_CHECKING:
    import keras

_REACTIONS = (
    ("other classes that become the class with the factor", "planted"),
    ("the class, recognised with the factor", "with_factor"),
    ("the class, recognised without it", "neutralised"),
    ("quality in the worst group", "worst_group"),
)
_COLOURS = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.INSUFFICIENT_EVIDENCE: "yellow"}


def print_summary(summary: CompactionSummary, *, as_json: bool) -> None:
    """Reference and candidate side by side, the verdict with its reasons, the paths."""
    if as_json:
        print(summary.to_json(), end="")  # noqa: T201 - the answer itself
        return
    console = Console()
    table = Table(title=f"Run {summary.run_id}", title_justify="left")
    for heading in ("", "reference", "candidate", "change"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, before, after, shown in _rows(summary.reference, summary.candidate):
        table.add_row(name, shown.format(before), shown.format(after), _change(name, before, after))
    console.print(table)
    if summary.origin is not None:
        console.print(f"Picked by a person: {summary.origin}", markup=False)
    console.print(f"Verdict: [bold {_COLOURS[summary.verdict]}]{summary.verdict}[/]")
    for reason in summary.reasons[:4]:
        console.print(f"  - {reason}", markup=False)
    if summary.exports:
        _print_exports(console, "Exports", summary.exports, None)
    published = f"published as {summary.version}" if summary.published else "not published; the champion stays"
    console.print(f"{published}; {sum(summary.seconds.values()):.0f} s in all", markup=False)
    for name in ("report", "candidate", "version"):
        if name in summary.paths:
            console.print(f"{name}: {summary.paths[name]}", markup=False, soft_wrap=True)


def print_front(front: ParetoFront, *, as_json: bool) -> None:
    """The points of a Pareto front below the reference: cost, the most telling quality, what is missed."""
    if as_json:
        print(front.to_json(), end="")  # noqa: T201 - the answer itself
        return
    known = front.reference.quality.model_dump(exclude_none=True) if front.reference.quality else {}
    metric = next((name for name in ("pr_auc", "mean_iou", "accuracy", "rmse") if name in known), "loss")
    console = Console()
    table = Table(title=f"Pareto front of run {front.run_id}, {metric} on the validation rows", title_justify="left")
    for heading in ("candidate", "parameters", "macs", metric, "stage", "requirements"):
        table.add_column(heading, justify="right" if heading in ("parameters", "macs", metric) else "left")
    for record in (front.reference, *front.points):
        table.add_row(*_point(record, metric, front))
    console.print(table)
    folder = f"{front.line.rstrip('/')}/runs/{front.run_id}"
    console.print(f"To take another: darwin compact --from {folder} --pick CANDIDATE", markup=False, soft_wrap=True)


def print_fix(report: FixReport, *, as_json: bool) -> None:
    """The reference before and after the fix of a finding."""
    if as_json:
        print(report.to_json(), end="")  # noqa: T201 - the answer itself
        return
    console = Console()
    table = Table(
        title=f"{report.finding}: {report.fix.kind}, {report.changed_rows:,} training rows concerned",
        title_justify="left",
    )
    for heading in ("reference, share of rows", "before", "after"):
        table.add_column(heading, justify="left" if heading.startswith("reference") else "right")
    for name, reaction in _REACTIONS if report.before and report.after else ():
        before, after = (getattr(figures, reaction) for figures in (report.before, report.after))
        table.add_row(name, f"{before:.1%}", f"{after:.1%}")
    table.add_row(
        "accuracy on validation rows without the flaw",
        f"{report.neutralised_quality_before:.1%}",
        f"{report.neutralised_quality_after:.1%}",
    )
    console.print(table)
    console.print(report.fix.text, markup=False, soft_wrap=True)
    console.print(f"Training rows: {report.train}\nReference: {report.reference}", markup=False, soft_wrap=True)


def _point(record: CandidateRecord, metric: str, front: ParetoFront) -> tuple[str, ...]:
    value = getattr(record.quality, metric, None)
    missed = sum(not status.met for status in record.requirements)
    told = (record.stage.value, f"misses {missed}" if missed else "met")
    return (
        f"{record.candidate_id} (chosen)" if record.candidate_id == front.chosen else record.candidate_id,
        f"{record.cost.parameters:,}",
        f"{record.cost.macs:,}",
        "" if value is None else f"{value:.4f}",
        *(("", "") if record.candidate_id == front.reference.candidate_id else told),
    )


def _rows(reference: NetworkSummary, candidate: NetworkSummary) -> list[tuple[str, float, float, str]]:
    rows: list[tuple[str, float, float, str]] = [
        (name, getattr(reference, name), getattr(candidate, name), "{:,.0f}")
        for name in ("parameters", "macs", "weight_bytes", "input_features")
    ]
    if reference.latency_ms and candidate.latency_ms:
        rows.append(("latency_p50_ms", reference.latency_ms.p50_ms, candidate.latency_ms.p50_ms, "{:.3f}"))
        rows.append(("latency_p95_ms", reference.latency_ms.p95_ms, candidate.latency_ms.p95_ms, "{:.3f}"))
    rows += [
        (name, value, candidate.metrics[name], "{:.4f}")
        for name, value in reference.metrics.items()
        if name in candidate.metrics
    ]
    return rows


def _change(name: str, before: float, after: float) -> str:
    is_cost = name in ("parameters", "macs", "weight_bytes", "input_features") or name.startswith("latency")
    if not is_cost:
        return f"{100 * (after - before):+.2f} pt"
    return f"{100 * (after / before - 1):+.1f} %" if before else ""


def print_inspection(inspection: NetworkInspection, *, as_json: bool) -> None:
    """Cost per layer, dependency groups, frozen layers with reasons."""
    if as_json:
        print(inspection.to_json(), end="")  # noqa: T201 - the answer itself
        return
    console = Console()
    cost = inspection.cost
    output = inspection.output
    meaning = f"{output.task}, {output.units} output unit(s)" if output else "what its output means is not said"
    console.print(
        f"{inspection.name}: {cost.parameters:,} parameters, {cost.macs:,} MACs, {cost.weight_bytes:,} bytes; {meaning}"
    )
    _print_table(
        console,
        "Layers",
        ("layer", "kind", "output shape", "parameters", "MACs"),
        [(x.name, x.kind, str(x.output_shape), f"{x.parameters:,}", f"{x.macs:,}") for x in inspection.layers],
    )
    _print_table(
        console,
        "Dependency groups",
        ("group", "channels", "produced by", "read by"),
        [(x.name, str(x.channels), ", ".join(x.layers), ", ".join(x.consumers)) for x in inspection.groups],
    )
    _print_table(
        console,
        "Frozen layers",
        ("layer", "kind", "why it keeps its width"),
        [(x.name, x.kind, x.reason) for x in inspection.frozen],
    )


def print_narrowing(before: keras.Model, after: keras.Model, output: Path, *, as_json: bool) -> None:
    """Cost before and after one-shot narrowing."""
    from darwin_core.networks import measure_cost

    costs = {"before": measure_cost(before), "after": measure_cost(after)}
    if as_json:
        import json

        document: dict[str, Any] = {name: cost.model_dump(mode="json") for name, cost in costs.items()}
        print(json.dumps({**document, "output": str(output)}, indent=2))  # noqa: T201 - the answer itself
        return
    rows = [
        (field, f"{getattr(costs['before'], field):,}", f"{getattr(costs['after'], field):,}")
        for field in ("parameters", "macs", "weight_bytes")
    ]
    _print_table(Console(), f"Written to {output}", ("", "before", "after"), rows)


def print_exports(report: ExportReport, *, as_json: bool) -> None:
    """Size, closeness and speed of every file."""
    if as_json:
        print(report.to_json(), end="")  # noqa: T201 - the answer itself
        return
    _print_exports(Console(), f"Exports of {report.network}", report.exports, report.network_latency)


def _print_exports(
    console: Console, title: str, records: Sequence[ExportRecord], network_latency: Latency | None
) -> None:
    headings = ("format", "bytes", "largest difference", "same decisions", "quality", "p50 ms", "p95 ms")
    rows = [_export_row(record) for record in records]
    if network_latency is not None:
        rows.append(("(keras)", "", "", "", "", *_milliseconds(network_latency)))
    _print_table(console, title, headings, rows)
    for record in records:
        if record.problem is not None:
            console.print(f"{record.format}: {record.problem}", markup=False, soft_wrap=True)
        elif not record.real_rows:
            console.print(f"{record.format}: compared on {record.rows} made-up rows", markup=False)


def _export_row(record: ExportRecord) -> tuple[str, ...]:
    quality = "" if record.metric is None else f"{record.metric} {record.network_quality:.4f} -> {record.quality:.4f}"
    return (
        record.format.value,
        "none" if record.file_bytes is None else f"{record.file_bytes:,}",
        "" if record.max_score_difference is None else f"{record.max_score_difference:.2g}",
        "" if record.decision_agreement is None else f"{record.decision_agreement:.2%}",
        quality,
        *_milliseconds(record.latency),
    )


def _milliseconds(latency: Latency | None) -> tuple[str, str]:
    return ("", "") if latency is None else (f"{latency.p50_ms:.3f}", f"{latency.p95_ms:.3f}")


def _print_table(console: Console, title: str, headings: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row)
    console.print(table)
