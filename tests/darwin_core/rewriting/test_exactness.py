"""Where a replacement can be exact, it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from support.zoo import run, sample, unlike

from darwin_core.contracts import BlockOperator
from darwin_core.errors import NetworkError, RequestError
from darwin_core.networks import measure_cost
from darwin_core.rewriting import offers, rewrite

GEOMETRIES: list[dict[str, Any]] = [
    {"padding": "same"},
    {"padding": "valid"},
    {"padding": "same", "strides": 2},
    {"padding": "valid", "strides": 2},
    {"padding": "same", "dilation_rate": 2},
    {"padding": "valid", "dilation_rate": 2},
    {"padding": "same", "use_bias": False, "activation": None},
]


def picture_network(kernel: int | tuple[int, int] = 3, **config: Any) -> keras.Model:
    """A convolution with an activation between two others."""
    x = keras.Input((9, 9, 3), name="x")
    y = layers.Conv2D(5, 1, name="before")(x)
    y = layers.Conv2D(6, kernel, name="conv", **{"activation": "relu"} | config)(y)
    y = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, activation="tanh", name="after")(y))
    return unlike(keras.Model(x, layers.Dense(2, name="out")(y), name="specimen"), 3)


def set_kernel(model: keras.Model, layer: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    kernel = model.get_layer(layer).kernel
    kernel.assign(change(np.asarray(kernel)))


def assert_equal_outputs(one: keras.Model, other: keras.Model) -> None:
    rows = sample(one)
    np.testing.assert_allclose(run(one, rows), run(other, rows), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("kernel", [3, (5, 3)])
def test_low_rank_of_full_rank(geometry: dict[str, Any], kernel: int | tuple[int, int]) -> None:
    model = picture_network(kernel, **geometry)
    split = rewrite(model, {"conv": BlockOperator.LOW_RANK}, rank_share=2.0)
    assert {"conv_vertical", "conv_horizontal"} <= {layer.name for layer in split.layers}
    assert_equal_outputs(model, split)


@pytest.mark.parametrize("shape", [(4,), (3, 4)])
def test_low_rank_of_full_rank_for_dense_layers(shape: tuple[int, ...]) -> None:
    x = keras.Input(shape, name="x")
    y = layers.Dense(5, "tanh", name="dense")(x)
    model = unlike(keras.Model(x, layers.Dense(2, name="out")(layers.Flatten()(y))), 3)
    split = rewrite(model, {"dense": BlockOperator.LOW_RANK}, rank_share=2.0)
    assert split.get_layer("dense_reduce").units == 4
    assert_equal_outputs(model, split)


def test_low_rank_of_a_kernel_that_has_it() -> None:
    x = keras.Input((12,), name="x")
    model = unlike(keras.Model(x, layers.Dense(2, name="out")(layers.Dense(16, "relu", name="dense")(x))), 3)
    set_kernel(model, "dense", lambda kernel: kernel[:, :3] @ kernel[:3, :])
    split = rewrite(model, {"dense": BlockOperator.LOW_RANK})
    assert split.get_layer("dense_reduce").units == 3  # 0.5 * 12 * 16 / (12 + 16)
    assert_equal_outputs(model, split)


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_depthwise_separable_of_rank_one_kernels(geometry: dict[str, Any]) -> None:
    model = picture_network(**geometry)
    set_kernel(model, "conv", lambda kernel: kernel[..., :1] * kernel[:1, :1])
    split = rewrite(model, {"conv": BlockOperator.DEPTHWISE_SEPARABLE})
    assert {"conv_depthwise", "conv_pointwise"} <= {layer.name for layer in split.layers}
    assert_equal_outputs(model, split)


def test_depthwise_separable_is_the_nearest_kernel_of_its_kind() -> None:
    model = picture_network()
    split = rewrite(model, {"conv": BlockOperator.DEPTHWISE_SEPARABLE})
    kernel = np.asarray(model.get_layer("conv").kernel)
    spatial = np.asarray(split.get_layer("conv_depthwise").kernel)
    mixing = np.asarray(split.get_layer("conv_pointwise").kernel)
    lost = np.square(kernel - spatial * mixing).sum((0, 1, 3))
    for channel in range(kernel.shape[2]):
        singular = np.linalg.svd(kernel[:, :, channel].reshape(9, -1), compute_uv=False)
        assert lost[channel] == pytest.approx(np.square(singular[1:]).sum(), rel=1e-4)


@pytest.mark.parametrize(
    ("kernel", "small", "geometry"),
    [
        *((5, (3, 3), geometry) for geometry in GEOMETRIES),
        *((3, (1, 1), geometry) for geometry in GEOMETRIES if geometry != {"padding": "same", "strides": 2}),
        (7, (3, 3), {"padding": "valid"}),
        ((1, 7), (1, 3), {"padding": "same"}),
    ],
)
def test_smaller_kernels_of_kernels_that_are_zero_outside_the_centre(
    kernel: int | tuple[int, int], small: tuple[int, int], geometry: dict[str, Any]
) -> None:
    x = keras.Input((15, 15, 3), name="x")
    y = layers.Conv2D(6, kernel, name="conv", **{"activation": "relu"} | geometry)(x)
    model = unlike(keras.Model(x, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D()(y))), 3)

    def only_centre(values: np.ndarray) -> np.ndarray:
        kept = np.zeros_like(values)
        margins = [(size - new) // 2 for size, new in zip(values.shape[:2], small, strict=True)]
        inner = tuple(slice(margin, margin + new) for margin, new in zip(margins, small, strict=True))
        kept[inner] = values[inner]
        return kept

    set_kernel(model, "conv", only_centre)
    smaller = rewrite(model, {"conv": BlockOperator.SMALLER_KERNEL})
    assert smaller.get_layer("conv_smaller").kernel_size == small
    assert_equal_outputs(model, smaller)


@pytest.mark.parametrize(("length", "kernel", "centred"), [(9, 3, True), (8, 3, False), (8, 5, True), (9, 5, True)])
def test_with_strides_a_smaller_kernel_must_look_where_the_larger_one_did(
    length: int, kernel: int, centred: bool
) -> None:
    x = keras.Input((length, length, 3), name="x")
    y = layers.Conv2D(6, kernel, strides=2, padding="same", name="conv")(x)
    model = unlike(keras.Model(x, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D()(y))), 3)
    new = 3 if kernel > 3 else 1
    inner = slice((kernel - new) // 2, (kernel + new) // 2)

    def only_centre(values: np.ndarray) -> np.ndarray:
        kept = np.zeros_like(values)
        kept[inner, inner] = values[inner, inner]
        return kept

    set_kernel(model, "conv", only_centre)
    if centred:
        assert_equal_outputs(model, rewrite(model, {"conv": BlockOperator.SMALLER_KERNEL}))
    else:
        with pytest.raises(NetworkError, match="beside the centre"):
            rewrite(model, {"conv": BlockOperator.SMALLER_KERNEL})


def residual_network(join: Callable[[list[Any]], Any] | None = None, *, project: bool = False) -> keras.Model:
    x = keras.Input((6, 6, 3), name="x")
    y = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(x)
    z = layers.Conv2D(4, 3, padding="same", activation="relu", name="inner")(y)
    z = layers.Conv2D(8, 3, padding="same", name="back")(z)
    shortcut = layers.Conv2D(8, 1, name="project")(y) if project else y
    y = layers.ReLU()((join or layers.Add(name="sum"))([shortcut, z]))
    return unlike(keras.Model(x, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D()(y))), 3)


@pytest.mark.parametrize("join", [None, lambda pair: keras.ops.add(*pair), lambda pair: pair[1] + pair[0]])
def test_dropping_a_branch_that_gives_zeros(join: Callable[[list[Any]], Any] | None) -> None:
    model = residual_network(join)
    name = next(offer.layer for offer in offers(model).blocks if offer.operator is BlockOperator.DROP)
    for weight in model.get_layer("back").weights:
        weight.assign(np.zeros(weight.shape))
    without = rewrite(model, {name: BlockOperator.DROP})
    assert not {"inner", "back", name} & {layer.name for layer in without.layers}
    assert_equal_outputs(model, without)


def test_dropping_a_layer_keeps_its_activation() -> None:
    x = keras.Input((4,), name="x")
    y = layers.Dense(4, "tanh", name="same")(x)
    model = unlike(keras.Model(x, layers.Dense(2, name="out")(y)), 3)
    model.get_layer("same").set_weights([np.eye(4), np.zeros(4)])
    without = rewrite(model, {"same": BlockOperator.DROP})
    assert isinstance(without.get_layer("same_activation"), layers.Activation)
    assert_equal_outputs(model, without)


def test_several_operators_at_once_and_those_inside_a_dropped_branch_change_nothing() -> None:
    model = residual_network()
    both = rewrite(
        model,
        {
            "sum": BlockOperator.DROP,
            "inner": BlockOperator.DEPTHWISE_SEPARABLE,
            "stem": BlockOperator.DEPTHWISE_SEPARABLE,
            "out": BlockOperator.KEEP,
        },
    )
    assert {layer.name for layer in both.layers if layer.weights} == {"stem_depthwise", "stem_pointwise", "out"}


@pytest.mark.parametrize(
    ("layer", "operator", "reason"),
    [
        ("before", BlockOperator.DEPTHWISE_SEPARABLE, "covers one position"),
        ("before", BlockOperator.SMALLER_KERNEL, "covers one position"),
        ("before", BlockOperator.LOW_RANK, "covers one position"),
        ("out", BlockOperator.DEPTHWISE_SEPARABLE, "only Conv2D"),
        ("out", BlockOperator.SMALLER_KERNEL, "only Conv2D and DepthwiseConv2D"),
        ("out", BlockOperator.LOW_RANK, "too small to be split"),
        ("out", BlockOperator.DROP, "it turns shape"),
        ("grouped", BlockOperator.DEPTHWISE_SEPARABLE, "grouped"),
        ("grouped", BlockOperator.LOW_RANK, "grouped"),
        ("even", BlockOperator.SMALLER_KERNEL, "no centre"),
        ("uneven", BlockOperator.DEPTHWISE_SEPARABLE, "strides differ"),
        ("twice", BlockOperator.DROP, "shared"),
        ("pool", BlockOperator.LOW_RANK, "only Dense and Conv2D"),
        ("pool", BlockOperator.DROP, "can be dropped"),
        ("joined", BlockOperator.DROP, "only sums"),
        ("both", BlockOperator.DROP, "identity shortcut"),
        ("read_twice", BlockOperator.DROP, "also read elsewhere"),
    ],
)
def test_what_cannot_be_applied_is_refused_with_the_reason(layer: str, operator: BlockOperator, reason: str) -> None:
    x = keras.Input((8, 8, 4), name="x")
    y = layers.Conv2D(4, 1, name="before")(x)
    y = layers.Conv2D(4, 3, padding="same", groups=2, name="grouped")(y)
    twice = layers.Conv2D(4, 1, name="twice")
    y = layers.Conv2D(4, 2, padding="same", name="even")(twice(twice(y)))
    y = layers.Conv2D(4, 3, strides=(1, 2), padding="same", name="uneven")(y)
    z = layers.Conv2D(4, 1, name="side")(y)
    y = layers.Concatenate(name="joined")([layers.Add(name="read_twice")([y, z]), z])
    y = layers.Add(name="both")([layers.Conv2D(4, 1)(y), layers.Conv2D(4, 1)(y)])
    y = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(name="pool")(y))
    model = keras.Model(x, layers.Dense(1, name="out")(y))
    with pytest.raises(NetworkError, match=reason) as raised:
        rewrite(model, {layer: operator})
    assert f"'{layer}'" in raised.value.message
    assert reason in offers(model).refused[layer, operator]


def test_unknown_layers_are_named() -> None:
    with pytest.raises(RequestError, match="'nowhere'"):
        rewrite(picture_network(), {"nowhere": BlockOperator.DROP})


def test_offers_say_what_is_saved() -> None:
    model = residual_network()
    before = measure_cost(model)
    found = offers(model)
    assert {(offer.layer, offer.operator) for offer in found.blocks} >= {
        ("inner", BlockOperator.DEPTHWISE_SEPARABLE),
        ("inner", BlockOperator.LOW_RANK),
        ("back", BlockOperator.SMALLER_KERNEL),
        ("sum", BlockOperator.DROP),
    }
    for offer in found.blocks:
        after = measure_cost(rewrite(model, {offer.layer: offer.operator}))
        assert before.macs - after.macs == offer.saved_macs, offer
        assert before.parameters - after.parameters == offer.saved_parameters, offer


def test_a_layer_that_reads_colours_can_be_split_but_is_not_offered() -> None:
    found, split = offers(residual_network()), BlockOperator.DEPTHWISE_SEPARABLE
    assert ("stem", split) not in {(offer.layer, offer.operator) for offer in found.blocks}
    assert "reads 3 channels" in found.refused["stem", split]
    assert rewrite(residual_network(), {"stem": split}).get_layer("stem_depthwise")


def test_the_parameters_of_a_low_rank_pair_are_the_share_asked_for() -> None:
    x = keras.Input((8, 8, 32), name="x")
    y = layers.Conv2D(48, 3, use_bias=False, name="conv")(x)
    model = keras.Model(x, layers.Dense(2, name="out")(layers.GlobalAveragePooling2D()(y)))
    whole = model.get_layer("conv").count_params()
    for share in (0.5, 0.25, 0.1):
        split = rewrite(model, {"conv": BlockOperator.LOW_RANK}, rank_share=share)
        own = sum(split.get_layer(name).count_params() for name in ("conv_vertical", "conv_horizontal"))
        assert share * whole - 3 * (32 + 48) < own <= share * whole
