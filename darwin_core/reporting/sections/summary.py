"""The top of the page: verdict, the sentence to remember, the reasons, the key figures, what else needs attention."""

from __future__ import annotations

from dataclasses import dataclass

from darwin_core.contracts import CompactionReport, Estimate, GateConfig, Severity, Verdict
from darwin_core.reporting.formatting import (
    MISSING,
    confidence_level,
    count,
    data_size,
    milliseconds,
    plural,
    relative_change,
    short_count,
    times_smaller,
)
from darwin_core.reporting.metrics import margin_of, most_telling, style_of

_TITLES = {
    Verdict.PASS: "The compact network may replace the reference.",
    Verdict.FAIL: "The compact network must not replace the reference.",
    Verdict.INSUFFICIENT_EVIDENCE: "The evidence is not sufficient: nothing is replaced.",
}

VERDICT_WORDS = {
    Verdict.PASS: "Pass",
    Verdict.FAIL: "Fail",
    Verdict.INSUFFICIENT_EVIDENCE: "Insufficient evidence",
}

_REASONS_SHOWN = 5


@dataclass(frozen=True)
class Tile:
    """One key figure."""

    label: str
    value: str
    detail: str


@dataclass(frozen=True)
class Remark:
    """Something else to know; a serious one asks for action."""

    text: str
    serious: bool


@dataclass(frozen=True)
class Summary:
    """The top of the page."""

    verdict: Verdict
    word: str
    title: str
    headline: str
    reasons: tuple[str, ...]
    more_reasons: tuple[str, ...]
    tiles: tuple[Tile, ...]
    remarks: tuple[Remark, ...]


def key_estimate(report: CompactionReport) -> Estimate | None:
    """The hold-out estimate that stands for quality."""
    metric = most_telling(estimate.metric for estimate in report.evaluation.estimates)
    return next((e for e in report.evaluation.estimates if e.metric == metric), None)


def summarize(report: CompactionReport) -> Summary:
    """The top of the page for ``report``."""
    verdict = report.verdict
    return Summary(
        verdict=verdict.verdict,
        word=VERDICT_WORDS[verdict.verdict],
        title=_TITLES[verdict.verdict],
        headline=_headline(report),
        reasons=verdict.reasons[:_REASONS_SHOWN],
        more_reasons=verdict.reasons[_REASONS_SHOWN:],
        tiles=_tiles(report),
        remarks=_remarks(report),
    )


def _headline(report: CompactionReport) -> str:
    before, after = report.verdict.reference_cost, report.verdict.candidate_cost
    size = (
        f"The candidate keeps {count(after.parameters)} of the reference's {count(before.parameters)} parameters "
        f"({relative_change(before.parameters, after.parameters)})"
    )
    estimate = key_estimate(report)
    if estimate is None:
        return f"{size}."
    style = style_of(estimate.metric)
    bound = _deciding_bound(estimate, report.verdict.gate)
    rows = f"on {count(estimate.rows)} held-out rows"
    difference = style.difference(estimate.difference)
    return f"{size}; its {style.label} differs from the reference's by {difference} {rows} ({bound})."


def _deciding_bound(estimate: Estimate, gate: GateConfig) -> str:
    style = style_of(estimate.metric)
    rise_is_bad = style.higher_is_better is False
    side, bound = ("upper", estimate.high) if rise_is_bad else ("lower", estimate.low)
    text = f"{confidence_level(gate.confidence)} {side} bound {style.difference(bound)}"
    margin = margin_of(estimate, gate)
    return text if margin is None else f"{text}, tolerated {style.difference(margin)}"


def _tiles(report: CompactionReport) -> tuple[Tile, ...]:
    before, after = report.verdict.reference_cost, report.verdict.candidate_cost
    tiles = [
        Tile(
            "Parameters",
            relative_change(before.parameters, after.parameters),
            f"{short_count(before.parameters)} \N{RIGHTWARDS ARROW} {short_count(after.parameters)}"
            f" ({times_smaller(before.parameters, after.parameters)} smaller)",
        ),
        Tile(
            "Multiply-accumulates",
            relative_change(before.macs, after.macs),
            f"{short_count(before.macs)} \N{RIGHTWARDS ARROW} {short_count(after.macs)} per row",
        ),
        Tile(
            "Weights",
            relative_change(before.weight_bytes, after.weight_bytes),
            f"{data_size(before.weight_bytes)} \N{RIGHTWARDS ARROW} {data_size(after.weight_bytes)}",
        ),
    ]
    if before.latency is not None and after.latency is not None:
        old, new = before.latency.p50_ms, after.latency.p50_ms
        detail = f"{milliseconds(old)} \N{RIGHTWARDS ARROW} {milliseconds(new)} median"
        tiles.append(Tile("Latency", relative_change(old, new), detail))
    estimate = key_estimate(report)
    if estimate is not None:
        style = style_of(estimate.metric)
        detail = f"{style.value(estimate.reference)} \N{RIGHTWARDS ARROW} {style.value(estimate.candidate)}"
        tiles.append(Tile(style.label, style.difference(estimate.difference), detail))
    return tuple(tile for tile in tiles if tile.value != MISSING)


def _remarks(report: CompactionReport) -> tuple[Remark, ...]:
    remarks = []
    findings = report.explanation.findings
    serious = [finding.title for finding in findings if finding.severity is Severity.HIGH]
    if serious:
        titles = "; ".join(serious[:3])
        remarks.append(Remark(f"Data: {plural(len(serious), 'finding')} of high severity. {titles}.", serious=True))
    elif findings:
        remarks.append(Remark(f"Data: {plural(len(findings), 'finding')}, none of high severity.", serious=False))
    picked = report.search.origin
    if picked is not None:
        remarks.append(Remark(f"A person picked this network: {picked}.", serious=False))
    unmet = [str(status.requirement) for status in report.verdict.requirements if not status.met]
    if unmet:
        remarks.append(Remark(f"Requirements not met: {', '.join(unmet)}.", serious=True))
    elif not report.search.feasible:
        missed = ", ".join(report.search.binding_requirements) or "see the search"
        text = f"No candidate met every requirement in the search ({missed}); this is the nearest one."
        if picked is not None:
            text = f"It did not meet every requirement in the search ({missed})."
        remarks.append(Remark(text, serious=True))
    if report.verdict.look > 1:
        text = f"This hold-out has now been looked at {plural(report.verdict.look, 'time')}."
        remarks.append(Remark(text, serious=False))
    return tuple(remarks)
