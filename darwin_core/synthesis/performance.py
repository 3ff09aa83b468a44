"""Performance functions: one number for how good a network is for its size. Larger is better.

A performance function never decides alone: it ranks networks that meet every requirement. Others can be added with
:func:`register_performance_function`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from darwin_core.contracts import NetworkCost, QualityMetrics, Task
from darwin_core.errors import RequestError


@dataclass(frozen=True)
class Standing:
    """What a performance function sees: a network's cost and quality beside the reference's, on the same rows."""

    task: Task
    cost: NetworkCost
    quality: QualityMetrics
    reference_cost: NetworkCost
    reference_quality: QualityMetrics


PerformanceFunction = Callable[[Standing], float]

_FUNCTIONS: dict[str, PerformanceFunction] = {}


def register_performance_function(name: str) -> Callable[[PerformanceFunction], PerformanceFunction]:
    """Decorator that makes a function available under ``name``; an earlier one of that name is replaced."""

    def register(function: PerformanceFunction) -> PerformanceFunction:
        _FUNCTIONS[name] = function
        return function

    return register


def performance_function(name: str) -> PerformanceFunction:
    """The function registered under ``name``.

    Raises:
        RequestError: There is none.
    """
    if name not in _FUNCTIONS:
        raise RequestError(
            f"Unknown performance function {name!r}.", hint=f"Known functions: {', '.join(sorted(_FUNCTIONS))}."
        )
    return _FUNCTIONS[name]


def relative_size(cost: NetworkCost, reference: NetworkCost) -> float:
    """Geometric mean of relative parameters and relative MACs; 1 is as large as the reference."""
    parameters = max(cost.parameters, 1) / max(reference.parameters, 1)
    macs = max(cost.macs, 1) / max(reference.macs, 1)
    return math.sqrt(parameters * macs)


def primary_quality(task: Task, quality: QualityMetrics) -> float:
    """The one figure by which networks of a task are ranked, larger is better: accuracy, PR-AUC, or minus the RMSE.

    Several labels: the mean of their PR-AUC. Segmentation: the mean IoU.
    """
    match task:
        case Task.MULTICLASS:
            value = quality.accuracy
        case Task.BINARY | Task.MULTILABEL:
            value = quality.pr_auc
        case Task.SEGMENTATION:
            value = quality.mean_iou
        case Task.REGRESSION:
            value = None if quality.rmse is None else -quality.rmse
    return -quality.loss if value is None else value


@register_performance_function("smallest")
def smallest(standing: Standing) -> float:
    """How many times smaller than the reference, by the geometric mean of parameters and MACs."""
    return 1.0 / relative_size(standing.cost, standing.reference_cost)


@register_performance_function("netscore")
def netscore(standing: Standing) -> float:
    """NetScore (Wong, arXiv 1806.05512): 20 log10(a^2 / (p^0.5 m^0.5)).

    a: accuracy in per cent (PR-AUC for two classes or labels; for regression 100 times the reference's RMSE over the
    network's),
    p: parameters in millions, m: MACs in billions. Alone it favours tiny networks: it counts one point of accuracy as
    little as 2 % of the parameters.
    """
    quality = primary_quality(standing.task, standing.quality)
    if standing.task is Task.REGRESSION:
        quality = primary_quality(standing.task, standing.reference_quality) / min(quality, -1e-12)
    score = max(100.0 * quality, 1e-6)
    millions = max(standing.cost.parameters, 1) / 1e6
    billions = max(standing.cost.macs, 1) / 1e9
    return 20.0 * math.log10(score**2 / math.sqrt(millions * billions))
