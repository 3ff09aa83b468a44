"""The statistics of the checks: intervals, multiplicity and the population stability index with its null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Interval:
    """An estimate with a two-sided interval."""

    value: float
    low: float
    high: float


def auc_interval(positive: Bools, scores: Floats, alpha: float = 0.05) -> Interval:
    """Area under the ROC curve with DeLong's interval.

    DeLong's variance vanishes at perfect separation, where the interval would claim certainty; the lower bound is
    therefore never above ``(alpha / 2) ** (1 / n)``, the bound of n successes out of n for the rarer class.

    Args:
        positive: (rows,) which rows count as positive; both kinds must occur.
        scores: (rows,) higher means more positive; ties count half.
        alpha: One minus the confidence, two-sided.

    Source: DeLong, DeLong, Clarke-Pearson, Biometrics 44 (1988); fast form by Sun and Xu, IEEE SPL 21 (2014).
    """
    ranks = stats.rankdata(scores)
    positives, negatives = int(positive.sum()), int((~positive).sum())
    above = (ranks[positive] - stats.rankdata(scores[positive])) / negatives
    below = (ranks[~positive] - stats.rankdata(scores[~positive])) / positives
    auc = float(above.mean())
    variance = _mean_variance(above) + _mean_variance(below)
    margin = float(stats.norm.isf(alpha / 2) * np.sqrt(variance))
    ceiling = (alpha / 2) ** (1.0 / min(positives, negatives))
    return Interval(auc, max(0.0, min(auc - margin, ceiling)), min(1.0, auc + margin))


def share_interval(hits: int, total: int, alpha: float = 0.05) -> Interval:
    """A share with the exact (Clopper-Pearson) two-sided interval."""
    low = float(stats.beta.ppf(alpha / 2, hits, total - hits + 1)) if hits else 0.0
    high = float(stats.beta.isf(alpha / 2, hits + 1, total - hits)) if hits < total else 1.0
    return Interval(hits / total, low, high)


def correlation_interval(first: Floats, second: Floats, alpha: float = 0.05) -> Interval:
    """Pearson's correlation with Fisher's interval; 0 where one side does not vary. Needs more than three rows."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return Interval(0.0, 0.0, 0.0)
    value = float(np.clip(np.corrcoef(first, second)[0, 1], -1 + 1e-12, 1 - 1e-12))
    margin = float(stats.norm.isf(alpha / 2)) / np.sqrt(first.size - 3)
    return Interval(value, float(np.tanh(np.arctanh(value) - margin)), float(np.tanh(np.arctanh(value) + margin)))


@dataclass(frozen=True)
class Stability:
    """Population stability index of two samples, held against what equal distributions would give.

    Attributes:
        psi: The index.
        null_99: Its 99th percentile for these numbers of rows if nothing had changed.
        p_value: Chance of so high an index if nothing had changed.
        low: Lower bound (95 %, two-sided) of the index without its upward bias.
        high: Upper bound.
    """

    psi: float
    null_99: float
    p_value: float
    low: float
    high: float


def stability(first: NDArray[np.int64], second: NDArray[np.int64], rng: np.random.Generator) -> Stability | None:
    """Compare two histograms over the same bins; None where fewer than two bins hold enough rows to be compared.

    Under equal distributions the index is distributed as ``(1/n + 1/m)`` times chi-square with bins - 1 degrees of
    freedom (Yurdakul, Western Michigan University, 2018). That needs about five expected rows per bin, so thinner
    bins are compared together as one.

    Args:
        first: (bins,) rows per bin.
        second: (bins,) rows per bin.
        rng: Source of the interval's parametric bootstrap.
    """
    counts = _merge_thin_bins(np.stack([first, second]))
    bins, (n, m) = counts.shape[1], counts.sum(axis=1)
    if bins < 2 or not n or not m:
        return None
    scale, freedom = 1.0 / n + 1.0 / m, bins - 1
    psi = float(_psi(counts[0], counts[1]))
    redrawn = _psi(rng.multinomial(n, counts[0] / n, 300), rng.multinomial(m, counts[1] / m, 300))
    low, high = np.quantile(np.maximum(redrawn - freedom * scale, 0.0), [0.025, 0.975])
    return Stability(
        psi=psi,
        null_99=float(scale * stats.chi2.isf(0.01, freedom)),
        p_value=float(stats.chi2.sf(psi / scale, freedom)),
        low=float(min(low, psi)),
        high=float(max(high, psi)),
    )


def _psi(first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    p = (first + 0.5) / (first.sum(axis=-1, keepdims=True) + 0.5 * first.shape[-1])
    q = (second + 0.5) / (second.sum(axis=-1, keepdims=True) + 0.5 * second.shape[-1])
    return np.asarray(np.sum((p - q) * np.log(p / q), axis=-1))


def _merge_thin_bins(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    totals = counts.sum(axis=1)
    expected = counts.sum(axis=0) * (totals.min() / max(totals.sum(), 1))
    thin = expected < 5.0
    if not thin.any():
        return counts
    merged = np.concatenate([counts[:, ~thin], counts[:, thin].sum(axis=1, keepdims=True)], axis=1)
    still_thin = merged[:, -1].sum() * (totals.min() / max(totals.sum(), 1)) < 5.0
    if still_thin and merged.shape[1] > 1:
        smallest = int(np.argmin(merged[:, :-1].sum(axis=0)))
        merged[:, smallest] += merged[:, -1]
        merged = merged[:, :-1]
    return merged


def _mean_variance(values: Floats) -> float:
    return float(np.var(values, ddof=1) / values.size) if values.size > 1 else 0.25
