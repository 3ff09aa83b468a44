"""The checks of the gate and the requirements, those that failed first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from darwin_core.contracts import Check, CompactionReport, Verdict
from darwin_core.reporting.formatting import MINUS, MISSING, number
from darwin_core.reporting.sections.summary import VERDICT_WORDS

_SLICE_PREFIX = "S1"
_ORDER = (Verdict.FAIL, Verdict.INSUFFICIENT_EVIDENCE, Verdict.PASS)


@dataclass(frozen=True)
class CheckRow:
    """One check of the gate."""

    check_id: str
    title: str
    definition: str
    verdict: Verdict
    word: str
    measured: str
    bounds: str
    bound: str
    reason: str


@dataclass(frozen=True)
class RequirementRow:
    """One requirement held against its measured value."""

    text: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Gate:
    """Overall checks, slice checks (there can be hundreds, folded away unless one failed), requirements, tallies."""

    overall: tuple[CheckRow, ...]
    slices: tuple[CheckRow, ...]
    slices_open: bool
    requirements: tuple[RequirementRow, ...]
    tally: str
    slice_tally: str


def show_gate(report: CompactionReport) -> Gate:
    """The gate's section of ``report``."""
    ordered = sorted(report.verdict.checks, key=lambda check: _ORDER.index(check.verdict))
    slices = [check for check in ordered if check.check_id.startswith(_SLICE_PREFIX)]
    overall = [check for check in ordered if not check.check_id.startswith(_SLICE_PREFIX)]
    return Gate(
        overall=tuple(check_row(check) for check in overall),
        slices=tuple(check_row(check) for check in slices),
        slices_open=any(check.verdict is Verdict.FAIL for check in slices),
        requirements=tuple(
            RequirementRow(str(status.requirement), figure(status.value), status.met)
            for status in report.verdict.requirements
        ),
        tally=_tally(ordered) or "no check was configured",
        slice_tally=_tally(slices),
    )


def _tally(checks: Sequence[Check]) -> str:
    counts = [(VERDICT_WORDS[v].lower(), sum(check.verdict is v for check in checks)) for v in reversed(_ORDER)]
    return ", ".join(f"{amount} {word}" for word, amount in counts if amount)


def figure(value: float | None) -> str:
    """A number whose unit is unknown here: four significant digits, thousands grouped."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == int(value) and abs(value) < 1e15:
        return number(value, 0)
    return number(value, 1) if abs(value) >= 1000 else f"{value:.4g}".replace("-", MINUS)


def check_row(check: Check) -> CheckRow:
    """A check as the page shows it."""
    has_bounds = check.low is not None or check.high is not None
    return CheckRow(
        check_id=check.check_id,
        title=check.title,
        definition=check.definition,
        verdict=check.verdict,
        word=VERDICT_WORDS[check.verdict],
        measured=figure(check.value),
        bounds=f"{figure(check.low)} to {figure(check.high)}" if has_bounds else "",
        bound="" if check.bound is None else figure(check.bound),
        reason=check.reason,
    )
