import numpy as np
import pytest

from darwin_core.contracts import GateConfig, Requirement, Task
from darwin_core.evaluation.tfma_run import TfmaRows, metrics_for, run_tfma


def binary_rows(rng, noise):
    labels = (rng.random(600) < 0.3).astype(np.int32)
    reference = 1 / (1 + np.exp(-rng.normal(2.0 * labels - 1)))
    candidate = np.clip(reference + noise * rng.normal(size=600), 0, 1)
    sex = np.where(rng.random(600) < 0.5, "1", "2").astype(object)
    return TfmaRows(labels, reference, candidate, None, {"sex": sex})


def results(folder, name):
    import tensorflow_model_analysis as tfma

    found = tfma.load_eval_result(str(folder), model_name=name).slicing_metrics
    return {key: {metric: value["doubleValue"] for metric, value in figures[""][""].items()} for key, figures in found}


def test_tfma_measures_slices_and_validates_thresholds(tmp_path):
    rng = np.random.default_rng(0)
    rows = binary_rows(rng, noise=0.0)
    metrics = metrics_for(Task.BINARY, GateConfig(), ())
    outcome = run_tfma(rows, metrics, [("sex", "1")], tmp_path / "equal")
    assert outcome.validation_ok is True
    assert outcome.missing_slices == ()
    figures = results(tmp_path / "equal", "candidate")
    assert set(figures) == {(), (("sex", "1"),), (("sex", "2"),)}
    assert figures[()]["example_count"] == 600
    assert figures[()]["accuracy"] == pytest.approx(np.mean((rows.candidate > 0.5) == rows.labels))


@pytest.mark.slow
def test_tfma_names_what_fails_and_what_is_missing(tmp_path):
    rows = binary_rows(np.random.default_rng(0), noise=0.5)
    metrics = metrics_for(Task.BINARY, GateConfig(), (Requirement.parse("accuracy>=0.99"),))
    outcome = run_tfma(rows, metrics, [("sex", "3")], tmp_path)
    assert outcome.validation_ok is False
    assert outcome.missing_slices == ("sex=3",)


@pytest.mark.slow
def test_tfma_takes_classes_and_numbers(tmp_path):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 4, 300)
    shares = rng.dirichlet(np.ones(4), 300)
    weights = rng.random(300)
    classes = TfmaRows(labels, shares, shares, weights, {})
    gate = GateConfig()
    assert run_tfma(classes, metrics_for(Task.MULTICLASS, gate, ()), [], tmp_path / "a").validation_ok is True
    right = np.average(shares.argmax(axis=1) == labels, weights=weights)
    assert results(tmp_path / "a", "candidate")[()]["accuracy"] == pytest.approx(right, abs=1e-6)
    target = rng.normal(size=300).astype(np.float32)
    numbers = TfmaRows(target, target + 0.1, target + 0.2, None, {})
    outcome = run_tfma(numbers, metrics_for(Task.REGRESSION, gate, ()), [], tmp_path / "b")
    assert results(tmp_path / "b", "candidate")[()]["rmse"] == pytest.approx(0.2, abs=1e-5)
    assert outcome.validation_ok is False, "the error doubles"


@pytest.mark.slow
def test_without_thresholds_tfma_has_no_opinion(tmp_path):
    gate = GateConfig(accuracy_margin=None, slice_margin=None)
    labels = np.array([0, 1, 2, 0])
    shares = np.eye(3)[labels] * 0.8 + 0.05
    rows = TfmaRows(labels, shares, shares, None, {})
    assert run_tfma(rows, metrics_for(Task.MULTICLASS, gate, ()), [], tmp_path).validation_ok is None
