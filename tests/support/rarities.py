"""Tiny networks of layers that are rarely met, with the dependency groups they must have."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers, ops

from support.zoo import Specimen, _net


def parts_of_the_channels() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        a = layers.Dense(8, name="a")(x)
        gated = a[..., :3] * ops.sigmoid(a[..., 3:6])
        left, right = ops.split(layers.Dense(6, name="b")(gated), 2, axis=-1)
        first, rest = ops.split(layers.Dense(5, name="c")(left), [2], axis=-1)
        return ops.concatenate([first, layers.Dense(4, name="d")(rest), right, a[:, -2:]], axis=-1)

    return _net(body, (4,))


def products() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        queries, keys = layers.Dense(4, name="queries")(x), layers.Dense(4, name="keys")(x)
        values = layers.Dense(6, name="values")(x)
        scores = layers.Softmax()(layers.Dot(axes=-1)([queries, keys]))
        seen = layers.GlobalMaxPooling1D()(layers.Dot(axes=(2, 1))([scores, values]))
        again = layers.Dense(6, name="again")(layers.GlobalMaxPooling1D()(x))
        return layers.Concatenate()([layers.Dot(axes=1, normalize=True)([seen, again]), seen])

    return _net(body, (5, 3))


def product_over_positions() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        scores, values = layers.Dense(5, name="scores")(x), layers.Dense(6, name="values")(x)
        outer = layers.Dot(axes=(1, 1))([values, layers.Dense(4, name="other")(x)])
        joined = layers.Concatenate(axis=1)(
            [layers.Dot(axes=(2, 1))([scores, values]), layers.Dense(6, name="b")(outer)]
        )
        return layers.GlobalAveragePooling1D()(joined)

    return _net(body, (5, 3))


def written_out_attention() -> keras.Model:
    places = np.linspace(-1, 1, 30, dtype="float32").reshape(1, 5, 6)

    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = (layers.Dense(6, name="a")(x) + places) * np.arange(6.0, dtype="float32")
        queries, keys, values = (
            layers.Dense(width, name=name)(x) for name, width in zip("qkv", (4, 4, 3), strict=True)
        )
        scores = ops.softmax(ops.matmul(queries, ops.swapaxes(keys, 1, 2)))
        return ops.max(ops.pad(ops.matmul(scores, values), [[0, 0], [1, 0], [0, 0]]), axis=1)

    return _net(body, (5, 3))


def stacks_of_matrices() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        columns, rows = (ops.swapaxes(layers.Dense(6, name=name)(x), 1, 2) for name in "ab")
        return ops.max(ops.matmul(ops.expand_dims(columns, 3), ops.expand_dims(rows, 2)), axis=[2, 3])

    return _net(body, (5, 3))


def stacks_that_do_not_match() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        columns = ops.expand_dims(ops.swapaxes(layers.Dense(6, name="a")(x), 1, 2), 3)
        rows = layers.Reshape((6, 1, 4))(layers.Dense(24, name="b")(layers.GlobalMaxPooling1D()(x)))
        return ops.max(ops.matmul(columns, rows), axis=[1, 2])

    return _net(body, (5, 3))


def constants_of_another_width() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        a = layers.Dense(1, name="a")(x) * np.arange(4.0, dtype="float32")
        return layers.Dense(3, name="b")(ops.pad(a, [[0, 0], [1, 1]]))

    return _net(body, (4,))


def masked_steps() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.TimeDistributed(layers.Dense(4), name="each")(layers.Masking()(x))
        x = layers.Dense(6, name="a")(layers.GRU(5, return_sequences=True, name="gru")(x))
        return layers.GlobalAveragePooling1D()(layers.BatchNormalization()(layers.Dropout(0.1)(x)))

    return _net(body, (5, 3))


def bare_attention() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        queries, keys = layers.Dense(4, name="queries")(x), layers.Dense(4, name="keys")(x)
        y = layers.AdditiveAttention(name="additive")([queries, layers.Dense(5, name="values")(x), keys])
        y = layers.Attention(score_mode="concat", use_scale=True)(
            [layers.Dense(6, name="a")(y), layers.Dense(6, name="b")(x)]
        )
        return layers.GlobalAveragePooling1D()(y)

    return _net(body, (5, 3))


def grouped_query_attention() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.Dense(6, name="a")(x)
        y = layers.GroupQueryAttention(4, 6, 3, use_gate=True, name="gqa")(x, x)
        x = layers.Dense(5, name="b")(layers.Add()([x, y]))
        y = layers.GroupQueryAttention(4, 3, 1, use_bias=False, name="mqa")(x, layers.Dense(5, name="c")(x))
        return layers.GlobalAveragePooling1D()(y)

    return _net(body, (5, 3))


def convolutional_lstms() -> keras.Model:
    def body(x: keras.KerasTensor) -> keras.KerasTensor:
        x = layers.ConvLSTM2D(4, 2, padding="same", return_sequences=True, name="a")(x)
        x = layers.ConvLSTM2D(3, 2, use_bias=False, name="b")(x)
        x = layers.ConvLSTM1D(5, 2, name="c")(x)
        return layers.GlobalAveragePooling1D()(x)

    return _net(body, (3, 4, 4, 2))


RARITIES: dict[str, Specimen] = {
    "parts_of_the_channels": Specimen(
        parts_of_the_channels, {"a": 3, "a#2": 2, "b": 3, "b#2": 3, "c": 2, "c#2": 3, "d": 4}
    ),
    "products": Specimen(products, {"queries": 4, "values": 6}),
    "product_over_positions": Specimen(product_over_positions, {"other": 4}, frozen={"scores", "values", "b", "out"}),
    "masked_steps": Specimen(masked_steps, {"each": 4, "gru": 5, "a": 6}),
    "written_out_attention": Specimen(written_out_attention, {"a": 6, "q": 4, "v": 3}),
    "stacks_of_matrices": Specimen(stacks_of_matrices, {"a": 6}),
    "stacks_that_do_not_match": Specimen(stacks_that_do_not_match, {}, frozen={"a", "b", "matmul", "out"}),
    "constants_of_another_width": Specimen(
        constants_of_another_width, {"b": 3}, frozen={"a", "multiply", "pad", "out"}
    ),
    "bare_attention": Specimen(bare_attention, {"queries": 4, "values": 5, "a": 6}),
    "grouped_query_attention": Specimen(
        grouped_query_attention,
        {"a": 6, "gqa/heads": 3, "gqa/head_width": 4, "b": 5, "mqa/heads": 3, "mqa/head_width": 4},
    ),
    "convolutional_lstms": Specimen(convolutional_lstms, {"a": 4, "b": 3, "c": 5}),
}
