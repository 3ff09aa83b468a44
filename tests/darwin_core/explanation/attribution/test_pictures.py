from __future__ import annotations

import keras
import numpy as np
import pytest

from darwin_core.contracts import OutputKind, Task
from darwin_core.explanation.attribution import (
    Attributor,
    ExpectedGradients,
    InquisitorAttribution,
    IntegratedGradients,
    Occlusion,
)
from darwin_core.explanation.log_odds import LogOdds
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.progress import Tracker

SIDE = 16
SPOT = np.s_[3:7, 9:13]


@pytest.fixture(scope="module")
def scorer() -> NetworkScorer:
    """A network that looks at one spot only: class 1 where it is bright, class 0 otherwise."""
    image = keras.Input((SIDE, SIDE, 3), name="image")
    mask = np.zeros((SIDE, SIDE, 3), np.float32)
    mask[SPOT] = 1 / 48
    flat = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(image))
    logits = keras.layers.Dense(2, name="logits")
    model = keras.Model(image, logits(flat))
    logits.set_weights([np.stack([np.zeros(mask.size), 12 * mask.ravel()], axis=1), np.array([6.0, 0.0])])
    return NetworkScorer(model, OutputKind(task=Task.MULTICLASS, units=2, from_logits=True))


def pictures(rng: np.random.Generator, rows: int = 3) -> np.ndarray:
    found = rng.uniform(0, 60, (rows, SIDE, SIDE, 3)).astype(np.float32)
    found[:, SPOT[0], SPOT[1]] += 180
    return found


METHODS = (
    IntegratedGradients(),
    ExpectedGradients(np.random.default_rng(9).uniform(0, 60, (8, SIDE, SIDE, 3))),
    InquisitorAttribution(),
    Occlusion(),
)


@pytest.mark.parametrize("attributor", METHODS, ids=lambda method: type(method).__name__)
def test_the_spot_that_decides_gets_the_credit(attributor: Attributor, scorer: NetworkScorer) -> None:
    rows = pictures(np.random.default_rng(0))
    targets = np.ones(len(rows), np.int64)
    found = attributor.attribute(scorer, {"image": rows}, targets, Tracker())
    assert found.values.shape == (3, SIDE, SIDE)
    outside = np.ones((SIDE, SIDE), bool)
    outside[SPOT] = False
    near = np.zeros((SIDE, SIDE), bool)
    near[1:9, 7:15] = True
    assert np.all(found.values[:, SPOT[0], SPOT[1]].mean(axis=(1, 2)) > 5 * np.abs(found.values[:, ~near]).mean(axis=1))
    assert np.all(found.values[:, SPOT[0], SPOT[1]].sum(axis=(1, 2)) > 0)


@pytest.mark.parametrize("attributor", METHODS, ids=lambda method: type(method).__name__)
def test_the_same_picture_gets_the_same_map_alone_and_among_others(
    attributor: Attributor, scorer: NetworkScorer
) -> None:
    rows, targets = pictures(np.random.default_rng(5), 4), np.ones(4, np.int64)
    together = attributor.attribute(scorer, {"image": rows}, targets, Tracker())
    again = attributor.attribute(scorer, {"image": rows}, targets, Tracker())
    np.testing.assert_array_equal(together.values, again.values)
    alone = attributor.attribute(scorer, {"image": rows[2:3]}, targets[2:3], Tracker())
    np.testing.assert_allclose(alone.values[0], together.values[2], atol=1e-4 * np.abs(together.values[2]).max())
    np.testing.assert_allclose(alone.base, together.base[2:3], atol=1e-5)


@pytest.mark.parametrize("attributor", METHODS[:2], ids=lambda method: type(method).__name__)
def test_path_methods_add_up_on_both_scales(attributor: Attributor, scorer: NetworkScorer) -> None:
    rows, targets = pictures(np.random.default_rng(1)), np.ones(3, np.int64)
    for scale in (scorer, LogOdds(scorer)):
        found = attributor.attribute(scale, {"image": rows}, targets, Tracker())
        np.testing.assert_allclose(found.gap, 0, atol=0.08 * np.abs(found.scores - found.base).max())


def test_log_odds_keep_their_gradient_where_the_probability_has_none(scorer: NetworkScorer) -> None:
    certain = np.full((1, SIDE, SIDE, 3), 255.0, np.float32)
    certain[:, SPOT[0], SPOT[1]] = 60 * 255.0
    targets = np.ones(1, np.int64)
    assert scorer({"image": certain}, targets)[0] == 1.0
    odds, gradient = LogOdds(scorer).gradients(certain, targets)
    assert odds[0] == pytest.approx(12 * 60 - 6, rel=1e-3)
    assert gradient[0, 4, 10, 0] == pytest.approx(12 / 48 / 255, rel=1e-3)


def test_gradients_are_those_of_the_score(scorer: NetworkScorer) -> None:
    rows = pictures(np.random.default_rng(2), 1)
    targets = np.array([1])
    score, gradient = scorer.gradients(rows, targets)
    np.testing.assert_allclose(score, scorer({"image": rows}, targets), rtol=1e-5)
    moved = rows.copy()
    moved[0, 4, 10, 1] -= 8.0
    change = scorer({"image": moved}, targets) - score
    assert change[0] == pytest.approx(-8.0 * gradient[0, 4, 10, 1], rel=0.05)


def test_a_scorer_without_gradients_is_refused(scorer: NetworkScorer) -> None:
    rows = pictures(np.random.default_rng(0))
    with pytest.raises(TypeError, match="Occlusion"):
        IntegratedGradients().attribute(lambda inputs, targets: np.zeros(3), {"image": rows}, None, Tracker())  # type: ignore[arg-type]
