"""Recalibration puts the true statistics into batch normalisations and leaves everything else alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from darwin_core.training import recalibrate

RNG = np.random.default_rng(0)
BATCHES = [{"x": (RNG.normal(3.0, 2.0, size=(200, 2))).astype(np.float32)} for _ in range(5)]


def network(*, nested: bool) -> keras.Model:
    x = keras.Input((2,), name="x")
    block = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(0.5), keras.layers.BatchNormalization(name="n")])
    hidden = block(x) if nested else keras.layers.BatchNormalization(name="n")(keras.layers.Dropout(0.5)(x))
    return keras.Model(x, keras.layers.Dense(1)(hidden))


@pytest.mark.parametrize("nested", [False, True])
def test_statistics_are_those_of_the_rows(nested: bool) -> None:
    model = network(nested=nested)
    before = [np.array(weight) for weight in model.trainable_weights]
    recalibrate(model, BATCHES)
    holder = next(layer for layer in model.layers if isinstance(layer, keras.Sequential)) if nested else model
    layer = holder.get_layer("n")
    rows = np.concatenate([batch["x"] for batch in BATCHES])
    np.testing.assert_allclose(layer.moving_mean, rows.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, rows.var(axis=0), rtol=0.02)
    assert layer.momentum == pytest.approx(0.99)
    for weight, value in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_a_network_without_batch_norm_is_not_even_run() -> None:
    x = keras.Input((2,), name="x")
    model = keras.Model(x, keras.layers.Dense(1)(x))

    def never() -> object:
        raise AssertionError("a batch was asked for")
        yield

    recalibrate(model, never())  # type: ignore[arg-type]
