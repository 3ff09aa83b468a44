"""Doing without named inputs: what only they feed disappears, and the rest fits together or is refused."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers
from support.surgery import random_keep
from support.zoo import SPECIMENS, run, sample, unlike

from darwin_core.dependency import analyse, estimate_cost, narrow
from darwin_core.errors import NetworkError, RequestError
from darwin_core.networks import measure_cost


def _inputs(*names: str, width: int = 1) -> list[keras.KerasTensor]:
    return [keras.Input((width,), name=name) for name in names]


def _table() -> keras.Model:
    """Four columns: two joined, two summed up."""
    a, b, c, d = _inputs("a", "b", "c", "d")
    word = layers.Dense(3, name="word")(a)
    summed = layers.Add(name="sum")([layers.Dense(4, name="left")(c), layers.Dense(4, name="right")(d)])
    joined = layers.Concatenate()([word, layers.Rescaling(2.0)(b), layers.BatchNormalization()(summed)])
    out = layers.Dense(1, name="out")(layers.Dense(5, "relu", name="hidden")(joined))
    return unlike(keras.Model({"a": a, "b": b, "c": c, "d": d}, out, name="table"), 3)


def test_every_column_can_go_and_the_cost_is_known_before() -> None:
    model = _table()
    graph = analyse(model)
    assert graph.droppable_inputs == ("a", "b", "c", "d")
    for dropped in (["a"], ["b", "c"], ["c", "d"], ["a", "b", "d"]):
        keep = random_keep(graph, 1)
        small = narrow(model, keep, dropped_inputs=dropped, graph=graph)
        assert set(small.input) == set("abcd") - set(dropped)
        widths = {name: len(kept) for name, kept in keep.items()}
        assert measure_cost(small) == estimate_cost(graph, widths, dropped_inputs=dropped)
        assert measure_cost(small).input_features == 4 - len(dropped)
        assert run(small, sample(model)).shape == (3, 1)


def test_the_other_columns_keep_their_part_of_the_function() -> None:
    model = _table()
    # A joined column at zero contributes nothing through a bias-free path, as if it were not there.
    model.get_layer("word").bias.assign([0.0, 0.0, 0.0])
    rows = sample(model) | {"a": np.zeros((3, 1), "float32")}
    small = narrow(model, {}, dropped_inputs=["a"])
    np.testing.assert_allclose(run(small, rows), run(model, rows), rtol=1e-5)


def test_a_sum_with_one_branch_left_hands_it_on() -> None:
    small = narrow(_table(), {}, dropped_inputs=["d"])
    names = {layer.name for layer in small.layers}
    assert "left" in names
    assert not {"right", "sum"} & names


def test_preparation_goes_with_its_column() -> None:
    model = SPECIMENS["prepared"].make()
    graph = analyse(model)
    assert set(graph.droppable_inputs) == {"word", "age", "code"}
    small = narrow(model, {}, dropped_inputs=["word", "code"])
    assert not [layer for layer in small.layers if "lookup" in layer.name or "hash" in layer.name]
    assert measure_cost(small) == estimate_cost(graph, {}, dropped_inputs=["word", "code"])


def test_a_shared_tower_stays_for_the_other_input() -> None:
    model = SPECIMENS["shared"].make()
    graph = analyse(model)
    small = narrow(model, {"tower": [1, 4]}, dropped_inputs=["a"], graph=graph)
    assert measure_cost(small) == estimate_cost(graph, {"tower": 2}, dropped_inputs=["a"])
    assert [tensor.name for tensor in small.inputs] == ["b"]


def test_inputs_that_cannot_go() -> None:
    a, b = _inputs("a", "b", width=4)
    out = layers.Dense(1)(layers.Subtract(name="difference")([layers.Dense(3)(a), layers.Dense(3)(b)]))
    model = keras.Model([a, b], out)
    graph = analyse(model)
    assert graph.droppable_inputs == ()
    with pytest.raises(NetworkError, match=r"'a'.*'difference' \(Subtract\) needs all it reads"):
        narrow(model, {}, dropped_inputs=["a"], graph=graph)
    with pytest.raises(NetworkError, match="without any input"):
        narrow(model, {}, dropped_inputs=["a", "b"], graph=graph)
    with pytest.raises(RequestError, match=r"got 'c'; the network reads a and b"):
        narrow(model, {}, dropped_inputs=["c"], graph=graph)


def test_a_half_of_a_sum_cannot_go() -> None:
    a, b = _inputs("a", "b", width=2)
    joined = layers.Concatenate()([layers.Dense(3)(a), layers.Dense(3)(b)])
    both = layers.Concatenate()([a, b])
    model = keras.Model([a, b], layers.Dense(1)(layers.Add()([joined, layers.Dense(6)(both)])))
    with pytest.raises(NetworkError, match="different widths"):
        narrow(model, {}, dropped_inputs=["a"])


def test_a_step_of_a_sequence_cannot_go() -> None:
    a, b = _inputs("a", "b", width=4)
    steps = [layers.Reshape((1, 4))(a), layers.Reshape((1, 4))(b)]
    model = keras.Model([a, b], layers.Dense(1)(layers.Flatten()(layers.Concatenate(axis=1, name="steps")(steps))))
    with pytest.raises(NetworkError, match="'steps'"):
        narrow(model, {}, dropped_inputs=["a"])


def test_a_broadcast_branch_cannot_be_left_alone() -> None:
    a, b = keras.Input((3, 4), name="a"), keras.Input((1, 4), name="b")
    model = keras.Model([a, b], layers.Dense(1)(layers.Flatten()(layers.Multiply(name="gate")([a, b]))))
    graph = analyse(model)
    assert graph.droppable_inputs == ("b",)
    with pytest.raises(NetworkError, match="'gate'"):
        narrow(model, {}, dropped_inputs=["a"], graph=graph)


def _scaled(*scalers: keras.Layer) -> keras.Model:
    """Three columns, joined and then scaled."""
    columns = _inputs("a", "b", "c")
    x = layers.Concatenate()(columns)
    for scaler in scalers:
        x = scaler(x)
    out = layers.Dense(1, name="out")(layers.Dense(4, name="hidden")(x))
    return unlike(keras.Model(columns, out), 6)


def _adapted() -> keras.Layer:
    layer = layers.Normalization()
    layer.adapt(np.random.default_rng(0).normal([1, 5, -2], [1, 3, 0.5], (50, 3)))
    return layer


@pytest.mark.parametrize(
    "scaler",
    [
        _adapted,
        lambda: layers.Normalization(mean=[1.0, 2.0, 3.0], variance=[1.0, 4.0, 9.0]),
        lambda: layers.Normalization(mean=0.5, variance=4.0),
        lambda: layers.Normalization(axis=None, mean=0.5, variance=4.0),
        lambda: layers.Rescaling([1.0, 2.0, 3.0], offset=[0.1, 0.2, 0.3]),
        lambda: layers.Rescaling([1.0, 2.0, 3.0], offset=0.5),
    ],
)
def test_columns_scaled_together_can_go_one_by_one(scaler: Callable[[], keras.Layer]) -> None:
    model = _scaled(scaler())
    graph = analyse(model)
    assert graph.droppable_inputs == ("a", "b", "c")
    small = narrow(model, {}, dropped_inputs=["b"], graph=graph)
    assert measure_cost(small) == estimate_cost(graph, {}, dropped_inputs=["b"])
    # What is left is scaled as before: a column whose weights are zero is not missed.
    kernel = model.get_layer("hidden").kernel
    kernel.assign(kernel * np.asarray([[1.0], [0.0], [1.0]]))
    np.testing.assert_allclose(run(small, sample(model)), run(model, sample(model)), rtol=1e-5)


def test_columns_that_a_layer_needs_together_cannot_go() -> None:
    bins = layers.Discretization(bin_boundaries=[0.0, 0.5], output_mode="int", name="bins")
    graph = analyse(_scaled(bins, layers.Rescaling(1.0)))
    assert graph.droppable_inputs == ()
    with pytest.raises(
        NetworkError, match=r"'a' cannot be dropped: layer 'bins' \(Discretization\) needs all it reads"
    ):
        narrow(graph.source, {}, dropped_inputs=["a"], graph=graph)


def test_the_only_input_stays() -> None:
    assert analyse(SPECIMENS["mlp"].make()).droppable_inputs == ()
