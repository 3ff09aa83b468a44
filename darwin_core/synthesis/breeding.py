"""Breeding one generation: probe the parent, propose designs, raise the offspring, let them race."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from darwin_core.contracts import CandidateStage, HeadKind, NetworkCost
from darwin_core.dependency import DependencyGraph, analyse, estimate_cost
from darwin_core.networks import load_network
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.columns import ColumnSelector
from darwin_core.synthesis.drafts import Drafts
from darwin_core.synthesis.effort import Effort, Outlook
from darwin_core.synthesis.generators import Generator, Situation
from darwin_core.synthesis.inheritance import cut
from darwin_core.synthesis.inputs import inputs_to_drop
from darwin_core.synthesis.nursery import Birth, Nursery, Stint
from darwin_core.synthesis.pace import Pace
from darwin_core.synthesis.probings import Probings
from darwin_core.synthesis.racing import contenders
from darwin_core.synthesis.requirements import ResourceLimits
from darwin_core.training import stable_seed

_WORTH_HALVING = 1e11
"""Operations of a race below which building a network takes longer than training it."""


@dataclass(frozen=True)
class Frame:
    """What all offspring of a search have in common.

    Attributes:
        reference_cost: What sizes are relative to.
        limits: Ceilings from the requirements.
        head: The head of every offspring.
        dropped_inputs: The inputs that no offspring reads, because the requirements admit fewer.
    """

    reference_cost: NetworkCost
    limits: ResourceLimits
    head: HeadKind
    dropped_inputs: tuple[str, ...]


class Breeder:
    """Breeds generations.

    Args:
        generator: Proposes designs.
        probings: Probes parents.
        selector: Finds columns that parents can do without.
        nursery: Raises offspring.
        effort: Says how many rows they see.
        frame: What offspring have in common.
        seed: Seed of the search.
    """

    def __init__(
        self,
        generator: Generator,
        probings: Probings,
        selector: ColumnSelector,
        nursery: Nursery,
        effort: Effort,
        frame: Frame,
        *,
        seed: int,
    ) -> None:
        self._generator, self._probings, self._selector, self._nursery = generator, probings, selector, nursery
        self._effort, self._frame, self._seed = effort, frame, seed

    def breed(
        self,
        generation: int,
        outlook: Outlook,
        parent: Candidate,
        sizes: Sequence[float],
        promising: Sequence[Candidate],
        pace: Pace,
        history: Sequence[Candidate] = (),
    ) -> list[Candidate]:
        """One generation.

        Args:
            generation: Its number; the first is 1.
            outlook: How many generations are to come, this one included.
            parent: What the offspring inherit from.
            sizes: Relative size of each offspring.
            promising: Networks that promise to keep the quality.
            pace: Advances by rows.
            history: The reference and all candidates before, from which a generator may learn.

        Returns:
            The offspring after their race.
        """
        pace.note(f"generation {generation}: choosing what to keep")
        network = load_network(parent.path)
        graph = analyse(network)
        drafts = Drafts(network, graph, self._probings.of(parent, graph))
        births = self._births(generation, parent, graph, drafts, sizes, history)
        return self._race(generation, outlook, drafts, births, promising, pace)

    def thin(
        self,
        generation: int,
        outlook: Outlook,
        parent: Candidate,
        columns: int,
        promising: Sequence[Candidate],
        pace: Pace,
    ) -> list[Candidate]:
        """A generation of one: its parent with the columns it uses least left out, as wide as it is.

        Args:
            generation: Its number.
            outlook: How many generations are to come, this one included.
            parent: What it inherits from.
            columns: Columns that stay.
            promising: Networks that promise to keep the quality.
            pace: Advances by rows.

        Returns:
            The offspring; nothing where no column can go.
        """
        network = load_network(parent.path)
        graph = analyse(network)
        insights = self._probings.of(parent, graph)
        spare = inputs_to_drop(graph, insights.input_use, columns)
        if not spare:
            return []
        genome = parent.record.genome.model_copy(
            update={
                "widths": {name: group.channels for name, group in graph.groups.items()},
                "dropped_inputs": (*parent.record.genome.dropped_inputs, *spare),
            }
        )
        cost = estimate_cost(graph, genome.widths, head=genome.head, dropped_inputs=spare)
        births = [Birth(f"g{generation}n1", generation, parent, "fewer columns", genome, cost)]
        return self._race(generation, outlook, Drafts(network, graph, insights), births, promising, pace)

    def _race(
        self,
        generation: int,
        outlook: Outlook,
        drafts: Drafts,
        births: Sequence[Birth],
        promising: Sequence[Candidate],
        pace: Pace,
    ) -> list[Candidate]:
        if self._effort.wants_speed and births:
            first = births[0]
            self._nursery.measure_speed(cut(drafts.of(first.genome), first.genome), first.cost)
        stints = {birth.candidate_id: self._stints(generation, outlook, birth.cost, len(births)) for birth in births}
        rows = sum(item[0].samples for item in stints.values())
        if any(stint.stage is CandidateStage.FINISHED for stint, *_ in stints.values()):
            pace.expect(rows)
        else:
            pace.expect_generations(outlook.generations, rows * 3 // 2)
        raced = []
        for birth in births:
            pace.note(f"generation {generation}: {birth.cost.parameters:,} parameters")
            build = partial(cut, drafts.of(birth.genome), birth.genome)
            raced.append(self._nursery.raise_offspring(birth, build, stints[birth.candidate_id][0], pace))
        for item in contenders(raced, [*promising, *(other for other in raced if other.promising)]):
            for stint in stints[item.candidate_id][1:]:
                raced[raced.index(item)] = self._nursery.train_on(item, stint, pace)
        return raced

    def _stints(self, generation: int, outlook: Outlook, cost: NetworkCost, count: int) -> tuple[Stint, ...]:
        """The race of one offspring: in one go where it is cheap, else in halves.

        The only network of a search has nobody to race against, so it gets the long finish at once.
        """
        if generation == outlook.generations == count == 1:
            return (Stint(1, self._effort.finish_samples(cost, 1), CandidateStage.FINISHED),)
        races = 0.75 * count * outlook.generations
        samples = self._effort.race_samples(cost, races)
        if 3 * cost.macs * samples < _WORTH_HALVING:
            return (Stint(1, samples, CandidateStage.RACED),)
        half = max(1, samples // 2)
        return Stint(1, half, CandidateStage.RACED), Stint(2, half, CandidateStage.RACED)

    def _births(
        self,
        generation: int,
        parent: Candidate,
        graph: DependencyGraph,
        drafts: Drafts,
        sizes: Sequence[float],
        history: Sequence[Candidate],
    ) -> list[Birth]:
        rng = np.random.default_rng(stable_seed(self._seed, "generation", generation))
        present = tuple(name for name in self._frame.dropped_inputs if name in graph.wiring.inputs)
        going = self._selector.removable(graph.source, graph, drafts.insights.input_use, present)
        allocator = WidthAllocator(graph, self._frame.reference_cost, head=self._frame.head, dropped_inputs=going)
        situation = Situation(
            allocator,
            drafts.insights,
            Target(1.0, self._frame.limits),
            self._frame.head,
            (*parent.record.genome.dropped_inputs, *going),
            parent.record.genome.blocks,
            parent.record.genome.early_downsampling,
            drafts,
            tuple(item.record for item in history),
        )
        births: list[Birth] = []
        seen: set[str] = set()
        for number, size in enumerate(sizes, start=1):
            target = Target(size, self._frame.limits)
            genome = self._generator.propose(replace(situation, target=target), rng)
            if genome.digest() in seen:
                continue
            seen.add(genome.digest())
            cost = allocator.on(drafts.of(genome).graph).cost(genome.widths)
            births.append(Birth(f"g{generation}n{number}", generation, parent, self._generator.name, genome, cost))
        return births
