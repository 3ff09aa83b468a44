"""Judging a network on the validation rows, with an allowance for their noise.

The smallest of many networks that meet a bound on the same few thousand rows is partly the luckiest one. So a quality
metric must keep its bound even when it is made worse by ``CAUTION`` standard errors of its *paired* difference to the
reference, though by no more than ``MOST_OF_BOUND`` of a bound on a drop: few validation rows must not forbid every
network.

Races are short. From a race to the long finish, drops were measured to shrink about with the square root of the samples
(tables and images, 2,000 to 90,000 parameters), so what a network is *expected* to reach is judged beside what it has
reached: the search steers by the first, and only the second counts in the end. Every long finish shows how it is with
the data at hand, and the others are judged anew by that.

The error comes from a delete-a-group jackknife (Kott, "The delete-a-group jackknife", J. Official Statistics
17, 2001): the rows are dealt into groups, the difference is measured again without each group, and

    error^2 = (G - 1) / G * sum over groups of (difference without the group - their mean)^2
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from darwin_core.contracts import (
    NetworkCost,
    OutputKind,
    QualityMetrics,
    Requirement,
    RequirementMetric,
    RequirementStatus,
    Task,
)
from darwin_core.evaluation.alerts import alert_overlap
from darwin_core.evaluation.metrics import quality_metrics
from darwin_core.networks import to_scores
from darwin_core.synthesis.performance import PerformanceFunction, Standing, primary_quality
from darwin_core.synthesis.requirements import DROPS, RequirementsIndicator, metric_value
from darwin_core.training import label_losses

CAUTION = 0.5
MOST_OF_BOUND = 0.5

_MARGIN = 2.0
_GROUPS = 20
_SMALL_IS_GOOD = ("loss", "rmse")

Outputs = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Judgement:
    """What the validation rows say of a network."""

    quality: QualityMetrics
    statuses: tuple[RequirementStatus, ...]
    feasible: bool
    shortfall: float
    cautious_shortfall: float
    expected_shortfall: float
    performance: float
    allowance: Mapping[RequirementMetric, float]


@dataclass(frozen=True)
class ValidationRows:
    """Labels and weights of the rows on which candidates are judged."""

    labels: npt.NDArray[np.generic]
    weights: npt.NDArray[np.float32] | None


class Judge:
    """Holds candidates against the requirements.

    Args:
        kind: How to read the outputs.
        rows: The validation rows.
        reference_outputs: The reference's raw outputs on them, shape (rows, units).
        reference_cost: What the reference costs.
        requirements: All that must hold.
        performance: Ranks those that meet them.
        alert_budget: Share of rows that can be investigated.
        loss: The reference's own loss; None: the usual one.

    Raises:
        RequirementError: A requirement speaks of a metric that this task does not have.
    """

    def __init__(
        self,
        kind: OutputKind,
        rows: ValidationRows,
        reference_outputs: Outputs,
        reference_cost: NetworkCost,
        requirements: tuple[Requirement, ...],
        performance: PerformanceFunction,
        alert_budget: float,
        loss: keras.losses.Loss | None = None,
    ) -> None:
        self._kind, self._rows, self._alert_budget = kind, rows, alert_budget
        self._label_loss = label_losses(kind, loss)
        self._reference_scores = to_scores(kind, reference_outputs) if kind.task is Task.BINARY else None
        self._performance, self.reference_cost = performance, reference_cost
        self.reference_quality = self.quality(reference_outputs)
        self.indicator = RequirementsIndicator(requirements, self.reference_quality)
        groups = np.random.default_rng(0).permutation(len(rows.labels)) % min(_GROUPS, len(rows.labels))
        count = int(groups.max()) + 1
        self._kept = [groups != group for group in range(count)] if count > 1 else []
        self._reference_parts = [self._metrics(reference_outputs, kept) for kept in self._kept]

    def quality(self, outputs: Outputs) -> QualityMetrics:
        """All metrics of raw outputs on the validation rows; ``loss`` is the reference's own."""
        everything = np.ones(len(self._rows.labels), bool)
        per_row = np.asarray(self._label_loss(tf.constant(self._rows.labels), tf.constant(outputs)))
        loss = float(np.average(per_row, weights=self._rows.weights))
        return self._metrics(outputs, everything).model_copy(update={"loss": loss})

    def judge(self, cost: NetworkCost, outputs: Outputs, remaining: float = 1.0) -> Judgement:
        """Hold a network against the requirements.

        Args:
            cost: Its measured cost.
            outputs: Its raw outputs on the validation rows, shape (rows, units).
            remaining: The share of its disadvantage to the reference that is expected to be left after the long finish.
        """
        quality = self.quality(outputs)
        statuses = self.indicator.statuses(cost, quality)
        allowance = self._allowance(outputs)
        standing = Standing(self._kind.task, cost, quality, self.reference_cost, self.reference_quality)
        return Judgement(
            quality=quality,
            statuses=statuses,
            feasible=all(status.met for status in statuses),
            shortfall=self.indicator.shortfall(cost, quality),
            cautious_shortfall=self.indicator.shortfall(cost, quality, allowance),
            expected_shortfall=self.expected_shortfall(quality, allowance, remaining),
            performance=self._performance(standing),
            allowance=allowance,
        )

    def expected_shortfall(
        self, quality: QualityMetrics, allowance: Mapping[RequirementMetric, float], remaining: float
    ) -> float:
        """Distance to the requirements on quality that is expected to be left after the long finish.

        Args:
            quality: As measured.
            allowance: For the noise of the validation rows, by metric.
            remaining: The share of its disadvantage to the reference that is expected to be left.
        """
        return self.indicator.shortfall(None, self._expected(quality, remaining), allowance)

    def disadvantage(self, quality: QualityMetrics) -> float:
        """How much worse than the reference's the primary quality is, relative to the reference's."""
        theirs, own = (primary_quality(self._kind.task, item) for item in (self.reference_quality, quality))
        return (theirs - own) / max(abs(theirs), 1e-12)

    def _expected(self, quality: QualityMetrics, remaining: float) -> QualityMetrics:
        """Every metric moved towards the reference's where it is worse."""
        moved: dict[str, float] = {}
        for name, theirs in self.reference_quality:
            own = getattr(quality, name)
            if own is not None and theirs is not None and (own > theirs) == (name in _SMALL_IS_GOOD):
                moved[name] = theirs + remaining * (own - theirs)
        return quality.model_copy(update=moved)

    def _allowance(self, outputs: Outputs) -> dict[RequirementMetric, float]:
        allowance = {metric: CAUTION * error for metric, error in self.errors(outputs).items()}
        for requirement in self.indicator.requirements:
            if requirement.metric in allowance and requirement.metric in DROPS:
                most = MOST_OF_BOUND * max(requirement.bound, 0.0)
                allowance[requirement.metric] = min(allowance[requirement.metric], most)
        return allowance

    def errors(self, outputs: Outputs) -> Mapping[RequirementMetric, float]:
        """Standard error of each required quality metric, by the delete-a-group jackknife."""
        metrics = {item.metric for item in self.indicator.requirements if not item.metric.is_resource}
        if not metrics:
            return {}
        parts = [self._metrics(outputs, kept) for kept in self._kept]
        found = {}
        for metric in metrics:
            pairs = zip(parts, self._reference_parts, strict=True)
            values = [metric_value(metric, self.reference_cost, own, theirs) for own, theirs in pairs]
            known = np.asarray([value for value in values if value is not None])
            if len(known) > 1:
                found[metric] = float(np.sqrt((len(known) - 1) / len(known) * np.sum((known - known.mean()) ** 2)))
        return found

    def _metrics(self, outputs: Outputs, kept: npt.NDArray[np.bool_]) -> QualityMetrics:
        weights = None if self._rows.weights is None else self._rows.weights[kept]
        quality = quality_metrics(
            self._kind, self._rows.labels[kept], outputs[kept], alert_budget=self._alert_budget, weights=weights
        )
        if self._reference_scores is None:
            return quality
        theirs, own = self._reference_scores[kept], to_scores(self._kind, outputs[kept])
        return quality.model_copy(update={"alert_overlap": alert_overlap(theirs, own, self._alert_budget)})


def exaggerated(before: QualityMetrics, after: QualityMetrics) -> QualityMetrics:
    """The quality after a change to the network, its loss doubled: what comes later needs room, too."""
    moved = {
        name: own + _MARGIN * (value - own)
        for (name, own), (_, value) in zip(before, after, strict=True)
        if own is not None and value is not None
    }
    return after.model_copy(update=moved)
