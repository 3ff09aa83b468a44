"""The statistics of the checks: intervals, multiplicity and the population stability index with its null."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Counts = NDArray[np.int64]

_NEAR = 0.05
_DRAWS_AT_ONCE = 10_000
_ENOUGH_BEYOND = 50
_FEWEST_EXPECTED = 5.0


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


def stability(train: Counts, test: Counts, rng: np.random.Generator, *, tests: int = 1) -> Stability | None:
    """Compare two histograms; None where fewer than two bins hold enough rows to be compared.

    Bins are often cut at quantiles of the training rows. The test rows' shares of such bins are then distributed like a
    Dirichlet vector around the training shares, and so they are drawn here; the textbook chi-square null (Yurdakul,
    Western Michigan University, 2018) has too thin a tail for few rows. It serves to skip the drawing where nothing is
    near. Bins with fewer than five expected rows are compared together as one.

    Args:
        train: (bins,) rows per bin.
        test: (bins,) rows per bin.
        rng: Source of the draws.
        tests: How many histograms are compared in all; the p-value must be fine enough for correcting for them.
    """
    counts = _merge_thin_bins(np.stack([train, test]))
    n, m = (int(total) for total in counts.sum(axis=1))
    bins = counts.shape[1]
    if bins < 2 or not n or not m:
        return None
    psi = float(_psi(counts[0], counts[1]))
    scale = 1.0 / n + 1.0 / m
    p_value, null_99 = float(stats.chi2.sf(psi / scale, bins - 1)), float(scale * stats.chi2.isf(0.01, bins - 1))
    if p_value < _NEAR:
        p_value, null_99 = _drawn_null(counts[0], m, psi, rng, draws=10_000 + 2_000 * tests)
    redrawn = _psi(rng.multinomial(n, counts[0] / n, 300), rng.multinomial(m, counts[1] / m, 300))
    low, high = np.quantile(np.maximum(redrawn - (bins - 1) * scale, 0.0), [0.025, 0.975])
    return Stability(psi=psi, null_99=null_99, p_value=p_value, low=float(min(low, psi)), high=float(max(high, psi)))


def _drawn_null(
    train: Counts, test_rows: int, psi: float, rng: np.random.Generator, *, draws: int
) -> tuple[float, float]:
    """p-value and 99th percentile of the index without a shift; drawing ends early where the p-value is not small."""
    first: Floats | None = None
    beyond = done = 0
    while done < draws and beyond < _ENOUGH_BEYOND:
        shares = rng.dirichlet(train + 0.5, _DRAWS_AT_ONCE)
        found = _psi(train, rng.multinomial(test_rows, shares))
        first = found if first is None else first
        beyond, done = beyond + int((found >= psi).sum()), done + _DRAWS_AT_ONCE
    assert first is not None
    return (beyond + 1) / (done + 1), float(np.quantile(first, 0.99))


def _psi(first: Counts, second: Counts) -> Floats:
    p = (first + 0.5) / (first.sum(axis=-1, keepdims=True) + 0.5 * first.shape[-1])
    q = (second + 0.5) / (second.sum(axis=-1, keepdims=True) + 0.5 * second.shape[-1])
    return np.asarray(np.sum((p - q) * np.log(p / q), axis=-1))


def _merge_thin_bins(counts: Counts) -> Counts:
    """Bins with few expected rows as one. The training rows alone decide: merging by both would favour odd bins."""
    expected = counts[0] * (counts.sum(axis=1).min() / max(int(counts[0].sum()), 1))
    thin = expected < _FEWEST_EXPECTED
    if not thin.any():
        return counts
    merged = np.concatenate([counts[:, ~thin], counts[:, thin].sum(axis=1, keepdims=True)], axis=1)
    if expected[thin].sum() < _FEWEST_EXPECTED and merged.shape[1] > 1:
        smallest = int(np.argmin(merged[0, :-1]))
        merged[:, smallest] += merged[:, -1]
        merged = merged[:, :-1]
    return merged


def _mean_variance(values: Floats) -> float:
    return float(np.var(values, ddof=1) / values.size) if values.size > 1 else 0.25
