import numpy as np
import pytest
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from darwin_core.evaluation.calibration import align_scales, fit_logistic, fit_temperature, slope_ratio_bounds


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


def logit(shares):
    return np.log(shares / (1 - shares))


def boasting(rng, rows, factor, noise=0.0):
    """Labels drawn at the honest odds; scores whose log-odds are `factor` times as large."""
    odds = rng.normal(-1, 1.2, rows)
    labels = rng.random(rows) < sigmoid(odds)
    return labels.astype(int), sigmoid(factor * odds + noise * rng.normal(size=rows))


def test_the_fit_is_logistic_regression():
    labels, scores = boasting(np.random.default_rng(0), 5000, 1.7)
    judge = LogisticRegression(C=np.inf, tol=1e-10).fit(logit(scores)[:, None], labels)
    fit = fit_logistic(scores, labels)
    assert fit.slope == pytest.approx(judge.coef_[0, 0], abs=1e-4)
    assert fit.intercept == pytest.approx(judge.intercept_[0], abs=1e-4)


def test_slope_bounds_cover_the_truth():
    rng = np.random.default_rng(1)
    missed = np.zeros(2)
    for _ in range(400):
        labels, scores = boasting(rng, 800, 1.25)
        bounds = fit_logistic(scores, labels).slope_bounds(confidence=0.95)
        missed += [bounds.low > 0.8, bounds.high < 0.8]
    assert (missed / 400 <= 0.085).all()


def test_slopes_of_two_networks_are_compared_on_the_same_rows():
    """The ratio of slopes is known far better than either slope, because both share the rows' luck."""
    labels, scores = boasting(np.random.default_rng(2), 2000, 1.0)
    ours, theirs = fit_logistic(sigmoid(1.25 * logit(scores)), labels), fit_logistic(scores, labels)
    ratio = slope_ratio_bounds(theirs, ours, confidence=0.95)
    assert (ratio.low, ratio.high) == pytest.approx((0.8, 0.8), abs=1e-6)
    own = ours.slope_bounds(confidence=0.95)
    assert own.high - own.low > 0.05


def test_clusters_widen_the_bounds():
    rng = np.random.default_rng(3)
    labels, scores = boasting(rng, 300, 1.0)
    fit = fit_logistic(np.repeat(scores, 10), np.repeat(labels, 10))
    alone = fit.slope_bounds(confidence=0.95)
    together = fit.slope_bounds(confidence=0.95, clusters=np.repeat(np.arange(300), 10))
    assert (together.high - together.low) / (alone.high - alone.low) == pytest.approx(np.sqrt(10), rel=1e-6)


def test_aligned_scales_undo_a_stretch():
    _, scores = boasting(np.random.default_rng(4), 500, 1.0)
    stretched = sigmoid(2 * logit(scores) + 0.5)
    found = align_scales(stretched, scores, alert_budget=0.1)
    assert (found.slope, found.intercept) == pytest.approx((0.5, -0.25))
    assert found.apply(stretched) == pytest.approx(scores, abs=1e-6)


def test_aligned_scales_keep_the_share_of_alerts_where_a_regression_loses_it():
    rng = np.random.default_rng(6)
    _, wanted = boasting(rng, 20_000, 1.0)
    noisy = sigmoid(logit(wanted) + rng.normal(size=20_000))
    found = align_scales(noisy, wanted, alert_budget=0.1)
    threshold = np.quantile(wanted, 0.9)
    assert (found.apply(noisy) >= threshold).mean() == pytest.approx(0.1, abs=1e-3)
    regression = fit_logistic(noisy, wanted)
    assert (sigmoid(regression.intercept + regression.slope * logit(noisy)) >= threshold).mean() < 0.085


def test_constant_scores_cannot_be_aligned():
    assert align_scales(np.full(9, 0.4), np.linspace(0.1, 0.9, 9), alert_budget=0.1) is None


@pytest.mark.parametrize(
    ("scores", "labels"),
    [(np.full(10, 0.3), np.arange(10) % 2), (np.linspace(0.1, 0.9, 10), np.linspace(0.1, 0.9, 10) > 0.5)],
    ids=["constant scores", "perfect separation"],
)
def test_what_has_no_finite_fit_gives_none(scores, labels):
    assert fit_logistic(scores, labels) is None


def test_negative_slopes_have_no_ratio():
    labels, scores = boasting(np.random.default_rng(5), 500, 1.0)
    upside_down = fit_logistic(1 - scores, labels)
    assert upside_down.slope < 0
    assert slope_ratio_bounds(upside_down, fit_logistic(scores, labels), confidence=0.95) is None


def _classes(seed: int, rows: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """True log-odds of five classes, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, (rows, 5))
    return odds, (odds + rng.gumbel(size=odds.shape)).argmax(axis=1)


@pytest.mark.parametrize("boast", [0.5, 2.0, 3.0])
def test_temperature_undoes_a_boast(boast: float) -> None:
    odds, labels = _classes(0)
    factor = fit_temperature(softmax(boast * odds, axis=1), labels)
    assert factor == pytest.approx(1 / boast, rel=0.06)


def test_true_probabilities_keep_their_temperature() -> None:
    found = [fit_temperature(softmax(odds, axis=1), labels) for odds, labels in map(_classes, range(20))]
    assert sum(factor is not None for factor in found) <= 4  # one in twenty is expected by chance


def test_temperature_counts_weights() -> None:
    odds, labels = _classes(1)
    boasting = np.arange(len(odds)) % 2 == 0
    scores = softmax(np.where(boasting[:, None], 3.0, 0.5) * odds, axis=1)
    assert fit_temperature(scores, labels, np.where(boasting, 1.0, 0.0)) == pytest.approx(1 / 3, rel=0.1)
    assert fit_temperature(scores, labels, np.where(boasting, 0.0, 7.0)) == pytest.approx(2.0, rel=0.1)


def test_no_temperature_where_every_row_is_right() -> None:
    labels = np.arange(600) % 3
    assert fit_temperature(np.eye(3)[labels] * 0.7 + 0.1, labels) is None
