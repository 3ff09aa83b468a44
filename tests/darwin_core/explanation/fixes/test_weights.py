"""Weights that make a factor and a class independent."""

from __future__ import annotations

import numpy as np
import pytest

from darwin_core.explanation.fixes.rebalance import balancing_weights


def world(seed: int, inside_mine: float, inside_others: float, mine: float = 0.1, rows: int = 4000):
    rng = np.random.default_rng(seed)
    own = rng.random(rows) < mine
    inside = rng.random(rows) < np.where(own, inside_mine, inside_others)
    return inside, own, rng.uniform(0.5, 2.0, rows)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("mine", "others"), [(0.8, 0.05), (0.5, 0.5), (0.98, 0.002), (0.3, 0.0), (0.9, 0.6)])
def test_factor_and_class_become_independent_and_no_row_too_heavy(seed: int, mine: float, others: float) -> None:
    inside, own, before = world(seed, mine, others)
    weights = balancing_weights(inside, own, before)
    assert weights.min() >= 0
    assert weights.max() <= 10 + 1e-9
    total = before * weights
    shares = [total[side & inside].sum() / total[side].sum() for side in (own, ~own)]
    assert shares[0] == pytest.approx(shares[1], abs=1e-9)


def test_the_formula_of_kamiran_and_calders_where_no_row_gets_heavy() -> None:
    inside, own, _ = world(0, 0.8, 0.4)
    ones = np.ones(len(own))
    weights = balancing_weights(inside, own, ones)
    for factor in (inside, ~inside):
        for side in (own, ~own):
            expected = factor.mean() * side.mean() / (factor & side).mean()
            np.testing.assert_allclose(weights[factor & side], expected)
    assert weights.mean() == pytest.approx(1)


def test_where_no_other_class_has_the_factor_its_rows_count_for_nothing() -> None:
    inside, own, before = world(1, 0.6, 0.0)
    weights = balancing_weights(inside, own, before)
    assert not weights[inside].any()
    np.testing.assert_allclose(weights[~own], 1.0)
    assert (before * weights)[own].sum() == pytest.approx(before[own].sum()), "the class weighs what it weighed"


def test_a_class_with_hardly_a_row_left_weighs_less() -> None:
    inside, own, _ = world(2, 0.999, 0.0, rows=20_000)
    weights = balancing_weights(inside, own, np.ones(len(own)))
    assert (own & ~inside).any()
    assert weights[own].sum() < 0.1 * own.sum()
