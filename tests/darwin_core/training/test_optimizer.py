"""The optimizer over one vector takes the steps of Keras' AdamW, and orthogonal ones for kernels if wanted."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from darwin_core.training.optimizer import FlatAdamW, orthogonalized

RATES = (1e-2, 3e-2, 1e-3, 1e-2)


def variables() -> list[keras.Variable]:
    rng = np.random.default_rng(0)
    shapes = [(3, 2), (4,), (), (2, 1, 3)]
    made = [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in shapes]
    made[1].constraint = keras.constraints.NonNeg()
    return made


@pytest.mark.parametrize("momentum", [None, 0.8])
def test_steps_are_those_of_keras(momentum: float | None) -> None:
    theirs, ours = variables(), variables()
    keras_adam = keras.optimizers.AdamW(weight_decay=0.05, use_ema=momentum is not None, ema_momentum=momentum or 0.0)
    keras_adam.build(theirs)
    flat = FlatAdamW(ours, weight_decay=0.05, ema_momentum=momentum)
    step = tf.function(flat.apply, autograph=False)
    rng = np.random.default_rng(1)
    for rate in RATES:
        gradients = [tf.constant(rng.normal(size=variable.shape), tf.float32) for variable in theirs]
        keras_adam.learning_rate = rate
        keras_adam.apply(gradients, theirs)
        flat.learning_rate.assign(rate)
        step(gradients)
    keras_adam.finalize_variable_values(theirs)
    flat.finish()
    if momentum is not None:  # Keras lets an average of allowed weights and such as were not yet corrected stand
        theirs[1].assign(theirs[1].constraint(theirs[1]))
    for expected, found in zip(theirs, ours, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    assert np.asarray(ours[1]).min() >= 0.0


def test_rows_of_an_embedding_that_a_batch_does_not_read_have_no_gradient() -> None:
    table = keras.Variable(np.ones((5, 2), np.float32))
    optimizer = FlatAdamW([table], weight_decay=0.0)
    optimizer.learning_rate.assign(0.1)
    optimizer.apply([tf.IndexedSlices(tf.ones((2, 2)), tf.constant([1, 3]), tf.constant([5, 2]))])
    assert (np.asarray(table)[[0, 2, 4]] == 1.0).all()
    assert (np.asarray(table)[[1, 3]] < 1.0).all()


@pytest.mark.parametrize("shape", [(72, 8), (9, 20)])
def test_an_orthogonal_direction_keeps_the_singular_vectors_and_evens_out_the_singular_values(
    shape: tuple[int, int],
) -> None:
    matrix = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    before, after = np.linalg.svd(matrix, full_matrices=False), orthogonalized(tf.constant(matrix)).numpy()
    values = np.diag(before.U.T @ after @ before.Vh.T)
    np.testing.assert_allclose(after, (before.U * values) @ before.Vh, atol=1e-3)
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_nothing_to_learn_gives_no_direction() -> None:
    assert not orthogonalized(tf.zeros((6, 4))).numpy().any()


def test_only_kernels_of_convolutions_take_orthogonal_steps() -> None:
    rng = np.random.default_rng(0)
    shapes = {"kernel": (3, 3, 5, 7), "depthwise": (3, 3, 5, 1), "dense": (5, 7), "bias": (7,)}
    start = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    gradients = [tf.constant(rng.normal(size=shape), tf.float32) for shape in shapes.values()]
    moved = {}
    for orthogonal in (False, True):
        trained = [keras.Variable(value) for value in start.values()]
        optimizer = FlatAdamW(trained, weight_decay=0.0, orthogonal_kernels=orthogonal)
        optimizer.learning_rate.assign(0.1)
        optimizer.apply(gradients)
        moved[orthogonal] = {name: np.asarray(value) - start[name] for name, value in zip(shapes, trained, strict=True)}
    for name in ("depthwise", "dense", "bias"):
        np.testing.assert_array_equal(moved[True][name], moved[False][name])
    values = np.linalg.svd(moved[True]["kernel"].reshape(-1, 7), compute_uv=False)
    np.testing.assert_allclose(values, 0.1 * 0.6 * 45**0.5, rtol=0.4)  # 45 rows: the root mean square is 0.06
