"""Seeds depend on their parts alone, and reach every random layer."""

from __future__ import annotations

import logging

import keras
import numpy as np
import pytest
import tensorflow as tf

from darwin_core.training import prepare_runtime, reseed, stable_seed


def test_seeds_depend_on_their_parts_alone() -> None:
    assert stable_seed(0, "g1n1") == 1_790_739_605
    assert len({stable_seed(seed, name) for seed in range(20) for name in "abc"}) == 60
    assert stable_seed(1, 23) != stable_seed(12, 3)


def test_reseeding_reaches_nested_dropout() -> None:
    block = keras.Sequential([keras.Input((50,)), keras.layers.Dropout(0.5)])
    x = keras.Input((50,), name="x")
    model = keras.Model(x, keras.layers.Dropout(0.5)(block(x)))
    rows = np.ones((4, 50), np.float32)
    outputs = []
    for seed in (1, 1, 2):
        reseed(model, seed)
        outputs.append(np.asarray(model(rows, training=True)))
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.array_equal(outputs[0], outputs[2])


def test_threads_asked_for_too_late_are_said_to_be_so(caplog: pytest.LogCaptureFixture) -> None:
    tf.reduce_sum(tf.ones(3))  # TensorFlow runs from here on
    with caplog.at_level(logging.WARNING, logger="darwin"):
        prepare_runtime(0, threads=1_000)
    assert "stays as it is" in caplog.text
