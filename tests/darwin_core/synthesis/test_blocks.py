"""Designs of whole blocks: drafts, what offspring inherit through them, and the generator that proposes them."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from support.learning import make_search
from support.zoo import run, sample, unlike

from darwin_core.contracts import BlockOperator, Genome, GroupInsight, Insights, SearchBudget
from darwin_core.dependency import analyse
from darwin_core.errors import RequestError
from darwin_core.networks import load_network, measure_cost
from darwin_core.synthesis import (
    BlocksGenerator,
    Generator,
    SeparableGenerator,
    Situation,
    UniformGenerator,
    generator_named,
)
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.drafts import Drafts
from darwin_core.synthesis.inheritance import cut, inherit
from darwin_core.training import prepare_runtime


@pytest.fixture(scope="module")
def network() -> keras.Model:
    x = image = keras.Input((16, 16, 3), name="image")
    for number, filters in enumerate((16, 16, 24)):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{number}")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D()(x) if number else x
    y = layers.Conv2D(24, 3, padding="same", activation="relu", name="inner")(x)
    x = layers.Add(name="sum")([x, layers.Conv2D(24, 3, padding="same", name="back")(y)])
    x = layers.Dense(32, activation="relu", name="hidden")(layers.Flatten()(x))
    return unlike(keras.Model(image, layers.Dense(5, name="out")(x)), 2)


def situation(network: keras.Model, size: float = 0.1) -> Situation:
    graph = analyse(network)
    allocator = WidthAllocator(graph, measure_cost(network))
    rng = np.random.default_rng(0)
    groups = tuple(
        GroupInsight(
            group=name, importance=tuple(rng.uniform(0.5, 1.5, group.channels)), redundancy=0.1, sensitivity=1.0
        )
        for name, group in graph.groups.items()
    )
    insights = Insights(network="n", rows=1, groups=groups, input_use={"image": 1.0})
    return Situation(allocator, insights, Target(size), drafts=Drafts(network, graph, insights))


BLOCKS = {
    "conv_1": BlockOperator.DEPTHWISE_SEPARABLE,
    "hidden": BlockOperator.LOW_RANK,
    "sum": BlockOperator.DROP,
    "out": BlockOperator.KEEP,
}


def test_the_cost_of_a_rewritten_design_is_known_before_it_is_built(network: keras.Model) -> None:
    given = situation(network)
    rewritten = given.rewritten(BLOCKS, early_downsampling=True)
    genome = UniformGenerator().propose(rewritten, np.random.default_rng(0))
    assert genome.blocks == BLOCKS
    assert genome.early_downsampling
    assert rewritten.allocator.size(genome.widths) <= 0.1
    assert given.drafts is not None
    offspring = cut(given.drafts.of(genome), genome)
    assert measure_cost(offspring) == rewritten.allocator.cost(genome.widths)
    assert {"conv_1_depthwise", "conv_1_pointwise", "hidden_reduce", "hidden_expand"} <= {
        layer.name for layer in offspring.layers
    }
    assert not {"inner", "back", "sum"} & {layer.name for layer in offspring.layers}


def test_groups_that_were_there_before_keep_what_was_seen_of_them(network: keras.Model) -> None:
    given = situation(network)
    seen = {item.group: item.importance for item in given.insights.groups}
    after = {item.group: item.importance for item in given.rewritten(BLOCKS).insights.groups}
    assert set(after) == {"conv_0", "conv_1_pointwise", "conv_2", "hidden_reduce", "hidden_expand"}
    assert after["conv_1_pointwise"] == pytest.approx(seen["conv_1"])
    assert after["hidden_expand"] == pytest.approx(seen["hidden"])
    assert sum(after["hidden_reduce"]) == pytest.approx(sum(seen["hidden"]))
    # Singular values come largest first, and so the channels of a rank by their importance.
    assert np.all(np.diff(after["hidden_reduce"]) <= 1e-9)


def test_an_offspring_inherits_the_most_important_channels_of_the_rewritten_parent(network: keras.Model) -> None:
    graph = analyse(network)
    importance = {name: np.arange(group.channels) for name, group in graph.groups.items()}
    genome = Genome(widths={"conv_1_pointwise": 2}, blocks={"conv_1": BlockOperator.DEPTHWISE_SEPARABLE})
    offspring = inherit(network, graph, genome, importance)
    whole = inherit(network, graph, Genome(widths={}, blocks=genome.blocks), importance)
    np.testing.assert_array_equal(
        offspring.get_layer("conv_1_pointwise").kernel, whole.get_layer("conv_1_pointwise").kernel[..., 14:]
    )


def test_what_an_ancestor_went_through_is_passed_over(network: keras.Model) -> None:
    graph = analyse(network)
    genome = Genome(widths={}, blocks=BLOCKS, early_downsampling=True)
    importance = {name: np.ones(group.channels) for name, group in graph.groups.items()}
    child = inherit(network, graph, genome, importance)
    again = analyse(child)
    ones = {name: np.ones(group.channels) for name, group in again.groups.items()}
    grandchild = inherit(child, again, genome, ones)
    rows = sample(child)
    np.testing.assert_array_equal(run(child, rows), run(grandchild, rows))
    assert measure_cost(child) == measure_cost(grandchild)


def test_the_generator_rewrites_some_blocks_and_meets_its_target(network: keras.Model) -> None:
    given = situation(network)
    proposed = [BlocksGenerator().propose(given, np.random.default_rng(seed)) for seed in range(24)]
    again = [BlocksGenerator().propose(given, np.random.default_rng(seed)) for seed in range(3)]
    assert again == proposed[:3]
    kinds = [operator for genome in proposed for operator in genome.blocks.values()]
    assert {BlockOperator.DEPTHWISE_SEPARABLE, BlockOperator.LOW_RANK, BlockOperator.SMALLER_KERNEL} <= set(kinds)
    assert any(not genome.blocks for genome in proposed)
    assert any(genome.early_downsampling for genome in proposed)
    some = [genome for genome in proposed if len(genome.blocks) <= 2]
    everywhere = [genome for genome in proposed if genome not in some]
    assert any(genome.blocks for genome in some)
    assert everywhere
    for genome in everywhere:
        (operator,) = set(genome.blocks.values())
        offered = {offer.layer for offer in given.offers.blocks if offer.operator is operator}
        assert set(genome.blocks) <= offered
        assert operator is not BlockOperator.DROP
    assert given.drafts is not None
    for genome in proposed[:6]:
        found = measure_cost(cut(given.drafts.of(genome), genome))
        assert found == given.allocator.on(given.drafts.of(genome).graph).cost(genome.widths)
        assert given.allocator.on(given.drafts.of(genome).graph).size(genome.widths) <= 0.1


def test_blocks_that_matter_less_for_what_they_cost_are_rewritten_more_often(network: keras.Model) -> None:
    given = situation(network)
    groups = tuple(
        item.model_copy(update={"sensitivity": 16.0 if item.group == "conv_1" else 1.0})
        for item in given.insights.groups
    )
    guarded = Situation(
        given.allocator, given.insights.model_copy(update={"groups": groups}), given.target, drafts=given.drafts
    )

    def count(case: Situation) -> int:
        genomes = [
            BlocksGenerator(1, UniformGenerator()).propose(case, np.random.default_rng(seed)) for seed in range(60)
        ]
        return sum(set(genome.blocks) == {"conv_1"} for genome in genomes)

    assert count(guarded) < count(given)


def test_every_convolution_that_costs_much_is_split(network: keras.Model) -> None:
    given = situation(network)
    genome = SeparableGenerator().propose(given, np.random.default_rng(0))
    offered = {offer.layer for offer in given.offers.blocks if offer.operator is BlockOperator.DEPTHWISE_SEPARABLE}
    assert genome.blocks.keys() <= offered
    assert set(genome.blocks.values()) == {BlockOperator.DEPTHWISE_SEPARABLE}
    assert given.drafts is not None
    assert given.allocator.on(given.drafts.of(genome).graph).size(genome.widths) <= 0.1
    child = SeparableGenerator().propose(situation(cut(given.drafts.of(genome), genome)), np.random.default_rng(0))
    assert not child.blocks, "what is split already is not split again"


def test_without_drafts_the_generator_of_blocks_is_that_of_widths(network: keras.Model) -> None:
    given = situation(network)
    bare = Situation(given.allocator, given.insights, given.target)
    genome = BlocksGenerator(most=1).propose(bare, np.random.default_rng(1))
    assert not genome.blocks
    assert not genome.early_downsampling


def test_generators_are_found_by_name() -> None:
    for name in ("importance", "uniform", "random", "blocks", "separable"):
        found = generator_named(name)
        assert isinstance(found, Generator)
        assert found.name == name
    with pytest.raises(RequestError, match=r"'nobody'.*blocks, importance, learned, random, separable, uniform"):
        generator_named("nobody")


def test_a_search_over_blocks_and_inputs_finds_networks_that_are_as_described(tmp_path: Path) -> None:
    prepare_runtime(0)
    budget = SearchBudget(generations=2, offspring=1, generation_samples=2_000, final_samples=2_000)
    search = make_search(tmp_path, ("pr_auc_drop<=0.3", "input_features<=2"), budget=budget, generator="blocks", seed=1)
    candidates = search.run().record.candidates
    assert {item.strategy for item in candidates} <= {"blocks", "fewer columns"}
    assert candidates[0].strategy == "blocks"
    assert any(item.genome.blocks for item in candidates)
    for item in candidates:
        path = max((tmp_path / "work" / "networks").glob(f"{item.candidate_id}-*.keras"))
        network = load_network(path)
        assert measure_cost(network) == item.cost
        assert item.cost.input_features <= 2
        assert not set(item.genome.blocks) & {layer.name for layer in network.layers}
        groups = {name: group.channels for name, group in analyse(network).groups.items()}
        assert groups == item.genome.widths
    by_id = {item.candidate_id: item for item in candidates}
    later = [item for item in candidates if item.parents != ("reference",)]
    assert later
    for item in later:
        parent = by_id[item.parents[0]]
        assert set(parent.genome.blocks) <= set(item.genome.blocks)
        assert set(parent.genome.dropped_inputs) <= set(item.genome.dropped_inputs)
