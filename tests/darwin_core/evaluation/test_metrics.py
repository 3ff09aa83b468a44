import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as judge

from darwin_core.contracts import OutputKind, Task
from darwin_core.errors import DataError
from darwin_core.evaluation import metrics
from darwin_core.evaluation.ranking import Ranking, alert_capacity


def table(seed, rows=400, levels=None, rate=0.2):
    """Labels, scores (with ties where `levels` is given) and weights."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < rate
    labels[:2] = [True, False]
    scores = rng.normal(labels, 1.0)
    if levels:
        scores = np.round(scores * levels) / levels
    return labels.astype(np.int32), scores, rng.integers(1, 5, rows).astype(float)


@pytest.mark.parametrize("levels", [None, 1, 3])
@pytest.mark.parametrize("weighted", [False, True])
def test_rank_metrics_agree_with_scikit_learn(levels, weighted):
    for seed in range(20):
        labels, scores, weights = table(seed, levels=levels)
        given_weights = weights if weighted else None
        assert metrics.pr_auc(labels, scores, given_weights) == pytest.approx(
            judge.average_precision_score(labels, scores, sample_weight=given_weights), abs=1e-12
        )
        assert metrics.roc_auc(labels, scores, given_weights) == pytest.approx(
            judge.roc_auc_score(labels, scores, sample_weight=given_weights), abs=1e-12
        )


@given(st.integers(0, 10_000), st.integers(2, 60), st.sampled_from([None, 1, 2]))
@settings(max_examples=60, deadline=None)
def test_a_weight_of_two_is_the_row_standing_there_twice(seed, rows, levels):
    labels, scores, weights = table(seed, rows, levels)
    copies = weights.astype(int)
    repeated = np.repeat(labels, copies), np.repeat(scores, copies)
    assert metrics.pr_auc(labels, scores, weights) == pytest.approx(metrics.pr_auc(*repeated))
    assert metrics.roc_auc(labels, scores, weights) == pytest.approx(metrics.roc_auc(*repeated))
    assert metrics.rmse(labels, scores, weights) == pytest.approx(metrics.rmse(*repeated))
    share = 0.3
    mine = Ranking(labels, scores).metrics(weights[None], alert_share=share).recall_at_budget[0]
    theirs = Ranking(*repeated).metrics(np.ones((1, copies.sum())), alert_share=share).recall_at_budget[0]
    assert mine == pytest.approx(theirs)


def test_recall_at_budget_counts_the_positives_among_the_top_k():
    labels = np.array([1, 0, 1, 0, 0, 1, 0, 0, 0, 0])
    scores = np.array([9, 8, 7, 6, 5, 4, 3, 2, 1, 0], float)
    assert metrics.recall_at_budget(labels, scores, alert_budget=0.1) == pytest.approx(1 / 3)
    assert metrics.recall_at_budget(labels, scores, alert_budget=0.39) == pytest.approx(2 / 3)
    assert metrics.recall_at_budget(labels, scores, alert_budget=0.01) == pytest.approx(1 / 3), "at least one alert"


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_recall_under_ties_is_the_mean_over_random_orders(seed):
    labels, scores, _ = table(seed, rows=40, levels=1)
    k = alert_capacity(40, 0.25)
    rng = np.random.default_rng(seed)
    draws = [labels[np.lexsort((rng.random(40), -scores))[:k]].sum() / labels.sum() for _ in range(4000)]
    assert metrics.recall_at_budget(labels, scores, alert_budget=0.25) == pytest.approx(np.mean(draws), abs=0.03)


@pytest.mark.parametrize(("rows", "budget", "expected"), [(100, 0.29, 29), (30, 0.1, 3), (7, 0.1, 1), (99, 0.1, 9)])
def test_alert_capacity_rounds_down_but_never_to_zero(rows, budget, expected):
    assert alert_capacity(rows, budget) == expected


def test_pointwise_metrics_agree_with_scikit_learn():
    labels, scores, weights = table(3)
    shares = 1 / (1 + np.exp(-scores))
    assert metrics.brier(labels, shares, weights) == pytest.approx(
        judge.brier_score_loss(labels, shares, sample_weight=weights)
    )
    assert metrics.log_loss(labels, shares, weights) == pytest.approx(
        judge.log_loss(labels, shares, sample_weight=weights)
    )
    assert metrics.rmse(labels, scores, weights) == pytest.approx(
        judge.root_mean_squared_error(labels, scores, sample_weight=weights)
    )
    assert metrics.accuracy(labels, scores > 0.5, weights) == pytest.approx(
        judge.accuracy_score(labels, scores > 0.5, sample_weight=weights)
    )


def test_multiclass_log_loss_and_brier():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(50, 4))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = rng.integers(0, 4, 50)
    assert metrics.log_loss(labels, shares) == pytest.approx(judge.log_loss(labels, shares, labels=range(4)))
    assert metrics.brier(labels, shares) == pytest.approx(np.mean(((shares - np.eye(4)[labels]) ** 2).sum(axis=1)))


def test_calibration_error_of_honest_scores_is_small_and_of_boasting_ones_is_their_excess():
    rng = np.random.default_rng(1)
    given_shares = rng.random(200_000) * 0.8
    happened = rng.random(200_000) < given_shares
    assert metrics.expected_calibration_error(happened, given_shares) < 0.005
    assert metrics.expected_calibration_error(happened, given_shares + 0.1) == pytest.approx(0.1, abs=0.003)


def test_calibration_error_sees_a_wrong_tail():
    rng = np.random.default_rng(2)
    shares = np.r_[np.full(9900, 0.1) + rng.random(9900) * 1e-3, np.full(100, 0.9)]
    happened = rng.random(10_000) < np.r_[np.full(9900, 0.1), np.full(100, 0.1)]
    assert len(np.unique(metrics.calibration_bins(shares))) == 21
    assert metrics.expected_calibration_error(happened, shares) > 0.007


def test_calibration_bins_of_constant_scores_are_one_bin():
    assert set(metrics.calibration_bins(np.full(10, 0.3))) == {0}


def test_metrics_refuse_what_has_no_meaning():
    with pytest.raises(DataError, match="at least one row"):
        metrics.accuracy([], [])
    with pytest.raises(DataError, match="finite scores, got 1"):
        metrics.pr_auc([0, 1], [0.1, np.nan])
    with pytest.raises(DataError, match="same length"):
        metrics.roc_auc([0, 1, 1], [0.1, 0.2])
    assert np.isnan(metrics.pr_auc([0, 0], [0.1, 0.2]))


def test_quality_metrics_of_raw_outputs():
    labels, scores, weights = table(5)
    kind = OutputKind(task=Task.BINARY, units=1, from_logits=True)
    found = metrics.quality_metrics(kind, labels, scores[:, None], alert_budget=0.1, weights=weights)
    shares = 1 / (1 + np.exp(-scores))
    assert found.loss == pytest.approx(judge.log_loss(labels, shares, sample_weight=weights))
    assert found.pr_auc == pytest.approx(judge.average_precision_score(labels, shares, sample_weight=weights))
    assert found.accuracy == pytest.approx(judge.accuracy_score(labels, scores >= 0, sample_weight=weights))
    assert 0 < found.recall_at_budget < 1

    classes = OutputKind(task=Task.MULTICLASS, units=3, from_logits=False)
    shares = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    found = metrics.quality_metrics(classes, [0, 1], shares, alert_budget=0.1)
    assert found.accuracy == 0.5
    assert found.loss == pytest.approx(-np.log([0.7, 0.3]).mean())
    assert found.pr_auc is None

    number = OutputKind(task=Task.REGRESSION, units=1, from_logits=False)
    found = metrics.quality_metrics(number, [1.0, 2.0], [[1.0], [4.0]], alert_budget=0.1)
    assert (found.loss, found.rmse) == pytest.approx((2.0, np.sqrt(2)))


def test_quality_metrics_without_positives_leave_the_ranking_out():
    kind = OutputKind(task=Task.BINARY, units=1, from_logits=False)
    found = metrics.quality_metrics(kind, [0, 0], [0.1, 0.2], alert_budget=0.1)
    assert (found.pr_auc, found.roc_auc, found.recall_at_budget) == (None, None, None)
