"""Who races on, who is finished, who is chosen, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from darwin_core.contracts import (
    CandidateRecord,
    CandidateStage,
    Genome,
    NetworkCost,
    QualityMetrics,
    Requirement,
    RequirementStatus,
    SearchBudget,
)
from darwin_core.progress import Tracker
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.choice import binding_requirements, choose, next_finalist, reason
from darwin_core.synthesis.effort import Clock, Effort
from darwin_core.synthesis.finishing import finish
from darwin_core.synthesis.nursery import Nursery, Stint
from darwin_core.synthesis.pace import Pace
from darwin_core.synthesis.racing import contenders

RACED, FINISHED = CandidateStage.RACED, CandidateStage.FINISHED


def candidate(
    name: str, performance: float, cautious: float, *, plain: float | None = None, stage: CandidateStage = RACED
) -> Candidate:
    shortfall = max(cautious - 0.5, 0.0) if plain is None else plain
    status = RequirementStatus(requirement=Requirement.parse("accuracy_drop<=0.005"), value=0.01, met=shortfall == 0.0)
    record = CandidateRecord(
        candidate_id=name,
        generation=1,
        parents=(),
        strategy="importance",
        genome=Genome(widths={}),
        cost=NetworkCost(parameters=1_234, macs=5_678, weight_bytes=0, input_features=1),
        quality=QualityMetrics(loss=0.0, accuracy=0.9),
        stage=stage,
        samples=0,
        seconds=0.0,
        performance=performance,
        requirements=(status,),
        feasible=shortfall == 0.0,
    )
    return Candidate(record, Path(), 1 / performance, shortfall, cautious, cautious, 0)


def names(candidates: tuple[Candidate, ...]) -> list[str]:
    return [item.candidate_id for item in candidates]


def test_only_those_that_could_still_win_race_on() -> None:
    good, bigger, smaller, hopeless = (
        candidate("good", 10, 0.0),
        candidate("bigger", 5, 0.4),
        candidate("smaller", 20, 0.8),
        candidate("hopeless", 90, 50.0),
    )
    raced = [bigger, good, hopeless, smaller]
    assert names(contenders(raced, [good])) == ["smaller", "hopeless"]
    assert names(contenders([bigger], [good])) == []
    assert names(contenders(raced, [])) == ["bigger", "smaller"]


def test_the_long_finish_goes_to_the_best_that_promises_more_than_what_is_safe() -> None:
    population = [candidate(name, performance, 0.0) for name, performance in zip("abc", (1, 2, 3), strict=True)]
    hopeless = candidate("z", 90, 50.0)
    assert next_finalist([*population, hopeless]) is population[2]
    failed = candidate("c", 3, 5.0, stage=FINISHED)
    assert next_finalist([*population[:2], failed, hopeless]) is population[1]
    safe = candidate("b", 2, 0.0, stage=FINISHED)
    assert next_finalist([population[0], safe, failed, hopeless]) is None
    assert next_finalist([*population, safe]) is population[2]


def test_without_a_promising_one_the_nearest_is_finished() -> None:
    population = [candidate("x", 10, 5.0), candidate("y", 5, 3.0), candidate("z", 2, 9.0)]
    assert next_finalist(population) is population[1]


class Trainer:
    """Finishes networks; those that are named turn out to be bad."""

    def __init__(self, *disappointing: str) -> None:
        self._disappointing = disappointing

    def train_on(self, item: Candidate, stint: Stint, pace: Pace) -> Candidate:
        cautious = 5.0 if item.candidate_id in self._disappointing else 0.0
        return candidate(item.candidate_id, item.performance, cautious, stage=stint.stage)

    def expect_again(self, item: Candidate) -> Candidate:
        return item


def test_what_is_delivered_is_finished_though_every_finalist_failed() -> None:
    effort = Effort(SearchBudget(), 100, images=False, clock=Clock(None))
    promising = [candidate(name, performance, 0.0) for name, performance in (("a", 9), ("b", 8), ("c", 7), ("d", 6))]
    found = finish(promising, cast(Nursery, Trainer("a", "b", "c")), effort, Pace(Tracker(), 0))
    assert [item.record.stage for item in found] == [FINISHED] * 4
    assert choose(found).candidate_id == "d"


def test_the_best_performing_safe_finished_network_is_chosen() -> None:
    population = [
        candidate("raced", 30, 0.0),
        candidate("small", 20, 0.0, stage=FINISHED),
        candidate("large", 5, 0.0, stage=FINISHED),
        candidate("lucky", 50, 0.3, plain=0.0, stage=FINISHED),
    ]
    assert choose(population).candidate_id == "small"


def test_without_a_safe_one_the_feasible_with_most_room_is_chosen() -> None:
    population = [
        candidate("tight", 50, 0.4, plain=0.0, stage=FINISHED),
        candidate("roomy", 20, 0.1, plain=0.0, stage=FINISHED),
        candidate("missed", 90, 2.0, stage=FINISHED),
    ]
    assert choose(population).candidate_id == "roomy"
    assert "less than their noise" in reason(choose(population), population, "smallest")


def test_without_a_feasible_one_the_nearest_is_chosen_and_what_it_misses_is_named() -> None:
    population = [candidate("far", 90, 9.0, stage=FINISHED), candidate("near", 5, 1.5)]
    chosen = choose(population)
    assert chosen.candidate_id == "near"
    assert binding_requirements(chosen) == ("accuracy_drop<=0.005",)
    sentence = reason(chosen, population, "smallest")
    assert "None of 2 networks" in sentence
    assert "accuracy_drop<=0.005 (reached 0.01)" in sentence
