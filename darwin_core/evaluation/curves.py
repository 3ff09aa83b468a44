"""ROC and precision-recall curves thinned for a report, and confusion matrices."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darwin_core.contracts import CurvePoint
from darwin_core.evaluation.ranking import Floats

MAX_POINTS = 200


def roc_curve(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> tuple[CurvePoint, ...]:
    """False-positive rate (x) against recall (y), from the highest threshold down; at most 200 points."""
    thresholds, caught, alarms = _cumulated(labels, scores, weights)
    if not caught[-1] or not alarms[-1]:
        return ()
    return _thinned(alarms / alarms[-1], caught / caught[-1], thresholds)


def precision_recall_curve(
    labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> tuple[CurvePoint, ...]:
    """Recall (x) against precision (y), from the highest threshold down; at most 200 points."""
    thresholds, caught, alarms = _cumulated(labels, scores, weights)
    if not caught[-1]:
        return ()
    return _thinned(caught / caught[-1], caught / (caught + alarms), thresholds)


def confusion_matrix(labels: ArrayLike, predicted: ArrayLike, classes: int) -> tuple[tuple[int, ...], ...]:
    """Rows per [true][predicted] class."""
    index = np.asarray(labels, np.int64) * classes + np.asarray(predicted, np.int64)
    counts = np.bincount(index, minlength=classes * classes).reshape(classes, classes)
    return tuple(tuple(int(count) for count in row) for row in counts)


def _cumulated(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None) -> tuple[Floats, Floats, Floats]:
    """Distinct thresholds, descending, with the weight of positives and negatives at or above each."""
    values = np.asarray(scores, np.float64)
    weight = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    order = np.argsort(-values, kind="stable")
    positive = (np.asarray(labels)[order] != 0) * weight[order]
    last = np.flatnonzero(np.r_[np.diff(values[order]) != 0, True])
    caught = np.cumsum(positive)[last]
    return values[order][last], caught, np.cumsum(weight[order])[last] - caught


def _thinned(x: Floats, y: Floats, thresholds: Floats) -> tuple[CurvePoint, ...]:
    """Points evenly spaced along the curve, so that steep ends keep their shape."""
    chosen = _spread(np.r_[0, np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    return tuple(CurvePoint(x=float(x[i]), y=float(y[i]), threshold=float(thresholds[i])) for i in chosen)


def _spread(length: Floats) -> NDArray[np.int64]:
    if len(length) <= MAX_POINTS:
        return np.arange(len(length))
    wanted = np.linspace(0, length[-1], MAX_POINTS)
    nearest = np.searchsorted(length, wanted).clip(0, len(length) - 1)
    return np.unique(np.r_[0, nearest[1:-1], len(length) - 1])
