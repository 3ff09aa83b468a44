"""The requirements indicator: what is met, what is missed, and by how much."""

from __future__ import annotations

import math

import pytest

from darwin_core.contracts import Latency, NetworkCost, QualityMetrics, Requirement, RequirementMetric, Task
from darwin_core.errors import RequirementError
from darwin_core.synthesis import RequirementsIndicator, complete_requirements

COST = NetworkCost(parameters=1_000, macs=5_000, weight_bytes=4_000, input_features=10)
REFERENCE = QualityMetrics(loss=0.4, accuracy=0.9, pr_auc=0.6, roc_auc=0.8, recall_at_budget=0.5)


def parse(*texts: str) -> tuple[Requirement, ...]:
    return tuple(Requirement.parse(text) for text in texts)


def indicator(*texts: str) -> RequirementsIndicator:
    return RequirementsIndicator(parse(*texts), REFERENCE)


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (Task.MULTICLASS, ["accuracy_drop<=0.005"]),
        (Task.BINARY, ["pr_auc_drop<=0.005", "recall_at_budget_drop<=0.005"]),
        (Task.REGRESSION, ["rmse_rise<=0.02"]),
    ],
)
def test_quality_is_required_where_nothing_is_said_of_it(task: Task, expected: list[str]) -> None:
    assert [str(item) for item in complete_requirements((), task)] == expected
    assert [str(item) for item in complete_requirements(parse("parameters<=10"), task)] == ["parameters<=10", *expected]


def test_a_word_on_quality_replaces_the_usual_ones() -> None:
    own = parse("roc_auc>=0.7", "macs<=100")
    assert complete_requirements(own, Task.BINARY) == own


def test_drops_are_reference_minus_candidate_and_both_sides_are_reported() -> None:
    worse = REFERENCE.model_copy(update={"pr_auc": 0.59})
    statuses = indicator("pr_auc_drop<=0.005", "parameters<=1000", "accuracy>=0.9").statuses(COST, worse)
    assert [status.met for status in statuses] == [False, True, True]
    assert statuses[0].value == pytest.approx(0.01)


def test_the_rise_of_the_error_is_relative() -> None:
    found = RequirementsIndicator(parse("rmse_rise<=0.02"), QualityMetrics(loss=4.0, rmse=2.0))
    status = found.statuses(COST, QualityMetrics(loss=4.2, rmse=2.05))[0]
    assert status.value == pytest.approx(0.025)
    assert not status.met


def test_the_shortfall_adds_up_relative_distances() -> None:
    worse = REFERENCE.model_copy(update={"pr_auc": 0.59})
    found = indicator("pr_auc_drop<=0.005", "parameters<=800").shortfall(COST, worse)
    assert found == pytest.approx(1.0 + 0.25)
    assert indicator("pr_auc_drop<=0.005", "parameters<=800").shortfall(None, worse) == pytest.approx(1.0)
    assert indicator("pr_auc_drop<=0.02").shortfall(COST, worse) == 0.0


def test_an_allowance_makes_every_quality_metric_worse() -> None:
    allowance = {RequirementMetric.PR_AUC_DROP: 0.004, RequirementMetric.ACCURACY: 0.01}
    assert indicator("pr_auc_drop<=0.005").shortfall(COST, REFERENCE, allowance) == 0.0
    assert indicator("pr_auc_drop<=0.003").shortfall(COST, REFERENCE, allowance) > 0.0
    assert indicator("accuracy>=0.895").shortfall(COST, REFERENCE, allowance) > 0.0


def test_ceilings_become_limits_and_strict_ones_are_whole_numbers_below() -> None:
    limits = indicator("parameters<=1000.5", "parameters<900", "macs<=2e6", "input_features<=7").limits()
    assert limits.parameters == 899
    assert limits.macs == 2_000_000
    assert limits.input_features == 7
    assert limits.weight_bytes == math.inf
    assert limits.bounded
    assert not indicator("accuracy_drop<=0.1", "input_features<=7").limits().bounded


def test_a_latency_not_measured_is_unmet_but_no_shortfall() -> None:
    found = indicator("latency_p95_ms<=2")
    assert found.needs_latency
    assert not found.statuses(COST, REFERENCE)[0].met
    assert found.shortfall(COST, REFERENCE) == 0.0
    latency = Latency(p50_ms=3.0, p95_ms=4.0, p99_ms=5.0, batch_size=1, threads=1, calls=10)
    measured = COST.model_copy(update={"latency": latency})
    assert found.shortfall(measured, REFERENCE) == pytest.approx(1.0)
    assert found.latency_share(measured) == pytest.approx(0.5)
    assert found.latency_share(COST) == 1.0


def test_a_metric_that_the_task_lacks_is_refused_with_those_it_has() -> None:
    with pytest.raises(RequirementError, match=r"accuracy_drop.*does not have.*loss, rmse"):
        RequirementsIndicator(parse("accuracy_drop<=0.005"), QualityMetrics(loss=1.0, rmse=1.0))
