"""Analysis beyond single layers: names, shared and nested layers, extension, what is refused."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
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
    reasons = {layer.name: layer.reason for layer in analyse(SPECIMENS["unknown_layer"].make()).frozen}
    assert reasons["out"] == "its channels are the network's output"
    assert reasons["dot"] == "there is no rule for layers of type Dot"
    assert reasons["a"] == "it is connected with layer 'dot' (Dot): there is no rule for layers of type Dot"


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
        ({"zz": [0]}, "Expected names of dependency groups, got 'zz'; there are a, b"),
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
