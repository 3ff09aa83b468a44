"""Judgement: exact metrics, and standard errors that tell how far the validation rows can be trusted."""

from __future__ import annotations

import numpy as np
import pytest

from darwin_core.contracts import NetworkCost, OutputKind, Requirement, RequirementMetric, Task
from darwin_core.evaluation.metrics import pr_auc
from darwin_core.synthesis import performance_function
from darwin_core.synthesis.judgement import Judge, ValidationRows

COST = NetworkCost(parameters=1_000, macs=5_000, weight_bytes=4_000, input_features=10)
BINARY = OutputKind(task=Task.BINARY, units=1, from_logits=True)


def make_judge(kind: OutputKind, labels: np.ndarray, reference: np.ndarray, *texts: str) -> Judge:
    requirements = tuple(Requirement.parse(text) for text in texts)
    rows = ValidationRows(labels, None)
    return Judge(kind, rows, reference, COST, requirements, performance_function("smallest"), 0.1)


def binary_rows(rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(rows, 1))
    labels = (signal[:, 0] + rng.normal(size=rows) > 1).astype(np.int32)
    reference = (2 * signal - 2).astype(np.float32)
    candidate = (reference + 0.5 * rng.normal(size=(rows, 1))).astype(np.float32)
    return labels, reference, candidate


def test_the_reference_falls_short_of_nothing() -> None:
    labels, reference, _ = binary_rows(1_000)
    judge = make_judge(BINARY, labels, reference, "pr_auc_drop<=0", "recall_at_budget_drop<=0")
    found = judge.judge(COST, reference)
    assert found.feasible
    assert found.cautious_shortfall == 0.0
    assert found.performance == pytest.approx(1.0)
    assert found.quality == judge.reference_quality


def test_the_error_of_accuracy_is_that_of_the_paired_difference() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 4_000).astype(np.int32)
    right = np.eye(3, dtype=np.float32)[labels] * 5
    wrong = np.eye(3, dtype=np.float32)[(labels + 1) % 3] * 5
    candidate = np.where(rng.random((4_000, 1)) < 0.03, wrong, right)
    kind = OutputKind(task=Task.MULTICLASS, units=3, from_logits=True)
    judge = make_judge(kind, labels, right, "accuracy_drop<=0.005")
    found = judge.errors(candidate)[RequirementMetric.ACCURACY_DROP]
    assert found == pytest.approx(np.sqrt(0.03 * 0.97 / 4_000), rel=0.4)
    assert judge.errors(right)[RequirementMetric.ACCURACY_DROP] == pytest.approx(0.0, abs=1e-12)


def test_the_error_of_pr_auc_agrees_with_the_bootstrap() -> None:
    labels, reference, candidate = binary_rows(2_000)
    judge = make_judge(BINARY, labels, reference, "pr_auc_drop<=0.005")
    rng = np.random.default_rng(2)
    draws = []
    for _ in range(300):
        rows = rng.integers(0, 2_000, 2_000)
        draws.append(pr_auc(labels[rows], reference[rows, 0]) - pr_auc(labels[rows], candidate[rows, 0]))
    assert judge.errors(candidate)[RequirementMetric.PR_AUC_DROP] == pytest.approx(np.std(draws), rel=0.4)


def test_a_bound_that_is_barely_kept_is_not_safe_and_caution_never_takes_more_than_half_of_it() -> None:
    labels, reference, candidate = binary_rows(400)
    drop = make_judge(BINARY, labels, reference, "pr_auc_drop<=1").judge(COST, candidate).statuses[0].value
    assert drop is not None
    assert drop > 0
    barely = make_judge(BINARY, labels, reference, f"pr_auc_drop<={1.01 * drop}").judge(COST, candidate)
    assert barely.feasible
    assert barely.shortfall == 0.0
    assert barely.cautious_shortfall > 0.0
    roomy = make_judge(BINARY, labels, reference, f"pr_auc_drop<={2.01 * drop}").judge(COST, candidate)
    assert roomy.cautious_shortfall == 0.0


def test_a_race_is_judged_by_what_the_finish_is_expected_to_leave() -> None:
    labels, reference, candidate = binary_rows(2_000)
    drop = make_judge(BINARY, labels, reference, "pr_auc_drop<=1").judge(COST, candidate).statuses[0].value
    assert drop is not None
    judge = make_judge(BINARY, labels, reference, f"pr_auc_drop<={0.8 * drop}")
    assert judge.judge(COST, candidate).expected_shortfall > 0.0
    promising = judge.judge(COST, candidate, remaining=0.3)
    assert promising.expected_shortfall == 0.0
    assert promising.shortfall > 0.0
    assert not promising.feasible
    better = judge.judge(COST, reference, remaining=0.3)
    assert better.quality == judge.reference_quality
