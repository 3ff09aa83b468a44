"""The other head: pooling a feature map instead of flattening it."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from support.zoo import SPECIMENS, run, unlike

from darwin_core.contracts import HeadKind
from darwin_core.dependency import analyse, estimate_cost, narrow
from darwin_core.networks import measure_cost


def test_a_constant_map_gives_the_same_output() -> None:
    x = keras.Input((4, 4, 3), name="x")
    y = layers.Dropout(0.3)(layers.Flatten(name="flatten_1")(layers.Conv2D(6, 1, name="a")(x)))
    model = unlike(keras.Model(x, layers.Dense(2, name="out")(layers.ReLU()(y))), 1)
    pooled = narrow(model, {}, head=HeadKind.GLOBAL_POOLING)
    assert isinstance(pooled.get_layer("global_average_pooling_1"), layers.GlobalAveragePooling2D)
    rows = {"x": np.broadcast_to(np.random.default_rng(0).normal(size=(5, 1, 1, 3)), (5, 4, 4, 3))}
    np.testing.assert_allclose(run(pooled, rows), run(model, rows), rtol=1e-4, atol=1e-5)


def test_weights_are_summed_over_positions_of_kept_channels() -> None:
    model = SPECIMENS["flattened_map"].make()
    pooled = narrow(model, {"a": [1, 5], "b": [0]}, head=HeadKind.GLOBAL_POOLING)
    kernel = model.get_layer("b").kernel.numpy().reshape(4, 8, 6)
    np.testing.assert_allclose(pooled.get_layer("b").kernel, kernel.sum(0)[[1, 5]][:, [0]], rtol=1e-5)


def test_cost_with_pooling() -> None:
    model = SPECIMENS["flattened_map"].make()
    graph = analyse(model)
    assert graph.heads == (HeadKind.KEEP, HeadKind.GLOBAL_POOLING)
    small = narrow(model, {"a": [0, 1, 2]}, head=HeadKind.GLOBAL_POOLING, graph=graph)
    assert measure_cost(small) == estimate_cost(graph, {"a": 3}, head=HeadKind.GLOBAL_POOLING)
    assert set(analyse(small).groups) == set(graph.groups)


@pytest.mark.parametrize("build", [layers.Conv1D, layers.Conv3D])
def test_sequences_and_volumes(build: type[keras.Layer]) -> None:
    rank = 1 if build is layers.Conv1D else 3
    x = keras.Input((*[3] * rank, 2), name="x")
    model = keras.Model(x, layers.Dense(2)(layers.Flatten()(build(4, 2, name="a")(x))))
    pooled = narrow(model, {}, head=HeadKind.GLOBAL_POOLING)
    assert any(layer.name.startswith("global_average_pooling") for layer in pooled.layers)


def test_where_pooling_makes_no_difference_the_network_is_left_as_it_is() -> None:
    def head(y: keras.KerasTensor) -> keras.KerasTensor:
        return layers.Dense(2)(layers.BatchNormalization()(layers.Flatten()(y)))

    x = keras.Input((4, 4, 3), name="x")
    cases = [
        SPECIMENS["mlp"].make(),
        SPECIMENS["residual"].make(),
        keras.Model(x, head(layers.Conv2D(4, 3)(x))),  # statistics per position cannot be pooled
        keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.Conv2D(4, 4)(x)))),  # one position only
        keras.Model(x, layers.Flatten()(layers.Conv2D(4, 3)(x))),  # the flat map is the output
    ]
    for model in cases:
        assert analyse(model).heads == (HeadKind.KEEP,)
        assert measure_cost(narrow(model, {}, head=HeadKind.GLOBAL_POOLING)) == measure_cost(model)
