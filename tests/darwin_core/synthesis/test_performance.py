"""Performance functions rank as their definitions say, and others can be added."""

from __future__ import annotations

import math

import pytest

from darwin_core.contracts import NetworkCost, QualityMetrics, Task
from darwin_core.errors import RequestError
from darwin_core.synthesis import Standing, performance_function, register_performance_function
from darwin_core.synthesis.performance import relative_size


def cost(parameters: int, macs: int) -> NetworkCost:
    return NetworkCost(parameters=parameters, macs=macs, weight_bytes=4 * parameters, input_features=1)


REFERENCE = cost(1_000_000, 100_000_000)


def standing(own: NetworkCost, quality: QualityMetrics, task: Task = Task.MULTICLASS) -> Standing:
    return Standing(task, own, quality, REFERENCE, QualityMetrics(loss=1.0, accuracy=0.98, rmse=2.0))


def test_smallest_is_the_geometric_mean_of_both_reductions() -> None:
    found = performance_function("smallest")(standing(cost(10_000, 4_000_000), QualityMetrics(loss=1.0, accuracy=0.9)))
    assert found == pytest.approx(1 / math.sqrt(0.01 * 0.04))
    assert relative_size(REFERENCE, REFERENCE) == 1.0


def test_netscore_is_the_published_formula() -> None:
    """The paper's units: per cent, millions of parameters, billions of MACs."""
    found = performance_function("netscore")(
        standing(cost(514_327, 10_540_000), QualityMetrics(loss=1.0, accuracy=0.989))
    )
    assert found == pytest.approx(20 * math.log10(98.9**2 / math.sqrt(0.514327 * 0.01054)))
    assert found == pytest.approx(102.5, abs=0.1)


def test_netscore_of_a_regression_falls_with_the_error() -> None:
    score = performance_function("netscore")
    own = cost(10_000, 10_000)
    better, worse = (score(standing(own, QualityMetrics(loss=1.0, rmse=rmse), Task.REGRESSION)) for rmse in (2.0, 2.5))
    assert better > worse


def test_others_can_be_added_and_unknown_ones_are_named_with_the_known() -> None:
    @register_performance_function("test-only-quick")
    def quick(found: Standing) -> float:
        return -float(found.cost.macs)

    assert performance_function("test-only-quick") is quick
    with pytest.raises(RequestError, match=r"'fastest'.*netscore, smallest"):
        performance_function("fastest")
