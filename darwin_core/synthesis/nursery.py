"""The nursery: builds, trains and judges one network at a time, and keeps what it did in the journal.

A stint is a pure function of what it starts from: it begins with a network file, and random generators are put into a
state that seed, candidate and stint determine. So a search killed at any moment finds finished stints in the journal,
goes on with the interrupted one from its last checkpoint, and ends in the same result.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras

from darwin_core.contracts import CandidateRecord, CandidateStage, Genome, NetworkCost, RequirementMetric
from darwin_core.networks import load_network, save_network
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.effort import Effort
from darwin_core.synthesis.examiner import Examiner
from darwin_core.synthesis.journal import Journal
from darwin_core.synthesis.pace import Pace
from darwin_core.synthesis.performance import relative_size
from darwin_core.synthesis.settling import Settler
from darwin_core.training import Distiller, TrainingPlan, stable_seed


@dataclass(frozen=True)
class Birth:
    """An offspring that is still to be built.

    Attributes:
        candidate_id: Its name in the search.
        generation: The generation it belongs to.
        parent: What it inherits from.
        strategy: What proposed it.
        genome: Its design.
        cost: What it will cost.
    """

    candidate_id: str
    generation: int
    parent: Candidate
    strategy: str
    genome: Genome
    cost: NetworkCost


@dataclass(frozen=True)
class Stint:
    """A piece of training: the how-manieth of its candidate, for how many rows, and what it makes of the candidate."""

    number: int
    samples: int
    stage: CandidateStage


class Nursery:
    """Raises candidates.

    Args:
        folder: Where network files and checkpoints go; survives a kill.
        journal: What was done already.
        distiller: Trains.
        examiner: Judges.
        plan: Number of rows -> training plan.
        effort: Learns the machine's speed.
        settler: Touches up networks that are finished.
        seed: Seed of the search.
    """

    def __init__(
        self,
        folder: Path,
        journal: Journal,
        distiller: Distiller,
        examiner: Examiner,
        plan: Callable[[int], TrainingPlan],
        effort: Effort,
        settler: Settler,
        seed: int,
    ) -> None:
        self._folder, self._journal, self._distiller, self._examiner = folder, journal, distiller, examiner
        self._plan, self._effort, self._settler, self._seed = plan, effort, settler, seed
        folder.mkdir(parents=True, exist_ok=True)

    def measure_speed(self, network: keras.Model, cost: NetworkCost) -> None:
        """Learn the machine's speed from a few steps of a network that is thrown away.

        Args:
            network: Trained in place.
            cost: What it costs.
        """
        rows, seconds = self._distiller.trial(network, self._plan(1))
        self._effort.observe(cost, rows, seconds)

    def raise_offspring(self, birth: Birth, inherit: Callable[[], keras.Model], stint: Stint, pace: Pace) -> Candidate:
        """Build an offspring, train it for its first stint and judge it.

        Args:
            birth: Which one.
            inherit: Builds the network with inherited weights.
            stint: How it is trained.
            pace: Advances by rows.
        """
        blank = CandidateRecord(
            candidate_id=birth.candidate_id,
            generation=birth.generation,
            parents=(birth.parent.candidate_id,),
            strategy=birth.strategy,
            genome=birth.genome,
            cost=birth.cost,
            quality=None,
            stage=CandidateStage.PROPOSED,
            samples=0,
            seconds=0.0,
        )
        newborn = Candidate(blank, Path(), 0.0, 0.0, 0.0, 0.0, birth.parent.lineage_samples)
        return self._run(newborn, inherit, stint, pace)

    def train_on(self, candidate: Candidate, stint: Stint, pace: Pace) -> Candidate:
        """Train a candidate for another stint and judge it again."""
        return self._run(candidate, lambda: load_network(candidate.path), stint, pace)

    def expect_again(self, candidate: Candidate) -> Candidate:
        """What a raced candidate is expected to reach, by what the long finishes so far have shown."""
        quality = candidate.record.quality
        if candidate.finished or quality is None:
            return candidate
        remaining = self._effort.remaining_share(candidate.record.cost, candidate.record.samples)
        shortfall = self._examiner.judge.expected_shortfall(quality, candidate.allowance, remaining)
        record = candidate.record.model_copy(update={"promising": shortfall <= 0.0})
        return replace(candidate, record=record, expected_shortfall=shortfall)

    def judge_again(self, candidate: Candidate) -> Candidate:
        """Judge a candidate as it is, without training."""
        return self._judged(candidate, load_network(candidate.path), candidate.path, candidate.record.stage, 0)

    def _run(self, candidate: Candidate, build: Callable[[], keras.Model], stint: Stint, pace: Pace) -> Candidate:
        key = f"{candidate.candidate_id}-{stint.number}"
        path = self._folder / f"{key}.keras"
        entry = self._journal.get(key)
        if entry is None or not path.exists():
            started = time.monotonic()
            network = build()
            trained = self._train(network, key, self._planned(key, stint.samples), stint.stage, pace)
            if stint.stage is CandidateStage.FINISHED:
                self._settler.settle(network)
            save_network(network, path)
            raised = self._judged(candidate, network, path, stint.stage, trained)
            spent = time.monotonic() - started
            record = raised.record.model_copy(update={"seconds": candidate.record.seconds + spent})
            entry = _to_entry(replace(raised, record=record)) | {"seconds": spent}
            self._journal.append(key, entry)
        else:
            pace.advance(entry["lineage_samples"] - candidate.lineage_samples, f"{key} found")
        raised = _from_entry(entry, path)
        self._effort.observe(raised.record.cost, raised.record.samples - candidate.record.samples, entry["seconds"])
        if raised.finished:
            self._learn(candidate.record, raised.record)
        return raised

    def _learn(self, before: CandidateRecord, after: CandidateRecord) -> None:
        if before.quality is not None and after.quality is not None:
            disadvantage = self._examiner.judge.disadvantage
            growth = after.samples / max(before.samples, 1)
            self._effort.observe_finish(disadvantage(before.quality), disadvantage(after.quality), growth)

    def _planned(self, key: str, samples: int) -> int:
        """The rows of a stint; remembered, because a resumed run may find another amount of time left."""
        planned = self._journal.get(f"{key}/plan")
        if planned is None:
            planned = {"samples": samples}
            self._journal.append(f"{key}/plan", planned)
        return int(planned["samples"])

    def _train(self, network: keras.Model, key: str, samples: int, stage: CandidateStage, pace: Pace) -> int:
        checkpoint = self._folder / f"{key}.checkpoint.npz"
        seed = stable_seed(self._seed, key)
        plan = self._plan(samples)
        seconds_left = partial(self._effort.seconds_left, stage)
        outcome = self._distiller.train(
            network, plan, seed=seed, checkpoint=checkpoint, tracker=pace, seconds_left=seconds_left
        )
        checkpoint.unlink(missing_ok=True)
        return outcome.samples

    def _judged(
        self, candidate: Candidate, network: keras.Model, path: Path, stage: CandidateStage, samples: int
    ) -> Candidate:
        seen, lineage = candidate.record.samples + samples, candidate.lineage_samples + samples
        finalist = stage is CandidateStage.FINISHED
        remaining = 1.0 if finalist else self._effort.remaining_share(candidate.record.cost, seen)
        cost, judgement = self._examiner.examine(network, path, finalist=finalist, remaining=remaining)
        record = candidate.record.model_copy(
            update={
                "cost": cost,
                "quality": judgement.quality,
                "stage": stage,
                "samples": seen,
                "lineage_samples": lineage,
                "performance": judgement.performance,
                "requirements": judgement.statuses,
                "feasible": judgement.feasible,
                "promising": judgement.expected_shortfall <= 0.0,
            }
        )
        return Candidate(
            record=record,
            path=path,
            size=relative_size(cost, self._examiner.judge.reference_cost),
            shortfall=judgement.shortfall,
            cautious_shortfall=judgement.cautious_shortfall,
            expected_shortfall=judgement.expected_shortfall,
            lineage_samples=lineage,
            allowance=judgement.allowance,
        )


_FIGURES = ("size", "shortfall", "cautious_shortfall", "expected_shortfall", "lineage_samples")


def _to_entry(candidate: Candidate) -> dict[str, Any]:
    figures = {name: getattr(candidate, name) for name in _FIGURES}
    return {"record": candidate.record.model_dump(mode="json"), "allowance": dict(candidate.allowance), **figures}


def _from_entry(entry: dict[str, Any], path: Path) -> Candidate:
    record = CandidateRecord.model_validate(entry["record"])
    allowance = {RequirementMetric(name): value for name, value in entry["allowance"].items()}
    return Candidate(record=record, path=path, allowance=allowance, **{name: entry[name] for name in _FIGURES})
