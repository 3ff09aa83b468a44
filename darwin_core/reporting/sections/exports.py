"""The chosen network in other formats, and how close each file stays to it."""

from __future__ import annotations

from dataclasses import dataclass

from darwin_core.contracts import CompactionReport, ExportRecord
from darwin_core.reporting.formatting import MISSING, count, data_size, is_finite, milliseconds, number, share
from darwin_core.reporting.metrics import style_of


@dataclass(frozen=True)
class ExportRow:
    """One format."""

    name: str
    size: str
    difference: str
    agreement: str
    quality: str
    latency: str
    runtime: str
    problem: str


@dataclass(frozen=True)
class Exports:
    """The table; empty where nothing was exported."""

    rows: tuple[ExportRow, ...]
    note: str


def show_exports(report: CompactionReport) -> Exports:
    """The exports section of ``report``."""
    records = report.search.exports
    compared = max((record.rows for record in records), default=0)
    note = f"Compared with the candidate on {count(compared)} validation rows, each in its own runtime; one thread."
    if any(record.lookups for record in records):
        note += " Text and tables are looked up before: lookups.json beside the files says how."
    return Exports(tuple(_row(record) for record in records), note)


def _row(record: ExportRecord) -> ExportRow:
    latency = record.latency
    return ExportRow(
        name=record.format.value,
        size=data_size(record.file_bytes),
        difference=f"{record.max_score_difference:.2g}" if is_finite(record.max_score_difference) else MISSING,
        agreement=share(record.decision_agreement, 2),
        quality=_quality(record),
        latency=MISSING if latency is None else f"{milliseconds(latency.p50_ms)} / {milliseconds(latency.p95_ms)}",
        runtime=record.runtime,
        problem=record.problem or "",
    )


def _quality(record: ExportRecord) -> str:
    if record.metric is None:
        return MISSING
    style = style_of(record.metric)
    before, after = (number(value, 4) for value in (record.network_quality, record.quality))
    return f"{style.label} {before} \N{RIGHTWARDS ARROW} {after}"
