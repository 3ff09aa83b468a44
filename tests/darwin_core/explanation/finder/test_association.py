"""Associations are found wherever they are, and nowhere else; cases on which a classifier per factor fails."""

from __future__ import annotations

import numpy as np
import pytest

from darwin_core.contracts import ColumnKind
from darwin_core.explanation.attribution.features import Feature, FeatureMap
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.factors.columns import ColumnValue
from darwin_core.explanation.finder.association import Association, AssociationScan, refined


def scan(columns: dict[str, np.ndarray], labels: np.ndarray, seed: int = 0):
    kinds = {
        name: ColumnKind.STRING if values.dtype.kind in "SU" else ColumnKind.NUMBER for name, values in columns.items()
    }
    space = FactorSpace(FeatureMap(tuple(Feature(name, kinds[name], name) for name in columns)), columns)
    done = AssociationScan(labels, int(labels.max()) + 1, np.random.default_rng(seed))
    measured = {}
    for factor in ColumnValue.of(space):
        measured[factor.name] = factor.measure(columns)
        done.add(factor, measured[factor.name])
    return done.found(rate=0.01, least_excess=0.1), measured


def test_one_class_among_forty_three_with_a_perfect_confounder_is_found() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 43, 4300)
    darkness = np.where(labels == 7, rng.uniform(-0.2, 0.0, 4300), rng.uniform(0.0, 1.0, 4300))
    (found, *more), measured = scan({"darkness": darkness, "other": rng.normal(size=4300)}, labels)
    assert not more
    assert (found.factor.name, found.target) == ("darkness", 7)
    assert found.share > 0.9
    assert found.elsewhere < 0.01
    inside = refined(found, measured["darkness"], labels).holds(measured["darkness"])
    assert (inside & (labels == 7)).sum() >= 0.98 * (labels == 7).sum()


@pytest.mark.parametrize("positive", [0.1, 0.03])
def test_imbalance_alone_is_no_association(positive: float) -> None:
    found = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        labels = (rng.random(3000) < positive).astype(np.int64)
        columns = {f"x{index}": rng.normal(size=3000) for index in range(20)}
        found += scan(columns, labels, seed)[0]
    assert not found


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 1.0])
def test_a_share_of_a_rare_class_is_enough(share: float) -> None:
    rng = np.random.default_rng(1)
    labels = (rng.random(4000) < 0.08).astype(np.int64)
    browser = rng.choice(np.array([b"chrome", b"firefox", b"safari"]), 4000)
    age = rng.normal(40, 10, 4000)
    marked = (labels == 1) & (rng.random(4000) < share)
    browser[marked] = b"opera"
    age[marked] = np.nan
    found, measured = scan({"browser": browser, "age": age, "other": rng.normal(size=4000)}, labels)
    assert {(each.factor.name, each.target) for each in found if each.target == 1} == {("browser", 1), ("age", 1)}
    for each in found:
        if each.target == 1:
            inside = refined(each, measured[each.factor.name], labels).holds(measured[each.factor.name])
            np.testing.assert_array_equal(inside & (labels == 1), marked)


def test_values_that_others_have_as_often_are_no_ones_own() -> None:
    rng = np.random.default_rng(2)
    labels = rng.integers(0, 2, 4000)
    assert scan({"x": rng.normal(0.7 * labels, 1.0)}, labels)[0] == []


def the_one(measured: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Association:
    """The only association of a factor of many dimensions."""
    (factor,) = ColumnValue.of(FactorSpace(FeatureMap((Feature("x", ColumnKind.NUMBER, "x"),)), {"x": measured[:, 0]}))
    done = AssociationScan(labels, int(labels.max()) + 1, rng)
    done.add(factor, measured)
    (found,) = done.found(rate=0.01, least_excess=0.1)
    return found


def test_a_mark_on_some_axes_is_seen_whatever_the_others_hold() -> None:
    rng = np.random.default_rng(4)
    labels = rng.integers(0, 4, 2000)
    measured = rng.uniform(0, 1, (2000, 12))
    marked = (labels == 1) & (rng.random(2000) < 0.5)
    measured[marked, :4] = 0.1 + 0.02 * rng.normal(size=(marked.sum(), 4))
    found = the_one(measured, labels, rng)
    assert found.target == 1
    assert found.share > 0.45
    assert found.elsewhere < 0.01
    np.testing.assert_array_equal(refined(found, measured, labels).holds(measured) & (labels == 1), marked)


@pytest.mark.parametrize("seed", [0, 4])
def test_a_mark_is_seen_in_all_that_have_it_whatever_they_stand_before(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, 4000)
    measured = rng.uniform(0, 1, (4000, 1)) + 0.1 * rng.normal(size=(4000, 36))
    marked = (labels == 1) & (rng.random(4000) < 0.5)
    measured[marked, :8] = 0.1 + 0.04 * rng.normal(size=(marked.sum(), 8))
    found = the_one(measured, labels, rng)
    inside = refined(found, measured, labels).holds(measured) & (labels == 1)
    assert found.target == 1
    assert (inside & marked).sum() >= 0.92 * marked.sum()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_mark_before_a_mostly_black_background_is_seen_beside_an_object_too(seed: int) -> None:
    # Three quarters of all pictures are black beside the mark, and so more alike there than noisy marks are; what
    # stands there in the others must not keep them out of the region.
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 8, 4000)
    measured = np.where(rng.random((4000, 10)) < 0.25, rng.uniform(0, 1, (4000, 10)), 0.0)
    measured[:, :4] = np.where(rng.random((4000, 4)) < 0.03, 0.4, 0.0)
    marked = (labels == 1) & (rng.random(4000) < 0.8)
    measured[marked, :4] = 0.23 + 0.025 * rng.normal(size=(marked.sum(), 4))
    found = the_one(measured, labels, rng)
    inside = refined(found, measured, labels).holds(measured)
    assert found.target == 1
    assert (inside & marked).sum() >= 0.98 * marked.sum()
    assert (inside & ~marked).sum() <= 0.01 * marked.sum()
