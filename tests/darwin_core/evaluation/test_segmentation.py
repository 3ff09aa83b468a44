"""A class at every pixel: metrics against scikit-learn, the paired bounds, the gate."""

import numpy as np
import pytest
from sklearn import metrics as judge

from darwin_core.contracts import GateConfig, OutputKind, Task, Verdict
from darwin_core.evaluation import metrics
from darwin_core.evaluation.assessment import Assessor, Scored, draw_curves
from darwin_core.evaluation.cases import Answers, Cases
from darwin_core.evaluation.comparison import compare
from darwin_core.evaluation.gate import combine, quality_checks
from darwin_core.evaluation.holdout import Holdout
from darwin_core.evaluation.pixels import PixelCounts, mean_iou
from darwin_core.evaluation.resampling import Resampling
from darwin_core.evaluation.statistics import SegmentationStatistic
from darwin_core.progress import Reporter

FAST = GateConfig(bootstrap_rounds=200)
KIND = OutputKind(task=Task.SEGMENTATION, units=3, positions=(6, 5), from_logits=True)


def masks(seed, rows=80, noise=(1.0, 1.0)):
    """Masks of three classes, and the raw outputs of two networks."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(3, (rows, 6, 5), p=[0.7, 0.2, 0.1]).astype(np.uint8)
    signal = 3.0 * (truth[..., None] == np.arange(3))
    return truth, [(signal + scale * rng.normal(size=signal.shape)).astype(np.float32) for scale in noise]


def answers(outputs):
    from darwin_core.networks import to_scores

    return tuple(Answers.from_scores(Task.SEGMENTATION, to_scores(KIND, each)) for each in outputs)


@pytest.mark.parametrize("weighted", [False, True])
def test_quality_agrees_with_scikit_learn(weighted):
    truth, (outputs, _) = masks(0)
    weights = np.random.default_rng(1).integers(1, 4, len(truth)).astype(float) if weighted else None
    pixels = None if weights is None else np.repeat(weights, 30)
    found = metrics.quality_metrics(KIND, truth, outputs, alert_budget=0.1, weights=weights)
    predicted = outputs.argmax(axis=-1)
    expected = judge.jaccard_score(truth.ravel(), predicted.ravel(), average="macro", sample_weight=pixels)
    assert found.mean_iou == pytest.approx(expected)
    right = judge.accuracy_score(truth.ravel(), predicted.ravel(), sample_weight=pixels)
    assert found.accuracy == pytest.approx(right)
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=-1, keepdims=True)
    loss = judge.log_loss(truth.ravel(), shares.reshape(-1, 3), sample_weight=pixels)
    assert found.loss == pytest.approx(loss, rel=1e-4)


def test_classes_that_nobody_speaks_of_do_not_count():
    truth = np.asarray([[[0, 0], [1, 1]]])
    counts = PixelCounts.of(truth, np.asarray([[[0, 1], [1, 1]]]), 5)
    found = mean_iou(counts.both.sum(axis=0), counts.there.sum(axis=0), counts.predicted.sum(axis=0))
    assert found == pytest.approx((1 / 2 + 2 / 3) / 2)
    nothing = np.zeros(5)
    assert np.isnan(mean_iou(nothing, nothing, nothing))


def test_the_bootstrap_is_the_metric_of_the_resampled_rows():
    truth, outputs = masks(2)
    pair = answers(outputs)
    (weights,) = Resampling(rounds=20, seed=3).batches(80)
    fast = SegmentationStatistic(Cases(truth), pair, 3)(weights)
    for row, counts in enumerate(weights):
        rows = np.repeat(np.arange(80), counts)
        for side in (0, 1):
            real, said = truth[rows].ravel(), pair[side].predicted[rows].ravel()
            assert fast["mean_iou"][side, row] == pytest.approx(judge.jaccard_score(real, said, average="macro"))
            assert fast["accuracy"][side, row] == pytest.approx((real == said).mean())


def test_pixels_of_a_picture_are_resampled_together():
    truth, outputs = masks(4, noise=(1.0, 1.6))
    found = compare(Task.SEGMENTATION, Cases(truth), answers(outputs), FAST).estimates
    assert list(found) == ["mean_iou", "accuracy"]
    for estimate in found.values():
        assert estimate.rows == 80
        assert estimate.low <= estimate.difference <= estimate.high < 0
        assert estimate.method == "paired bootstrap, 200 rounds"


def test_the_gate_judges_pixels_and_overlap():
    truth, outputs = masks(5, rows=400, noise=(1.0, 1.0))
    gate = GateConfig(bootstrap_rounds=200, accuracy_margin=0.02, mean_iou_margin=0.05)
    holdout = Holdout(Cases(truth), (), {}, [str(row) for row in range(len(truth))], ())

    def checks(outputs):
        scored = [Scored(one, one) for one in answers(outputs)]
        assessment = Assessor(Task.SEGMENTATION, holdout, gate, Reporter()).assess(*scored, None)
        assert "in pixels" in assessment.notes[0]
        return quality_checks(assessment.measurements, gate)

    same = checks([outputs[0], outputs[1]])
    assert [check.check_id for check in same] == ["Q0", "Q9"]
    assert combine(same)[0] is Verdict.PASS
    worse = checks([outputs[0], np.random.default_rng(6).normal(size=outputs[0].shape)])
    assert [check.verdict for check in worse] == [Verdict.FAIL, Verdict.FAIL]
    curves = draw_curves(Task.SEGMENTATION, holdout, {"candidate": answers(outputs)[1]}, 3)
    expected = judge.confusion_matrix(truth.ravel(), outputs[1].argmax(axis=-1).ravel())
    assert np.array_equal(curves.confusion["candidate"], expected)
