"""Long stints over vectors are compiled into one program, which learns the same."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.learning import BINARY, build_reference, customers, reference_lessons

from darwin_core.networks import Predictor
from darwin_core.training import DistillationData, Distiller, TrainingPlan, prepare_runtime
from darwin_core.training.compilation import _FEWEST_STEPS, gains_by_compiling
from darwin_core.training.front import TrainedPart

PLAN = TrainingPlan(samples=16_000, batch_size=100, peak_rate=2e-2)


@pytest.fixture(scope="module")
def data() -> DistillationData:
    prepare_runtime(0)
    return reference_lessons()


def taught(data: DistillationData, loss: keras.losses.Loss | None = None) -> keras.Model:
    network = build_reference(width=4)
    Distiller(BINARY, data, loss).train(network, PLAN, seed=0)
    return network


def gains(network: keras.Model, steps: int = _FEWEST_STEPS) -> bool:
    return gains_by_compiling(TrainedPart(network).tensors, steps)


def test_only_long_stints_gain() -> None:
    assert gains(build_reference())
    assert not gains(build_reference(), _FEWEST_STEPS - 1)


def test_codes_of_words_gain_where_looking_them_up_is_no_part_of_a_step() -> None:
    words = [keras.Input((1,), dtype="string", name=f"word_{number}") for number in range(4)]
    codes = [keras.layers.StringLookup(vocabulary=["a", "b"])(word) for word in words]
    known = [keras.layers.Flatten()(keras.layers.Embedding(4, 3)(code)) for code in codes]
    assert gains(keras.Model(words, keras.layers.Dense(1)(keras.layers.Concatenate()(known))))
    assert not gains(keras.Model(words[:1], keras.layers.Dense(1)(known[0]))), "too small a front to be run apart"


def test_pictures_and_sequences_do_not_gain() -> None:
    image = keras.Input((8, 8, 3))
    seen = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    assert not gains(keras.Model(image, keras.layers.Dense(2)(seen)))
    steps = keras.Input((5, 3))
    assert not gains(keras.Model(steps, keras.layers.Dense(2)(keras.layers.LSTM(4)(steps))))


def watch_compiling(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Have every stint compiled; what was traced, and whether to be compiled."""
    monkeypatch.setattr("darwin_core.training.compilation._FEWEST_STEPS", 1)
    asked: list[bool] = []
    tracing = tf.function

    def watched(*args: Any, **options: Any) -> Any:
        if "jit_compile" in options:
            asked.append(options["jit_compile"])
        return tracing(*args, **options)

    monkeypatch.setattr(tf, "function", watched)
    return asked


def test_a_compiled_stint_learns_the_same(data: DistillationData, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = taught(data)
    asked = watch_compiling(monkeypatch)
    compiled, again = taught(data), taught(data)
    assert asked == [True, True]
    fresh = dict(customers(1_000, seed=5).inputs)
    scores = [Predictor(network)(fresh) for network in (plain, compiled, again)]
    np.testing.assert_allclose(scores[0], scores[1], atol=0.02)
    np.testing.assert_array_equal(scores[1], scores[2])


class Foreign(keras.losses.Loss):
    """A loss that leaves TensorFlow, so that no compiler knows what it does."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        known = tf.numpy_function(lambda values: values, [tf.cast(y_true, tf.float32)], tf.float32)
        return tf.reduce_mean(tf.square(tf.reshape(known, tf.shape(y_pred)) - y_pred), axis=-1)


def test_what_cannot_be_compiled_is_trained_all_the_same(
    data: DistillationData, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = taught(data, Foreign())
    asked = watch_compiling(monkeypatch)
    tried = taught(data, Foreign())
    assert asked == [True, False]
    for one, other in zip(plain.get_weights(), tried.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
