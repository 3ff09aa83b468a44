"""How each metric is named and shown: its label, its unit, which direction is good, and the gate's margin for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from darwin_core.contracts import Estimate, GateConfig
from darwin_core.reporting.formatting import number, points


@dataclass(frozen=True)
class MetricStyle:
    """How a metric is shown. ``is_share``: a difference is written in percentage points."""

    name: str
    label: str
    is_share: bool
    higher_is_better: bool | None

    def value(self, value: float | None) -> str:
        """The metric itself."""
        return number(value)

    def difference(self, value: float | None) -> str:
        """A signed difference of two values of the metric."""
        return points(value) if self.is_share else number(value, signed=True)


_STYLES = {
    style.name: style
    for style in (
        MetricStyle("accuracy", "Accuracy", True, True),
        MetricStyle("pr_auc", "PR-AUC", True, True),
        MetricStyle("roc_auc", "ROC-AUC", True, True),
        MetricStyle("f1", "F1", True, True),
        MetricStyle("mean_iou", "Mean IoU", True, True),
        MetricStyle("recall_at_budget", "Recall at alert budget", True, True),
        MetricStyle("precision_at_budget", "Precision at alert budget", True, True),
        MetricStyle("alert_rate", "Alert rate", True, None),
        MetricStyle("alert_overlap", "Overlap of alerts", True, True),
        MetricStyle("ece", "Calibration error (ECE)", True, False),
        MetricStyle("expected_calibration_error", "Calibration error (ECE)", True, False),
        MetricStyle("brier", "Brier score", False, False),
        MetricStyle("log_loss", "Log loss", False, False),
        MetricStyle("loss", "Loss", False, False),
        MetricStyle("rmse", "RMSE", False, False),
        MetricStyle("mae", "Mean absolute error", False, False),
    )
}

_MOST_TELLING = ("pr_auc", "mean_iou", "accuracy", "rmse", "roc_auc", "recall_at_budget", "loss")


def style_of(metric: str) -> MetricStyle:
    """The style of a metric; one that is not known here is shown under its own name."""
    return _STYLES.get(metric) or MetricStyle(metric, metric.replace("_", " "), False, None)


def margin_of(estimate: Estimate, gate: GateConfig) -> float | None:
    """The difference the gate tolerates for this metric, signed like the difference; None where it judges none."""
    match estimate.metric:
        case "accuracy":
            margin = gate.accuracy_margin
        case "pr_auc":
            margin = gate.pr_auc_margin
        case "mean_iou":
            margin = gate.mean_iou_margin
        case "f1":
            margin = gate.f1_margin
        case "recall_at_budget":
            margin = gate.recall_margin
        case "rmse":
            return None if gate.rmse_margin is None else gate.rmse_margin * estimate.reference
        case "ece" | "expected_calibration_error":
            return gate.calibration_rise
        case _:
            return None
    return None if margin is None else -margin


def most_telling(metrics: Iterable[str]) -> str | None:
    """The metric that stands for quality where there is room for one only."""
    present = set(metrics)
    return next((metric for metric in _MOST_TELLING if metric in present), None)
