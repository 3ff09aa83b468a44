"""Analysis beyond single layers: names, shared and nested layers, extension, what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from support.surgery import random_keep, silence
from support.zoo import SPECIMENS, run, sample, unlike

from darwin_core.dependency import CallTracer, Channels, analyse, narrow, register_rule, tracing
from darwin_core.errors import NetworkError, RequestError
from darwin_core.networks import measure_cost


def test_summaries_name_producers_and_consumers() -> None:
    graph = analyse(SPECIMENS["residual"].make())
    stem, inner = graph.summaries()
    assert (stem.name, stem.layers, stem.consumers) == ("stem", ("stem", "back"), ("inner", "out"))
    assert (inner.name, inner.layers, inner.consumers) == ("inner", ("inner",), ("back",))


def test_frozen_layers_say_why() -> None:
    reasons = {layer.name: layer.reason for layer in analyse(SPECIMENS["unknown_operation"].make()).frozen}
    assert reasons["out"] == "its channels are the network's output"
    operation = next(name for name in reasons if name.startswith("cumsum"))
    assert reasons[operation] == "there is no rule for layers of type Cumsum"
    assert reasons["a"].endswith("there is no rule for layers of type Cumsum")


def test_a_layer_summed_up_with_the_input_is_frozen() -> None:
    x = keras.Input((4,), name="row")
    model = keras.Model(x, layers.Dense(2)(layers.Add()([x, layers.Dense(4, name="a")(x)])))
    frozen = {layer.name: layer.reason for layer in analyse(model).frozen}
    assert frozen["a"] == "its channels are coupled with the network's input 'row'"


def test_channels_first_is_frozen_and_named() -> None:
    x = keras.Input((3, 6, 6))
    y = layers.Permute((3, 1, 2))(layers.Conv2D(4, 1, name="a")(layers.Permute((2, 3, 1))(x)))
    pooled = layers.AveragePooling2D(2, data_format="channels_first", name="first")(y)
    model = keras.Model(x, layers.Dense(2)(layers.Flatten()(pooled)))
    frozen = {layer.name: layer.reason for layer in analyse(model).frozen}
    assert "channels_first" in frozen["first"]
    assert "a" in frozen


def test_several_outputs_are_all_frozen() -> None:
    x = keras.Input((4,), name="x")
    y = layers.Dense(6, "relu", name="trunk")(x)
    outputs = {"score": layers.Dense(1, name="score")(y), "code": layers.Dense(3, name="code")(y)}
    model = keras.Model(x, outputs)
    graph = analyse(model)
    assert list(graph.groups) == ["trunk"]
    small = narrow(model, {"trunk": [0, 5]}, graph=graph)
    assert set(small.output) == {"score", "code"}


def test_a_network_inside_a_network_called_in_inference_mode_stays_so() -> None:
    inner_x = keras.Input((4,))
    inner = keras.Model(inner_x, layers.BatchNormalization(name="norm")(layers.Dense(6, name="a")(inner_x)))
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(2, name="out")(inner(x, training=False)))
    flat = narrow(unlike(model, 2), {})
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    np.testing.assert_array_equal(flat(rows, training=True), model(rows, training=True))


def test_narrowing_a_nested_network_uses_its_present_weights() -> None:
    model = SPECIMENS["nested"].make()
    graph = analyse(model)
    unlike(model, 99)
    rows = sample(model)
    np.testing.assert_array_equal(run(narrow(model, {}, graph=graph), rows), run(model, rows))


def test_names_that_clash_between_networks_stay_apart() -> None:
    graph = analyse(SPECIMENS["nested"].make())
    assert graph.groups["a"].layers == ("a", "block_a")


def test_a_graph_of_another_network_is_not_used() -> None:
    first, second = SPECIMENS["mlp"].make(), unlike(SPECIMENS["mlp"].make(), 1)
    small = narrow(second, {}, graph=analyse(first))
    rows = sample(second)
    np.testing.assert_array_equal(run(small, rows), run(second, rows))


def test_a_shared_reshape_takes_the_width_of_each_call() -> None:
    x = keras.Input((4,), name="x")
    line = layers.Reshape((1, -1), name="line")
    joined = layers.Concatenate()([line(layers.Dense(6, name="a")(x)), line(layers.Dense(6, name="b")(x))])
    model = unlike(keras.Model(x, layers.Dense(2)(layers.Flatten()(joined))), 4)
    small = narrow(model, {"a": [0, 1], "b": [2, 3, 4]})
    assert {layer.name for layer in small.layers} >= {"line", "line_2"}
    np.testing.assert_array_equal(run(narrow(model, {}), sample(model)), run(model, sample(model)))


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"zz": [0]}, "Expected names of dependency groups, got 'zz'; there are a and b"),
        ({"a": []}, "Group 'a': expected a list of channel indices, at least one"),
        ({"a": [0, 0]}, "expected distinct channels between 0 and 7"),
        ({"a": [8]}, "expected distinct channels between 0 and 7"),
        ({"a": [-1]}, "expected distinct channels between 0 and 7"),
        ({"a": [0.5]}, "expected a list of channel indices"),
        ({"a": [[0]]}, "expected a list of channel indices"),
    ],
)
def test_bad_requests_are_refused(keep: dict[str, list[int]], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        narrow(SPECIMENS["mlp"].make(), keep)


def test_networks_without_a_readable_graph_are_refused() -> None:
    class Own(keras.Model):
        def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
            return inputs

    with pytest.raises(NetworkError, match="subclass Own"):
        analyse(Own())
    with pytest.raises(NetworkError, match="never built"):
        analyse(keras.Sequential([layers.Dense(2)]))


class Scale(keras.layers.Layer):
    """One learned factor per channel."""

    def build(self, input_shape: tuple[int, ...]) -> None:
        self.factor = self.add_weight(shape=(input_shape[-1],))

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return inputs * self.factor


def test_a_rule_for_an_own_layer_can_be_registered() -> None:
    x = keras.Input((4,), name="x")
    model = unlike(keras.Model(x, layers.Dense(2)(Scale(name="scale")(layers.Dense(6, name="a")(x)))), 5)
    assert "a" not in analyse(model).groups

    def rule(call: CallTracer) -> Channels:
        channels = call.last_axis()
        call.weight(call.layer.factor, channels)
        return channels

    register_rule(Scale)(rule)
    try:
        assert analyse(model).groups["a"].channels == 6
        small = narrow(model, {"a": [1, 3]})
        np.testing.assert_array_equal(small.get_layer("scale").factor, model.get_layer("scale").factor.numpy()[[1, 3]])
    finally:
        del tracing._RULES[Scale]


def test_initial_values_of_a_fixed_shape_do_not_hinder() -> None:
    x = keras.Input((3,), dtype="int32", name="x")
    vectors = np.arange(20.0).reshape(5, 4)
    embedded = layers.Embedding(5, 4, embeddings_initializer=keras.initializers.Constant(vectors), name="a")(x)
    small = narrow(keras.Model(x, layers.Dense(2)(layers.Flatten()(embedded))), {"a": [0, 2]})
    np.testing.assert_array_equal(small.get_layer("a").embeddings, vectors[:, [0, 2]])


def test_arguments_may_be_named_in_any_order() -> None:
    x = keras.Input((5, 3), name="x")
    named = {name: layers.Dense(width, name=name)(x) for name, width in (("key", 4), ("query", 6), ("value", 5))}
    attend = layers.MultiHeadAttention(2, 3, output_shape=4, name="mha")
    model = unlike(keras.Model(x, layers.Dense(2)(attend(**named))), 8)
    assert {name: group.channels for name, group in analyse(model).groups.items()} == {
        "key": 4,
        "query": 6,
        "value": 5,
        "mha/heads": 2,
        "mha/key_width": 3,
        "mha/value_width": 3,
        "mha": 4,
    }
    small = narrow(model, {"key": [1], "query": [0, 2], "value": [3, 4]})
    np.testing.assert_array_equal(small.get_layer("query").kernel, model.get_layer("query").kernel.numpy()[:, [0, 2]])


def test_masks_are_not_channels() -> None:
    words = keras.Input((5,), dtype="int32", name="words")
    x = layers.Embedding(9, 6, mask_zero=True, name="code")(words)
    y = layers.MultiHeadAttention(2, 3, name="mha")(x, x)
    model = unlike(keras.Model(words, layers.Dense(2)(layers.LSTM(4, name="lstm")(layers.Add()([x, y])))), 8)
    graph = analyse(model)
    assert set(graph.groups) == {"code", "mha/heads", "mha/key_width", "mha/value_width", "lstm"}
    rows = {"words": np.asarray([[1, 2, 3, 0, 0], [4, 0, 0, 0, 0], [1, 2, 3, 4, 5]])}
    np.testing.assert_array_equal(run(narrow(model, {}, graph=graph), rows), run(model, rows))
    keep = random_keep(graph, 1)
    silence(model, graph, keep)
    np.testing.assert_allclose(run(narrow(model, keep, graph=graph), rows), run(model, rows), rtol=1e-5)


def test_quantised_weights_are_left_alone() -> None:
    x = keras.Input((4,), name="x")
    model = keras.Model(x, layers.Dense(2)(layers.Dense(6, name="a")(x)))
    model.get_layer("a").quantize("int8")
    graph = analyse(model)
    assert not graph.groups
    assert {layer.reason for layer in graph.frozen if layer.name == "a"} == {"its weights are quantised"}


def test_parameters_of_a_network_are_those_keras_counts() -> None:
    for name in ("attention", "recurrent", "nested", "shared", "prepared"):
        model = SPECIMENS[name].make()
        assert measure_cost(model).parameters == model.count_params(), name
