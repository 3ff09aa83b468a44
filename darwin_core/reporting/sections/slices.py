"""Metrics per slice: one table per metric, the most doubtful slices first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.contracts import CompactionReport, Estimate, SliceMetrics
from darwin_core.reporting.figures import IntervalScale
from darwin_core.reporting.formatting import MISSING, count
from darwin_core.reporting.metrics import MetricStyle, most_telling, style_of
from darwin_core.reporting.sections.comparison import interval_of

_OPEN_ROWS = 24
_METRICS_SHOWN = 6


@dataclass(frozen=True)
class SliceRow:
    """One metric on one slice."""

    column: str
    value: str
    rows: str
    positives: str
    reference: str
    candidate: str
    difference: str
    bounds: str
    figure: Markup


@dataclass(frozen=True)
class SliceTable:
    """One metric on all slices, in two portions."""

    label: str
    rows: tuple[SliceRow, ...]
    more_rows: tuple[SliceRow, ...]
    margin: str | None


@dataclass(frozen=True)
class Slices:
    """All slice tables; the first shows the metric that tells most."""

    tables: tuple[SliceTable, ...]
    amount: int
    without_estimate: tuple[str, ...]


def show_slices(report: CompactionReport) -> Slices:
    """The slices' section of ``report``."""
    slices = report.evaluation.slices
    metrics = list(dict.fromkeys(estimate.metric for item in slices for estimate in item.estimates))
    first = most_telling(metrics)
    metrics.sort(key=lambda metric: metric != first)
    return Slices(
        tables=tuple(_table(report, metric) for metric in metrics[:_METRICS_SHOWN]),
        amount=len(slices),
        without_estimate=tuple(f"{item.column} = {item.value}" for item in slices if not item.estimates),
    )


def _table(report: CompactionReport, metric: str) -> SliceTable:
    style, gate = style_of(metric), report.verdict.gate
    found = [
        (item, estimate)
        for item in report.evaluation.slices
        for estimate in item.estimates
        if estimate.metric == metric
    ]
    found.sort(key=lambda pair: _doubt(pair[1], style))
    margin = _margin(style, gate.slice_margin)
    intervals = [interval_of(estimate, gate, margin) for _, estimate in found]
    scale = IntervalScale.around(intervals)
    rows = [
        _row(item, estimate, style, scale.draw(interval))
        for (item, estimate), interval in zip(found, intervals, strict=True)
    ]
    rows = _in_data_order(rows, report.evaluation.slices) if len(rows) <= _OPEN_ROWS else rows
    shown = None if margin is None else style.difference(margin)
    return SliceTable(style.label, tuple(rows[:_OPEN_ROWS]), tuple(rows[_OPEN_ROWS:]), shown)


def _margin(style: MetricStyle, margin: float | None) -> float | None:
    if margin is None or not style.is_share or style.higher_is_better is None:
        return None
    return -margin if style.higher_is_better else margin


def _doubt(estimate: Estimate, style: MetricStyle) -> float:
    return -estimate.high if style.higher_is_better is False else estimate.low


def _in_data_order(rows: Sequence[SliceRow], slices: Sequence[SliceMetrics]) -> list[SliceRow]:
    order = {(item.column, item.value): index for index, item in enumerate(slices)}
    return sorted(rows, key=lambda row: order[row.column, row.value])


def _row(item: SliceMetrics, estimate: Estimate, style: MetricStyle, figure: Markup) -> SliceRow:
    return SliceRow(
        column=item.column,
        value=item.value,
        rows=count(item.rows),
        positives=MISSING if item.positives is None else count(item.positives),
        reference=style.value(estimate.reference),
        candidate=style.value(estimate.candidate),
        difference=style.difference(estimate.difference),
        bounds=f"{style.difference(estimate.low)} to {style.difference(estimate.high)}",
        figure=figure,
    )
