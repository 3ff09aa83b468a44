"""The figures of both networks under many row weightings at once: what the paired bootstrap evaluates.

Most figures are ratios of weighted sums (accuracy, Brier score, alert rate, squared error), so a batch of rounds is one
matrix product ``weights @ columns``. Metrics of a ranking come from :class:`~darwin_core.evaluation.ranking.Ranking`.
Every figure has shape (2, rounds): the reference first, the candidate second.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from darwin_core.evaluation.cases import Answers, Cases
from darwin_core.evaluation.metrics import calibration_bins, f1_base
from darwin_core.evaluation.pixels import PixelCounts, mean_iou
from darwin_core.evaluation.ranking import Floats, Ranking, Weights, alert_capacity, alert_queue

Pair = tuple[Answers, Answers]
"""Answers of the reference (or another baseline) and of the candidate."""

Queues = tuple[Floats, Floats]
"""Share of every row on each network's alert queue: 1, 0, or between for rows tied at its end."""


class BinaryStatistic:
    """PR-AUC, ROC-AUC, recall at the alert budget, accuracy, ECE, Brier score and, with a threshold, alert rate.

    Args:
        cases: The rows.
        pair: Both networks' answers.
        alert_budget: Share of the rows that can be investigated.
        threshold: Deployed score threshold of the reference; None: no alert rate.
        queues: Share of every row that is on each network's alert queue, where that is settled already (rows of a
            slice, which compete for the budget with all other rows); None: these rows fill their own queue.
    """

    def __init__(
        self,
        cases: Cases,
        pair: Pair,
        *,
        alert_budget: float,
        threshold: float | None = None,
        queues: Queues | None = None,
    ) -> None:
        positive = np.asarray(cases.labels) != 0
        self._share = alert_capacity(cases.rows, alert_budget) / cases.rows
        self._rankings = [Ranking(positive, answers.scores) for answers in pair]
        self._calibration = [_CalibrationSums(positive, answers.scores) for answers in pair]
        if queues is None and cases.periods is not None:
            queues = alert_queues(cases, pair, alert_budget)
        self._queued = None if queues is None else np.stack([positive, *(queue * positive for queue in queues)], axis=1)
        sums = {
            "accuracy": [answers.predicted == positive for answers in pair],
            "brier": [(answers.scores - positive) ** 2 for answers in pair],
        }
        if threshold is not None:
            sums["alert_rate"] = [answers.scores >= threshold for answers in pair]
        self._means = _Means(sums)

    def __call__(self, weights: Weights) -> Mapping[str, Floats]:
        """All figures under each weighting."""
        found = dict(self._means(weights))
        ranked = [ranking.metrics(weights, alert_share=self._share) for ranking in self._rankings]
        found["pr_auc"] = np.stack([one.pr_auc for one in ranked])
        found["roc_auc"] = np.stack([one.roc_auc for one in ranked])
        found["recall_at_budget"] = (
            np.stack([one.recall_at_budget for one in ranked])
            if self._queued is None
            else _recall(weights, self._queued)
        )
        found["ece"] = np.stack([sums(weights) for sums in self._calibration])
        return found


class MulticlassStatistic:
    """Accuracy, and the calibration error of the predicted class."""

    def __init__(self, cases: Cases, pair: Pair) -> None:
        correct = [answers.predicted == cases.labels for answers in pair]
        self._means = _Means({"accuracy": correct})
        self._calibration = [
            _CalibrationSums(right, answers.scores) for right, answers in zip(correct, pair, strict=True)
        ]

    def __call__(self, weights: Weights) -> Mapping[str, Floats]:
        """All figures under each weighting."""
        return {**self._means(weights), "ece": np.stack([sums(weights) for sums in self._calibration])}


class MultilabelStatistic:
    """Means over the labels of PR-AUC, ROC-AUC and ECE; micro-averaged F1; the share of rows with every label right.

    A mean leaves out the labels that have no value under a weighting (none of their positive rows was drawn).

    Args:
        cases: The rows; labels of shape (n, labels).
        pair: Both networks' answers, scores and predictions of shape (n, labels).
    """

    def __init__(self, cases: Cases, pair: Pair) -> None:
        truth = np.asarray(cases.labels) != 0
        predicted = [answers.predicted != 0 for answers in pair]
        labels = range(truth.shape[1])
        self._rankings = [[Ranking(truth[:, k], answers.scores[:, k]) for k in labels] for answers in pair]
        self._calibration = [[_CalibrationSums(truth[:, k], answers.scores[:, k]) for k in labels] for answers in pair]
        self._means = _Means(
            {
                "accuracy": [(guess == truth).all(axis=1) for guess in predicted],
                "right": [(guess & truth).sum(axis=1) for guess in predicted],
                "base": [f1_base(truth, guess) for guess in predicted],
            }
        )

    def __call__(self, weights: Weights) -> Mapping[str, Floats]:
        """All figures under each weighting."""
        found = self._means(weights)
        ranked = [[ranking.metrics(weights, alert_share=1.0) for ranking in network] for network in self._rankings]
        with np.errstate(divide="ignore", invalid="ignore"):
            f1 = 2 * found["right"] / found["base"]
        return {
            "accuracy": found["accuracy"],
            "f1": f1,
            "pr_auc": np.stack([_mean_known([one.pr_auc for one in network]) for network in ranked]),
            "roc_auc": np.stack([_mean_known([one.roc_auc for one in network]) for network in ranked]),
            "ece": np.stack([np.mean([sums(weights) for sums in network], axis=0) for network in self._calibration]),
        }


class SegmentationStatistic:
    """Share of right pixels (mean over the rows), and mean intersection over union of the classes.

    Args:
        cases: The rows; labels of shape (n, height, width).
        pair: Both networks' answers, predictions of that shape.
        classes: How many classes there are.
    """

    def __init__(self, cases: Cases, pair: Pair, classes: int) -> None:
        labels = np.asarray(cases.labels)
        self._counts = [PixelCounts.of(labels, answers.predicted, classes) for answers in pair]
        self._means = _Means({"accuracy": [counts.right_share for counts in self._counts]})

    def __call__(self, weights: Weights) -> Mapping[str, Floats]:
        """All figures under each weighting."""
        overlaps = [mean_iou(weights @ one.both, weights @ one.there, weights @ one.predicted) for one in self._counts]
        return {**self._means(weights), "mean_iou": np.stack(overlaps)}


class RegressionStatistic:
    """Root mean squared error."""

    def __init__(self, cases: Cases, pair: Pair) -> None:
        self._means = _Means({"rmse": [(answers.scores - cases.labels) ** 2 for answers in pair]})

    def __call__(self, weights: Weights) -> Mapping[str, Floats]:
        """The figure under each weighting."""
        return {"rmse": np.sqrt(self._means(weights)["rmse"])}


def caught_share(cases: Cases, scores: Floats, alert_budget: float) -> Floats:
    """Which rows are alerted when every period alerts its k highest scores, shape (n,).

    As :func:`darwin_core.evaluation.ranking.alert_queue` has it for each period.
    """
    periods = np.zeros(cases.rows, np.int64) if cases.periods is None else cases.periods
    order = np.argsort(periods, kind="stable")
    alerted = np.zeros(cases.rows)
    borders = np.flatnonzero(np.r_[True, np.diff(periods[order]) != 0, True])
    for start, end in itertools.pairwise(borders):
        inside = order[start:end]
        alerted[inside] = alert_queue(scores[inside], alert_budget)
    return alerted


def alert_queues(cases: Cases, pair: Pair, alert_budget: float) -> Queues:
    """:func:`caught_share` of both networks."""
    reference, candidate = (caught_share(cases, answers.scores, alert_budget) for answers in pair)
    return reference, candidate


def _recall(weights: Weights, queued: Floats) -> Floats:
    """Recall where the queues are settled (one per day): resampling only re-weights who was caught."""
    positives, *caught = (weights @ queued).T
    with np.errstate(divide="ignore", invalid="ignore"):
        recall: Floats = np.stack(caught) / positives
    return recall


def _mean_known(by_label: list[Floats]) -> Floats:
    """Mean over the labels that have a value, shape (rounds,); NaN where none has."""
    values = np.stack(by_label)
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, values, 0.0).sum(axis=0) / known.sum(axis=0)
    return mean


class _Means:
    """Weighted means of several columns of both networks by one matrix product."""

    def __init__(self, columns: Mapping[str, list[NDArray[np.generic]]]) -> None:
        self._names = list(columns)
        flat = [column for pair in columns.values() for column in pair]
        self._columns = np.stack(flat, axis=1).astype(np.float64)

    def __call__(self, weights: Weights) -> dict[str, Floats]:
        sums = (weights @ self._columns).T / weights.sum(axis=1)
        return {name: sums[2 * index : 2 * index + 2] for index, name in enumerate(self._names)}


class _CalibrationSums:
    """Expected calibration error with the bins of the full sample."""

    def __init__(self, happened: NDArray[np.bool_], confidence: Floats) -> None:
        bins = calibration_bins(confidence)
        self._order = np.argsort(bins, kind="stable")
        self._starts = np.flatnonzero(np.r_[True, np.diff(bins[self._order]) != 0])
        self._gaps = (happened - confidence)[self._order]

    def __call__(self, weights: Weights) -> Floats:
        sums = np.add.reduceat(weights[:, self._order] * self._gaps, self._starts, axis=1)
        error: Floats = np.abs(sums).sum(axis=1) / weights.sum(axis=1)
        return error
