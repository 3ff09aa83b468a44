"""A proposal distribution that learns from the races: a cross-entropy method over width profiles and rewritings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darwin_core.contracts import BlockOperator, CandidateRecord, Genome
from darwin_core.errors import NetworkError
from darwin_core.synthesis.generators.base import Generator, Situation
from darwin_core.synthesis.generators.importance import ImportanceGenerator
from darwin_core.synthesis.generators.registry import register_generator

Floats = npt.NDArray[np.float64]

_ELITE_SHARE = 0.5
_MEMORY = 0.7
"""How much less an example counts with every generation that passes."""
_SAME_SIZE = 0.05
"""Variance of the logarithm of sizes below which nothing is put down to size."""
_SMALLEST_SPREAD = 0.05
_PLAIN = 0.6
"""How likely widths alone are changed, as long as nothing is known."""
_EVERYWHERE = (BlockOperator.DEPTHWISE_SEPARABLE, BlockOperator.LOW_RANK, BlockOperator.SMALLER_KERNEL)


@dataclass(frozen=True)
class _Lesson:
    """A judged candidate: its design, its parent's, and how many candidates it stands for as an example."""

    genome: Genome
    parent: Genome | None
    worth: float


@register_generator
class LearnedGenerator(Generator):
    """Starts from importance and moves towards what did well for its size.

    A width profile is x_g = log(w_g / W_g), w_g channels of group g where the reference has W_g, less its mean over
    groups, so that it says nothing about size. Profiles are drawn from independent normal distributions. Of the judged
    candidates, the better half are examples; their weights v_i fall with the rank (Hansen, "The CMA evolution
    strategy", arXiv 1604.00772) and with age, and sum to the number n of candidates, older ones counting less. With a
    prior worth k candidates of mean m0 (claims by importance) and spread s0,

        mean   = (k m0 + sum v_i x_i) / (k + n)
        spread^2 = (k s0^2 + sum v_i (x_i - mean)^2) / (k + n)

    as in the cross-entropy method (Rubinstein, 1999) with a conjugate prior, since a search judges dozens of networks
    and not thousands. Rank is by quality, after what size and generation explain is taken out by least squares. Which
    operator is applied everywhere (or none) is drawn from frequencies that are learned in the same way.

    All it knows comes from the candidates in `Situation.history`: a resumed search learns the same.

    Args:
        prior: How many candidates the prior is worth.
        spread: Standard deviation of a profile's entries as long as nothing is known.
        rewrites: Whether blocks are rewritten, too.
    """

    name = "learned"

    def __init__(self, prior: float = 2.0, spread: float = 0.5, *, rewrites: bool = True) -> None:
        self._prior, self._spread, self._rewrites = prior, spread, rewrites
        self._start = ImportanceGenerator(spread=0.0)

    def appetite(self, situation: Situation, rng: np.random.Generator) -> Mapping[str, float]:
        """A profile drawn from the distribution, as claims on the parent's channels."""
        names = list(situation.allocator.channels)
        full = _reference_widths(situation)
        own = np.asarray([situation.allocator.channels[name] for name in names], float)
        whole = np.asarray([full.get(name, situation.allocator.channels[name]) for name in names], float)
        start = self._start.appetite(situation, rng)
        claims = np.log([start[name] for name in names]) + np.log(own / whole)
        mean, spread = self._distribution(names, claims - claims.mean(), full, situation)
        profile = mean + spread * rng.normal(size=len(names))
        return dict(zip(names, (np.exp(profile) * whole / own).tolist(), strict=True))

    def propose(self, situation: Situation, rng: np.random.Generator) -> Genome:
        """The design of one offspring."""
        plan = self._plan(situation, rng) if self._rewrites else {}
        with suppress(NetworkError):  # an operator that was offered need not fit beside what was rewritten before
            situation = situation.rewritten(plan)
        return super().propose(situation, rng)

    def _distribution(
        self, names: Sequence[str], start: Floats, full: Mapping[str, int], situation: Situation
    ) -> tuple[Floats, Floats]:
        """Mean and spread of the profile's entries, in the order of ``names``."""
        lessons = [
            lesson for lesson in _lessons(situation.history) if all(name in lesson.genome.widths for name in names)
        ]
        spread = np.full(len(names), self._spread)
        if not lessons:
            return start, spread
        worth = np.asarray([lesson.worth for lesson in lessons])
        profiles = np.asarray(
            [[np.log(lesson.genome.widths[name] / full.get(name, 1)) for name in names] for lesson in lessons]
        )
        profiles -= profiles.mean(axis=1, keepdims=True)
        known = self._prior + worth.sum()
        mean = (self._prior * start + worth @ profiles) / known
        variance = (self._prior * self._spread**2 + worth @ (profiles - mean) ** 2) / known
        return mean, np.maximum(np.sqrt(variance), _SMALLEST_SPREAD)

    def _plan(self, situation: Situation, rng: np.random.Generator) -> dict[str, BlockOperator]:
        """The blocks to be rewritten: one operator wherever it saves enough, or none."""
        plans: dict[BlockOperator, dict[str, BlockOperator]] = {BlockOperator.KEEP: {}}
        plans |= {operator: plan for operator in _EVERYWHERE if (plan := situation.everywhere(operator))}
        chances = self._prior * np.asarray(
            [_PLAIN if plan is BlockOperator.KEEP else (1.0 - _PLAIN) / max(len(plans) - 1, 1) for plan in plans]
        )
        for lesson in _lessons(situation.history):
            applied = _applied(lesson)
            chances += lesson.worth * np.asarray([plan is applied for plan in plans])
        return list(plans.values())[int(rng.choice(len(plans), p=chances / chances.sum()))]


def _reference_widths(situation: Situation) -> Mapping[str, int]:
    return situation.history[0].genome.widths if situation.history else situation.allocator.channels


def _applied(lesson: _Lesson) -> BlockOperator:
    """The operator that a candidate has in more blocks than its parent; KEEP where there is none."""
    before = lesson.parent.blocks if lesson.parent else {}
    new = Counter(operator for layer, operator in lesson.genome.blocks.items() if before.get(layer) is not operator)
    return new.most_common(1)[0][0] if new else BlockOperator.KEEP


def _lessons(history: Sequence[CandidateRecord]) -> list[_Lesson]:
    """The better half of the judged candidates, the better the more worth."""
    judged = [record for record in history if record.generation > 0 and record.quality is not None]
    if len(judged) < 2:
        return []
    genomes = {record.candidate_id: record.genome for record in history}
    order = np.argsort(_residuals(judged, history[0]), kind="stable")
    count = max(1, round(_ELITE_SHARE * len(judged)))
    newest = max(record.generation for record in judged)
    present = np.asarray([_MEMORY ** (newest - record.generation) for record in judged])
    worth = (np.log(count + 0.5) - np.log(np.arange(1, count + 1))) * present[order[:count]]
    worth *= present.sum() / worth.sum()
    return [
        _Lesson(judged[place].genome, genomes.get(judged[place].parents[0]), float(value))
        for place, value in zip(order[:count], worth, strict=True)
    ]


def _residuals(judged: Sequence[CandidateRecord], reference: CandidateRecord) -> Floats:
    """Loss of each candidate less what its generation and its size explain; small is good."""
    losses = np.asarray([_loss(record, reference) for record in judged])
    sizes = np.asarray([np.log(max(record.cost.parameters, 1)) + np.log(max(record.cost.macs, 1)) for record in judged])
    generations = np.asarray([record.generation for record in judged])
    for generation in np.unique(generations):
        own = generations == generation
        losses[own] -= losses[own].mean()
        sizes[own] -= sizes[own].mean()
    slope = float(sizes @ losses) / (float(sizes @ sizes) + _SAME_SIZE * len(judged))
    return losses - slope * sizes


def _loss(record: CandidateRecord, reference: CandidateRecord) -> float:
    """What is wanted small: the loss relative to the reference's, on a scale on which differences compare."""
    own, theirs = record.quality, reference.quality
    if own is None or theirs is None:
        return 0.0
    return float(np.log(max(own.loss, 1e-9) / max(theirs.loss, 1e-9)))
