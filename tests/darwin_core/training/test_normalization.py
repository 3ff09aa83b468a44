"""The fast batch normalisation computes what Keras' own computes, and is only there while a function is traced."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from darwin_core.training import run_network
from darwin_core.training.normalization import fast_normalization

RNG = np.random.default_rng(0)


def network(shape: tuple[int | None, ...], *, nested: bool = False, **options: Any) -> keras.Model:
    x = keras.Input(shape, name="x")
    norm = keras.layers.BatchNormalization(name="norm", **options)
    model = keras.Model(x, keras.Sequential([keras.Input(shape), norm])(x) if nested else norm(x))
    for variable in norm.trainable_variables:
        variable.assign(RNG.uniform(0.5, 2.0, variable.shape))
    return model


def gradients(model: keras.Model, rows: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """Outputs, and the gradients of their weighted sum with respect to rows and variables."""

    def run(values: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(values)
            outputs = run_network(model, {"x": values}, training=True)
            total = tf.reduce_sum(tf.square(outputs) * weights)
        return [outputs, *tape.gradient(total, [values, *model.trainable_variables])]

    traced = tf.function(run, autograph=False, input_signature=[tf.TensorSpec((None, *rows.shape[1:]))])
    return [np.asarray(value) for value in traced(tf.constant(rows))]


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("shape", [(7,), (16,), (6, 5), (6, 4, 9), (6, 4, 8), (2, 3, 4, 5)])
def test_outputs_and_gradients_are_those_of_keras(shape: tuple[int, ...], nested: bool) -> None:
    model = network(shape, nested=nested)
    rows = RNG.normal(20.0, 3.0, size=(12, *shape)).astype(np.float32)
    weights = RNG.normal(size=(12, *shape)).astype(np.float32)
    expected = gradients(model, rows, weights)
    with fast_normalization(model):
        found = gradients(model, rows, weights)
    assert len(expected) == 4
    for theirs, ours in zip(expected, found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


@pytest.mark.parametrize("options", [{"scale": False}, {"center": False}])
def test_layers_without_scale_or_offset(options: dict[str, bool]) -> None:
    model = network((4, 4, 3), **options)
    rows = RNG.normal(1.0, 3.0, size=(6, 4, 4, 3)).astype(np.float32)
    expected = gradients(model, rows, rows)
    with fast_normalization(model):
        found = gradients(model, rows, rows)
    for theirs, ours in zip(expected, found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_moving_statistics_stand_still_inside_and_move_again_outside() -> None:
    model = network((3,))
    rows = RNG.normal(5.0, size=(8, 3)).astype(np.float32)
    layer = model.get_layer("norm")
    with fast_normalization(model):
        gradients(model, rows, rows)
        np.testing.assert_array_equal(layer.moving_mean, np.zeros(3))
        inference = np.asarray(run_network(model, {"x": tf.constant(rows)}, training=False))
    np.testing.assert_array_equal(inference, np.asarray(model(rows)))
    gradients(model, rows, rows)
    assert np.all(np.asarray(layer.moving_mean) != 0.0)


@pytest.mark.parametrize("options", [{"axis": 1}, {"renorm": True}, {"synchronized": True}, {"trainable": False}])
def test_unusual_layers_keep_their_own(options: dict[str, Any]) -> None:
    model = network((4, 4, 3), **options)
    layer = model.get_layer("norm")
    with fast_normalization(model):
        assert "call" not in vars(layer)


def test_a_broken_trace_leaves_the_layers_as_they_were() -> None:
    model = network((3,))
    layer = model.get_layer("norm")
    with pytest.raises(RuntimeError), fast_normalization(model):
        assert "call" in vars(layer)
        raise RuntimeError
    assert "call" not in vars(layer)
