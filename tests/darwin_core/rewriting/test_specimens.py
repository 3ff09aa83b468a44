"""Everything that can be rewritten in the specimens: loads back, costs what is said, can be analysed and narrowed."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from support.surgery import random_keep, silence
from support.zoo import SPECIMENS, run, sample, unlike

from darwin_core.contracts import BlockOperator
from darwin_core.dependency import analyse, estimate_cost, narrow
from darwin_core.errors import NetworkError
from darwin_core.networks import load_network, measure_cost, save_network
from darwin_core.rewriting import offers, rewrite


def plain_stack() -> keras.Model:
    """Pairs of convolutions with pooling, a flattened head."""
    y = x = keras.Input((16, 16, 3), name="image")
    for number, filters in enumerate((6, 6, 8, 8)):
        y = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{number}")(y)
        y = layers.ReLU()(layers.BatchNormalization()(y))
        y = layers.MaxPooling2D()(y) if number % 2 else y
    y = layers.Dense(12, "relu", name="hidden")(layers.Flatten()(y))
    return unlike(keras.Model(x, layers.Dense(4, name="out")(y), name="stack"), 5)


def residual_stack() -> keras.Model:
    """A stem and residual blocks, one of which halves the picture with a projected shortcut."""
    x = keras.Input((16, 16, 3), name="image")
    y = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same", name="stem")(x)))
    for number, (filters, stride) in enumerate(((6, 1), (8, 2), (8, 1))):
        z = layers.Conv2D(filters, 3, strides=stride, padding="same", name=f"first_{number}")(y)
        z = layers.ReLU()(layers.BatchNormalization()(z))
        z = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", name=f"second_{number}")(z))
        if stride > 1:
            y = layers.Conv2D(filters, 1, strides=stride, name=f"shortcut_{number}")(y)
        y = layers.ReLU()(layers.Add(name=f"sum_{number}")([y, z]))
    return unlike(keras.Model(x, layers.Dense(4, name="out")(layers.GlobalAveragePooling2D()(y)), name="residual"), 5)


def inception_stack() -> keras.Model:
    """Parallel branches with 5 x 5 convolutions."""
    x = keras.Input((16, 16, 3), name="image")
    y = layers.MaxPooling2D()(layers.Conv2D(6, 3, padding="same", activation="relu", name="stem")(x))
    branches = [
        layers.Conv2D(4, 1, activation="relu", name="one")(y),
        layers.Conv2D(6, 3, padding="same", activation="relu", name="three")(y),
        layers.Conv2D(4, 5, padding="same", activation="relu", name="five")(y),
        layers.Conv2D(4, 1, name="pooled")(layers.AveragePooling2D(3, 1, "same")(y)),
    ]
    y = layers.GlobalAveragePooling2D()(layers.Concatenate()(branches))
    return unlike(keras.Model(x, layers.Dense(4, name="out")(y), name="inception"), 5)


NETWORKS = {name: specimen.make for name, specimen in SPECIMENS.items()} | {
    "plain_stack": plain_stack,
    "residual_stack": residual_stack,
    "inception_stack": inception_stack,
}

ALWAYS = (
    *("residual", "flattened_map", "shared", "nested"),
    *("plain_stack", "residual_stack", "inception_stack"),
)
"""The others are tried only where slow tests are asked for."""


def rewritten(model: keras.Model) -> list[tuple[str, keras.Model]]:
    """The network under each operator, at every layer that takes it, and with early downsampling."""
    found = offers(model)
    by_operator: dict[BlockOperator, dict[str, BlockOperator]] = {}
    for offer in found.blocks:
        by_operator.setdefault(offer.operator, {})[offer.layer] = offer.operator
    results = [(operator.value, rewrite(model, blocks)) for operator, blocks in by_operator.items()]
    if found.early_downsampling_saves is not None:
        halved = rewrite(model, {}, early_downsampling=True)
        assert measure_cost(model).macs - measure_cost(halved).macs == found.early_downsampling_saves
        results.append(("early_downsampling", halved))
    return results


@pytest.mark.parametrize(
    "name", [name if name in ALWAYS else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
)
def test_a_rewritten_network_is_a_network_like_any_other(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name]()
    inputs = sample(model)
    results = rewritten(model)
    if name.endswith("_stack"):
        assert {label for label, _ in results} >= {"depthwise_separable", "low_rank", "early_downsampling"}
    for label, network in results:
        assert network.name == model.name, label
        assert {item.name for item in network.inputs} == {item.name for item in model.inputs}, label
        assert run(network, inputs).shape == run(model, inputs).shape, label
        assert measure_cost(network).macs <= measure_cost(model).macs, label
        save_network(network, tmp_path / f"{label}.keras")
        loaded = load_network(tmp_path / f"{label}.keras")
        np.testing.assert_array_equal(run(loaded, inputs), run(network, inputs))
        graph = analyse(network)
        assert estimate_cost(graph, {}) == measure_cost(loaded), label
        keep = random_keep(graph, 1)
        silence(network, graph, keep)
        small = narrow(network, keep, graph=graph)
        assert estimate_cost(graph, {group: len(kept) for group, kept in keep.items()}) == measure_cost(small), label
        if name not in SPECIMENS or not SPECIMENS[name].mixes:
            np.testing.assert_allclose(run(small, inputs), run(network, inputs), rtol=1e-4, atol=1e-4)


def test_the_rank_is_a_dependency_group() -> None:
    model = plain_stack()
    split = rewrite(model, {"hidden": BlockOperator.LOW_RANK, "conv_2": BlockOperator.LOW_RANK})
    groups = analyse(split).groups
    assert groups["hidden_reduce"].channels == split.get_layer("hidden_reduce").units
    assert groups["conv_2_vertical"].channels == split.get_layer("conv_2_vertical").filters


def test_other_layers_keep_their_names_and_weights() -> None:
    model = residual_stack()
    network = rewrite(model, {"sum_2": BlockOperator.DROP, "first_0": BlockOperator.DEPTHWISE_SEPARABLE})
    kept = {layer.name for layer in network.layers} & {layer.name for layer in model.layers}
    assert {"stem", "second_0", "shortcut_1", "out"} <= kept
    for name in kept:
        for own, old in zip(network.get_layer(name).weights, model.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(own, old)


@pytest.mark.parametrize("name", ["plain_stack", "residual_stack", "inception_stack"])
def test_early_downsampling_saves_work_before_the_old_pooling_only(name: str) -> None:
    model = NETWORKS[name]()
    network = rewrite(model, {}, early_downsampling=True)
    first = next(layer.name for layer in model.layers if isinstance(layer, layers.Conv2D))
    assert network.get_layer(first).strides == (2, 2)
    halved = [
        (model.get_layer(layer.name).output.shape[1:3], layer.output.shape[1:3])
        for layer in network.layers
        if isinstance(layer, layers.Conv2D)
    ]
    assert (16, 16) in [old for old, _ in halved]
    assert all(new == ((8, 8) if old == (16, 16) else old) for old, new in halved)
    assert measure_cost(network).parameters == measure_cost(model).parameters
    for own, old in zip(network.weights, model.weights, strict=True):
        np.testing.assert_array_equal(own, old)


def test_early_downsampling_needs_a_later_one_to_take_back() -> None:
    x = keras.Input((16, 16, 3), name="x")
    heads = {
        "needs the picture": lambda y: layers.Dense(2)(layers.GlobalAveragePooling2D()(y)),
        "nothing halves": lambda y: layers.Conv2D(2, 1)(y),
        "would become smaller": lambda y: [layers.Conv2D(2, 1)(y), layers.MaxPooling2D()(y)],
    }
    for reason, head in heads.items():
        model = keras.Model(x, head(layers.Conv2D(4, 3, padding="same")(x)))
        assert offers(model).early_downsampling_saves is None
        with pytest.raises(NetworkError, match=reason):
            rewrite(model, {}, early_downsampling=True)
