from __future__ import annotations

import keras
import numpy as np
import pytest

from darwin_core.contracts import OutputKind, Task
from darwin_core.explanation.attribution import Attributor, Occlusion, PathGradients
from darwin_core.explanation.scoring import LogOdds, NetworkScorer
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


@pytest.mark.parametrize(
    "attributor", [PathGradients(np.zeros((2, SIDE, SIDE, 3)), steps=40), Occlusion()], ids=["gradients", "occlusion"]
)
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


def test_path_gradients_add_up_on_both_scales(scorer: NetworkScorer) -> None:
    rng = np.random.default_rng(1)
    rows, targets = pictures(rng), np.ones(3, np.int64)
    for scale in (scorer, LogOdds(scorer)):
        attributor = PathGradients(rng.uniform(0, 255, (5, SIDE, SIDE, 3)), steps=100)
        found = attributor.attribute(scale, {"image": rows}, targets, Tracker())
        np.testing.assert_allclose(found.gap, 0, atol=0.01 * np.abs(found.scores - found.base).max())
        again = attributor.attribute(scale, {"image": rows}, targets, Tracker())
        np.testing.assert_array_equal(found.values, again.values)


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
        PathGradients(rows).attribute(lambda inputs, targets: np.zeros(3), {"image": rows}, None, Tracker())  # type: ignore[arg-type]
