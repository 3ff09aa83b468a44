"""Inheritance: an offspring starts from its parent's most important channels, not from noise."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import numpy.typing as npt

from darwin_core.contracts import Genome
from darwin_core.dependency import DependencyGraph, narrow
from darwin_core.synthesis.drafts import Draft, Importance, draft


def kept_channels(widths: Mapping[str, int], importance: Importance) -> dict[str, npt.NDArray[np.int64]]:
    """The channels that survive: the most important ones, in their old order.

    Equally important channels are kept from the front, so the choice is reproducible.
    """
    kept = {}
    for group, width in widths.items():
        ranked = np.argsort(-importance[group], kind="stable")
        kept[group] = np.sort(ranked[:width]).astype(np.int64)
    return kept


def inherit(parent: keras.Model, graph: DependencyGraph, genome: Genome, importance: Importance) -> keras.Model:
    """Build the offspring of ``parent`` that ``genome`` describes: rewrite its blocks, then narrow.

    Args:
        parent: The network whose weights are inherited.
        graph: Its dependency graph.
        genome: The design; groups, blocks and inputs that the parent no longer has are passed over.
        importance: Which channels of the parent matter most.

    Raises:
        NetworkError: An operator cannot be applied to its block, with the reason.
    """
    return cut(draft(parent, graph, genome, importance), genome)


def cut(source: Draft, genome: Genome) -> keras.Model:
    """The offspring that ``genome`` describes, from its draft.

    Args:
        source: The rewritten parent.
        genome: The design; groups and inputs that the draft does not have are passed over.
    """
    widths = {group: width for group, width in genome.widths.items() if group in source.graph.groups}
    keep = kept_channels(widths, source.importance)
    dropped = [name for name in genome.dropped_inputs if name in source.graph.wiring.inputs]
    return narrow(source.network, keep, head=genome.head, dropped_inputs=dropped, graph=source.graph)
