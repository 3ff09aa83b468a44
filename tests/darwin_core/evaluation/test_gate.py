import numpy as np
import pytest

from darwin_core.contracts import (
    Check,
    Estimate,
    GateConfig,
    Latency,
    NetworkCost,
    Requirement,
    SliceMetrics,
    Task,
    Verdict,
)
from darwin_core.evaluation.alerts import Overlap
from darwin_core.evaluation.calibration import LogisticFit
from darwin_core.evaluation.cases import Answers, Cases
from darwin_core.evaluation.checks import (
    Margin,
    Slopes,
    alert_rate_check,
    calibration_check,
    drift_check,
    overlap_check,
)
from darwin_core.evaluation.comparison import Comparison, compare
from darwin_core.evaluation.drift import Drift
from darwin_core.evaluation.gate import AlertEvidence, Measurements, combine, holdout_check, quality_checks
from darwin_core.evaluation.proportions import Interval
from darwin_core.evaluation.requirements import requirement_checks
from darwin_core.evaluation.slices import slice_checks

GATE = GateConfig()
PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INSUFFICIENT_EVIDENCE


def estimate(metric="pr_auc", difference=0.0, low=-0.001, high=0.001, *, reference=0.6, rows=10_000, positives=2000):
    return Estimate(
        metric=metric,
        reference=reference,
        candidate=reference + difference,
        difference=difference,
        low=low,
        high=high,
        rows=rows,
        positives=positives,
        method="by hand",
    )


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (-0.0049, 0.01, PASS),
        (-0.005, 0.0, PASS),
        (-0.02, -0.0051, FAIL),
        (-0.02, -0.005, OPEN),
        (-0.0051, 0.02, OPEN),
    ],
)
def test_the_bounds_decide(low, high, expected):
    check = Margin("Q1", "pr_auc", 0.005).check(estimate(difference=(low + high) / 2, low=low, high=high), GATE)
    assert check.verdict is expected
    assert (check.low, check.high, check.bound) == (low, high, -0.005)


def test_an_open_check_says_how_many_more_rows_would_settle_it():
    found = estimate(difference=-0.001, low=-0.009, high=0.007)
    check = Margin("Q1", "pr_auc", 0.005).check(found, GATE)
    assert check.reason == (
        "PR-AUC 0.5990, reference 0.6000: -0.10 pt (one-sided 95 % bounds -0.90 pt to +0.70 pt); at least -0.50 pt is "
        "required. About 18,282 positive rows would settle it (16,282 more), if the difference stays as it is."
    )


def test_a_rise_of_an_error_is_relative_and_must_stay_below():
    found = estimate("rmse", 1.0, 0.8, 1.2, reference=100.0, positives=None)
    check = Margin("Q8", "rmse", 0.02, lower_is_better=True).check(found, GATE)
    assert check.verdict is PASS
    assert (check.value, check.low, check.high) == pytest.approx((0.01, 0.008, 0.012))
    assert "+1.00 %" in check.reason
    assert Margin("Q8", "rmse", 0.005, lower_is_better=True).check(found, GATE).verdict is FAIL


def test_a_check_that_is_switched_off_does_not_exist():
    assert Margin("Q1", "pr_auc", None).check(estimate(), GATE) is None
    off = GateConfig(alert_rate_change=None, alert_overlap=None, calibration_rise=None, slice_margin=None)
    assert alert_rate_check(estimate("alert_rate"), off, 0.5) is None
    assert overlap_check(Overlap(1.0, Interval(1.0, 1.0), 5, 5), off, 0) is None
    assert calibration_check(estimate("ece"), None, off) is None
    assert slice_checks((), Task.BINARY, off) == ()


@pytest.mark.parametrize(
    ("difference", "low", "high", "expected"),
    [(0.002, 0.001, 0.003, PASS), (0.008, 0.006, 0.010, FAIL), (-0.008, -0.01, -0.006, FAIL), (0.0, -0.01, 0.01, OPEN)],
)
def test_the_alert_rate_may_move_a_little_either_way(difference, low, high, expected):
    found = alert_rate_check(estimate("alert_rate", difference, low, high, reference=0.1), GATE, 0.7)
    assert found.verdict is expected
    assert "at threshold 0.7000" in found.reason


def test_a_reference_that_alerts_nobody_leaves_the_alert_rate_open():
    found = alert_rate_check(estimate("alert_rate", 0.01, reference=0.0), GATE, 0.99)
    assert found.verdict is OPEN


@pytest.mark.parametrize(
    ("jaccard", "low", "high", "expected"), [(0.9, 0.87, 0.93, PASS), (0.9, 0.8, 0.95, OPEN), (0.7, 0.6, 0.8, FAIL)]
)
def test_overlap(jaccard, low, high, expected):
    check = overlap_check(Overlap(jaccard, Interval(low, high), 90, 100), GATE, 7)
    assert check.verdict is expected
    assert "7 positive rows that the reference alerted are missing" in check.reason
    assert ("requirement alert_overlap>=0.85" in check.reason) is (expected is not PASS)


def fit(slope):
    return LogisticFit(0.0, slope, np.zeros(1))


@pytest.mark.parametrize(
    ("own", "ratio", "expected"),
    [
        ((0.95, 1.05), (0.7, 0.8), PASS),
        ((0.7, 0.75), (0.95, 1.05), PASS),
        ((0.7, 0.75), (0.8, 0.85), FAIL),
        ((0.85, 1.0), (0.8, 0.85), OPEN),
        ((0.7, 0.75), None, FAIL),
    ],
    ids=["means what it says", "as the reference", "neither", "open", "no ratio"],
)
def test_calibration_slopes(own, ratio, expected):
    slopes = Slopes(fit(0.75), fit(0.72), Interval(*own), None if ratio is None else Interval(*ratio))
    check = calibration_check(estimate("ece", 0.0, -0.001, 0.001, reference=0.02), slopes, GATE)
    assert check.verdict is expected
    assert "Slope 0.720" in check.reason


def test_a_risen_calibration_error_fails_whatever_the_slope():
    slopes = Slopes(fit(1.0), fit(1.0), Interval(0.99, 1.01), None)
    check = calibration_check(estimate("ece", 0.02, 0.01, 0.03, reference=0.02), slopes, GATE)
    assert check.verdict is FAIL


def test_drift_is_held_against_chance_and_the_references_own():
    assert drift_check(Drift(0.004, 0.005), Drift(0.001, 0.005)).verdict is PASS
    assert drift_check(Drift(0.05, 0.005), Drift(0.03, 0.005)).verdict is PASS
    assert drift_check(Drift(0.05, 0.005), Drift(0.01, 0.005)).verdict is FAIL


def one_slice(value, difference, low, high, positives=400, metric="pr_auc"):
    return SliceMetrics(
        column="SEX",
        value=value,
        rows=1000,
        positives=positives,
        estimates=(estimate(metric, difference, low, high, positives=positives, rows=1000),),
    )


def test_a_slice_fails_only_beyond_chance_and_holm():
    harmed = one_slice("harmed", -0.08, -0.10, -0.06)
    fine = one_slice("fine", 0.0, -0.01, 0.01)
    unclear = one_slice("unclear", -0.03, -0.06, 0.0)
    checks = slice_checks((harmed, fine, unclear), Task.BINARY, GATE)
    assert [check.verdict for check in checks] == [FAIL, PASS, OPEN]
    assert checks[0].check_id == "S1:SEX=harmed"
    assert "PR-AUC -8.00 pt on 1,000 rows with 400 positives" in checks[0].reason
    assert "positive rows would settle it" in checks[2].reason


def test_many_slices_make_a_lucky_strike_harmless():
    """p = 0.03 alone fails a slice; among twenty slices it is what chance gives."""
    suspicious = one_slice("x", -0.045, -0.045 - 0.0219, -0.045 + 0.0219)
    others = [one_slice(str(index), 0.0, -0.03, 0.03) for index in range(19)]
    assert slice_checks((suspicious,), Task.BINARY, GATE)[0].verdict is FAIL
    assert slice_checks((suspicious, *others), Task.BINARY, GATE)[0].verdict is OPEN


def test_small_slices_are_reported_and_hold_nothing_up():
    small = one_slice("rare", -0.5, -0.7, -0.3, positives=12)
    (check,) = slice_checks((small,), Task.BINARY, GATE)
    assert check.verdict is OPEN
    assert check.reason == "Too few cases to judge: 12 positive rows, 50 are needed."
    verdict, reasons = combine((quality("Q1", PASS), check))
    assert verdict is PASS
    assert reasons[-1] == "1 of 1 slices hold too few cases to be settled on their own."


def test_more_alerts_in_a_slice_are_a_loss_too():
    more = one_slice("more", 0.06, 0.05, 0.07, metric="alert_rate")
    assert slice_checks((more,), Task.BINARY, GATE)[0].verdict is FAIL


def test_slices_of_pictures_count_rows():
    dark = SliceMetrics(
        column="light",
        value="dark",
        rows=60,
        estimates=(estimate("accuracy", -0.3, -0.4, -0.2, rows=60, positives=None),),
    )
    (check,) = slice_checks((dark,), Task.MULTICLASS, GATE)
    assert check.verdict is FAIL
    assert "positives" not in check.reason


def quality(check_id, verdict):
    return Check(check_id=check_id, title="", definition="", verdict=verdict, low=0.0, reason=f"because {verdict}.")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [((PASS, PASS), PASS), ((PASS, OPEN), OPEN), ((OPEN, FAIL), FAIL), ((FAIL, PASS), FAIL)],
)
def test_any_failure_fails_and_any_doubt_keeps_the_champion(verdicts, expected):
    checks = [quality(name, verdict) for name, verdict in zip(("Q1", "O1"), verdicts, strict=True)]
    verdict, reasons = combine(checks)
    assert verdict is expected
    first = reasons[1] if expected is PASS else reasons[0]
    assert first.endswith(f"because {expected}.")


def test_the_deciding_reasons_come_first():
    _, reasons = combine([quality("Q1", OPEN), quality("Q2", PASS), quality("O1", FAIL)])
    assert [reason.split(":")[0] for reason in reasons] == ["O1", "Q1"]


def test_without_a_threshold_on_quality_there_is_no_blessing():
    verdict, reasons = combine([quality("O1", PASS), quality("I1", PASS)])
    assert verdict is OPEN
    assert reasons[0].startswith("No threshold on quality is configured")
    verdict, reasons = combine([quality("O1", FAIL)])
    assert verdict is FAIL
    assert any(reason.startswith("O1") for reason in reasons)
    assert combine([quality("O2:pr_auc_drop<=0.01", PASS)])[0] is PASS, "a requirement on quality is a threshold"


def test_the_champion_is_a_second_bar():
    better, worse = estimate(), estimate(difference=-0.03, low=-0.04, high=-0.02)
    recall = estimate("recall_at_budget")
    measured = Measurements(
        Task.BINARY,
        Comparison({"pr_auc": better, "recall_at_budget": recall}, {}),
        champion=Comparison({"pr_auc": worse, "recall_at_budget": recall}, {}),
    )
    checks = {check.check_id: check for check in quality_checks(measured, GATE)}
    assert {name: check.verdict for name, check in checks.items()} == {
        "Q1": PASS,
        "Q2": PASS,
        "B-Q1": FAIL,
        "B-Q2": PASS,
    }
    assert "champion 0.6000" in checks["B-Q1"].reason


def test_a_metric_without_a_value_is_missing_evidence():
    measured = Measurements(Task.BINARY, Comparison({"accuracy": estimate("accuracy")}, {}))
    assert [check.verdict for check in quality_checks(measured, GATE)] == [OPEN, OPEN]


def test_advice_is_given_where_the_alert_rate_moved_and_changes_no_verdict():
    moved = estimate("alert_rate", 0.03, 0.02, 0.04, reference=0.1)
    alerts = AlertEvidence(0.5, Overlap(1.0, Interval(0.99, 1.0), 9, 9), 0, None, advice="Map the scores.")
    measured = Measurements(Task.BINARY, Comparison({"alert_rate": moved}, {}), alerts=alerts)
    check = next(check for check in quality_checks(measured, GATE) if check.check_id == "Q4")
    assert check.verdict is FAIL
    assert check.reason.endswith("Map the scores.")


def test_looks_wear_a_hold_out_out():
    assert holdout_check(100, GATE).verdict is PASS
    worn = holdout_check(101, GATE)
    assert worn.verdict is OPEN
    assert "look number 101" in worn.reason
    assert holdout_check(10_000, GateConfig(holdout_looks=None)).verdict is PASS


LATENCY = Latency(p50_ms=0.4, p95_ms=0.9, p99_ms=1.5, batch_size=1, threads=1, calls=200)
COST = NetworkCost(parameters=900, macs=5000, weight_bytes=3600, input_features=7, latency=LATENCY)
MEASURED = Comparison(
    {
        "pr_auc": estimate(difference=-0.004, low=-0.007, high=-0.001),
        "rmse": estimate("rmse", 1.0, 0.5, 1.5, reference=100.0),
    },
    {"pr_auc": Interval(0.57, 0.62), "rmse": Interval(100, 102)},
)
OVERLAP = Overlap(0.9, Interval(0.88, 0.92), 900, 1000)


@pytest.mark.parametrize(
    ("text", "value", "met", "expected"),
    [
        ("parameters<=1000", 900, True, PASS),
        ("parameters<900", 900, False, FAIL),
        ("latency_p95_ms<=0.5", 0.9, False, FAIL),
        ("input_features<=8", 7, True, PASS),
        ("pr_auc_drop<=0.01", 0.004, True, PASS),
        ("pr_auc_drop<=0.005", 0.004, True, OPEN),
        ("pr_auc_drop<=0.0005", 0.004, False, FAIL),
        ("pr_auc>=0.55", 0.596, True, PASS),
        ("pr_auc>=0.6", 0.596, False, OPEN),
        ("pr_auc>=0.7", 0.596, False, FAIL),
        ("rmse_rise<=0.02", 0.01, True, PASS),
        ("accuracy_drop<=0.01", None, False, FAIL),
        ("alert_overlap>=0.85", 0.9, True, PASS),
        ("alert_overlap>=0.89", 0.9, True, OPEN),
        ("alert_overlap>=0.95", 0.9, False, FAIL),
    ],
)
def test_requirements(text, value, met, expected):
    (status,), (check,) = requirement_checks((Requirement.parse(text),), COST, MEASURED, OVERLAP, confidence=0.95)
    assert status.met is met
    assert check.verdict is expected
    assert check.check_id == f"O2:{text}"
    if value is None:
        assert status.value is None
    else:
        assert status.value == pytest.approx(value)


def test_a_reference_without_any_error_does_not_excuse_one():
    margin = Margin("Q8", "rmse", 0.02, lower_is_better=True)
    assert margin.check(estimate("rmse", 5.0, 4.9, 5.1, reference=0.0), GATE).verdict is FAIL
    assert margin.check(estimate("rmse", 0.0, 0.0, 0.0, reference=0.0), GATE).verdict is PASS


def test_common_alerts_alone_are_no_quality():
    check = Check(
        check_id="O2:alert_overlap>=0.1", title="", definition="", verdict=PASS, value=0.9, low=0.8, high=1.0, reason=""
    )
    assert combine([check])[0] is not PASS
    assert combine([check.model_copy(update={"check_id": "O2:pr_auc>=0.1"})])[0] is PASS


def test_one_positive_leaves_a_requirement_open():
    labels = (np.arange(400) == 0).astype(int)
    reference, candidate = (
        Answers.from_scores(Task.BINARY, scores) for scores in np.random.default_rng(0).random((2, 400))
    )
    found = compare(Task.BINARY, Cases(labels), (reference, candidate), GateConfig(bootstrap_rounds=200))
    bounds = found.candidate["pr_auc"]
    assert (bounds.low, bounds.high) == (0.0, 1.0)
