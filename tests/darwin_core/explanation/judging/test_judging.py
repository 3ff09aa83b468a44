"""Judges on networks whose reasons are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from darwin_core.contracts import ColumnKind, GateConfig, Verdict
from darwin_core.explanation.attribution import Feature, FeatureMap
from darwin_core.explanation.attribution.neutral import strongest
from darwin_core.explanation.faithfulness import explanation_checks
from darwin_core.explanation.judging import (
    REMOVERS,
    Judge,
    RowJudge,
    coverage,
    edge_maps,
    planted_patches,
    random_maps,
)
from darwin_core.explanation.judging.removal import by_inpainting, by_training_pictures

SIDE = 20
SPOT = np.s_[:, 4:9, 10:15]


def looks_at_the_spot(pictures: np.ndarray) -> np.ndarray:
    """Class 1 where the spot is bright."""
    bright = expit((pictures[SPOT].mean(axis=(1, 2, 3)) - 100) / 8)
    return np.stack([1 - bright, bright], axis=1)


@pytest.fixture(scope="module")
def bright() -> np.ndarray:
    pictures = np.random.default_rng(0).uniform(0, 60, (12, SIDE, SIDE, 3)).astype(np.float32)
    pictures[SPOT] += 180
    return pictures


@pytest.fixture(scope="module")
def truth(bright: np.ndarray) -> np.ndarray:
    maps = np.zeros(bright.shape[:3])
    maps[SPOT] = 1
    return maps


@pytest.mark.parametrize("remover", [*REMOVERS.values(), by_training_pictures(np.zeros((3, SIDE, SIDE, 3)))])
def test_the_true_region_has_impact_and_others_have_none(bright, truth, remover) -> None:
    judge = Judge(looks_at_the_spot, bright)
    area = truth[0].mean()
    assert judge.impact(truth, area, remover).all()
    assert not judge.impact(-truth, area, remover).any()
    assert judge.impact(random_maps(bright), area, remover).mean() < 0.4


def test_removing_leaves_the_rest_as_it_is(bright, truth) -> None:
    masks = strongest(truth, 0.05)
    assert masks.sum(axis=(1, 2)).tolist() == [20] * len(bright)
    for remover in REMOVERS.values():
        np.testing.assert_allclose(remover(bright, masks)[~masks], bright[~masks], rtol=1e-6)


def test_inpainting_continues_a_slope() -> None:
    slope = np.repeat(np.linspace(0, 190, SIDE)[None, None, :, None], SIDE, axis=1)
    slope = np.repeat(slope, 3, axis=3).astype(np.float32)
    masks = np.zeros((1, SIDE, SIDE), bool)
    masks[:, 7:12, 7:12] = True
    np.testing.assert_allclose(by_inpainting(slope, masks), slope, atol=2)


def test_curves_fall_for_the_truth_first(bright, truth) -> None:
    judge, areas = Judge(looks_at_the_spot, bright), (0.03, 0.07, 0.5)
    blur = REMOVERS["blur"]
    assert judge.deletion(truth, areas, blur)[:, 1].max() < judge.deletion(-truth, areas, blur)[:, 1].min()
    assert judge.insertion(truth, areas, blur)[:, 1].min() > judge.insertion(-truth, areas, blur)[:, 1].max()


def test_coverage_is_full_for_the_patch_that_changed_the_decision(bright) -> None:
    planted = planted_patches(looks_at_the_spot, bright, np.zeros_like(bright), side=0.4)
    assert len(planted.rows)
    assert (looks_at_the_spot(planted.pictures).argmax(axis=1) == 0).all()
    np.testing.assert_allclose(coverage(planted.masks.astype(float), planted.masks), 1)
    assert coverage(edge_maps(planted.pictures), planted.masks).mean() < 0.8
    np.testing.assert_allclose(coverage(-planted.masks.astype(float), planted.masks), 0)


FEATURES = FeatureMap(tuple(Feature(name, ColumnKind.NUMBER, name) for name in "abcd"))


def test_rows_are_judged_by_the_columns_that_matter() -> None:
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=(40, 1)) for name in "abcd"}
    background = {name: rng.normal(size=(60, 1)) for name in "abcd"}

    def network(inputs) -> np.ndarray:
        return expit(6 * inputs["b"][:, 0])

    judge = RowJudge(FEATURES, background, network, rows, draws=8)
    values = np.zeros((40, 4))
    values[:, 1] = rows["b"][:, 0]
    support = judge.support(values)
    assert (support[:, 1] >= 0).all()
    assert judge.impact(support, 1).mean() > 0.4
    assert judge.impact(-support - np.eye(4)[1], 1).max() == 0
    assert judge.fall(support, 1).mean() > 0.3


class TestChecks:
    def test_the_same_reasons_that_are_needed_pass(self) -> None:
        falls = np.random.default_rng(0).uniform(0.1, 0.3, 40)
        same, needed = explanation_checks(GateConfig(), falls, 0.8)
        assert (same.check_id, same.verdict, needed.check_id, needed.verdict) == (
            "X1",
            Verdict.PASS,
            "X2",
            Verdict.PASS,
        )
        assert "80% of a row's three strongest columns" in same.reason
        assert needed.value is not None
        assert needed.value < 1e-6

    def test_reasons_that_nobody_needs_fail(self) -> None:
        falls = np.random.default_rng(0).normal(0, 0.1, 40)
        same, needed = explanation_checks(GateConfig(), falls, 0.4)
        assert (same.verdict, needed.verdict) == (Verdict.FAIL, Verdict.FAIL)

    def test_few_cases_are_no_evidence_and_equal_ones_no_pass(self) -> None:
        (few,) = explanation_checks(GateConfig(), np.full(3, 0.5))
        assert few.verdict is Verdict.INSUFFICIENT_EVIDENCE
        (equal,) = explanation_checks(GateConfig(), np.zeros(20))
        assert (equal.verdict, equal.value) == (Verdict.FAIL, 1.0)

    def test_what_is_switched_off_is_not_checked(self) -> None:
        assert explanation_checks(GateConfig(rank_overlap=None, deletion_p=None), np.ones(20), 0.1) == ()
