"""Every specimen through every property that narrowing must have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.families import ALL
from support.surgery import random_keep, silence
from support.zoo import run, sample

from darwin_core.dependency import analyse, estimate_cost, magnitude_importance, narrow, uniform_widths
from darwin_core.networks import load_network, measure_cost, save_network


@pytest.fixture(params=ALL, scope="module")
def specimen(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_groups_and_frozen_layers(specimen: str) -> None:
    expected = ALL[specimen]
    graph = analyse(expected.make())
    assert {name: group.channels for name, group in graph.groups.items()} == expected.groups
    assert {layer.name.rstrip("_0123456789") for layer in graph.frozen} == expected.frozen
    assert all(layer.reason for layer in graph.frozen)


def test_keeping_everything_changes_nothing(specimen: str) -> None:
    model = ALL[specimen].make()
    inputs, same = sample(model), narrow(model, {})
    assert np.array_equal(run(model, inputs), run(same, inputs))
    assert measure_cost(same) == measure_cost(model)
    assert {item.name for item in same.inputs} == {item.name for item in model.inputs}
    assert same.name == model.name


def test_removing_silent_channels_changes_nothing(specimen: str) -> None:
    if ALL[specimen].mixes:
        pytest.skip("a layer computes statistics over channels")
    model = ALL[specimen].make()
    graph = analyse(model)
    for seed in range(2):
        keep = random_keep(graph, seed)
        silence(model, graph, keep)
        inputs = sample(model)
        small = narrow(model, keep, graph=graph)
        np.testing.assert_allclose(run(small, inputs), run(model, inputs), rtol=1e-4, atol=1e-5)


def test_cost_is_known_before_and_groups_survive(specimen: str) -> None:
    model = ALL[specimen].make()
    graph = analyse(model)
    for seed in (3, 4):
        keep = random_keep(graph, seed)
        small = narrow(model, keep, graph=graph)
        assert measure_cost(small) == estimate_cost(graph, {name: len(kept) for name, kept in keep.items()})
    again = analyse(narrow(model, {name: np.arange(-(-g.channels // 2)) for name, g in graph.groups.items()}))
    if "grouped" not in specimen and "maps" not in specimen:  # there the finest coupling depends on the widths
        assert set(again.groups) == set(graph.groups)
    narrow(again.source, {name: [0] for name in again.groups}, graph=again)


def test_a_narrowed_network_is_a_plain_keras_file(specimen: str, tmp_path: Path) -> None:
    model = ALL[specimen].make()
    graph = analyse(model)
    importance = magnitude_importance(graph)
    keep = {name: np.argsort(importance[name])[-width:] for name, width in uniform_widths(graph, 0.5).items()}
    small = narrow(model, keep, graph=graph)
    save_network(small, tmp_path / "small.keras")
    inputs = sample(model)
    loaded = load_network(tmp_path / "small.keras")
    np.testing.assert_array_equal(run(loaded, inputs), run(small, inputs))
    assert measure_cost(loaded) == measure_cost(small)
