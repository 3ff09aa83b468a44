"""S1: does any slice of the data pay for the compaction?

A guard against harm, not a proof of equality per slice. Two points within a slice of fifty positives cannot be proven,
so a slice fails the gate only on evidence: its loss exceeds the margin beyond chance, after Holm's correction for all
slices and metrics looked at. A slice where the margin can be neither shown nor excluded says so
(INSUFFICIENT_EVIDENCE) and leaves the verdict to the checks on all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from darwin_core.contracts import Check, Estimate, GateConfig, SliceMetrics, Task, Verdict
from darwin_core.evaluation.checks import settling, worst
from darwin_core.evaluation.multiplicity import holm
from darwin_core.evaluation.proportions import Interval, quantile
from darwin_core.evaluation.wording import TITLES, percent, points

PREFIX = "S1"

JUDGED = {
    Task.BINARY: ("pr_auc", "recall_at_budget", "alert_rate"),
    Task.MULTICLASS: ("accuracy",),
    Task.MULTILABEL: ("pr_auc", "f1"),
    Task.SEGMENTATION: ("accuracy", "mean_iou"),
    Task.REGRESSION: ("rmse",),
}
"""Metrics that are judged per slice."""


@dataclass(frozen=True)
class _Loss:
    """How much worse a slice got by one metric: positive is worse. ``change`` is the signed change as it reads."""

    estimate: Estimate
    change: float
    value: float
    interval: Interval

    @classmethod
    def of(cls, estimate: Estimate) -> _Loss:
        difference, low, high = estimate.difference, estimate.low, estimate.high
        if estimate.metric == "rmse":
            scale = 1 / estimate.reference if estimate.reference else 1.0
            return cls(estimate, scale * difference, scale * difference, Interval(scale * low, scale * high))
        if estimate.metric == "alert_rate" and difference >= 0:  # more alerts cost as much as missing ones
            return cls(estimate, difference, difference, Interval(low, max(high, -low)))
        return cls(estimate, difference, -difference, Interval(-high, -low))

    def p_value(self, margin: float, confidence: float) -> float:
        """Of the hypothesis that the true loss is at most ``margin``, from the spread towards it."""
        standard_error = (self.value - self.interval.low) / quantile(confidence)
        if standard_error <= 0:
            return 0.0 if self.value > margin else 1.0
        return float(stats.norm.sf((self.value - margin) / standard_error))

    def words(self) -> str:
        show = percent if self.estimate.metric == "rmse" else points
        return f"{TITLES[self.estimate.metric]} {show(self.change)}"


def slice_checks(slices: Sequence[SliceMetrics], task: Task, gate: GateConfig) -> tuple[Check, ...]:
    """One check per slice.

    Args:
        slices: Estimates of every slice.
        task: Decides which metrics are judged.
        gate: Margin, smallest number of positives, confidence.
    """
    margin = gate.slice_margin
    if margin is None:
        return ()
    losses = [
        [_Loss.of(estimate) for estimate in one.estimates if estimate.metric in JUDGED[task]]
        if cases_of(one) >= gate.slice_min_positives
        else []
        for one in slices
    ]
    flat = [loss.p_value(margin, gate.confidence) for group in losses for loss in group]
    adjusted = iter(holm(flat))
    return tuple(
        _check(one, group, [next(adjusted) for _ in group], gate, margin)
        for one, group in zip(slices, losses, strict=True)
    )


def cases_of(one: SliceMetrics) -> int:
    """What a slice's evidence is counted in: positives of a binary task, else rows."""
    return one.rows if one.positives is None else one.positives


def _check(one: SliceMetrics, losses: list[_Loss], p_values: list[float], gate: GateConfig, margin: float) -> Check:
    noun = "rows" if one.positives is None else "positive rows"
    verdict, value, reason = Verdict.INSUFFICIENT_EVIDENCE, None, ""
    if not losses:
        reason = f"Too few cases to judge: {cases_of(one):,} {noun}, {gate.slice_min_positives} are needed."
    else:
        verdict = worst([_verdict(loss, p, gate, margin) for loss, p in zip(losses, p_values, strict=True)])
        gravest = max(losses, key=lambda loss: loss.value)
        value = gravest.value
        reason = f"{', '.join(loss.words() for loss in losses)} on {one.rows:,} rows"
        reason += f" with {one.positives:,} positives" if one.positives is not None else ""
        reason += f"; smallest Holm-corrected p {min(p_values):.3f}. {_conclusion(verdict, margin)}"
        if verdict is Verdict.INSUFFICIENT_EVIDENCE:
            open_loss = max(losses, key=lambda loss: loss.interval.high)
            reason += " " + settling(open_loss.estimate, open_loss.interval, open_loss.value, margin, gate.confidence)
    return Check(
        check_id=f"{PREFIX}:{one.column}={one.value}",
        title=f"Slice {one.column} = {one.value}",
        definition=f"no slice worse by more than {100 * margin:g} pt, Holm-corrected over all slices, at least "
        f"{gate.slice_min_positives} {noun}; an open slice does not hold up the verdict",
        verdict=verdict,
        value=value,
        bound=margin,
        reason=reason,
    )


def _verdict(loss: _Loss, adjusted: float, gate: GateConfig, margin: float) -> Verdict:
    if loss.value > margin and adjusted <= 1 - gate.confidence:
        return Verdict.FAIL
    return Verdict.PASS if loss.interval.high <= margin else Verdict.INSUFFICIENT_EVIDENCE


def _conclusion(verdict: Verdict, margin: float) -> str:
    shown = f"{100 * margin:g} pt"
    if verdict is Verdict.PASS:
        return f"A loss of more than {shown} is excluded."
    if verdict is Verdict.FAIL:
        return f"The loss exceeds {shown} beyond chance."
    return f"A loss of more than {shown} is neither shown nor excluded."
