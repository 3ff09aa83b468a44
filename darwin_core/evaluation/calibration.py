"""Do scores mean what they say? Calibration slope, its comparison between networks, and maps between score scales.

The slope is that of logistic recalibration (D. R. Cox, "Two further applications of a model for binary regression",
Biometrika 45, 1958): fit ``logit P(y = 1) = intercept + slope * logit(score)``. 1 is right, below 1 the scores boast.

Between two networks' scales, :func:`align_scales` finds the affine map of the log-odds under which a threshold keeps
its meaning: same median, same share of alerts. A regression of one on the other (Platt's map) would not do: it shrinks
towards the mean and takes alerts away in the tail, where the threshold lies.

Of several classes, :func:`fit_temperature` finds the factor of the log-odds that makes the probabilities most likely
(C. Guo et al., "On calibration of modern neural networks", ICML 2017, temperature scaling): no decision changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from darwin_core.evaluation.proportions import Interval, quantile
from darwin_core.evaluation.ranking import Floats

_CLIP = 1e-7
_ITERATIONS = 50
_TOLERANCE = 1e-9
_SINGULAR = 1e12  # condition number: scores are constant, or separate the classes perfectly
_LARGEST_FACTOR = 20.0
_LIKELIHOOD_RATIO = 3.84  # the 95 % point of chi-squared with one degree of freedom (S. S. Wilks, 1938)


@dataclass(frozen=True)
class ScoreMap:
    """``intercept + slope * logit(score)``: what scaling and shifting a network's last layer does to its scores."""

    intercept: float
    slope: float

    def apply(self, scores: ArrayLike) -> Floats:
        """Map scores, shape (n,). Monotone for a positive slope, so no ranking changes."""
        mapped: Floats = _sigmoid(self.intercept + self.slope * _logit(scores))
        return mapped


@dataclass(frozen=True)
class LogisticFit:
    """A fitted ``intercept + slope * logit(score)``.

    ``influence`` is the share of every row in the slope's error (shape (n,)): the slope's variance is the sum of its
    squares, over clusters where rows belong together, and two networks' slopes are compared row by row through it.
    """

    intercept: float
    slope: float
    influence: Floats

    def slope_bounds(self, *, confidence: float, clusters: NDArray[np.int64] | None = None) -> Interval:
        """One-sided bounds of the slope, from the sandwich variance."""
        half = quantile(confidence) * _standard_error(self.influence, clusters)
        return Interval(self.slope - half, self.slope + half)


def fit_logistic(scores: ArrayLike, target: ArrayLike, weights: ArrayLike | None = None) -> LogisticFit | None:
    """Fit the logistic map from ``scores`` to ``target`` by Newton's method.

    Args:
        scores: Probabilities, shape (n,).
        target: Labels 0/1, or another network's probabilities, shape (n,).
        weights: Row weights, shape (n,).

    Returns:
        The fit, or None where it has no finite solution (one class only, constant scores, perfect separation).
    """
    wanted = np.asarray(target, np.float64)
    weight = np.ones(len(wanted)) if weights is None else np.asarray(weights, np.float64)
    design = np.stack([np.ones(len(wanted)), _logit(scores)], axis=1)
    beta = np.array([float(_logit(np.average(wanted, weights=weight))), 0.0])
    loss = _loss(design @ beta, wanted, weight)
    for _ in range(_ITERATIONS):
        fitted = _sigmoid(design @ beta)
        gradient = design * (weight * (wanted - fitted))[:, None]
        hessian = (design * (weight * fitted * (1 - fitted))[:, None]).T @ design
        if np.linalg.cond(hessian) > _SINGULAR:
            return None
        step = np.linalg.solve(hessian, gradient.sum(axis=0))
        if np.abs(step).max() < _TOLERANCE:
            influence: Floats = np.linalg.solve(hessian, gradient.T)[1]
            return LogisticFit(float(beta[0]), float(beta[1]), influence)
        while (lower := _loss(design @ (beta + step), wanted, weight)) > loss and np.abs(step).max() > _TOLERANCE:
            step = step / 2  # Newton overshoots where the curve is flat
        beta, loss = beta + step, lower
    return None


def align_scales(scores: ArrayLike, wanted: ArrayLike, *, alert_budget: float) -> ScoreMap | None:
    """The map of ``scores`` to the scale of ``wanted`` that keeps the median and the share of alerts.

    Args:
        scores: Probabilities of one network, shape (n,).
        wanted: Probabilities of the network whose thresholds are deployed, on the same rows, shape (n,).
        alert_budget: Share of the rows that the deployed threshold alerts.

    Returns:
        The map, or None where the scores between median and threshold are all equal.
    """
    at = [0.5, 1 - alert_budget] if alert_budget != 0.5 else [0.25, 0.5]
    own, other = np.quantile(_logit(scores), at), np.quantile(_logit(wanted), at)
    if own[1] <= own[0] or other[1] <= other[0]:
        return None
    slope = float((other[1] - other[0]) / (own[1] - own[0]))
    return ScoreMap(intercept=float(other[1] - slope * own[1]), slope=slope)


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike, weights: ArrayLike | None = None) -> float | None:
    """The inverse temperature: ``softmax(factor * log(probabilities))`` has the largest likelihood on these rows.

    Args:
        probabilities: Of each class, shape (n, classes).
        labels: Class indices, shape (n,).
        weights: Row weights, shape (n,).

    Returns:
        The factor, below 1 where the probabilities boast; or None where these rows do not tell it from 1 (likelihood
        ratio test), or every row is right, so that no factor would be large enough.
    """
    logs = np.log(np.maximum(np.asarray(probabilities, np.float64), np.finfo(np.float32).tiny))
    truth = np.asarray(labels, np.int64)[:, None]
    weight = np.ones(len(logs)) if weights is None else np.asarray(weights, np.float64)

    def surprise(log_factor: float) -> float:
        shares = log_softmax(np.exp(log_factor) * logs, axis=1)
        return float(-(weight @ np.take_along_axis(shares, truth, axis=1)[:, 0]))

    edge = float(np.log(_LARGEST_FACTOR))
    found = minimize_scalar(surprise, bounds=(-edge, edge), method="bounded")
    told = 2 * (surprise(0.0) - found.fun) * len(logs) / weight.sum()
    if told < _LIKELIHOOD_RATIO or (logs.argmax(axis=1) == truth[:, 0])[weight > 0].all():
        return None
    return float(np.exp(found.x))


def slope_ratio_bounds(
    reference: LogisticFit, candidate: LogisticFit, *, confidence: float, clusters: NDArray[np.int64] | None = None
) -> Interval | None:
    """One-sided bounds of ``candidate.slope / reference.slope`` on the same rows (delta method on the logarithm).

    Returns:
        The bounds, or None where a slope is not positive.
    """
    if reference.slope <= 0 or candidate.slope <= 0:
        return None
    influence = candidate.influence / candidate.slope - reference.influence / reference.slope
    half = quantile(confidence) * _standard_error(influence, clusters)
    centre = candidate.slope / reference.slope
    return Interval(float(centre * np.exp(-half)), float(centre * np.exp(half)))


def _standard_error(influence: Floats, clusters: NDArray[np.int64] | None) -> float:
    parts = influence if clusters is None else np.bincount(clusters, weights=influence)
    return float(np.sqrt((parts**2).sum()))


def _loss(odds: Floats, wanted: Floats, weight: Floats) -> float:
    return float(weight @ (np.logaddexp(0, odds) - wanted * odds))


def _logit(scores: ArrayLike) -> Floats:
    clipped = np.clip(np.asarray(scores, np.float64), _CLIP, 1 - _CLIP)
    odds: Floats = np.log(clipped) - np.log1p(-clipped)
    return odds


def _sigmoid(values: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(values / 2))  # cannot overflow
