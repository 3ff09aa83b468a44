"""Quality metrics in plain numpy: exact, vectorised, tie-safe, with sample weights where they have a meaning.

A weight of 2 means the same as the row standing there twice. Labels are class indices (binary: 1 is positive), or
zeros and ones of shape (n, labels) where a row can have several labels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darwin_core.contracts import OutputKind, QualityMetrics, Task
from darwin_core.errors import DataError
from darwin_core.evaluation.pixels import PixelCounts, mean_iou
from darwin_core.evaluation.ranking import Floats, Ranking, RankMetrics, alert_capacity

TAIL_SHARE = 0.01
"""Share of rows with the highest scores that form the calibration error's extra tail bin."""

DECISION_THRESHOLD = 0.5
"""From this probability on, a network of several labels says that a row has the label."""

_EPSILON = 1e-7  # what Keras clips probabilities to before taking a logarithm


def accuracy(labels: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of rows whose predicted class index equals the label."""
    truth, guess = np.asarray(labels), np.asarray(predicted)
    return _mean(truth == guess, weights)


def pr_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Average precision: precision at each threshold weighted by the recall it adds. NaN without positives."""
    return float(_ranked(labels, scores, weights, alert_share=1.0).pr_auc[0])


def roc_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Probability that a positive row outranks a negative one, ties counted half. NaN without either."""
    return float(_ranked(labels, scores, weights, alert_share=1.0).roc_auc[0])


def recall_at_budget(
    labels: ArrayLike, scores: ArrayLike, *, alert_budget: float, weights: ArrayLike | None = None
) -> float:
    """Share of the positives among the k rows with the highest scores, k = floor(budget * n), at least 1.

    Where the k-th score is tied, the rows of the tie count with the share of them that still fits: the expected recall
    when ties are broken at random, so the order of the rows never matters. With weights, k / n of the total weight can
    be alerted.

    Args:
        labels: Binary labels, shape (n,).
        scores: Scores, shape (n,).
        alert_budget: Share of the rows that can be investigated, in (0, 1).
        weights: Row weights, shape (n,).
    """
    rows = np.asarray(scores).shape[0]
    share = alert_capacity(rows, alert_budget) / max(rows, 1)
    return float(_ranked(labels, scores, weights, alert_share=share).recall_at_budget[0])


def rmse(labels: ArrayLike, predictions: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Root of the mean squared error, in the label's unit."""
    errors = np.asarray(predictions, np.float64) - np.asarray(labels, np.float64)
    return float(np.sqrt(_mean(errors**2, weights)))


def mean_pr_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean average precision: :func:`pr_auc` of each label, averaged over the labels that have a positive row.

    Args:
        labels: Zeros and ones, shape (n, labels).
        scores: Scores, shape (n, labels).
        weights: Row weights, shape (n,).

    Returns:
        NaN where no label has a positive row.
    """
    return _mean_known([pr_auc(*each, weights) for each in _by_label(labels, scores)])


def mean_roc_auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """:func:`roc_auc` of each label, averaged over those with both kinds of rows. Shapes as :func:`mean_pr_auc`."""
    return _mean_known([roc_auc(*each, weights) for each in _by_label(labels, scores)])


def micro_f1(labels: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Micro-averaged F1: 2 TP / (2 TP + FP + FN), counted over all rows and labels together.

    Args:
        labels: Zeros and ones, shape (n, labels).
        predicted: Zeros and ones, shape (n, labels).
        weights: Row weights, shape (n,).

    Returns:
        NaN where no label is there and none is predicted.
    """
    truth, guess = np.asarray(labels) != 0, np.asarray(predicted) != 0
    both, either = _mean((truth & guess).sum(axis=1), weights), _mean(f1_base(truth, guess), weights)
    return 2 * both / either if either else float("nan")


def f1_base(truth: NDArray[np.bool_], guess: NDArray[np.bool_]) -> NDArray[np.int64]:
    """2 TP + FP + FN of each row, shape (n,): labels that are there plus labels that are predicted."""
    return np.asarray(truth.sum(axis=1) + guess.sum(axis=1), np.int64)


def subset_accuracy(labels: ArrayLike, predicted: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Share of rows of which every label is predicted rightly. Shapes as in :func:`micro_f1`."""
    return _mean((np.asarray(labels) == np.asarray(predicted)).all(axis=1), weights)


def brier(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean squared error of probabilities. Shape (n,): of the positive class; (n, K): summed over the classes."""
    truth, shares = np.asarray(labels), np.asarray(probabilities, np.float64)
    if shares.ndim == 1:
        return _mean((shares - (truth != 0)) ** 2, weights)
    target = truth[:, None] == np.arange(shares.shape[1])
    return _mean(((shares - target) ** 2).sum(axis=1), weights)


def log_loss(labels: ArrayLike, probabilities: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Mean negative log-likelihood, probabilities clipped to [1e-7, 1 - 1e-7]. Shapes as in :func:`brier`.

    Several labels of shape (n, labels) have a probability each: the mean over them.
    """
    truth, shares = np.asarray(labels), np.clip(np.asarray(probabilities, np.float64), _EPSILON, 1 - _EPSILON)
    if shares.ndim == 1:
        return _mean(-np.log(np.where(truth != 0, shares, 1 - shares)), weights)
    if truth.ndim == 2:
        return _mean(-np.log(np.where(truth != 0, shares, 1 - shares)).mean(axis=1), weights)
    return _mean(-np.log(shares[np.arange(len(truth)), truth.astype(np.int64)]), weights)


def expected_calibration_error(
    correct: ArrayLike, confidence: ArrayLike, weights: ArrayLike | None = None, *, bins: int = 20
) -> float:
    """Mean over bins of |observed share - mean confidence|, weighted by the bins' weight.

    Bins hold equal numbers of rows (equal mass: Nixon et al. 2019), and the top 1 % of the rows form a bin of their
    own, because that is where alerts come from and where equal-mass bins blur. Equal scores share a bin.

    Args:
        correct: 1 where the event of which ``confidence`` speaks happened, shape (n,). Binary: the label itself.
            Multiclass: whether the top class was right.
        confidence: Probability given to the event, shape (n,).
        weights: Row weights, shape (n,).
        bins: Number of equal-mass bins beside the tail.
    """
    happened, given = np.asarray(correct, np.float64), np.asarray(confidence, np.float64)
    index = calibration_bins(given, bins=bins)
    weight = np.ones(len(given)) if weights is None else np.asarray(weights, np.float64)
    gaps = np.bincount(index, weights=weight * (happened - given))
    return float(np.abs(gaps).sum() / weight.sum())


def calibration_bins(confidence: ArrayLike, *, bins: int = 20) -> NDArray[np.int64]:
    """The bin of each row as :func:`expected_calibration_error` cuts them, shape (n,)."""
    given = np.asarray(confidence, np.float64)
    if not len(given):
        raise DataError("Expected at least one row to bin, got none.")
    inner = np.linspace(0, 1, bins + 1)[1:-1]
    edges = np.unique(np.quantile(given, [*inner, 1 - TAIL_SHARE]))
    return np.searchsorted(edges, given, side="left")


def quality_metrics(
    kind: OutputKind,
    labels: ArrayLike,
    outputs: ArrayLike,
    *,
    alert_budget: float,
    weights: ArrayLike | None = None,
) -> QualityMetrics:
    """Everything the search wants to know of one network's raw outputs.

    ``loss`` is the task's standard loss (log-loss, for regression the mean squared error); where the reference was
    trained with another one, replace it. Metrics that have no value here (no positive row) are None.

    Args:
        kind: How to read the outputs.
        labels: Class indices, or targets for regression, shape (n,); several labels: zeros and ones, (n, units);
            segmentation: class indices, (n, height, width).
        outputs: Raw outputs of the network, shape (n,) or (n, units), or (n, height, width, units).
        alert_budget: Share of rows that can be investigated; used for binary tasks.
        weights: Row weights, shape (n,).
    """
    from darwin_core.networks import to_scores  # the rest of this module must load without TensorFlow

    scores = np.asarray(to_scores(kind, np.asarray(outputs)))
    if kind.task is Task.SEGMENTATION:
        return _segmentation_metrics(kind, np.asarray(labels), scores, weights)
    if kind.task is Task.MULTILABEL:
        return _multilabel_metrics(np.asarray(labels), scores, weights)
    truth = np.asarray(labels).reshape(-1)
    if kind.task is Task.REGRESSION:
        error = rmse(truth, scores, weights)
        return QualityMetrics(loss=error**2, rmse=error)
    found: dict[str, Any] = {"loss": log_loss(truth, scores, weights)}
    if kind.task is Task.MULTICLASS:
        return QualityMetrics(**found, accuracy=accuracy(truth, scores.argmax(axis=1), weights))
    share = alert_capacity(len(truth), alert_budget) / len(truth)
    ranked = _ranked(truth, scores, weights, alert_share=share)
    for name in ("pr_auc", "roc_auc", "recall_at_budget"):
        value = float(getattr(ranked, name)[0])
        found[name] = value if np.isfinite(value) else None
    return QualityMetrics(**found, accuracy=accuracy(truth, scores >= 0.5, weights))


def _segmentation_metrics(
    kind: OutputKind, truth: NDArray[Any], scores: NDArray[Any], weights: ArrayLike | None
) -> QualityMetrics:
    counts = PixelCounts.of(truth, scores.argmax(axis=-1), kind.classes)
    weight = np.ones(len(truth)) if weights is None else np.asarray(weights, np.float64)
    own = np.take_along_axis(scores, truth[..., None].astype(np.int64), axis=-1)[..., 0]
    loss = -np.log(np.clip(own, _EPSILON, 1 - _EPSILON)).mean(axis=(1, 2), dtype=np.float64)
    overlap = mean_iou(weight @ counts.both, weight @ counts.there, weight @ counts.predicted)
    return QualityMetrics(
        loss=_mean(loss, weights), accuracy=_mean(counts.right_share, weights), mean_iou=float(overlap)
    )


def _multilabel_metrics(truth: NDArray[Any], scores: Floats, weights: ArrayLike | None) -> QualityMetrics:
    predicted = scores >= DECISION_THRESHOLD
    found = {
        "pr_auc": mean_pr_auc(truth, scores, weights),
        "roc_auc": mean_roc_auc(truth, scores, weights),
        "f1": micro_f1(truth, predicted, weights),
    }
    return QualityMetrics(
        loss=log_loss(truth, scores, weights),
        accuracy=subset_accuracy(truth, predicted, weights),
        **{name: value for name, value in found.items() if np.isfinite(value)},
    )


def _by_label(labels: ArrayLike, scores: ArrayLike) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    truth, values = np.asarray(labels), np.asarray(scores)
    return [(truth[:, index], values[:, index]) for index in range(truth.shape[1])]


def _mean_known(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _ranked(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None, *, alert_share: float) -> RankMetrics:
    ranking = Ranking(labels, scores)
    weight = np.ones(ranking.rows) if weights is None else np.asarray(weights, np.float64)
    return ranking.metrics(weight[None, :], alert_share=alert_share)


def _mean(values: ArrayLike, weights: ArrayLike | None) -> float:
    numbers: Floats = np.asarray(values, np.float64)
    if not len(numbers):
        raise DataError("Expected at least one row to average over, got none.")
    return float(np.average(numbers, weights=None if weights is None else np.asarray(weights, np.float64)))
