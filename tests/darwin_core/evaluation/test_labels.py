"""Rows with several labels: metrics against scikit-learn, the paired bounds, the gate, what is written down."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as judge

from darwin_core.contracts import GateConfig, OutputKind, Requirement, Task, Verdict
from darwin_core.evaluation import metrics
from darwin_core.evaluation.assessment import Assessor, Scored, draw_curves
from darwin_core.evaluation.cases import Answers, Cases
from darwin_core.evaluation.comparison import compare
from darwin_core.evaluation.evidence import write_evidence
from darwin_core.evaluation.gate import combine, quality_checks
from darwin_core.evaluation.holdout import Holdout
from darwin_core.evaluation.proportions import silence_bound
from darwin_core.evaluation.resampling import Resampling
from darwin_core.evaluation.statistics import MultilabelStatistic
from darwin_core.progress import Reporter
from darwin_core.synthesis.performance import primary_quality

FAST = GateConfig(bootstrap_rounds=200)
LABELS = ("rain", "wind", "fog")


def several(seed, rows=300, rates=(0.5, 0.3, 0.1), noise=0.4, worse=1.0):
    """Labels and probabilities of two networks; `worse` multiplies the candidate's noise."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((rows, len(rates))) < rates).astype(np.int8)
    signal = rng.normal(2.0 * labels - 1.0, 1.0)
    scores = [1 / (1 + np.exp(-2 * (signal + noise * factor * rng.normal(size=signal.shape)))) for factor in (1, worse)]
    return labels, scores


def pair_of(scores):
    return tuple(Answers.from_scores(Task.MULTILABEL, each) for each in scores)


def holdout_of(labels):
    return Holdout(Cases(labels), (), {}, [f"r{row}" for row in range(len(labels))], (), LABELS)


@pytest.mark.parametrize("weighted", [False, True])
def test_quality_agrees_with_scikit_learn(weighted):
    labels, (scores, _) = several(0)
    weights = np.random.default_rng(1).integers(1, 4, len(labels)).astype(float) if weighted else None
    kind = OutputKind(task=Task.MULTILABEL, units=3, from_logits=True)
    logits = np.log(scores / (1 - scores))
    found = metrics.quality_metrics(kind, labels, logits, alert_budget=0.1, weights=weights)
    options = {"sample_weight": weights}
    assert found.pr_auc == pytest.approx(judge.average_precision_score(labels, scores, average="macro", **options))
    assert found.roc_auc == pytest.approx(judge.roc_auc_score(labels, scores, average="macro", **options))
    assert found.f1 == pytest.approx(judge.f1_score(labels, scores >= 0.5, average="micro", **options))
    assert found.accuracy == pytest.approx(judge.accuracy_score(labels, scores >= 0.5, **options))
    each = [judge.log_loss(labels[:, k], scores[:, k], **options) for k in range(3)]
    assert found.loss == pytest.approx(np.mean(each))
    assert found.recall_at_budget is None
    assert primary_quality(Task.MULTILABEL, found) == found.pr_auc


def test_a_label_without_a_positive_row_is_left_out_of_the_means():
    labels, (scores, _) = several(0)
    labels[:, 2] = 0
    known = [judge.average_precision_score(labels[:, k], scores[:, k]) for k in (0, 1)]
    assert metrics.mean_pr_auc(labels, scores) == pytest.approx(np.mean(known))
    assert np.isnan(metrics.mean_pr_auc(np.zeros_like(labels), scores))
    assert np.isnan(metrics.micro_f1(np.zeros_like(labels), np.zeros_like(labels)))
    found = compare(Task.MULTILABEL, Cases(labels), pair_of((scores, scores)), FAST).estimates
    assert found["pr_auc"].reference == pytest.approx(np.mean(known))


def test_the_bootstrap_is_the_metric_of_the_resampled_rows():
    labels, scores = several(2, rows=120)
    (weights,) = Resampling(rounds=20, seed=3).batches(120)
    fast = MultilabelStatistic(Cases(labels), pair_of(scores))(weights)
    for row, counts in enumerate(weights):
        rows = np.repeat(np.arange(120), counts)
        for side in (0, 1):
            own, predicted = scores[side][rows], scores[side][rows] >= 0.5
            assert fast["pr_auc"][side, row] == pytest.approx(metrics.mean_pr_auc(labels[rows], own))
            assert fast["roc_auc"][side, row] == pytest.approx(metrics.mean_roc_auc(labels[rows], own))
            assert fast["f1"][side, row] == pytest.approx(metrics.micro_f1(labels[rows], predicted))
            assert fast["accuracy"][side, row] == pytest.approx(metrics.subset_accuracy(labels[rows], predicted))


def test_calibration_is_the_mean_over_the_labels():
    labels, scores = several(4)
    found = compare(Task.MULTILABEL, Cases(labels), pair_of(scores), FAST).estimates["ece"]
    each = [metrics.expected_calibration_error(labels[:, k], scores[1][:, k]) for k in range(3)]
    assert found.candidate == pytest.approx(np.mean(each))


def test_bounds_hold_the_difference_and_never_certify_from_a_few_rows():
    labels, scores = several(5, rows=400, worse=3.0)
    found = compare(Task.MULTILABEL, Cases(labels), pair_of(scores), FAST).estimates
    for estimate in found.values():
        assert estimate.low <= estimate.difference <= estimate.high
        assert estimate.positives == labels.any(axis=1).sum()
    assert found["pr_auc"].high < 0
    same = compare(Task.MULTILABEL, Cases(labels), pair_of((scores[0], scores[0])), FAST).estimates
    rarest = int(labels.sum(axis=0).min())
    assert same["pr_auc"].low == pytest.approx(-silence_bound(3 * rarest, confidence=0.95))
    assert same["f1"].low == pytest.approx(-silence_bound(int(labels.any(axis=1).sum()), confidence=0.95))


def test_clusters_and_weights_are_heard():
    labels, scores = several(6)
    clusters = np.arange(len(labels)) // 3
    cases = Cases(labels, weights=np.full(len(labels), 2.0), clusters=clusters)
    clustered = compare(Task.MULTILABEL, cases, pair_of(scores), FAST).estimates
    plain = compare(Task.MULTILABEL, Cases(labels), pair_of(scores), FAST).estimates
    assert clustered["f1"].candidate == pytest.approx(plain["f1"].candidate)
    assert clustered["f1"].method.endswith("over 100 clusters")
    assert -clustered["f1"].low >= silence_bound(100, confidence=0.95) - clustered["f1"].difference


def assessed(labels, scores, gate):
    scored = [Scored(one, one) for one in pair_of(scores)]
    return Assessor(Task.MULTILABEL, holdout_of(labels), gate, Reporter()).assess(*scored, None)


def test_the_gate_judges_mean_pr_auc_f1_and_every_label():
    labels, scores = several(7, rows=2_000, noise=0.05)
    gate = GateConfig(bootstrap_rounds=200, pr_auc_margin=0.02, f1_margin=0.03, calibration_rise=0.05)
    checks = quality_checks(assessed(labels, scores, gate).measurements, gate)
    assert [check.check_id for check in checks] == ["Q1", "Q3", "Q6", *(f"S1:label={name}" for name in LABELS)]
    assert combine(checks)[0] is Verdict.PASS
    spoilt = scores[1].copy()
    spoilt[:, 2] = np.random.default_rng(8).random(len(labels))
    checks = quality_checks(assessed(labels, (scores[0], spoilt), gate).measurements, gate)
    verdicts = {check.check_id: check.verdict for check in checks}
    assert verdicts["Q1"] is verdicts["Q3"] is verdicts["S1:label=fog"] is Verdict.FAIL
    assert verdicts["S1:label=rain"] is Verdict.PASS
    assert combine(checks)[0] is Verdict.FAIL


def test_without_margins_nothing_is_blessed():
    labels, scores = several(7)
    gate = GateConfig(bootstrap_rounds=200, pr_auc_margin=None, f1_margin=None, calibration_rise=None)
    checks = quality_checks(assessed(labels, scores, gate).measurements, gate)
    assert combine(checks)[0] is Verdict.INSUFFICIENT_EVIDENCE


def test_a_reader_is_told_how_to_read_the_figures():
    labels, scores = several(9)
    labels[:, 1] = 0
    notes = assessed(labels, scores, FAST).notes
    assert "means over the 3 labels" in notes[0]
    assert notes[1] == "No row of the hold-out has the label(s) wind: the mean PR-AUC leaves them out."


def test_curves_are_pooled_and_there_is_no_confusion_matrix():
    labels, scores = several(10)
    curves = draw_curves(Task.MULTILABEL, holdout_of(labels), {"candidate": pair_of(scores)[1]}, 3)
    assert curves.confusion == {}
    x, y = zip(*((point.x, point.y) for point in curves.roc["candidate"]), strict=True)
    assert np.trapezoid(y, x) == pytest.approx(judge.roc_auc_score(labels.ravel(), scores[1].ravel()), abs=0.01)
    assert curves.precision_recall["candidate"][-1].y == pytest.approx(labels.mean())


def test_the_evidence_has_a_column_for_each_label(tmp_path):
    labels, scores = several(11, rows=20)
    path = tmp_path / "predictions.parquet"
    answers = dict(zip(("reference", "candidate"), pair_of(scores), strict=True))
    write_evidence(path, Task.MULTILABEL, holdout_of(labels), answers, {})
    table = pq.read_table(path)
    assert table["label.fog"].to_pylist() == labels[:, 2].tolist()
    assert table["candidate_score.wind"].to_pylist() == scores[1][:, 1].tolist()
    assert table["reference_predicted.rain"].to_pylist() == (scores[0][:, 0] >= 0.5).astype(int).tolist()


def test_f1_can_be_required():
    assert str(Requirement.parse("f1_drop<=0.01")) == "f1_drop<=0.01"
    assert Requirement.parse("f1>=0.8").is_met(0.81)
