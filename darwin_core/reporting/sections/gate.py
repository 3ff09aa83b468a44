"""The checks of the gate and the requirements, those that failed first."""

from __future__ import annotations

import math
from dataclasses import dataclass

from darwin_core.contracts import Check, CompactionReport, Verdict
from darwin_core.reporting.formatting import MINUS, MISSING, number
from darwin_core.reporting.sections.summary import VERDICT_WORDS

_OPEN_ROWS = 24
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
    """Checks in two portions (a gate can hold hundreds of slice checks), requirements, and the tally."""

    checks: tuple[CheckRow, ...]
    more_checks: tuple[CheckRow, ...]
    requirements: tuple[RequirementRow, ...]
    tally: str


def show_gate(report: CompactionReport) -> Gate:
    """The gate's section of ``report``."""
    ordered = sorted(report.verdict.checks, key=lambda check: (_is_slice(check), _ORDER.index(check.verdict)))
    rows = [_row(check) for check in ordered]
    counts = [(VERDICT_WORDS[v].lower(), sum(check.verdict is v for check in ordered)) for v in reversed(_ORDER)]
    return Gate(
        checks=tuple(rows[:_OPEN_ROWS]),
        more_checks=tuple(rows[_OPEN_ROWS:]),
        requirements=tuple(
            RequirementRow(str(status.requirement), figure(status.value), status.met)
            for status in report.verdict.requirements
        ),
        tally=", ".join(f"{amount} {word}" for word, amount in counts if amount) or "no check was configured",
    )


def figure(value: float | None) -> str:
    """A number whose unit is unknown here: four significant digits, thousands grouped."""
    if value is None or not math.isfinite(value):
        return MISSING
    if value == int(value) and abs(value) < 1e15:
        return number(value, 0)
    return number(value, 1) if abs(value) >= 1000 else f"{value:.4g}".replace("-", MINUS)


def _is_slice(check: Check) -> bool:
    """Slice checks come last: there can be hundreds, and they must not hide the overall ones."""
    return check.check_id.startswith("S")


def _row(check: Check) -> CheckRow:
    has_bounds = check.low is not None or check.high is not None
    return CheckRow(
        check_id=check.check_id,
        title=check.title,
        definition=check.definition,
        verdict=check.verdict,
        word=VERDICT_WORDS[check.verdict],
        measured=figure(check.value),
        bounds=f"{figure(check.low)} to {figure(check.high)}" if has_bounds else MISSING,
        bound=figure(check.bound),
        reason=check.reason,
    )
