"""Random networks: narrowing away silent channels never changes an output, and the cost is always known before."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers
from support.surgery import random_keep, silence
from support.zoo import run, sample, unlike

from darwin_core.contracts import HeadKind
from darwin_core.dependency import analyse, estimate_cost, narrow
from darwin_core.networks import measure_cost

Body = Callable[[keras.KerasTensor, int], keras.KerasTensor]


def _conv(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.Conv2D(width, 3, padding="same", activation="relu")(x)


def _conv_norm(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    x = layers.Conv2D(width, 1, use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization()(x))


def _residual(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    y = _conv_norm(_conv(x, width), x.shape[-1])
    return layers.PReLU(shared_axes=[1, 2])(layers.Add()([x, y]))


def _projected(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.Average()([layers.Conv2D(width, 1)(x), _conv(x, width)])


def _branches(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.Concatenate()([_conv(x, width), x, _conv_norm(x, 2)])


def _depthwise(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=1 + width % 2)(x)


def _separable(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.SeparableConv2D(width, 3, padding="same")(x)


def _grouped(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    groups = 2 if x.shape[-1] % 2 == 0 else 1
    return layers.Conv2D(2 * width, 3, padding="same", groups=groups)(x)


def _transposed(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.Conv2DTranspose(width, 3, padding="same", activation="tanh")(x)


def _group_norm(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    # Groups of two go as a whole, so that the statistics of the others stay what they are.
    return layers.ReLU()(layers.GroupNormalization(max(width, 2))(layers.Conv2D(2 * max(width, 2), 1)(x)))


def _instance_norm(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return layers.GroupNormalization(-1)(layers.Conv2D(width, 3, padding="same")(x))


def _gated(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    signal, gate = keras.ops.split(layers.Conv2D(2 * width, 1)(x), 2, axis=-1)
    return keras.ops.concatenate([signal * keras.ops.sigmoid(gate), x[..., :2]], axis=-1)


def _excite(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    gate = layers.Dense(width, "relu")(layers.GlobalAveragePooling2D()(x))
    return layers.Multiply()([x, layers.Reshape((1, 1, x.shape[-1]))(layers.Dense(x.shape[-1], "sigmoid")(gate))])


def _attend(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    rows = layers.Reshape((16, x.shape[-1]))(x)
    y = layers.MultiHeadAttention(2, width)(rows, rows)
    return layers.Reshape((4, 4, x.shape[-1]))(layers.Add()([rows, y]))


def _attend_in_groups(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    rows = layers.Reshape((16, x.shape[-1]))(x)
    y = layers.GroupQueryAttention(2, 4, 1 + width % 2)(rows, rows)
    return layers.Reshape((4, 4, x.shape[-1]))(layers.Add()([rows, y]))


def _rearrange(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    x = layers.Permute((3, 1, 2))(x)
    return layers.Permute((2, 3, 1))(layers.LeakyReLU()(x)) if width % 2 else layers.Permute((3, 2, 1))(x)


def _operators(x: keras.KerasTensor, width: int) -> keras.KerasTensor:
    return keras.ops.relu(layers.Conv2D(width, 1)(x) * 0.5 + layers.Conv2D(width, 1)(x))


_BLOCKS: list[Body] = [
    *(_conv, _conv_norm, _residual, _projected, _branches, _depthwise, _separable, _grouped, _excite, _attend),
    *(_rearrange, _operators, _transposed, _group_norm, _instance_norm, _gated, _attend_in_groups),
]
_HEADS: list[Callable[[keras.KerasTensor], keras.KerasTensor]] = [
    lambda x: layers.Dense(5, "relu")(layers.Flatten()(x)),
    lambda x: layers.GlobalMaxPooling2D()(x),
    lambda x: layers.LSTM(3)(layers.Reshape((4, 4 * x.shape[-1]))(x)),
    lambda x: layers.Flatten()(layers.Permute((2, 1, 3))(x)),
]


@settings(max_examples=16, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    blocks=st.lists(st.tuples(st.sampled_from(_BLOCKS), st.integers(2, 5)), min_size=1, max_size=4),
    head=st.sampled_from(_HEADS),
    seed=st.integers(0, 1000),
)
def test_any_network(blocks: list[tuple[Body, int]], head: Callable[..., keras.KerasTensor], seed: int) -> None:
    inputs = keras.Input((4, 4, 4), name="x")
    x = inputs
    for block, width in blocks:
        x = block(x, width)
    model = unlike(keras.Model(inputs, layers.Dense(2)(head(x))), seed)
    graph = analyse(model)
    rows = sample(model)
    assert np.array_equal(run(narrow(model, {}, graph=graph), rows), run(model, rows))

    keep = random_keep(graph, seed)
    widths = {name: len(kept) for name, kept in keep.items()}
    silence(model, graph, keep)
    small = narrow(model, keep, graph=graph)
    before, after = run(model, rows), run(small, rows)
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=1e-4 * max(1.0, np.abs(before).max()))
    assert measure_cost(small) == estimate_cost(graph, widths)
    if HeadKind.GLOBAL_POOLING in graph.heads:
        pooled = narrow(model, keep, graph=graph, head=HeadKind.GLOBAL_POOLING)
        assert measure_cost(pooled) == estimate_cost(graph, widths, head=HeadKind.GLOBAL_POOLING)
    narrow(small, {name: [0] for name in analyse(small).groups})
