"""Wrong labels: found where planted, silent where classes merely overlap; judged by networks that learned from them."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from darwin_core.explanation.checks.base import FALSE_ALARM_RATE
from darwin_core.explanation.label_noise import WrongLabels, find_wrong_labels

ROWS = 2000


class Clouds:
    """Gaussian classes, and the scores of a softmax regression that learned from other rows of the same kind."""

    def __init__(self, seed: int, *, classes: int, distance: float, shares: tuple[float, ...] = (), noise: float = 0.0):
        rng = np.random.default_rng(seed)
        centres = rng.normal(size=(classes, 6))
        centres *= distance / np.sqrt(((centres - centres.mean(axis=0)) ** 2).sum(axis=1).mean())
        self.right = rng.choice(classes, 2 * ROWS, p=shares or None)
        inputs = centres[self.right] + rng.normal(size=(2 * ROWS, 6))
        self.wrong = rng.random(2 * ROWS) < noise
        self.labels = np.where(self.wrong, (self.right + rng.integers(1, classes, 2 * ROWS)) % classes, self.right)
        self.scores = self._learned(inputs, classes)[ROWS:]
        self.labels, self.wrong = self.labels[ROWS:], self.wrong[ROWS:]

    def _learned(self, inputs: np.ndarray, classes: int) -> np.ndarray:
        rows = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
        wanted = np.eye(classes)[self.labels[:ROWS]]
        weights = np.zeros((rows.shape[1], classes))
        for _ in range(300):
            weights -= 0.3 * rows[:ROWS].T @ (softmax(rows[:ROWS] @ weights, axis=1) - wanted) / ROWS
        scores = softmax(rows @ weights, axis=1)
        return scores[:, 1] if classes == 2 else scores

    def find(self) -> WrongLabels | None:
        return find_wrong_labels(self.scores, self.labels, np.random.default_rng(0), alpha=FALSE_ALARM_RATE)


@pytest.mark.parametrize(
    "kind",
    [
        {"classes": 2, "distance": 0.7},
        {"classes": 2, "distance": 0.8, "shares": (0.93, 0.07)},
        {"classes": 2, "distance": 3.0},
        {"classes": 5, "distance": 2.0},
        {"classes": 5, "distance": 3.5, "shares": (0.6, 0.2, 0.1, 0.07, 0.03)},
    ],
)
def test_overlapping_classes_are_no_wrong_labels(kind: dict) -> None:
    draws = 12
    alarms = sum(Clouds(seed, **kind).find() is not None for seed in range(draws))
    assert alarms <= 1, f"{alarms} of {draws} draws, where {FALSE_ALARM_RATE:.0%} is promised"


@pytest.mark.parametrize(
    ("classes", "shares", "noise"),
    [(2, (), 0.03), (2, (0.9, 0.1), 0.02), (4, (), 0.03), (8, (), 0.1), (5, (0.6, 0.2, 0.1, 0.07, 0.03), 0.03)],
)
def test_planted_wrong_labels_are_found(classes: int, shares: tuple[float, ...], noise: float) -> None:
    clouds = Clouds(1, classes=classes, distance=6.0, shares=shares, noise=noise)
    found = clouds.find()
    assert found is not None
    assert found.share.low < clouds.wrong.mean() < found.share.high
    hits = clouds.wrong[found.found]
    assert hits.mean() > 0.8
    assert hits.sum() > 0.5 * clouds.wrong.sum()
    assert hits[:10].all(), "the most certain come first"
    assert found.foretold < (~hits).sum() + 10


def test_wrong_labels_among_classes_that_nobody_can_tell_apart_are_not_named() -> None:
    assert Clouds(2, classes=2, distance=0.7, noise=0.05).find() is None


def test_many_rows_are_judged_by_a_fit_to_some_of_them() -> None:
    clouds = Clouds(3, classes=4, distance=6.0, noise=0.03)
    scores, labels = np.tile(clouds.scores, (5, 1)), np.tile(clouds.labels, 5)
    found = find_wrong_labels(scores, labels, np.random.default_rng(0), alpha=FALSE_ALARM_RATE)
    assert found is not None
    assert len(found.own_probability) == len(labels)
    assert np.tile(clouds.wrong, 5)[found.found].mean() > 0.8
