"""How both networks decide: attributions, single decisions, pictures; and what is wrong with the data."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.contracts import (
    Amplification,
    CompactionReport,
    FeatureAttribution,
    Finding,
    FindingExample,
    ImageExplanation,
    RowExplanation,
    Severity,
)
from darwin_core.reporting.figures import paired_bar, signed_bar, spread_bar
from darwin_core.reporting.formatting import MISSING, count, number, share
from darwin_core.reporting.sections.gate import CheckRow, check_row, figure

_OPEN_FEATURES = 15
_ALL_FEATURES = 500
_IDS_SHOWN = 12
_SAFE_PICTURE = re.compile(r"data:image/(png|jpeg|webp);base64,[A-Za-z0-9+/]+={0,2}")
_QUESTIONS = (
    ("Rows of other classes that become the class with it", "planted"),
    ("The same in the control", "control"),
    ("Rows of the class that are recognised with it", "with_factor"),
    ("The same rows without it", "neutralised"),
    ("Quality in the worst group", "worst_group"),
)
_SEVERITIES = (Severity.HIGH, Severity.MEDIUM, Severity.LOW)


@dataclass(frozen=True)
class FeatureRow:
    """A column's share of the decisions in both networks."""

    name: str
    reference: str
    candidate: str
    figure: Markup
    spread: Markup | None


@dataclass(frozen=True)
class ReasonRow:
    """One reason for one decision."""

    text: str
    attribution: str
    figure: Markup


@dataclass(frozen=True)
class RowCard:
    """One explained row."""

    row_id: str
    predicted: str
    score: str
    reasons: tuple[ReasonRow, ...]
    counterfactual: str | None


@dataclass(frozen=True)
class ImageCard:
    """One explained picture; ``pictures`` are (caption, data URI)."""

    row_id: str
    label: str
    predicted: str
    correct: bool
    score: str
    pictures: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ExampleCard:
    """One sample as it is and, for shortcuts, with the factor changed; ``before`` and ``after`` are pictures."""

    row_id: str
    label: str
    change: str
    before: str | None
    after: str | None
    predicted_before: str
    predicted_after: str | None


@dataclass(frozen=True)
class FindingCard:
    """Something in the data that a person should look at.

    ``reactions`` are (question, reference, candidate), ``fixes`` (kind, what it does).
    """

    severity: str
    title: str
    description: str
    suggestion: str
    facts: tuple[tuple[str, str], ...]
    fixes: tuple[tuple[str, str], ...] = ()
    reactions: tuple[tuple[str, str, str], ...] = ()
    examples: tuple[ExampleCard, ...] = ()


@dataclass(frozen=True)
class Decisions:
    """How both networks decide."""

    method: str
    rows: str
    features: tuple[FeatureRow, ...]
    more_features: tuple[FeatureRow, ...]
    features_left_out: int
    has_spread: bool
    rank_overlap: str | None
    map_agreement: str | None
    checks: tuple[CheckRow, ...]
    row_cards: tuple[RowCard, ...]
    image_cards: tuple[ImageCard, ...]
    notes: tuple[str, ...] = ()


def show_decisions(report: CompactionReport) -> Decisions:
    """The section on attributions."""
    explanation = report.explanation
    features = explanation.features
    largest = max((max(item.reference, item.candidate) for item in features), default=0.0)
    widest = max((abs(end) for item in features for end in item.spread), default=0.0)
    rows = [_feature(item, largest, widest) for item in features[:_ALL_FEATURES]]
    overlap = explanation.rank_overlap
    return Decisions(
        method=explanation.method,
        rows=count(explanation.rows),
        features=tuple(rows[:_OPEN_FEATURES]),
        more_features=tuple(rows[_OPEN_FEATURES:]),
        features_left_out=max(0, len(features) - _ALL_FEATURES),
        has_spread=any(item.spread for item in features),
        rank_overlap=None if overlap is None else share(overlap, 0),
        map_agreement=None if explanation.map_agreement is None else number(explanation.map_agreement, 2),
        checks=tuple(check_row(check) for check in explanation.checks),
        row_cards=tuple(_row_card(item) for item in explanation.row_examples),
        image_cards=tuple(_image_card(item) for item in explanation.image_examples),
        notes=explanation.notes,
    )


def show_findings(report: CompactionReport) -> tuple[FindingCard, ...]:
    """The data findings, most severe first."""
    ranked = sorted(report.explanation.findings, key=lambda finding: _SEVERITIES.index(finding.severity))
    return tuple(_finding(finding) for finding in ranked)


def _feature(item: FeatureAttribution, largest: float, widest: float) -> FeatureRow:
    reference, candidate = share(item.reference), share(item.candidate)
    label = f"{item.feature}: candidate {candidate}, reference {reference}"
    bar = paired_bar(item.reference, item.candidate, largest, label)
    return FeatureRow(item.feature, reference, candidate, bar, _spread(item, widest))


def _spread(item: FeatureAttribution, widest: float) -> Markup | None:
    if len(item.spread) != 5:
        return None
    low, high = (number(end, 3, signed=True) for end in (item.spread[0], item.spread[-1]))
    return spread_bar(item.spread, widest, f"{item.feature}: nine in ten rows from {low} to {high}")


def _row_card(item: RowExplanation) -> RowCard:
    largest = max((abs(reason.attribution) for reason in item.reasons), default=0.0)
    reasons = tuple(
        ReasonRow(
            text=reason.text or f"{reason.feature} = {reason.value}",
            attribution=number(reason.attribution, 3, signed=True),
            figure=signed_bar(reason.attribution, largest, f"{reason.feature} = {reason.value}"),
        )
        for reason in item.reasons
    )
    return RowCard(item.row_id, item.predicted, number(item.score, 3), reasons, item.counterfactual)


def _image_card(item: ImageExplanation) -> ImageCard:
    named = [("picture", item.picture), ("candidate", item.attribution), ("reference", item.reference_attribution)]
    pictures = tuple((name, uri) for name, uri in named if uri is not None and _SAFE_PICTURE.fullmatch(uri))
    return ImageCard(
        item.row_id, item.label, item.predicted, item.label == item.predicted, number(item.score, 3), pictures
    )


def _finding(finding: Finding) -> FindingCard:
    facts = [("Check", finding.kind.value.replace("_", " "))]
    if finding.columns:
        facts.append(("Columns", ", ".join(finding.columns)))
    if finding.effect is not None:
        bounded = finding.low is not None or finding.high is not None
        bounds = f" ({figure(finding.low)} to {figure(finding.high)})" if bounded else ""
        facts.append(("Effect", f"{figure(finding.effect)}{bounds}"))
    if finding.affected_rows is not None:
        facts.append(("Affected rows", count(finding.affected_rows)))
    if finding.affected_ids:
        shown = ", ".join(finding.affected_ids[:_IDS_SHOWN])
        more = len(finding.affected_ids) - _IDS_SHOWN
        facts.append(("Examples", shown + (f" and {more} more in the findings file" if more > 0 else "")))
    return FindingCard(
        finding.severity.value,
        finding.title,
        finding.description,
        finding.suggestion or MISSING,
        tuple(facts),
        fixes=tuple((fix.kind.value, fix.text) for fix in finding.fixes),
        reactions=() if finding.amplification is None else _reactions(finding.amplification),
        examples=tuple(_example_card(item) for item in finding.examples),
    )


def _reactions(amplification: Amplification) -> tuple[tuple[str, str, str], ...]:
    return tuple(
        (question, share(getattr(amplification.reference, name), 0), share(getattr(amplification.candidate, name), 0))
        for question, name in _QUESTIONS
    )


def _example_card(item: FindingExample) -> ExampleCard:
    before, after = (uri if uri and _SAFE_PICTURE.fullmatch(uri) else None for uri in (item.before, item.after))
    return ExampleCard(item.row_id, item.label, item.change, before, after, item.predicted_before, item.predicted_after)
