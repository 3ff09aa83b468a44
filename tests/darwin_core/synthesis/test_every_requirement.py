"""Every metric of the contract as a requirement of a real search, met and out of reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.learning import make_search

from darwin_core.contracts import Requirement, RequirementMetric, SearchBudget
from darwin_core.training import prepare_runtime

ONE_SHOT = SearchBudget(generations=1, offspring=1, generation_samples=3_000, final_samples=3_000)
EASY = (
    "parameters<=400",
    "macs<=300",
    "weight_bytes<=4000",
    "input_features<=3",
    "accuracy_drop<=0.2",
    "pr_auc_drop<=0.3",
    "roc_auc_drop<=0.3",
    "recall_at_budget_drop<=0.3",
    "accuracy>=0.6",
    "pr_auc>=0.3",
    "roc_auc>0.6",
    "recall_at_budget>0.01",
    "alert_overlap>=0.01",
)
LATENCIES = ("latency_p50_ms<=500", "latency_p95_ms<=1000", "latency_p99_ms<2000")


@pytest.fixture(autouse=True)
def _runtime() -> None:
    prepare_runtime(0)


def test_all_of_them_together_are_met(tmp_path: Path) -> None:
    found = make_search(tmp_path, EASY, budget=ONE_SHOT).run()
    assert found.record.feasible
    assert found.record.relaxations == ()
    statuses = found.chosen.record.requirements
    assert [str(status.requirement) for status in statuses] == [str(Requirement.parse(text)) for text in EASY]
    assert all(status.met and status.value is not None for status in statuses)


@pytest.mark.parametrize("bad", ["accuracy>=1.01", "recall_at_budget>=2", "parameters<1"])
def test_what_binds_is_named_with_the_value_at_which_all_others_are_met(tmp_path: Path, bad: str) -> None:
    found = make_search(tmp_path, ("pr_auc_drop<=0.5", bad), budget=ONE_SHOT).run()
    record = found.record
    assert not record.feasible
    assert record.binding_requirements == (str(Requirement.parse(bad)),)
    (relaxed,) = record.relaxations
    assert str(relaxed.requirement) == str(Requirement.parse(bad))
    assert relaxed.value == found.chosen.record.requirements[-1].value
    assert f"All others are met with {relaxed.requirement.metric}" in record.reason


@pytest.mark.slow
def test_latency_is_measured_and_bounds_the_search(tmp_path: Path) -> None:
    found = make_search(tmp_path, ("accuracy_drop<=0.3", *LATENCIES), budget=ONE_SHOT).run()
    assert found.record.feasible
    latency = found.chosen.record.cost.latency
    assert latency is not None
    assert [status.value for status in found.chosen.record.requirements[1:]] == [
        latency.p50_ms,
        latency.p95_ms,
        latency.p99_ms,
    ]
    tight = make_search(tmp_path / "tight", ("accuracy_drop<=0.3", "latency_p50_ms<=0.001"), budget=ONE_SHOT).run()
    assert tight.record.binding_requirements == ("latency_p50_ms<=0.001",)
    assert tight.record.relaxations[0].value > 0.001


def test_nothing_of_the_contract_was_left_out() -> None:
    # The rise of the RMSE: in test_tasks.py, on a network that predicts a number; F1 and IoU: in steps/.
    elsewhere = ("rmse_rise<=0.1", "f1_drop<=0.1", "f1>=0.5", "mean_iou_drop<=0.2", "mean_iou>=0.4")
    told = {Requirement.parse(text).metric for text in (*EASY, *LATENCIES, *elsewhere)}
    assert told == set(RequirementMetric)
