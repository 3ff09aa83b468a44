"""Costs against numbers worked out by hand, and networks read as flat lists of calls."""

from __future__ import annotations

import keras
import pytest
from keras import layers
from support.zoo import SPECIMENS

from darwin_core.networks import layer_costs, measure_cost, register_macs
from darwin_core.networks import macs as macs_module
from darwin_core.networks.macs import CallShapes
from darwin_core.networks.measuring import weight_width
from darwin_core.networks.wiring import read_wiring


@pytest.mark.parametrize(
    ("layer", "shape", "parameters", "macs"),
    [
        (layers.Dense(5), (3,), 3 * 5 + 5, 15),
        (layers.Dense(5), (4, 7, 3), 20, 4 * 7 * 15),
        (layers.Conv1D(4, 3), (10, 2), 28, 8 * 3 * 2 * 4),
        (layers.Conv2D(4, 3, padding="same", strides=2), (8, 8, 3), 112, 16 * 9 * 3 * 4),
        (layers.Conv2D(4, 3, groups=2, use_bias=False), (6, 6, 8), 144, 16 * 144),
        (layers.Conv2D(4, 3, dilation_rate=2), (8, 8, 1), 40, 16 * 36),
        (layers.Conv3D(2, 2), (3, 3, 3, 1), 18, 8 * 16),
        (layers.Conv2DTranspose(4, 3, strides=2), (5, 5, 2), 76, 25 * 9 * 8),
        (layers.DepthwiseConv2D(3, depth_multiplier=2), (6, 6, 3), 60, 16 * 54),
        (layers.SeparableConv2D(4, 3), (6, 6, 3), 27 + 12 + 4, 16 * (27 + 12)),
        (layers.BatchNormalization(), (6, 6, 3), 12, 0),
        (layers.LayerNormalization(), (5,), 10, 0),
        (layers.PReLU(), (5,), 5, 0),
        (layers.Embedding(10, 4), (3,), 40, 0),
        (layers.LSTM(4), (5, 3), 4 * 4 * (3 + 4 + 1), 5 * 16 * 7),
        (layers.GRU(4), (5, 3), 12 * (3 + 4 + 2), 5 * 12 * 7),
        (layers.Bidirectional(layers.SimpleRNN(4)), (5, 3), 2 * 4 * (3 + 4 + 1), 2 * 5 * 28),
        (layers.TimeDistributed(layers.Dense(4)), (5, 3), 16, 60),
        (layers.EinsumDense("abc,cd->abd", output_shape=(None, 6)), (5, 3), 18, 90),
        (layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 6)), (5, 3), 36, 180),
        (layers.MaxPooling2D(2), (6, 6, 3), 0, 0),
        (layers.ConvLSTM1D(4, 3), (2, 8, 3), 4 * 4 * (9 + 12 + 1), 2 * 6 * 16 * (9 + 12)),
        (layers.ConvLSTM2D(2, 2, return_sequences=True), (3, 4, 4, 1), 8 * (4 + 8 + 1), 3 * 9 * 8 * (4 + 8)),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_layers(layer: keras.Layer, shape: tuple[int, ...], parameters: int, macs: int) -> None:
    x = keras.Input(shape, dtype="int32" if isinstance(layer, layers.Embedding) else "float32")
    cost = measure_cost(keras.Model(x, layer(x)))
    assert cost.parameters == parameters
    assert cost.weight_bytes == 4 * parameters
    assert cost.macs == macs


def test_attention_counts_projections_and_scores() -> None:
    queries, memory = keras.Input((5, 6)), keras.Input((7, 4))
    layer = layers.MultiHeadAttention(2, 3, value_dim=4)
    cost = measure_cost(keras.Model([queries, memory], layer(queries, memory)))
    projections = 5 * 6 * 6 + 7 * 4 * 6 + 7 * 4 * 8 + 5 * 8 * 6
    scores = 5 * 7 * 2 * (3 + 4)
    assert cost.macs == projections + scores
    assert cost.parameters == layer.count_params()


def test_bare_attention_counts_scores_and_sums() -> None:
    queries, memory = keras.Input((5, 6)), keras.Input((7, 6))
    for layer in (layers.Attention(), layers.AdditiveAttention()):
        cost = measure_cost(keras.Model([queries, memory], layer([queries, memory])))
        assert cost.macs == 5 * 7 * (6 + 6)


def test_grouped_query_attention_counts_fewer_keys() -> None:
    queries, memory = keras.Input((5, 6)), keras.Input((7, 6))
    layer = layers.GroupQueryAttention(3, 4, 2, use_gate=True)
    cost = measure_cost(keras.Model([queries, memory], layer(queries, memory)))
    wide, shared = 6 * 4 * 3, 6 * 2 * 3
    assert cost.macs == 5 * 3 * wide + 7 * 2 * shared + 5 * 7 * 4 * (3 + 3)
    assert cost.parameters == layer.count_params()


def test_products_of_tensors_are_counted() -> None:
    left, right = keras.Input((5, 6)), keras.Input((6, 7))
    for product in (layers.Dot(axes=(2, 1))([left, right]), left @ right):
        assert measure_cost(keras.Model([left, right], product)).macs == 5 * 6 * 7
    a, b = keras.Input((6,)), keras.Input((6,))
    assert measure_cost(keras.Model([a, b], layers.Dot(axes=-1)([a, b]))).macs == 6


def test_a_shared_layer_has_one_set_of_weights_and_works_twice() -> None:
    cost = measure_cost(SPECIMENS["shared"].make())
    assert cost.parameters == (4 * 8 + 8) + (16 * 2 + 2)
    assert cost.macs == 2 * 32 + 32


def test_an_axis_of_unknown_length_counts_as_one_step() -> None:
    x = keras.Input((None, None, 3))
    assert measure_cost(keras.Model(x, layers.Conv2D(4, 3)(x))).macs == 9 * 3 * 4


def test_layers_in_order_add_up() -> None:
    model = SPECIMENS["nested"].make()
    costs = layer_costs(model)
    assert [cost.name for cost in costs] == ["a", "norm", "block_a", "relu", "out"]
    assert sum(cost.macs for cost in costs) == measure_cost(model).macs == 24 + 2 * 36 + 12
    assert costs[0].output_shape == (None, 6)


def test_input_features_are_columns() -> None:
    assert measure_cost(SPECIMENS["mlp"].make()).input_features == 4
    assert measure_cost(SPECIMENS["prepared"].make()).input_features == 3
    assert measure_cost(SPECIMENS["residual"].make()).input_features == 1


def test_entries_of_a_lookup_table_are_bytes_and_no_parameters() -> None:
    x = keras.Input((1,), dtype="string", name="x")
    model = keras.Model(x, layers.StringLookup(vocabulary=["ä", "bc"], output_mode="one_hot")(x))
    cost = measure_cost(model)
    assert cost.parameters == 0
    assert cost.weight_bytes == len("[UNK]") + 2 + 2


def test_small_numbers_take_fewer_bytes() -> None:
    x = keras.Input((3,))
    for dtype, width in (("float16", 2), ("bfloat16", 2), ("float64", 8)):
        layer = layers.Dense(2, dtype=dtype)
        assert measure_cost(keras.Model(x, layer(x))).weight_bytes == 8 * width
        assert weight_width(layer.kernel) == width


def test_own_layers_can_be_counted() -> None:
    class Twice(layers.Dense):
        """Dense, applied twice."""

    x = keras.Input((3,))
    model = keras.Model(x, Twice(3)(x))
    assert measure_cost(model).macs == 9

    def rule(call: CallShapes) -> int:
        return 2 * call.weight(call.layer.kernel)[0] ** 2

    register_macs(Twice)(rule)
    try:
        assert measure_cost(model).macs == 18
    finally:
        del macs_module._RULES[Twice]


def test_calls_come_after_what_they_read_even_in_deep_networks() -> None:
    x = keras.Input((2,))
    y = x
    for _ in range(300):
        y = layers.Identity()(y)
    wiring = read_wiring(keras.Model(x, y))
    seen = set(wiring.inputs.values())
    for call in wiring.calls:
        assert seen >= set(call.inputs)
        seen |= set(call.outputs)
    assert len(wiring.calls) == 300
