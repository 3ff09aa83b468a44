"""Requirements: what the compact network must satisfy, as ``metric comparator bound``."""

from __future__ import annotations

import math
import re
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from darwin_core.contracts.base import Contract
from darwin_core.errors import RequirementError


class RequirementMetric(StrEnum):
    """What a requirement can bound.

    Drops are ``reference - candidate`` as a share (0.005 is half a point); resources are the candidate's own; the
    overlap of alerts is the Jaccard index of the rows that candidate and reference rank into the alert budget.
    """

    PARAMETERS = "parameters"
    MACS = "macs"
    WEIGHT_BYTES = "weight_bytes"
    LATENCY_P50_MS = "latency_p50_ms"
    LATENCY_P95_MS = "latency_p95_ms"
    LATENCY_P99_MS = "latency_p99_ms"
    INPUT_FEATURES = "input_features"
    ACCURACY_DROP = "accuracy_drop"
    PR_AUC_DROP = "pr_auc_drop"
    ROC_AUC_DROP = "roc_auc_drop"
    RECALL_AT_BUDGET_DROP = "recall_at_budget_drop"
    RMSE_RISE = "rmse_rise"
    F1_DROP = "f1_drop"
    MEAN_IOU_DROP = "mean_iou_drop"
    ACCURACY = "accuracy"
    PR_AUC = "pr_auc"
    ROC_AUC = "roc_auc"
    RECALL_AT_BUDGET = "recall_at_budget"
    ALERT_OVERLAP = "alert_overlap"
    F1 = "f1"
    MEAN_IOU = "mean_iou"

    @property
    def is_resource(self) -> bool:
        """Whether the metric is known without any data."""
        return self in _RESOURCES


_RESOURCES = frozenset(
    {
        RequirementMetric.PARAMETERS,
        RequirementMetric.MACS,
        RequirementMetric.WEIGHT_BYTES,
        RequirementMetric.LATENCY_P50_MS,
        RequirementMetric.LATENCY_P95_MS,
        RequirementMetric.LATENCY_P99_MS,
        RequirementMetric.INPUT_FEATURES,
    }
)


class Comparator(StrEnum):
    """How the measured value stands to the bound."""

    AT_MOST = "<="
    AT_LEAST = ">="
    LESS = "<"
    GREATER = ">"


_TEXT = re.compile(r"^\s*(?P<metric>[a-z0-9_]+)\s*(?P<comparator><=|>=|<|>)\s*(?P<bound>\S+)\s*$")


class Requirement(Contract):
    """One condition on the candidate, e.g. ``parameters<=20000`` or ``accuracy_drop<=0.005``."""

    metric: RequirementMetric
    comparator: Comparator
    bound: float

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``metric comparator bound``; numbers may be written as ``2e6`` or ``20_000``.

        Raises:
            RequirementError: The text has another form, an unknown metric, or a bound that is no finite number.
        """
        match = _TEXT.match(text)
        if match is None:
            raise RequirementError(
                f"Expected a requirement like 'parameters<=20000', got {text!r}.",
                hint="Write metric, comparator (<=, >=, < or >) and a number.",
            )
        names = [metric.value for metric in RequirementMetric]
        if match["metric"] not in names:
            raise RequirementError(
                f"Unknown metric {match['metric']!r} in requirement {text!r}.",
                hint=f"Known metrics: {', '.join(names)}.",
            )
        try:
            bound = float(match["bound"])
        except ValueError:
            bound = math.nan
        if not math.isfinite(bound):
            raise RequirementError(
                f"The bound of requirement {text!r} is not a finite number: {match['bound']!r}.",
                hint="Write it like 20000, 2e6 or 0.005.",
            )
        return cls(metric=RequirementMetric(match["metric"]), comparator=Comparator(match["comparator"]), bound=bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.comparator}{self.bound:g}"

    def is_met(self, value: float) -> bool:
        """Whether ``value`` satisfies the comparison."""
        match self.comparator:
            case Comparator.AT_MOST:
                return value <= self.bound
            case Comparator.AT_LEAST:
                return value >= self.bound
            case Comparator.LESS:
                return value < self.bound
            case Comparator.GREATER:
                return value > self.bound

    def shortfall(self, value: float) -> float:
        """How far ``value`` is from the bound relative to the bound's size; 0 where the requirement is met."""
        if self.is_met(value):
            return 0.0
        return abs(value - self.bound) / max(abs(self.bound), 1e-12)


def _from_text(value: Any) -> Any:
    return Requirement.parse(value) if isinstance(value, str) else value


RequirementField = Annotated[Requirement, BeforeValidator(_from_text)]
"""A requirement in a request: the object form or its text form."""


class RequirementStatus(Contract):
    """A requirement held against a measured value."""

    requirement: RequirementField
    value: float | None = Field(description="None where the metric does not exist for this task")
    met: bool
