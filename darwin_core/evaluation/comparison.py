"""Two networks on the same rows: every figure of both, their difference, and bounds of the difference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Estimate, GateConfig, Task
from darwin_core.evaluation.cases import Cases
from darwin_core.evaluation.proportions import Interval, paired_difference, quantile, silence_bound
from darwin_core.evaluation.ranking import Floats
from darwin_core.evaluation.resampling import Resampling, bootstrap, expanded_level, percentile_bounds
from darwin_core.evaluation.statistics import (
    BinaryStatistic,
    MulticlassStatistic,
    MultilabelStatistic,
    Pair,
    Queues,
    RegressionStatistic,
    SegmentationStatistic,
)

Statistic = BinaryStatistic | MulticlassStatistic | MultilabelStatistic | SegmentationStatistic | RegressionStatistic

RELATIVE = frozenset({"rmse", "alert_rate"})
"""Figures whose *relative* change is bounded. Their ``low`` and ``high`` are the relative bounds times the reference's
value, so dividing by ``Estimate.reference`` gives the bounds of the ratio back."""

_ORDER = ("pr_auc", "recall_at_budget", "f1", "mean_iou", "accuracy", "rmse", "roc_auc", "alert_rate", "ece", "brier")
"""The telling figure of a task first: readers that show one estimate show that one."""

_POSITIVES_COUNT = frozenset({"pr_auc", "roc_auc", "recall_at_budget", "f1"})


@dataclass(frozen=True)
class Comparison:
    """Estimates by metric, and bounds of the candidate's own values."""

    estimates: Mapping[str, Estimate]
    candidate: Mapping[str, Interval]


def compare(
    task: Task,
    cases: Cases,
    pair: Pair,
    gate: GateConfig,
    *,
    threshold: float | None = None,
    queues: Queues | None = None,
    advance: Callable[[float], None] | None = None,
) -> Comparison:
    """Compare two networks on the same rows.

    Args:
        task: What the networks predict.
        cases: The rows.
        pair: Answers of the reference (or another baseline) and of the candidate.
        gate: Confidence, rounds, seed and alert budget.
        threshold: Deployed score threshold of the reference (binary): adds the alert rate.
        queues: Who is alerted, where that was settled among more rows than these (binary).
        advance: Told the bootstrap rounds done.
    """
    statistic = _statistic(task, cases, pair, gate, threshold, queues)
    resampling = Resampling(gate.bootstrap_rounds, gate.seed, cases.clusters, cases.weights)
    one = np.ones((1, cases.rows)) if cases.weights is None else cases.weights[None, :]
    points = {name: values[:, 0] for name, values in statistic(one).items()}
    replicates = bootstrap(statistic, cases.rows, resampling, advance=advance)
    frame = _Frame(task, cases, pair, gate, resampling.units(cases.rows))
    known = [name for name in _ORDER if name in points and np.isfinite(points[name]).all()]
    return Comparison(
        estimates={name: frame.estimate(name, points[name], replicates[name]) for name in known},
        candidate={name: frame.own_bounds(name, points[name], replicates[name]) for name in known},
    )


def _statistic(
    task: Task, cases: Cases, pair: Pair, gate: GateConfig, threshold: float | None, queues: Queues | None
) -> Statistic:
    if task is Task.BINARY:
        return BinaryStatistic(cases, pair, alert_budget=gate.alert_budget, threshold=threshold, queues=queues)
    if task is Task.SEGMENTATION:
        classes = 1 + max(int(np.max(each)) for each in (cases.labels, *(answers.predicted for answers in pair)))
        return SegmentationStatistic(cases, pair, classes)
    if task is Task.MULTILABEL:
        return MultilabelStatistic(cases, pair)
    return MulticlassStatistic(cases, pair) if task is Task.MULTICLASS else RegressionStatistic(cases, pair)


@dataclass(frozen=True)
class _Frame:
    """What an interval depends on beside the figures themselves."""

    task: Task
    cases: Cases
    pair: Pair
    gate: GateConfig
    units: int

    def estimate(self, name: str, point: Floats, replicates: Floats) -> Estimate:
        """The estimate of one figure; ``point`` has shape (2,), ``replicates`` (2, rounds)."""
        reference, candidate = float(point[0]), float(point[1])
        interval, method = self._interval(name, reference, candidate, replicates)
        bound = self._bound(reference)
        return Estimate(
            metric=name,
            reference=reference,
            candidate=candidate,
            difference=candidate - reference,
            low=float(np.clip(interval.low, -bound, bound)),
            high=float(np.clip(interval.high, -bound, bound)),
            rows=self.cases.rows,
            positives=int(self.cases.positive.sum()) if self.task in (Task.BINARY, Task.MULTILABEL) else None,
            method=method,
        )

    def own_bounds(self, name: str, point: Floats, replicates: Floats) -> Interval:
        """Bounds of the candidate's own value, not of a difference."""
        units, confidence = self.carriers(name), self.gate.confidence
        hidden = silence_bound(units, confidence=confidence)
        interval = percentile_bounds(replicates[1], confidence=confidence, units=units)
        wide = interval.widened(Interval(float(point[1]) - hidden, float(point[1]) + hidden))
        bound = self._bound(float(point[1]))
        return Interval(max(wide.low, 0.0 if bound == 1.0 else -bound), min(wide.high, bound))

    def _bound(self, value: float) -> float:
        """What stands for infinity: one for shares."""
        return max(1.0, abs(value)) * 1e9 if self.task is Task.REGRESSION else 1.0

    def carriers(self, name: str) -> int:
        """How many independent units carry the figure: positives, rows or clusters, whichever is fewest."""
        if name not in _POSITIVES_COUNT:
            return min(self.units, self._effective_rows())
        positive = self.cases.positive
        if self.cases.clusters is not None:
            carried = len(np.unique(self.cases.clusters[positive]))
        else:
            carried = int(positive.sum())
            if name == "roc_auc" and self.task is Task.BINARY:
                carried = min(carried, self.cases.rows - carried)
        return min(carried, self._label_carriers(name)) if self.task is Task.MULTILABEL else carried

    def _label_carriers(self, name: str) -> int:
        """Units behind a mean over labels: as many as if every label had no more rows than the one with the fewest.

        What hides behind silence (:func:`silence_bound`) can lie in one label alone, and weighs one in so many labels
        there. F1 counts all labels together, so no label limits it.
        """
        if name == "f1":
            return self.cases.rows
        having = (np.asarray(self.cases.labels) != 0).sum(axis=0)
        fewest = np.minimum(having, self.cases.rows - having) if name == "roc_auc" else having
        known = fewest[fewest > 0]
        return int(known.min()) * len(known) if len(known) else 0

    def _interval(self, name: str, reference: float, candidate: float, replicates: Floats) -> tuple[Interval, str]:
        confidence, difference = self.gate.confidence, candidate - reference
        rows_are_right_or_wrong = name == "accuracy" and self.task is not Task.SEGMENTATION
        if rows_are_right_or_wrong and self.cases.clusters is None and self.cases.weights is None:
            return self._tango(), "score bounds of paired proportions (Tango)"
        units = self.carriers(name)
        method = f"paired bootstrap, {self.gate.bootstrap_rounds} rounds"
        if self.cases.clusters is not None:
            method += f" over {self.units} clusters"
        interval = self._bounds(name, reference, difference, replicates, units)
        hidden = silence_bound(units, confidence=confidence) * (reference if name == "rmse" else 1.0)
        return interval.widened(Interval(difference - hidden, difference + hidden)), method

    def _bounds(self, name: str, reference: float, difference: float, replicates: Floats, units: int) -> Interval:
        if name == "ece":  # resampling adds noise to every bin and so lifts the error: take its spread, not its level
            return _symmetric(difference, replicates[1] - replicates[0], self.gate.confidence, units)
        if name not in RELATIVE or reference <= 0:  # nothing to be relative to
            return percentile_bounds(replicates[1] - replicates[0], confidence=self.gate.confidence, units=units)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = percentile_bounds(replicates[1] / replicates[0] - 1, confidence=self.gate.confidence, units=units)
        return Interval(ratio.low * reference, ratio.high * reference)

    def _tango(self) -> Interval:
        truth = np.asarray(self.cases.labels)
        reference, candidate = (_right(answers.predicted == truth) for answers in self.pair)
        gained, lost = int((candidate & ~reference).sum()), int((reference & ~candidate).sum())
        return paired_difference(self.cases.rows, gained, lost, confidence=self.gate.confidence)

    def _effective_rows(self) -> int:
        """Kish's effective sample size: unequal weights carry less than their number of rows."""
        if self.cases.weights is None:
            return self.cases.rows
        return int(self.cases.weights.sum() ** 2 / (self.cases.weights**2).sum())


def _right(equal: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Rows that are right, shape (n,); of several labels, every one."""
    return equal if equal.ndim == 1 else np.asarray(equal.all(axis=1))


def _symmetric(centre: float, replicates: Floats, confidence: float, units: int) -> Interval:
    valid = replicates[np.isfinite(replicates)]
    if units < 2 or len(valid) < 2:
        return Interval(-np.inf, np.inf)
    half = quantile(expanded_level(confidence, units)) * float(valid.std(ddof=1))
    return Interval(centre - half, centre + half)
