"""Population stability index with tail bins, judged against chance instead of a constant.

Two samples of the same population never have a PSI of 0: its mean under no drift is about (bins - 1)(1/N + 1/M). The
usual constants (0.1, 0.25) therefore cry wolf on small samples and sleep on large ones (B. Yurdakul and J. Naranjo,
"Statistical properties of the population stability index", Journal of Risk Model Validation 14, 2020).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.evaluation.ranking import Floats

QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99, 0.995, 0.999)
"""Inner bin edges: deciles and the tail that alerts come from, which ten equal bins do not see."""

_FLOOR = 1e-4  # share put into empty bins, so that the logarithm stays finite
_NULL_ROUNDS = 4000


@dataclass(frozen=True)
class Drift:
    """PSI between two samples of scores, and what chance alone would reach in 1 of 100 cases."""

    psi: float
    chance: float


def score_drift(before: Floats, after: Floats, *, seed: int = 0) -> Drift:
    """PSI of ``after`` against ``before``, bins fixed on ``before``.

    Args:
        before: Scores of the first sample, shape (m,).
        after: Scores of the second sample, shape (n,).
        seed: Of the simulated null distribution.
    """
    edges = np.unique(np.quantile(before, QUANTILES))
    first, second = (_counts(edges, scores) for scores in (before, after))
    pooled = (first + second) / (len(before) + len(after))
    generator = np.random.default_rng(seed)
    null = _psi(
        generator.multinomial(len(before), pooled, size=_NULL_ROUNDS),
        generator.multinomial(len(after), pooled, size=_NULL_ROUNDS),
    )
    return Drift(psi=float(_psi(first[None], second[None])[0]), chance=float(np.quantile(null, 0.99)))


def _counts(edges: Floats, scores: Floats) -> NDArray[np.int64]:
    return np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1).astype(np.int64)


def _psi(first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    expected, actual = (np.maximum(counts / counts.sum(axis=1, keepdims=True), _FLOOR) for counts in (first, second))
    index: Floats = ((actual - expected) * np.log(actual / expected)).sum(axis=1)
    return index
