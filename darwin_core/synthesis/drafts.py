"""Drafts: a parent after rewriting, at full width, from which offspring of one block design are cut.

A design's widths and its cost can only be known of the rewritten network. It is built and analysed once per design, as
soon as a generator asks for it, and narrowed for every offspring that has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import numpy.typing as npt

from darwin_core.contracts import BlockOperator, Genome, GroupInsight, Insights
from darwin_core.dependency import DependencyGraph, analyse, magnitude_importance
from darwin_core.networks.wiring import Wiring
from darwin_core.rewriting import Offers, Rewriting, apply_operators, can_downsample_early, offers

Importance = Mapping[str, npt.NDArray[np.floating]]
"""Dependency group -> importance per channel."""


@dataclass(frozen=True)
class Draft:
    """A parent after rewriting.

    Attributes:
        network: The network, at full width.
        graph: Its dependency graph.
        importance: Which of its channels matter most.
    """

    network: keras.Model
    graph: DependencyGraph
    importance: Importance


def pending_blocks(wiring: Wiring, blocks: Mapping[str, BlockOperator]) -> dict[str, BlockOperator]:
    """Operators that are still to be applied; those whose layer is gone have been applied to an ancestor."""
    layers = wiring.layers()
    return {
        name: operator for name, operator in blocks.items() if operator is not BlockOperator.KEEP and name in layers
    }


def draft(parent: keras.Model, graph: DependencyGraph, genome: Genome, importance: Importance) -> Draft:
    """Rewrite a parent as a genome's blocks say; the parent itself where nothing is left to be rewritten.

    Args:
        parent: The network whose weights are inherited.
        graph: Its dependency graph.
        genome: The design; blocks that the parent no longer has are passed over.
        importance: Which channels of the parent matter most.

    Raises:
        NetworkError: An operator cannot be applied, with the reason.
    """
    blocks = pending_blocks(graph.wiring, genome.blocks)
    halve = genome.early_downsampling and can_downsample_early(graph.wiring)
    if not blocks and not halve:
        return Draft(parent, graph, importance)
    rewritten = apply_operators(parent, blocks, early_downsampling=halve)
    new = analyse(rewritten.network)
    return Draft(rewritten.network, new, carried_importance(importance, rewritten, new))


def carried_importance(importance: Importance, rewritten: Rewriting, graph: DependencyGraph) -> Importance:
    """Importance of the groups of a rewritten network.

    Groups that were there before, under the name of the layer that makes their channels now, keep what was seen of
    them. New groups (a rank, say) are ranked by the magnitude of their weights, and matter as much in all as the group
    of the layer that they were split from.

    Args:
        importance: Of the network before.
        rewritten: The network after.
        graph: Its dependency graph.
    """
    before = {new: old for old, new in rewritten.successors.items()}
    usual = float(np.mean([float(np.sum(values)) for values in importance.values()] or [1.0]))
    magnitude: Importance = {}
    found: dict[str, npt.NDArray[np.floating]] = {}
    for name, group in graph.groups.items():
        known = importance.get(_translated(name, before))
        if known is not None and len(known) == group.channels:
            found[name] = np.asarray(known, np.float64)
            continue
        magnitude = magnitude or magnitude_importance(graph)
        split_from = importance.get(_translated(name, rewritten.origins))
        total = usual if split_from is None else float(np.sum(split_from))
        found[name] = magnitude[name] / max(float(np.sum(magnitude[name])), 1e-12) * total
    return found


def _translated(group: str, names: Mapping[str, str]) -> str:
    """A group's name with other layer names in it; see `darwin_core.dependency.groups` on how groups are named."""
    return "".join(names.get(part, part) for part in re.split(r"([+#/])", group))


class Drafts:
    """The drafts of one parent, each made once.

    Args:
        parent: The network.
        graph: Its dependency graph.
        insights: What the inquisitor saw of it.
    """

    def __init__(self, parent: keras.Model, graph: DependencyGraph, insights: Insights) -> None:
        self._parent, self._graph, self.insights = parent, graph, insights
        self._importance = {item.group: np.asarray(item.importance, np.float64) for item in insights.groups}
        self._made: dict[str, Draft] = {}

    @cached_property
    def offers(self) -> Offers:
        """What of the parent can be rewritten."""
        return offers(self._graph.model)

    def of(self, genome: Genome) -> Draft:
        """The draft that a genome is cut from.

        Raises:
            NetworkError: An operator cannot be applied, with the reason.
        """
        design = Genome(widths={}, blocks=genome.blocks, early_downsampling=genome.early_downsampling).digest()
        if design not in self._made:
            self._made[design] = draft(self._parent, self._graph, genome, self._importance)
        return self._made[design]

    def insights_of(self, genome: Genome) -> Insights:
        """What is known of a draft without probing it: importance, and redundancy of groups that were there before."""
        found = self.of(genome)
        if found.network is self._parent:
            return self.insights
        redundancy = {item.group: item.redundancy for item in self.insights.groups}
        groups = tuple(
            GroupInsight(
                group=name,
                importance=tuple(np.asarray(values, np.float64).tolist()),
                redundancy=redundancy.get(name, 0.0),
                sensitivity=0.0,
            )
            for name, values in found.importance.items()
        )
        return self.insights.model_copy(update={"groups": groups})
