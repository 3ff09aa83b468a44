"""Allocation reaches its target and follows appetites; generators turn insights into appetites."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from darwin_core.contracts import Genome, GroupInsight, HeadKind, Insights
from darwin_core.dependency import analyse
from darwin_core.networks import measure_cost
from darwin_core.synthesis import ImportanceGenerator, RandomGenerator, Situation, UniformGenerator
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.inheritance import inherit
from darwin_core.synthesis.requirements import ResourceLimits


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Early layers cost MACs, late ones parameters."""
    x = image = keras.Input((16, 16, 3), name="image")
    for number, filters in enumerate((16, 32, 32)):
        x = keras.layers.Conv2D(filters, 3, padding="same", name=f"conv_{number}")(x)
        x = keras.layers.BatchNormalization()(x)
        x = keras.layers.ReLU()(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dense(64, activation="relu", name="hidden")(keras.layers.Flatten()(x))
    return keras.Model(image, keras.layers.Dense(5, name="out")(x))


@pytest.fixture(scope="module")
def allocator(network: keras.Model) -> WidthAllocator:
    return WidthAllocator(analyse(network), measure_cost(network))


def insights(importance: dict[str, float], allocator: WidthAllocator) -> Insights:
    groups = tuple(
        GroupInsight(group=name, importance=(importance.get(name, 1.0),) * channels, redundancy=0.0, sensitivity=1.0)
        for name, channels in allocator.channels.items()
    )
    return Insights(network="n", rows=1, groups=groups, input_use={"image": 1.0})


@pytest.mark.parametrize("size", [0.7, 0.2, 0.05])
def test_the_target_is_used_up_and_not_exceeded(allocator: WidthAllocator, size: float) -> None:
    widths = allocator.allocate({}, Target(size))
    assert allocator.size(widths) <= size
    wider = {name: min(width + 1, allocator.channels[name]) for name, width in widths.items()}
    assert allocator.size(wider) > size


def test_widths_follow_appetites(allocator: WidthAllocator) -> None:
    plain = allocator.allocate({}, Target(0.1))
    hungry = allocator.allocate({"conv_0": 3.0}, Target(0.1))
    assert hungry["conv_0"] > plain["conv_0"]
    assert all(hungry[name] <= plain[name] for name in plain if name != "conv_0")
    assert allocator.size(hungry) <= 0.1


def test_ceilings_bind_even_where_the_size_would_allow_more(allocator: WidthAllocator) -> None:
    limits = ResourceLimits(parameters=3_000, macs=200_000)
    cost = allocator.cost(allocator.allocate({}, Target(1.0, limits)))
    assert cost.parameters <= 3_000
    assert cost.macs <= 200_000


@pytest.mark.parametrize(("parameters", "macs"), [(3_000, 200_000), (8_000, 100_000), (600, 60_000)])
def test_ceilings_on_parameters_and_macs_are_both_used_up(
    allocator: WidthAllocator, parameters: int, macs: int
) -> None:
    cost = allocator.cost(allocator.allocate({}, Target(1.0, ResourceLimits(parameters=parameters, macs=macs))))
    alone = [
        allocator.cost(allocator.allocate({}, Target(1.0, ResourceLimits(**{name: bound}))))
        for name, bound in (("parameters", parameters), ("macs", macs))
    ]
    uniform = min(alone, key=lambda item: item.parameters)
    assert 0.8 * parameters < cost.parameters <= parameters
    assert 0.8 * macs < cost.macs <= macs
    assert uniform.macs < 0.8 * macs or uniform.parameters < 0.8 * parameters


def test_a_ceiling_far_away_tilts_nothing(allocator: WidthAllocator) -> None:
    near = allocator.allocate({}, Target(0.1))
    cost = allocator.cost(near)
    limits = ResourceLimits(parameters=100 * cost.parameters, macs=100 * cost.macs)
    found = allocator.allocate({}, Target(0.1, limits))
    assert all(0 <= width - near[name] <= 1 for name, width in found.items())


def test_an_impossible_ceiling_gives_the_smallest_network_there_is(allocator: WidthAllocator) -> None:
    widths = allocator.allocate({}, Target(1.0, ResourceLimits(parameters=1)))
    assert set(widths.values()) == {1}


def test_elasticities_say_where_size_comes_from(network: keras.Model, allocator: WidthAllocator) -> None:
    found = allocator.elasticities()
    for name, share in found.items():
        width = allocator.channels[name] * 7 // 8
        shrunk = allocator.size(dict(allocator.channels) | {name: width})
        assert shrunk == pytest.approx((width / allocator.channels[name]) ** share, rel=0.02), name


def test_importance_per_cost_buys_width(allocator: WidthAllocator) -> None:
    rng = np.random.default_rng(0)
    target = Target(0.1)
    plain = UniformGenerator().propose(Situation(allocator, insights({}, allocator), target), rng)
    favoured = ImportanceGenerator(spread=0.0).propose(
        Situation(allocator, insights({"conv_1": 50.0}, allocator), target), rng
    )
    assert favoured.widths["conv_1"] > plain.widths["conv_1"]
    assert allocator.size(favoured.widths) <= 0.1


def test_strength_zero_is_uniform_narrowing(allocator: WidthAllocator) -> None:
    rng = np.random.default_rng(0)
    situation = Situation(allocator, insights({"conv_1": 50.0}, allocator), Target(0.1))
    assert ImportanceGenerator(strength=0.0, spread=0.0).propose(situation, rng) == UniformGenerator().propose(
        situation, rng
    )


@pytest.mark.parametrize("generator", [ImportanceGenerator(), RandomGenerator(), UniformGenerator()])
def test_every_generator_is_reproducible_and_its_designs_cost_what_was_estimated(
    network: keras.Model, generator: ImportanceGenerator | RandomGenerator | UniformGenerator
) -> None:
    graph = analyse(network)
    allocator = WidthAllocator(graph, measure_cost(network), head=HeadKind.GLOBAL_POOLING)
    situation = Situation(allocator, insights({}, allocator), Target(0.05), HeadKind.GLOBAL_POOLING)
    one, same = (generator.propose(situation, np.random.default_rng(3)) for _ in range(2))
    assert one == same
    importance = {name: np.arange(channels) for name, channels in allocator.channels.items()}
    offspring = inherit(network, graph, one, importance)
    assert measure_cost(offspring) == allocator.cost(one.widths)


def test_offspring_inherit_the_most_important_channels(network: keras.Model) -> None:
    graph = analyse(network)
    importance = {name: np.arange(group.channels) for name, group in graph.groups.items()}
    importance["conv_0"] = np.asarray([9.0] + [0.0] * 14 + [9.0])
    genome = Genome(widths={"conv_0": 3})
    offspring = inherit(network, graph, genome, importance)
    kernel, bias = network.get_layer("conv_0").get_weights()
    np.testing.assert_array_equal(offspring.get_layer("conv_0").get_weights()[0], kernel[..., [0, 1, 15]])
    np.testing.assert_array_equal(offspring.get_layer("conv_0").get_weights()[1], bias[[0, 1, 15]])
