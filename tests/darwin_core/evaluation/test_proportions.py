import math

import numpy as np
import pytest
from scipy import optimize, stats

from darwin_core.evaluation.proportions import (
    Interval,
    cases_to_settle,
    paired_difference,
    rows_needed,
    silence_bound,
    wilson,
)


def score_by_search(rows, gained, lost, difference):
    """The score statistic with the constrained maximum likelihood found by search instead of Tango's formula."""

    def negative_likelihood(share):
        cells = np.array([share + difference, share, 1 - 2 * share - difference])
        return -np.dot([gained, lost, rows - gained - lost], np.log(np.clip(cells, 1e-300, 1)))

    border = max(0.0, -difference)
    found = optimize.minimize_scalar(
        negative_likelihood, bounds=(border, (1 - difference) / 2), method="bounded", options={"xatol": 1e-12}
    )
    variance = rows * (2 * found.x + difference - difference**2)
    return (gained - lost - rows * difference) / math.sqrt(variance)


@pytest.mark.parametrize(("rows", "gained", "lost"), [(44, 2, 1), (200, 9, 14), (1000, 40, 12), (50, 20, 25)])
def test_tango_bounds_are_where_the_score_test_stops_rejecting(rows, gained, lost):
    found = paired_difference(rows, gained, lost, confidence=0.95)
    assert score_by_search(rows, gained, lost, found.low) == pytest.approx(1.6449, abs=1e-3)
    assert score_by_search(rows, gained, lost, found.high) == pytest.approx(-1.6449, abs=1e-3)


def test_bounds_mirror_when_the_networks_swap():
    ours, theirs = (paired_difference(300, b, c, confidence=0.95) for b, c in ((7, 19), (19, 7)))
    assert ours.low == pytest.approx(-theirs.high)
    assert ours.high == pytest.approx(-theirs.low)
    assert ours.low < (7 - 19) / 300 < ours.high


@pytest.mark.parametrize("rows", [1, 10, 1000])
def test_silence_proves_little(rows):
    found = paired_difference(rows, 0, 0, confidence=0.95)
    assert found.high == pytest.approx(silence_bound(rows, confidence=0.95))
    assert found.low == pytest.approx(-found.high)


def test_no_rows_no_knowledge():
    assert paired_difference(0, 0, 0, confidence=0.95) == Interval(-1.0, 1.0)
    assert wilson(0, 0, confidence=0.95) == Interval(0.0, 1.0)


@pytest.mark.parametrize(("gained", "lost"), [(50, 0), (0, 50), (25, 25)])
def test_bounds_stay_within_what_is_possible(gained, lost):
    found = paired_difference(50, gained, lost, confidence=0.999)
    assert -1 <= found.low <= (gained - lost) / 50 <= found.high <= 1


def misses(rows, gain, loss):
    """How often each bound misses the true difference, in 4000 draws."""
    draws = np.random.default_rng(7).multinomial(rows, [gain, loss, 1 - gain - loss], size=4000)
    outcomes, counts = np.unique(draws[:, :2], axis=0, return_counts=True)
    found = [paired_difference(rows, b, c, confidence=0.95) for b, c in outcomes.tolist()]
    low = np.array([one.low > gain - loss for one in found])
    high = np.array([one.high < gain - loss for one in found])
    return counts @ low / 4000, counts @ high / 4000


@pytest.mark.parametrize(("rows", "gain", "loss"), [(300, 0.03, 0.03), (300, 0.02, 0.05), (1500, 0.015, 0.02)])
def test_both_bounds_cover_the_truth(rows, gain, loss):
    assert max(misses(rows, gain, loss)) < 0.06


@pytest.mark.parametrize(("rows", "gain", "loss"), [(60, 0.02, 0.07), (60, 0.05, 0.05), (30, 0.1, 0.2)])
def test_the_bound_that_lets_a_candidate_pass_holds_for_few_rows_too(rows, gain, loss):
    assert misses(rows, gain, loss)[0] < 0.06


@pytest.mark.parametrize(("rows", "disagreement"), [(500, 0.03), (2000, 0.03), (2000, 0.005)])
def test_a_candidate_at_the_margin_passes_at_most_one_time_in_twenty(rows, disagreement):
    """Type-I error of the non-inferiority test, exactly: summed over all outcomes at the border of the hypothesis."""
    margin = 0.005
    loss, gain = (disagreement + margin) / 2, (disagreement - margin) / 2
    log_factorial = [math.lgamma(i + 1) for i in range(rows + 1)]
    total = passed = 0.0
    most = int(rows * disagreement + 8 * math.sqrt(rows * disagreement)) + 5
    for b in range(most):
        if gain == 0 and b > 0:
            break
        for c in range(most):
            rest = rows - b - c
            probability = math.exp(
                log_factorial[rows]
                - log_factorial[b]
                - log_factorial[c]
                - log_factorial[rest]
                + (b * math.log(gain) if b else 0.0)
                + c * math.log(loss)
                + rest * math.log(1 - gain - loss)
            )
            if probability < 1e-9:
                continue
            total += probability
            passed += probability * (paired_difference(rows, b, c, confidence=0.95).low >= -margin)
    assert total == pytest.approx(1.0, abs=1e-4)
    assert passed <= 0.055


def test_wilson_agrees_with_scipy():
    expected = stats.binomtest(17, 40).proportion_ci(0.90, method="wilson")
    found = wilson(17, 40, confidence=0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize(("margin", "expected"), [(0.005, 7420), (0.01, 1855), (0.02, 464)])
def test_rows_needed_for_non_inferiority(margin, expected):
    assert rows_needed(0.03, margin) == expected


def test_the_power_statement_keeps_its_promise():
    rows = rows_needed(0.04, 0.01)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(rows, [0.02, 0.02, 0.96], size=1000)
    passed = [paired_difference(rows, int(b), int(c), confidence=0.95).low >= -0.01 for b, c, _ in draws]
    assert np.mean(passed) == pytest.approx(0.8, abs=0.05)


def test_cases_to_settle_shrinks_the_interval_by_the_root():
    interval = Interval(-0.012, 0.008)
    needed = cases_to_settle(1000, interval, -0.002, -0.005, confidence=0.95)
    standard_error = 0.02 / 2 / 1.6449
    assert needed == pytest.approx(1000 * ((1.6449 + 0.8416) * standard_error / 0.003) ** 2, rel=1e-3)
    assert cases_to_settle(1000, interval, -0.005, -0.005, confidence=0.95) is None
