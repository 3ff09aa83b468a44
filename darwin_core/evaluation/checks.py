"""The gate's checks of quality: every one turns an estimate and a threshold into a verdict and a sentence.

One rule for all of them. The bounds of the estimate lie on the good side of the limit: PASS. On the bad side: FAIL.
On both: INSUFFICIENT_EVIDENCE, with the number of cases that would settle it.
"""

from __future__ import annotations

from dataclasses import dataclass

from darwin_core.contracts import Check, Estimate, GateConfig, Verdict
from darwin_core.evaluation.alerts import Overlap
from darwin_core.evaluation.calibration import LogisticFit
from darwin_core.evaluation.comparison import RELATIVE
from darwin_core.evaluation.drift import Drift
from darwin_core.evaluation.proportions import Interval, cases_to_settle
from darwin_core.evaluation.wording import TITLES, Format, compared, level, more_cases, percent, points

ALERTED_ROWS = "alerted rows"

_SLOPE_BAND = Interval(0.9, 1.1)
_DRIFT_FACTOR = 2.0
"""The candidate's scores may drift as much as chance allows, or up to twice as much as the reference's own."""


def judge(interval: Interval, *, at_least: float | None = None, at_most: float | None = None) -> Verdict:
    """The three-valued rule for a value known within ``interval``."""
    low = -float("inf") if at_least is None else at_least
    high = float("inf") if at_most is None else at_most
    if low <= interval.low and interval.high <= high:
        return Verdict.PASS
    return Verdict.FAIL if interval.high < low or interval.low > high else Verdict.INSUFFICIENT_EVIDENCE


@dataclass(frozen=True)
class Margin:
    """A non-inferiority check: the candidate may lose at most ``margin`` against the baseline.

    Args:
        check_id: Id in the gate's table.
        metric: Which estimate is judged.
        margin: Largest acceptable loss, a share (relative for figures in ``RELATIVE``); None: switched off.
        lower_is_better: Whether a rise is the loss.
    """

    check_id: str
    metric: str
    margin: float | None
    lower_is_better: bool = False

    def check(
        self, estimate: Estimate, gate: GateConfig, *, baseline: str = "reference", prefix: str = "", where: str = ""
    ) -> Check | None:
        """Judge an estimate; None where the check is switched off.

        Args:
            estimate: What was measured.
            gate: For the confidence.
            baseline: What the candidate was compared with, in words.
            prefix: Put before the check id (``B-``).
            where: Names a slice in the title.
        """
        if self.margin is None:
            return None
        relative = estimate.metric in RELATIVE
        # Nothing is a share of nothing: where the reference has no error, the rise itself counts.
        scale = 1 / estimate.reference if relative and estimate.reference else 1.0
        show: Format = percent if relative else points
        limit = self.margin if self.lower_is_better else -self.margin
        interval = Interval(scale * estimate.low, scale * estimate.high)
        verdict = judge(interval, **{"at_most" if self.lower_is_better else "at_least": limit})
        bound_name = "at most" if self.lower_is_better else "at least"
        reason = f"{compared(estimate, baseline, scale=scale, show=show, confidence=gate.confidence)}; "
        reason += f"{bound_name} {show(limit)} is required."
        if verdict is Verdict.INSUFFICIENT_EVIDENCE:
            reason += " " + settling(estimate, interval, scale * estimate.difference, limit, gate.confidence)
        title = TITLES.get(estimate.metric, estimate.metric)
        return Check(
            check_id=f"{prefix}{self.check_id}",
            title=f"{title}{where}, candidate against {baseline}",
            definition=f"{'relative change' if relative else 'difference'} of {title.lower()} on the same rows, "
            f"{level(gate.confidence)} ({estimate.method}), {bound_name} {show(limit)}",
            verdict=verdict,
            value=scale * estimate.difference,
            low=interval.low,
            high=interval.high,
            bound=limit,
            reason=reason,
        )


def settling(estimate: Estimate, interval: Interval, value: float, limit: float, confidence: float) -> str:
    """How many more cases would settle an open question, as a sentence."""
    cases, noun = evidence(estimate)
    return more_cases(cases, cases_to_settle(cases, interval, value, limit, confidence=confidence), noun)


def evidence(estimate: Estimate) -> tuple[int, str]:
    """How many cases an estimate rests on, and what they are called."""
    by_positives = estimate.positives is not None and estimate.metric in {"pr_auc", "roc_auc", "recall_at_budget", "f1"}
    return (estimate.positives or 0, "positive rows") if by_positives else (estimate.rows, "rows")


def alert_rate_check(estimate: Estimate, gate: GateConfig, threshold: float, *, where: str = "") -> Check | None:
    """Q4: relative change of the alert rate at the threshold that the reference is deployed with."""
    limit = gate.alert_rate_change
    if limit is None:
        return None
    if not estimate.reference:
        return Check(
            check_id="Q4",
            title=f"Alert rate{where}",
            definition="relative change of the share of rows at or above the deployed threshold",
            verdict=Verdict.INSUFFICIENT_EVIDENCE,
            bound=limit,
            reason=f"The reference alerts no row at its threshold {threshold:.4f}, so no change can be computed.",
        )
    scale = 1 / estimate.reference
    interval = Interval(scale * estimate.low, scale * estimate.high)
    verdict = judge(interval, at_least=-limit, at_most=limit)
    said = compared(estimate, "reference", scale=scale, show=percent, confidence=gate.confidence)
    reason = f"{said} at threshold {threshold:.4f}; at most {100 * limit:g} % either way is allowed."
    value = scale * estimate.difference
    if verdict is Verdict.INSUFFICIENT_EVIDENCE:
        nearest = limit if value >= 0 else -limit
        reason += " " + settling(estimate, interval, value, nearest, gate.confidence)
    return Check(
        check_id="Q4",
        title=f"Alert rate{where} at the deployed threshold",
        definition=f"relative change of the share of rows at or above the score from which the reference alerts "
        f"{100 * gate.alert_budget:g} % of the validation rows, within {100 * limit:g} %",
        verdict=verdict,
        value=value,
        low=interval.low,
        high=interval.high,
        bound=limit,
        reason=reason,
    )


def overlap_check(found: Overlap, gate: GateConfig, missed: int) -> Check | None:
    """Q5: Jaccard index of both alert queues."""
    limit = gate.alert_overlap
    if limit is None:
        return None
    verdict = judge(found.interval, at_least=limit)
    reason = (
        f"{found.both:,} of {found.either:,} alerted rows are on both queues: overlap {found.jaccard:.3f} "
        f"({level(gate.confidence)} {found.interval.low:.3f} to {found.interval.high:.3f}); at least {limit:g} is "
        f"required. {missed:,} positive rows that the reference alerted are missing from the candidate's queue."
    )
    if verdict is Verdict.INSUFFICIENT_EVIDENCE:
        needed = cases_to_settle(found.either, found.interval, found.jaccard, limit, confidence=gate.confidence)
        reason += " " + more_cases(found.either, needed, ALERTED_ROWS)
    if verdict is not Verdict.PASS:
        reason += f" With the requirement alert_overlap>={limit:g} the search looks for common alerts."
    return Check(
        check_id="Q5",
        title="Overlap of the alert queues",
        definition=f"Jaccard index of the rows that each network ranks into its {100 * gate.alert_budget:g} % budget",
        verdict=verdict,
        value=found.jaccard,
        low=found.interval.low,
        high=found.interval.high,
        bound=limit,
        reason=reason,
    )


@dataclass(frozen=True)
class Slopes:
    """Calibration slopes of both networks, with the bounds of the candidate's and of the ratio."""

    reference: LogisticFit
    candidate: LogisticFit
    own: Interval
    ratio: Interval | None


def calibration_check(estimate: Estimate, slopes: Slopes | None, gate: GateConfig) -> Check | None:
    """Q6: rise of the calibration error, and the calibration slope where the task has one."""
    base = Margin("Q6", "ece", gate.calibration_rise, lower_is_better=True).check(estimate, gate)
    if base is None or slopes is None:
        return base
    verdict = worst([base.verdict, _slope_verdict(slopes)])
    return base.model_copy(
        update={
            "title": "Calibration",
            "definition": f"{base.definition} (20 equal-mass bins and the top 1 %); slope of the scores within 0.9 to "
            "1.1, or within 10 % of the reference's own",
            "verdict": verdict,
            "reason": f"{base.reason} Slope {slopes.candidate.slope:.3f} ({slopes.own.low:.3f} to "
            f"{slopes.own.high:.3f}), reference {slopes.reference.slope:.3f}; 0.9 to 1.1, or within 10 % of the "
            "reference's, is required.",
        }
    )


def _slope_verdict(slopes: Slopes) -> Verdict:
    """The better of two readings: the scores mean what they say, or as much as the reference's do."""
    found = [judge(slopes.own, at_least=_SLOPE_BAND.low, at_most=_SLOPE_BAND.high)]
    if slopes.ratio is not None:
        found.append(judge(slopes.ratio, at_least=_SLOPE_BAND.low, at_most=_SLOPE_BAND.high))
    return best(found)


def drift_check(candidate: Drift, reference: Drift) -> Check:
    """D1: the candidate's scores drift from validation to hold-out no more than chance, or than the reference's."""
    bound = max(candidate.chance, _DRIFT_FACTOR * reference.psi)
    passed = candidate.psi <= bound
    return Check(
        check_id="D1",
        title="Drift of the scores",
        definition="population stability index from validation to hold-out, deciles and tail bins (99, 99.5, 99.9 %), "
        "at most what chance reaches in 1 of 100 cases for this many rows, or twice the reference's own",
        verdict=Verdict.PASS if passed else Verdict.FAIL,
        value=candidate.psi,
        bound=bound,
        reason=f"PSI of the candidate's scores {candidate.psi:.5f}, of the reference's {reference.psi:.5f}; chance "
        f"reaches {candidate.chance:.5f} in 1 of 100 cases.",
    )


def worst(verdicts: list[Verdict]) -> Verdict:
    """FAIL before INSUFFICIENT_EVIDENCE before PASS."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.PASS)


def best(verdicts: list[Verdict]) -> Verdict:
    """PASS before INSUFFICIENT_EVIDENCE before FAIL."""
    return min(verdicts, key=_SEVERITY.__getitem__)


_SEVERITY = {Verdict.PASS: 0, Verdict.INSUFFICIENT_EVIDENCE: 1, Verdict.FAIL: 2}
