"""The front of a network is run apart, and training ends in the very same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from darwin_core.contracts import OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.training import PLAIN, DistillationData, Distiller, TrainingPlan, front
from darwin_core.training.front import TrainedPart

ROWS = 700
WORDS = ("", "chrome", "firefox", "safari")


def columns() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(3)
    return {
        "amount": rng.gamma(2.0, 40.0, ROWS).astype(np.float32),
        "age": rng.integers(18, 90, (ROWS, 1)).astype(np.float32),
        "browser": rng.choice(np.array(WORDS, object), ROWS),
    }


def table_network() -> keras.Model:
    """Numbers, words as one-hot codes and words as an embedding; one number reaches a trained layer as it is."""
    keras.utils.set_random_seed(1)
    amount, age = keras.Input((1,), name="amount"), keras.Input((1,), name="age")
    browser = keras.Input((1,), name="browser", dtype="string")
    index = keras.layers.StringLookup(vocabulary=list(WORDS[1:]))(browser)
    parts = [
        keras.layers.Normalization(mean=80.0, variance=900.0)(amount),
        keras.layers.Normalization(mean=50.0, variance=400.0)(age),
        keras.layers.CategoryEncoding(4, output_mode="one_hot")(index),
    ]
    known = keras.layers.Concatenate()(parts)
    code = keras.layers.Flatten()(keras.layers.Embedding(4, 3)(index))
    own = keras.layers.Dense(2)(age)
    x = keras.layers.Concatenate()([known, code, own])
    x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Dense(8)(x)))
    return keras.Model(
        [amount, age, browser], keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dropout(0.3)(x))
    )


def nested_network() -> keras.Model:
    """The same behind the door of a network within the network, called without training."""
    inner = table_network()
    inputs = {
        "amount": keras.Input((1,), name="amount"),
        "age": keras.Input((1,), name="age"),
        "browser": keras.Input((1,), name="browser", dtype="string"),
    }
    hidden = keras.Model(inner.inputs, inner.layers[-2].output)
    return keras.Model(
        inputs, keras.layers.Dense(1, activation="sigmoid")(hidden(list(inputs.values()), training=False))
    )


def trained(network: keras.Model) -> list[np.ndarray]:
    values = columns()
    labels = (np.random.default_rng(4).random(ROWS) < 0.3).astype(np.int32)
    dtypes = {name: column.dtype for name, column in values.items()}
    split = MappedSplit(values, dtypes, labels, None, [str(row) for row in range(ROWS)])
    outputs = np.random.default_rng(5).normal(size=(ROWS, 1)).astype(np.float32)
    kind = OutputKind(task=Task.BINARY, units=1, from_logits=False)
    plan = TrainingPlan.for_data(5_000, images=False)
    Distiller(kind, DistillationData(split, ((PLAIN, outputs),))).train(network, plan, seed=7)
    return [np.asarray(value) for value in network.get_weights()]


@pytest.mark.parametrize("build", [table_network, nested_network])
@pytest.mark.parametrize("memory", [pytest.param(10**6, id="all rows ready"), pytest.param(0, id="chunk by chunk")])
def test_the_weights_are_the_same(
    build: Callable[[], keras.Model], memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darwin_core.training.lessons._PREPARED_BYTES", memory)
    network = build()
    assert TrainedPart(network).is_split
    apart = trained(network)
    monkeypatch.setattr(front, "_FEWEST_CALLS", 1000)
    network = build()
    assert not TrainedPart(network).is_split
    together = trained(network)
    assert not np.array_equal(apart[-1], np.asarray(build().get_weights()[-1])), "nothing was trained"
    for one, other in zip(apart, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_network_itself_stays_as_it_is(tmp_path: Path) -> None:
    network = table_network()
    names = [layer.name for layer in network.layers]
    trained(network)
    network.save(tmp_path / "n.keras")
    again = keras.saving.load_model(tmp_path / "n.keras")
    assert [layer.name for layer in again.layers] == names
    assert [tensor.name for tensor in again.inputs] == ["amount", "age", "browser"]


def test_what_makes_too_much_of_a_row_stays_in_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "_MOST_ROW_BYTES", 16)
    assert not TrainedPart(table_network()).is_split


def test_pictures_and_masked_steps_stay_in_one_piece() -> None:
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3)(keras.layers.Rescaling(1 / 255)(image))
    picture = keras.Model(image, keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(x)))
    assert not TrainedPart(picture).is_split
    words = [keras.Input((5,), dtype="string", name=f"text_{n}") for n in range(4)]
    indices = [keras.layers.StringLookup(vocabulary=list(WORDS[1:]))(word) for word in words]
    embedding = keras.layers.Embedding(4, 3, mask_zero=True)
    read = [keras.layers.LSTM(2)(embedding(index)) for index in indices]
    assert not TrainedPart(keras.Model(words, keras.layers.Dense(1)(keras.layers.Concatenate()(read)))).is_split
