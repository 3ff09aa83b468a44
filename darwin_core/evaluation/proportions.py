"""Paired proportions: how far apart two networks' success rates are that were counted on the same rows.

Of n rows, b are right for the candidate alone and c for the reference alone. Rows on which both agree say nothing about
the difference (b - c) / n, so its precision depends on the disagreement (b + c) / n, not on the accuracy itself.

The bounds are score bounds (T. Tango, "Equivalence test and confidence interval for the difference in proportions for
the paired-sample design", Statistics in Medicine 17, 1998): the differences d0 that a score test does not reject.
Unlike the Wald interval they hold their level for few disagreements, and with none at all (b = c = 0) they are still
z^2 / (n + z^2) away from zero: agreement on ten rows proves little.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

_BISECTIONS = 60  # halves the interval [-1, 1] below the spacing of floats around 1


@dataclass(frozen=True)
class Interval:
    """A one-sided lower and a one-sided upper bound. Each holds at the stated confidence on its own."""

    low: float
    high: float

    def widened(self, other: Interval) -> Interval:
        """The smallest interval that holds both."""
        return Interval(min(self.low, other.low), max(self.high, other.high))


def quantile(confidence: float) -> float:
    """One-sided standard normal quantile, 1.645 for 0.95."""
    return NormalDist().inv_cdf(confidence)


def paired_difference(rows: int, gained: int, lost: int, *, confidence: float) -> Interval:
    """Tango's score bounds of (gained - lost) / rows.

    Args:
        rows: Number of pairs.
        gained: Pairs that only the candidate gets right.
        lost: Pairs that only the reference gets right.
        confidence: One-sided, e.g. 0.95.

    Returns:
        The bounds; [-1, 1] where there are no rows.
    """
    if rows == 0:
        return Interval(-1.0, 1.0)
    z = quantile(confidence)
    estimate = (gained - lost) / rows
    low = _crossing(rows, gained, lost, level=z, inside=estimate, outside=-1.0)
    high = _crossing(rows, gained, lost, level=-z, inside=estimate, outside=1.0)
    return Interval(low, high)


def _crossing(rows: int, gained: int, lost: int, *, level: float, inside: float, outside: float) -> float:
    """The hypothetical difference at which the score statistic, which falls with it, crosses ``level``."""
    for _ in range(_BISECTIONS):
        middle = (inside + outside) / 2
        if abs(_score(rows, gained, lost, middle)) < abs(level):
            inside = middle
        else:
            outside = middle
    return outside


def _score(rows: int, gained: int, lost: int, difference: float) -> float:
    """Score statistic of H0: the true difference is ``difference`` (Tango 1998, equations 5 to 7)."""
    distance = gained - lost - rows * difference
    # Maximum-likelihood share of pairs that only the reference gets right, under H0.
    a = 2 * rows
    b = -gained - lost + (2 * rows - gained + lost) * difference
    c = -lost * difference * (1 - difference)
    share = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = rows * (2 * share + difference * (1 - difference))
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def wilson(successes: float, trials: float, *, confidence: float) -> Interval:
    """Wilson's score bounds of a single proportion (E. B. Wilson, JASA 22, 1927); [0, 1] without trials."""
    if trials <= 0:
        return Interval(0.0, 1.0)
    z = quantile(confidence)
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z / (1 + z * z / trials) * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    return Interval(max(0.0, centre - half), min(1.0, centre + half))


def silence_bound(cases: float, *, confidence: float) -> float:
    """How large a difference can hide behind ``cases`` pairs without a single disagreement: z^2 / (n + z^2).

    No interval of the gate is narrower. A bootstrap of identical answers has no spread at all and would certify
    equality from a handful of rows.
    """
    z = quantile(confidence)
    return z * z / (max(cases, 0.0) + z * z)


def rows_needed(disagreement: float, margin: float, *, confidence: float = 0.95, power: float = 0.8) -> int:
    """Pairs needed to show non-inferiority within ``margin`` when both networks are equally good.

    Connor, "Sample size for testing differences in proportions for the paired-sample design", Biometrics 43, 1987, with
    the true difference zero. For recall, a pair is a positive row.

    Args:
        disagreement: Expected share of pairs that only one of the networks gets right.
        margin: Largest loss that is still acceptable, as a share.
        confidence: One-sided.
        power: Probability of a pass for equal networks.
    """
    return math.ceil((quantile(confidence) + quantile(power)) ** 2 * disagreement / margin**2)


def cases_to_settle(
    cases: float, interval: Interval, estimate: float, limit: float, *, confidence: float, power: float = 0.8
) -> int | None:
    """Cases after which the interval would probably lie on one side of ``limit``, if the estimate stays as it is.

    The half-width shrinks with the root of the number of cases; ``power`` leaves room for the estimate to move.

    Args:
        cases: Cases that the interval rests on.
        interval: The bounds now.
        estimate: The point estimate now.
        limit: The value that the interval straddles.
        confidence: One-sided level of the bounds.
        power: Probability that so many cases settle it.

    Returns:
        The total number of cases, or None where the estimate sits so close to the limit (over a thousand times the
        cases) that collecting more is no answer.
    """
    z = quantile(confidence)
    standard_error = (interval.high - interval.low) / (2 * z)
    gap = abs(estimate - limit)
    factor = ((z + quantile(power)) * standard_error / gap) ** 2 if gap > 0 else math.inf
    return None if factor > 1000 else max(math.ceil(cases * factor), math.ceil(cases) + 1)
