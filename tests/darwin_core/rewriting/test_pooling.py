"""Weighted pooling: at first the average, in as many weights as there are positions, and only in heads."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from support.surgery import random_keep
from support.zoo import SPECIMENS, run, sample, unlike

from darwin_core.contracts import HeadKind
from darwin_core.dependency import analyse, estimate_cost, narrow
from darwin_core.networks import load_network, measure_cost, save_network
from darwin_core.rewriting import weighted_pooling


def network(pooling: layers.Layer, size: int = 6) -> keras.Model:
    """A convolution, and its map made a vector by ``pooling``."""
    x = keras.Input((size, size, 3), name="image")
    y = pooling(layers.Conv2D(5, 3, padding="same", activation="relu", name="conv")(x))
    y = layers.Dropout(0.2)(y)
    return unlike(keras.Model(x, layers.Dense(4, name="out")(y), name="pooled"), 3)


def weighing(model: keras.Model) -> list[layers.DepthwiseConv2D]:
    return [layer for layer in model.layers if isinstance(layer, layers.DepthwiseConv2D)]


def test_answers_stay_those_of_the_average(tmp_path: Path) -> None:
    model = network(layers.GlobalAveragePooling2D(name="pool"))
    found = weighted_pooling(model)
    assert found is not None
    rows = sample(model)
    np.testing.assert_allclose(run(found, rows), run(model, rows), rtol=1e-5, atol=1e-6)
    assert measure_cost(found).parameters == measure_cost(model).parameters + 36 * 5
    assert found.get_layer("pool").output.shape == (None, 5)
    save_network(found, tmp_path / "found.keras")
    np.testing.assert_array_equal(run(load_network(tmp_path / "found.keras"), rows), run(found, rows))


def test_a_flattened_map_is_pooled_first() -> None:
    model = network(layers.Flatten(name="flatten"))
    found = weighted_pooling(model)
    assert found is not None
    rows = sample(model)
    average = narrow(model, {}, head=HeadKind.GLOBAL_POOLING)
    np.testing.assert_allclose(run(found, rows), run(average, rows), rtol=1e-5, atol=1e-6)


def test_positions_have_weights_of_their_own() -> None:
    found = weighted_pooling(network(layers.GlobalAveragePooling2D()))
    assert found is not None
    (layer,) = weighing(found)
    rows = sample(found)
    turned = {"image": rows["image"][:, ::-1, ::-1]}
    weights = np.zeros((6, 6, 5, 1), np.float32)
    weights[0, 0] = 1.0
    layer.set_weights([weights])
    corner = run(found, rows)
    weights[0, 0], weights[5, 5] = 0.0, 1.0
    layer.set_weights([weights])
    assert np.abs(run(found, rows) - corner).max() > 1e-3
    assert np.abs(run(found, turned) - corner).max() > 1e-3  # the convolution before it is not symmetric


@pytest.mark.parametrize("name", ["flattened_map", "residual", "inception", "depthwise", "separable"])
def test_groups_stay_and_costs_are_foretold(name: str) -> None:
    model = SPECIMENS[name].make()
    found = weighted_pooling(model)
    if found is None:
        pytest.fail(f"{name} has a head that can weigh positions")
    graph = analyse(found)
    assert list(graph.groups) == list(analyse(model).groups)
    keep = random_keep(graph, 1)
    widths = {group: len(kept) for group, kept in keep.items()}
    for head in (HeadKind.KEEP, HeadKind.WEIGHTED_POOLING):
        small = narrow(found, keep, head=head, graph=graph)
        assert measure_cost(small) == estimate_cost(graph, widths, head=head)
        assert np.isfinite(run(small, sample(small))).all()


def test_a_nested_backbone_is_written_out() -> None:
    inner = network(layers.GlobalAveragePooling2D())
    backbone = keras.Model(inner.inputs, inner.get_layer("conv").output, name="backbone")
    x = keras.Input((6, 6, 3), name="image")
    y = layers.Dense(4, name="out")(layers.GlobalAveragePooling2D()(backbone(x)))
    model = unlike(keras.Model(x, y), 4)
    found = weighted_pooling(model)
    assert found is not None
    np.testing.assert_allclose(run(found, sample(model)), run(model, sample(model)), rtol=1e-5, atol=1e-6)


def test_what_is_no_head_is_left_alone() -> None:
    x = keras.Input((6, 6, 3), name="image")
    y = layers.Conv2D(4, 3, padding="same")(x)
    gate = layers.Reshape((1, 1, 4))(layers.Dense(4, "sigmoid")(layers.GlobalAveragePooling2D()(y)))
    cases = [
        SPECIMENS["mlp"].make(),
        keras.Model(x, layers.Conv2D(2, 1)(y * gate)),  # squeeze-and-excitation reads the map a second time
        keras.Model(x, layers.GlobalAveragePooling2D()(y)),  # the average itself is the answer
        keras.Model(x, layers.Dense(2)(layers.GlobalMaxPooling2D()(y))),
        network(layers.GlobalAveragePooling2D(), size=9),  # 81 positions
        network(layers.Flatten(), size=9),
    ]
    for model in cases:
        assert weighted_pooling(model) is None


def test_maps_of_unknown_size_are_left_alone() -> None:
    x = keras.Input((None, None, 3), name="image")
    assert weighted_pooling(keras.Model(x, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))) is None
