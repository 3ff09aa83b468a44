"""The learned proposal distribution moves towards what did well, and forgets nothing on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from support.learning import make_search

from darwin_core.contracts import (
    BlockOperator,
    CandidateRecord,
    CandidateStage,
    Genome,
    Insights,
    QualityMetrics,
    SearchBudget,
)
from darwin_core.dependency import analyse
from darwin_core.networks import measure_cost
from darwin_core.synthesis import Generator, LearnedGenerator, RandomGenerator, Situation
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.drafts import Drafts
from darwin_core.synthesis.search import SearchOutcome

INSIGHTS = Insights(network="reference", rows=1, groups=(), input_use={})


@pytest.fixture(scope="module")
def situation() -> Situation:
    x = image = keras.Input((12, 12, 3), name="image")
    for number in range(3):
        x = keras.layers.Conv2D(32, 3, padding="same", activation="relu", name=f"conv_{number}")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    network = keras.Model(image, keras.layers.Dense(4, name="out")(x))
    graph, cost = analyse(network), measure_cost(network)
    reference = record("reference", 0, Genome(widths={f"conv_{n}": 32 for n in range(3)}), 1.0)
    drafts = Drafts(network, graph, INSIGHTS)
    return Situation(
        WidthAllocator(graph, cost), INSIGHTS, Target(0.1), drafts=drafts, history=(replace_cost(reference, cost),)
    )


def record(name: str, generation: int, genome: Genome, loss: float) -> CandidateRecord:
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    return CandidateRecord(
        candidate_id=name,
        generation=generation,
        parents=("reference",) if generation else (),
        strategy="learned",
        genome=genome,
        cost=measure_cost(network),
        quality=QualityMetrics(loss=loss),
        stage=CandidateStage.RACED,
        samples=1,
        seconds=0.0,
    )


def replace_cost(item: CandidateRecord, cost: object) -> CandidateRecord:
    return item.model_copy(update={"cost": cost})


def loss_of(genome: Genome) -> float:
    """The second convolution is what matters, the last one hardly."""
    widths = genome.widths
    return float(np.exp(-0.8 * np.log(widths["conv_1"]) - 0.1 * np.log(widths["conv_0"] * widths["conv_2"])))


def losses(generator: Generator, situation: Situation, seed: int) -> np.ndarray:
    """Mean loss of the proposals of each of six generations of four."""
    means, history = [], situation.history
    for generation in range(1, 7):
        rng = np.random.default_rng(100 * seed + generation)
        born = [generator.propose(replace(situation, history=history), rng) for _ in range(4)]
        costs = [situation.allocator.cost(genome.widths) for genome in born]
        history += tuple(
            replace_cost(record(f"g{generation}n{n}", generation, genome, loss_of(genome)), cost)
            for n, (genome, cost) in enumerate(zip(born, costs, strict=True))
        )
        means.append(np.mean([loss_of(genome) for genome in born]))
    return np.asarray(means)


def test_its_proposals_get_better_from_generation_to_generation_and_random_ones_do_not(situation: Situation) -> None:
    learned = np.mean([losses(LearnedGenerator(rewrites=False), situation, seed) for seed in range(2)], axis=0)
    random = np.mean([losses(RandomGenerator(0.4), situation, seed) for seed in range(2)], axis=0)
    assert learned[-3:].mean() < 0.9 * learned[0]
    assert learned[-2:].mean() < 0.92 * random.mean()
    assert 0.8 < random[-3:].mean() / random[:3].mean() < 1.3


def test_it_keeps_the_target_and_knows_nothing_without_history(situation: Situation) -> None:
    for history in (situation.history, ()):
        genome = LearnedGenerator(rewrites=False).propose(replace(situation, history=history), np.random.default_rng(0))
        assert situation.allocator.size(genome.widths) <= 0.1
        assert set(genome.widths) == {"conv_0", "conv_1", "conv_2"}


def test_an_operator_that_did_well_is_proposed_more_often(situation: Situation) -> None:
    def share(history: tuple[CandidateRecord, ...]) -> float:
        told = replace(situation, history=history)
        rng = np.random.default_rng(5)
        plans = [LearnedGenerator()._plan(told, rng) for _ in range(60)]
        return float(np.mean([BlockOperator.DEPTHWISE_SEPARABLE in plan.values() for plan in plans]))

    blocks = {"conv_1": BlockOperator.DEPTHWISE_SEPARABLE, "conv_2": BlockOperator.DEPTHWISE_SEPARABLE}
    good = [record(f"g1n{n}", 1, Genome(widths={"conv_0": 8}, blocks=blocks), 0.2) for n in range(6)]
    bad = [record(f"g1n{n}", 1, Genome(widths={"conv_0": 8}), 0.9) for n in range(6, 12)]
    assert share((*situation.history, *good, *bad)) > share(situation.history) + 0.25


def essence(outcome: SearchOutcome) -> list[object]:
    return [item.model_copy(update={"seconds": 0.0}) for item in outcome.record.candidates]


def test_a_search_that_was_killed_learns_the_same(tmp_path: Path) -> None:
    budget = SearchBudget(generations=2, offspring=2, generation_samples=2_000, final_samples=2_000)
    first = make_search(tmp_path, budget=budget, generator="learned").run()
    assert {item.strategy for item in first.record.candidates} <= {"learned", "fewer columns"}
    journal = tmp_path / "work" / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line)["key"].startswith(("g1", "generation-1", "tables"))]
    assert 0 < len(kept) < len(lines)
    journal.write_text("".join(kept))
    assert essence(make_search(tmp_path, budget=budget, generator="learned").run()) == essence(first)
