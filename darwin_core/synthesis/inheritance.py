"""Inheritance: an offspring starts from its parent's most important channels, not from noise."""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np
import numpy.typing as npt

from darwin_core.contracts import Genome, Insights
from darwin_core.dependency import DependencyGraph, narrow

Importance = Mapping[str, npt.NDArray[np.floating]]
"""Dependency group -> importance per channel."""


def importance_of(insights: Insights) -> Importance:
    """What the inquisitor saw, as arrays."""
    return {item.group: np.asarray(item.importance, np.float64) for item in insights.groups}


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
    """Build the offspring of ``parent`` that ``genome`` describes.

    Args:
        parent: The network whose weights are inherited.
        graph: Its dependency graph.
        genome: The design; groups that the parent no longer has are passed over.
        importance: Which channels of the parent matter most.
    """
    widths = {group: width for group, width in genome.widths.items() if group in graph.groups}
    keep = kept_channels(widths, importance)
    return narrow(parent, keep, head=genome.head, dropped_inputs=genome.dropped_inputs, graph=graph)
