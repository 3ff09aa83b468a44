"""O2: the user's requirements, held against what was measured on the sealed rows and on this machine."""

from __future__ import annotations

from dataclasses import dataclass

from darwin_core.contracts import (
    Check,
    Comparator,
    Estimate,
    NetworkCost,
    Requirement,
    RequirementMetric,
    RequirementStatus,
    Verdict,
)
from darwin_core.evaluation.alerts import Overlap
from darwin_core.evaluation.checks import ALERTED_ROWS, evidence, judge
from darwin_core.evaluation.comparison import Comparison
from darwin_core.evaluation.proportions import Interval, cases_to_settle
from darwin_core.evaluation.wording import level, more_cases

PREFIX = "O2"


@dataclass(frozen=True)
class _Measured:
    """A measured value; ``interval`` and the number and name of its cases where it was estimated from them."""

    value: float
    interval: Interval | None = None
    cases: tuple[int, str] = (0, "rows")


def requirement_checks(
    requirements: tuple[Requirement, ...],
    cost: NetworkCost,
    comparison: Comparison,
    overlap: Overlap | None = None,
    *,
    confidence: float,
) -> tuple[tuple[RequirementStatus, ...], tuple[Check, ...]]:
    """Hold every requirement against the measurements.

    Resources are measured exactly (latency: as measured here) and so pass or fail. Qualities are estimated, and pass
    only when their bounds do. ``RequirementStatus.met`` speaks of the point estimate.

    Args:
        requirements: What must hold.
        cost: What the candidate costs.
        comparison: Estimates of quality on the sealed rows.
        overlap: Of both alert queues; None for a task without alerts.
        confidence: One-sided level of the bounds.

    Returns:
        Status and check of each requirement, in their order.
    """
    found = [(one, _measure(one.metric, cost, comparison, overlap)) for one in requirements]
    statuses = tuple(
        RequirementStatus(
            requirement=one,
            value=None if measured is None else measured.value,
            met=measured is not None and one.is_met(measured.value),
        )
        for one, measured in found
    )
    return statuses, tuple(_check(one, measured, confidence) for one, measured in found)


def _measure(
    metric: RequirementMetric, cost: NetworkCost, comparison: Comparison, overlap: Overlap | None
) -> _Measured | None:
    if metric.is_resource:
        value = _resource(metric, cost)
        return None if value is None else _Measured(value)
    if metric is RequirementMetric.ALERT_OVERLAP:
        return None if overlap is None else _Measured(overlap.jaccard, overlap.interval, (overlap.either, ALERTED_ROWS))
    name = metric.value
    if name.endswith(("_drop", "_rise")):
        return _loss(comparison.estimates.get(name.rpartition("_")[0]))
    estimate = comparison.estimates.get(name)
    return None if estimate is None else _Measured(estimate.candidate, comparison.candidate[name], evidence(estimate))


def _resource(metric: RequirementMetric, cost: NetworkCost) -> float | None:
    name = metric.value
    if not name.startswith("latency_"):
        return float(getattr(cost, name))
    return None if cost.latency is None else float(getattr(cost.latency, name.removeprefix("latency_")))


def _loss(estimate: Estimate | None) -> _Measured | None:
    """A drop is reference minus candidate; the rise of the RMSE is relative."""
    if estimate is None:
        return None
    if estimate.metric == "rmse":
        if not estimate.reference:
            return None
        low, high = estimate.low / estimate.reference, estimate.high / estimate.reference
        return _Measured(estimate.difference / estimate.reference, Interval(low, high), evidence(estimate))
    return _Measured(-estimate.difference, Interval(-estimate.high, -estimate.low), evidence(estimate))


def _check(requirement: Requirement, measured: _Measured | None, confidence: float) -> Check:
    verdict, reason, interval = Verdict.FAIL, "", None
    if measured is None:
        reason = f"{requirement.metric} was not measured: the networks' task does not have it."
    elif measured.interval is None:
        met = requirement.is_met(measured.value)
        verdict = Verdict.PASS if met else Verdict.FAIL
        reason = f"{requirement.metric} is {measured.value:,.6g}; {requirement.comparator} {requirement.bound:,.6g} "
        reason += "is required." if met else "is required and missed."
    else:
        interval = measured.interval
        verdict = _judge(requirement, interval)
        reason = (
            f"{requirement.metric} is {measured.value:.4f} ({level(confidence)} {interval.low:.4f} to "
            f"{interval.high:.4f}); {requirement.comparator} {requirement.bound:g} is required."
        )
        if verdict is Verdict.INSUFFICIENT_EVIDENCE:
            cases, noun = measured.cases
            needed = cases_to_settle(cases, interval, measured.value, requirement.bound, confidence=confidence)
            reason += " " + more_cases(cases, needed, noun)
    return Check(
        check_id=f"{PREFIX}:{requirement}",
        title=f"Requirement {requirement}",
        definition="resources: the measured value; qualities: the bounds of the paired estimate on the sealed rows",
        verdict=verdict,
        value=None if measured is None else measured.value,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        bound=requirement.bound,
        reason=reason,
    )


def _judge(requirement: Requirement, interval: Interval) -> Verdict:
    if requirement.comparator in {Comparator.AT_MOST, Comparator.LESS}:
        return judge(interval, at_most=requirement.bound)
    return judge(interval, at_least=requirement.bound)
