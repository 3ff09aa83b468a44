"""What is said of a network without data: where to probe it, how important its channels are, the whole inspection."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from support.families import ALL
from support.zoo import SPECIMENS, sample

from darwin_core.contracts import Task
from darwin_core.dependency import analyse, estimate_cost, inspect_network, magnitude_importance, narrow, uniform_widths
from darwin_core.errors import RequestError
from darwin_core.networks import save_network


@pytest.mark.parametrize("specimen", ALL)
def test_probe_points_see_all_channels_of_their_group(specimen: str) -> None:
    graph = analyse(ALL[specimen].make())
    points = graph.probe_points()
    assert list(points) == list(graph.groups)
    for name, found in points.items():
        assert found, name
        for point in found:
            if point.part is None:
                assert len(point.channels) == point.tensor.shape[-1]
            assert set(range(graph.groups[name].channels)) == set(point.channels.tolist()) - {-1}


def test_points_lie_behind_the_activation() -> None:
    graph = analyse(SPECIMENS["residual"].make())
    points = graph.probe_points()
    # The stem is read twice, so it is seen where it is made; the branch that returns is seen behind sum and activation.
    assert [point.layer for point in points["stem"]] == ["stem", graph.model.layers[-3].name]
    assert [type(graph.model.get_layer(point.layer)) for point in points["inner"]] == [layers.ReLU]


def test_points_can_be_computed() -> None:
    graph = analyse(SPECIMENS["nested"].make())
    tensors = [point.tensor for found in graph.probe_points().values() for point in found]
    probe = keras.Model(graph.model.inputs, tensors)
    assert len(keras.tree.flatten(probe(sample(graph.model)))) == len(tensors)


def test_importance_follows_the_weights() -> None:
    model = SPECIMENS["residual"].make()
    graph = analyse(model)
    for name in ("stem", "back"):
        kernel = model.get_layer(name).kernel
        kernel.assign(kernel * np.asarray([10, 1, 1, 1, 1, 1, 1, 1], "float32"))
    scores = magnitude_importance(graph)
    assert set(scores) == set(graph.groups)
    assert scores["stem"].shape == (8,)
    assert np.argmax(scores["stem"]) == 0
    assert scores["stem"][0] > 2 * scores["stem"][1:].max()
    assert scores["inner"].mean() == pytest.approx(1)


def test_importance_of_weights_that_say_nothing() -> None:
    model = SPECIMENS["mlp"].make()
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    np.testing.assert_array_equal(magnitude_importance(analyse(model))["a"], np.ones(8))


def test_uniform_widths() -> None:
    graph = analyse(SPECIMENS["mlp"].make())
    assert uniform_widths(graph, 0.5) == {"a": 4, "b": 3}
    assert uniform_widths(graph, 0.01) == {"a": 1, "b": 1}
    assert uniform_widths(graph, 1) == {"a": 8, "b": 6}
    for share in (0, -1, 1.5):
        with pytest.raises(RequestError, match="share"):
            uniform_widths(graph, share)


def test_estimates_refuse_impossible_widths() -> None:
    graph = analyse(SPECIMENS["mlp"].make())
    for width in (0, 9):
        with pytest.raises(RequestError, match=f"width between 1 and 8, got {width}"):
            estimate_cost(graph, {"a": width})
    with pytest.raises(RequestError, match="got 'zz'"):
        estimate_cost(graph, {"zz": 1})


def test_inspection(tmp_path: Path) -> None:
    model = SPECIMENS["flattened_map"].make()
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    save_network(model, tmp_path / "net.keras")
    found = inspect_network(model, tmp_path / "net.keras")
    assert found.output is not None
    assert (found.output.task, found.output.from_logits) == (Task.MULTICLASS, True)
    assert sum(layer.parameters for layer in found.layers) == found.cost.parameters == model.count_params()
    assert [group.name for group in found.groups] == ["a", "b"]
    assert [layer.name for layer in found.frozen] == ["out"]
    assert found.from_json(found.to_json()) == found


def test_inspection_of_a_network_that_does_not_say_what_it_predicts() -> None:
    assert inspect_network(narrow(SPECIMENS["mlp"].make(), {})).output is None
