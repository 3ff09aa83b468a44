"""A settled network alerts as often as the reference at the deployed threshold, and ranks rows as before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import pytest

from darwin_core.contracts import OutputKind, Task
from darwin_core.evaluation.metrics import log_loss
from darwin_core.networks import Predictor, output_kind, to_scores
from darwin_core.synthesis.settling import Settler

ROWS = 2000
X = np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)


@dataclass(frozen=True)
class Rows:
    """What the settler uses of a split."""

    inputs: dict[str, Any] = field(default_factory=lambda: {"x": X})
    labels: np.ndarray | None = None
    weights: np.ndarray | None = None

    def batches(self, _: int) -> Iterator[Rows]:
        yield self


def network(form: str) -> keras.Model:
    inputs = keras.Input((3,), name="x")
    if form == "sigmoid inside":
        outputs = keras.layers.Dense(1, activation="sigmoid")(inputs)
    elif form == "sigmoid behind":
        outputs = keras.layers.Activation("sigmoid")(keras.layers.Dense(1)(inputs))
    else:
        outputs = keras.layers.Dense(1)(inputs)
    return keras.Model(inputs, outputs)


@pytest.mark.parametrize("form", ["sigmoid inside", "sigmoid behind", "log-odds"])
def test_alert_rate_follows_and_ranking_stays(form: str) -> None:
    keras.utils.set_random_seed(1)
    from_logits = form == "log-odds"
    kind = OutputKind(task=Task.BINARY, units=1, from_logits=from_logits)
    odds = (2.5 * X @ np.array([[1.0], [-1.0], [0.5]]) - 1).astype(np.float32)
    wanted = odds if from_logits else 1 / (1 + np.exp(-odds))
    student = network(form)
    before = to_scores(kind, Predictor(student)({"x": X}))
    loss = keras.losses.BinaryCrossentropy(from_logits=from_logits)
    Settler(kind, loss, Rows(), wanted, 0.1).settle(student)  # type: ignore[arg-type]
    after = to_scores(kind, Predictor(student)({"x": X}))
    threshold = np.quantile(to_scores(kind, wanted), 0.9)
    assert np.mean(after >= threshold) == pytest.approx(0.1, abs=0.002)
    assert np.median(after) == pytest.approx(np.median(to_scores(kind, wanted)), abs=1e-3)
    assert np.array_equal(np.argsort(before, kind="stable"), np.argsort(after, kind="stable")) or np.all(
        np.diff(after[np.argsort(before)]) >= -1e-6
    )
    assert output_kind(student) == kind


def classifier(form: str) -> keras.Model:
    inputs = keras.Input((3,), name="x")
    if form == "softmax inside":
        outputs = keras.layers.Dense(4, activation="softmax")(inputs)
    elif form == "softmax behind":
        outputs = keras.layers.Softmax()(keras.layers.Dense(4, use_bias=False)(inputs))
    elif form == "activation behind":
        outputs = keras.layers.Activation("softmax")(keras.layers.Dense(4)(inputs))
    elif form == "tanh":
        outputs = keras.layers.Softmax()(keras.layers.Dense(4, activation="tanh")(inputs))
    else:
        outputs = keras.layers.Dense(4)(inputs)
    return keras.Model(inputs, outputs)


def settled(form: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores before and after, and labels drawn from probabilities half as sure."""
    keras.utils.set_random_seed(1)
    kind = OutputKind(task=Task.MULTICLASS, units=4, from_logits=form == "log-odds")
    student = classifier(form)
    dense = next(layer for layer in student.layers if isinstance(layer, keras.layers.Dense))
    dense.kernel.assign(3 * dense.kernel)
    before = to_scores(kind, Predictor(student)({"x": X}))
    noise = np.random.default_rng(2).gumbel(size=before.shape)
    labels = (np.log(before) / 2 + noise).argmax(axis=1).astype(np.int32)
    Settler(kind, None, Rows(labels=labels), before, 0.1).settle(student)  # type: ignore[arg-type]
    return before, to_scores(kind, Predictor(student)({"x": X})), labels


@pytest.mark.parametrize("form", ["softmax inside", "softmax behind", "activation behind", "log-odds"])
def test_several_classes_are_made_as_sure_as_they_may_be(form: str) -> None:
    before, after, labels = settled(form)
    assert np.array_equal(before.argmax(axis=1), after.argmax(axis=1))
    assert log_loss(labels, after) < log_loss(labels, before)
    confidence = after.max(axis=1).mean()
    assert confidence == pytest.approx(np.mean(after.argmax(axis=1) == labels), abs=0.03)
    assert before.max(axis=1).mean() > confidence + 0.05


def test_a_last_layer_that_does_not_make_log_odds_is_left_alone() -> None:
    before, after, _ = settled("tanh")
    assert np.array_equal(before, after)
