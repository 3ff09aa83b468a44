"""The requirements indicator: which requirements a network meets, and how far it is from those it misses."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from darwin_core.contracts import (
    Comparator,
    NetworkCost,
    QualityMetrics,
    Requirement,
    RequirementMetric,
    RequirementStatus,
    Task,
)
from darwin_core.errors import RequirementError

_LATENCIES = {
    RequirementMetric.LATENCY_P50_MS: "p50_ms",
    RequirementMetric.LATENCY_P95_MS: "p95_ms",
    RequirementMetric.LATENCY_P99_MS: "p99_ms",
}
DROPS = {
    RequirementMetric.ACCURACY_DROP: "accuracy",
    RequirementMetric.PR_AUC_DROP: "pr_auc",
    RequirementMetric.ROC_AUC_DROP: "roc_auc",
    RequirementMetric.RECALL_AT_BUDGET_DROP: "recall_at_budget",
    RequirementMetric.RMSE_RISE: "rmse",
    RequirementMetric.F1_DROP: "f1",
    RequirementMetric.MEAN_IOU_DROP: "mean_iou",
}
"""Metrics that compare with the reference -> what they compare."""

_DEFAULTS = {
    Task.MULTICLASS: ("accuracy_drop<=0.005",),
    Task.BINARY: ("pr_auc_drop<=0.005", "recall_at_budget_drop<=0.005"),
    Task.MULTILABEL: ("pr_auc_drop<=0.005", "f1_drop<=0.005"),
    Task.SEGMENTATION: ("accuracy_drop<=0.005", "mean_iou_drop<=0.005"),
    Task.REGRESSION: ("rmse_rise<=0.02",),
}


def complete_requirements(requested: Sequence[Requirement], task: Task) -> tuple[Requirement, ...]:
    """The requested requirements, with the task's usual quality requirements where none on quality was requested.

    A search told nothing about quality would otherwise return a network of one channel per layer.
    """
    if any(not requirement.metric.is_resource for requirement in requested):
        return tuple(requested)
    return (*requested, *(Requirement.parse(text) for text in _DEFAULTS[task]))


def metric_value(
    metric: RequirementMetric, cost: NetworkCost | None, quality: QualityMetrics | None, reference: QualityMetrics
) -> float | None:
    """The value a requirement speaks of; None where it does not exist or was not measured.

    Drops are reference minus candidate as a share, the rise of the RMSE is relative to the reference's.
    """
    if metric in _LATENCIES:
        return None if cost is None or cost.latency is None else float(getattr(cost.latency, _LATENCIES[metric]))
    if metric.is_resource:
        return None if cost is None else float(getattr(cost, metric.value))
    name = DROPS.get(metric, metric.value)
    own = None if quality is None else getattr(quality, name)
    theirs = getattr(reference, name)
    if own is None or theirs is None:
        return None
    if metric is RequirementMetric.RMSE_RISE:
        return float(own / max(theirs, 1e-12) - 1.0)
    return float(theirs - own if metric in DROPS else own)


@dataclass(frozen=True)
class ResourceLimits:
    """Ceilings on the network that are known before it is built; infinite where there is none."""

    parameters: float = math.inf
    macs: float = math.inf
    weight_bytes: float = math.inf
    input_features: int | None = None

    @property
    def bounded(self) -> bool:
        """Whether size itself is limited."""
        return min(self.parameters, self.macs, self.weight_bytes) < math.inf

    def admits(self, cost: NetworkCost) -> bool:
        """Whether a network of this cost stays below the ceilings on size."""
        return cost.parameters <= self.parameters and cost.macs <= self.macs and cost.weight_bytes <= self.weight_bytes


class RequirementsIndicator:
    """The indicator 1_r: a conjunction of requirements, held against measured values.

    Args:
        requirements: All that must hold.
        reference: The reference's quality on the rows on which candidates are judged.

    Raises:
        RequirementError: A requirement speaks of a metric that this task does not have.
    """

    def __init__(self, requirements: Sequence[Requirement], reference: QualityMetrics) -> None:
        self.requirements, self._reference = tuple(requirements), reference
        for requirement in self.requirements:
            name = DROPS.get(requirement.metric, requirement.metric.value)
            if not requirement.metric.is_resource and getattr(reference, name) is None:
                has = [field for field, value in reference if value is not None]
                raise RequirementError(
                    f"Requirement {requirement} speaks of {name}, which this network does not have.",
                    hint=f"Measured here: {', '.join(has)}.",
                )

    @property
    def needs_latency(self) -> bool:
        """Whether any requirement speaks of latency."""
        return any(requirement.metric in _LATENCIES for requirement in self.requirements)

    def limits(self) -> ResourceLimits:
        """The ceilings among the requirements."""
        found: dict[str, float] = {}
        for requirement in self.requirements:
            if not requirement.metric.is_resource or requirement.metric in _LATENCIES:
                continue
            if requirement.comparator in (Comparator.AT_MOST, Comparator.LESS):
                strict = requirement.comparator is Comparator.LESS
                bound = math.ceil(requirement.bound) - 1 if strict else math.floor(requirement.bound)
                name = requirement.metric.value
                found[name] = min(found.get(name, math.inf), bound)
        features = found.pop("input_features", None)
        return ResourceLimits(**found, input_features=None if features is None else int(features))

    def latency_share(self, cost: NetworkCost, most: float = 1.0) -> float:
        """The strictest ratio of a latency bound to the measured latency; ``most`` without such a requirement."""
        shares = [most]
        for requirement in self.requirements:
            if requirement.metric in _LATENCIES:
                value = metric_value(requirement.metric, cost, None, self._reference)
                if value:
                    shares.append(requirement.bound / value)
        return min(shares)

    def statuses(self, cost: NetworkCost, quality: QualityMetrics | None) -> tuple[RequirementStatus, ...]:
        """Each requirement with its value. A latency not yet measured counts as unmet."""
        found = []
        for requirement in self.requirements:
            value = metric_value(requirement.metric, cost, quality, self._reference)
            met = value is not None and requirement.is_met(value)
            found.append(RequirementStatus(requirement=requirement, value=value, met=met))
        return tuple(found)

    def shortfall(
        self,
        cost: NetworkCost | None,
        quality: QualityMetrics | None,
        allowance: Mapping[RequirementMetric, float] | None = None,
    ) -> float:
        """Sum over requirements of the distance to the bound relative to the bound; 0 where all are met.

        Args:
            cost: Measured cost; None leaves out the requirements on resources. A latency that was not measured is
                left out as well.
            quality: Measured quality; a metric that could not be measured counts as a whole bound missed.
            allowance: Added to the disadvantage of each quality metric before it is held against its bound.
        """
        total = 0.0
        for requirement in self.requirements:
            if requirement.metric.is_resource and cost is None:
                continue
            value = metric_value(requirement.metric, cost, quality, self._reference)
            if value is None:
                total += 0.0 if requirement.metric in _LATENCIES else 1.0
                continue
            worse = (allowance or {}).get(requirement.metric, 0.0)
            at_most = requirement.comparator in (Comparator.AT_MOST, Comparator.LESS)
            total += requirement.shortfall(value + worse if at_most else value - worse)
        return total
