"""The gate: from measurements to checks, from checks to one of three verdicts.

Any FAIL fails the candidate. Otherwise any INSUFFICIENT_EVIDENCE keeps the champion (open slices excepted, see
:mod:`darwin_core.evaluation.slices`). PASS needs a quality threshold: without one there is nothing to bless.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from darwin_core.contracts import Check, GateConfig, SliceMetrics, Task, Verdict
from darwin_core.evaluation import slices as slicewise
from darwin_core.evaluation.alerts import Overlap
from darwin_core.evaluation.checks import (
    Margin,
    Slopes,
    alert_rate_check,
    calibration_check,
    drift_check,
    overlap_check,
    worst,
)
from darwin_core.evaluation.comparison import Comparison
from darwin_core.evaluation.drift import Drift

_NO_THRESHOLD = (
    "No threshold on quality is configured for this task, and what nobody asked for cannot be blessed: set a margin of "
    "the gate or a requirement on quality."
)


@dataclass(frozen=True)
class AlertEvidence:
    """What only a binary task has.

    Args:
        threshold: Score from which the reference alerts its budget on the validation rows.
        overlap: Overlap of both alert queues.
        missed: Positive rows that the reference alerted and the candidate did not.
        slopes: Calibration slopes; None where they cannot be fitted.
        advice: What a score map would change, as a sentence; empty: no map was fitted.
    """

    threshold: float
    overlap: Overlap
    missed: int
    slopes: Slopes | None
    advice: str = ""


@dataclass(frozen=True)
class Measurements:
    """Everything that the quality checks are made from.

    Args:
        task: What the networks predict.
        comparison: Candidate against the reference, all rows.
        slices: Candidate against the reference, per slice.
        champion: Candidate against the champion; None where there is none.
        drift: PSI from validation to hold-out: reference, candidate; None where the task has no score.
        alerts: Binary tasks only.
    """

    task: Task
    comparison: Comparison
    slices: tuple[SliceMetrics, ...] = ()
    champion: Comparison | None = None
    drift: tuple[Drift, Drift] | None = None
    alerts: AlertEvidence | None = None


def quality_margins(task: Task, gate: GateConfig) -> tuple[Margin, ...]:
    """The non-inferiority checks of a task."""
    if task is Task.MULTICLASS:
        return (Margin("Q0", "accuracy", gate.accuracy_margin),)
    if task is Task.REGRESSION:
        return (Margin("Q8", "rmse", gate.rmse_margin, lower_is_better=True),)
    if task is Task.SEGMENTATION:
        return (Margin("Q0", "accuracy", gate.accuracy_margin), Margin("Q9", "mean_iou", gate.mean_iou_margin))
    if task is Task.MULTILABEL:
        return (Margin("Q1", "pr_auc", gate.pr_auc_margin), Margin("Q3", "f1", gate.f1_margin))
    return (Margin("Q1", "pr_auc", gate.pr_auc_margin), Margin("Q2", "recall_at_budget", gate.recall_margin))


def quality_checks(measured: Measurements, gate: GateConfig) -> tuple[Check, ...]:
    """All checks that follow from the predictions."""
    return (
        *_against(measured.comparison, measured.task, gate),
        *_alert_checks(measured, gate),
        *(() if measured.drift is None else (drift_check(measured.drift[1], measured.drift[0]),)),
        *slicewise.slice_checks(measured.slices, measured.task, gate),
        *(
            ()
            if measured.champion is None
            else _against(measured.champion, measured.task, gate, baseline="champion", prefix="B-")
        ),
    )


def holdout_check(look: int, gate: GateConfig) -> Check:
    """I1: how often this hold-out has been looked at. Every look lets later choices adapt to it a little."""
    limit = gate.holdout_looks
    worn = limit is not None and look > limit
    reason = f"This is look number {look:,} at this hold-out; the ledger holds them all."
    if worn:
        reason += f" After {limit:,} looks it proves nothing any more: draw a fresh one."
    return Check(
        check_id="I1",
        title="Looks at the hold-out",
        definition="looks at the sealed rows, from the append-only ledger; the search never sees them",
        verdict=Verdict.INSUFFICIENT_EVIDENCE if worn else Verdict.PASS,
        value=look,
        bound=limit,
        reason=reason,
    )


def combine(checks: Sequence[Check]) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict and its reasons, the deciding ones first.

    Args:
        checks: All checks of the run.
    """
    binding = [check for check in checks if not _open_slice(check)]
    verdict = worst([check.verdict for check in binding])
    reasons = [f"{check.check_id}: {check.reason}" for check in binding if check.verdict is verdict]
    if not any(_shows_quality(check) for check in checks):
        verdict = worst([verdict, Verdict.INSUFFICIENT_EVIDENCE])
        reasons = [_NO_THRESHOLD, *(reasons if verdict is Verdict.FAIL else ())]
    if verdict is Verdict.FAIL:
        reasons += [
            f"{check.check_id}: {check.reason}" for check in binding if check.verdict is Verdict.INSUFFICIENT_EVIDENCE
        ]
    if verdict is Verdict.PASS:
        reasons = [f"All {len(binding)} checks passed.", *reasons]
    unsettled = sum(_open_slice(check) for check in checks)
    if unsettled:
        reasons.append(f"{unsettled} of {_slice_count(checks)} slices hold too few cases to be settled on their own.")
    return verdict, tuple(reasons)


def _against(
    comparison: Comparison, task: Task, gate: GateConfig, *, baseline: str = "reference", prefix: str = ""
) -> list[Check]:
    found = []
    for margin in quality_margins(task, gate):
        if margin.metric not in comparison.estimates:
            check = _unmeasured(margin, baseline=baseline, prefix=prefix)
        else:
            check = margin.check(comparison.estimates[margin.metric], gate, baseline=baseline, prefix=prefix)
        found.append(check)
    return [check for check in found if check is not None]


def _unmeasured(margin: Margin, *, baseline: str, prefix: str) -> Check | None:
    """A metric without a value (no positive row in the hold-out) is missing evidence."""
    if margin.margin is None:
        return None
    return Check(
        check_id=f"{prefix}{margin.check_id}",
        title=f"{margin.metric}, candidate against {baseline}",
        definition=f"{margin.metric} on the same rows",
        verdict=Verdict.INSUFFICIENT_EVIDENCE,
        bound=-margin.margin,
        reason=f"{margin.metric} has no value on these rows: a positive and a negative row are needed at least.",
    )


def _alert_checks(measured: Measurements, gate: GateConfig) -> list[Check]:
    estimates, alerts = measured.comparison.estimates, measured.alerts
    found: list[Check | None] = []
    if alerts is not None:
        rate = alert_rate_check(estimates["alert_rate"], gate, alerts.threshold)
        if rate is not None and rate.verdict is not Verdict.PASS and alerts.advice:
            rate = rate.model_copy(update={"reason": f"{rate.reason} {alerts.advice}"})
        found += [rate, overlap_check(alerts.overlap, gate, alerts.missed)]
    if "ece" in estimates:
        found.append(calibration_check(estimates["ece"], alerts.slopes if alerts else None, gate))
    return [check for check in found if check is not None]


def _open_slice(check: Check) -> bool:
    return check.check_id.startswith(f"{slicewise.PREFIX}:") and check.verdict is Verdict.INSUFFICIENT_EVIDENCE


def _slice_count(checks: Sequence[Check]) -> int:
    return sum(check.check_id.startswith(f"{slicewise.PREFIX}:") for check in checks)


def _shows_quality(check: Check) -> bool:
    """Whether the check bounds a quality on all rows: one of Q0 to Q3, Q8, Q9, or a requirement on quality.

    Common alerts are none: both networks may be as bad.
    """
    is_requirement = check.check_id.startswith("O2:") and not check.check_id.startswith("O2:alert_overlap")
    return check.check_id in {"Q0", "Q1", "Q2", "Q3", "Q8", "Q9"} or (is_requirement and check.low is not None)
