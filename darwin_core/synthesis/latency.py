"""From a bound on latency to a bound on MACs, by measuring networks of the right shape before any of them is trained.

Latency is about a constant for calling the layers plus a time per MAC, and neither is known beforehand: a network with
a tenth of the MACs is rarely ten times as fast. So reference and narrowest network are measured, the bound is looked
for between them by interpolation, and every network measured on the way narrows the interval: regula falsi, in the
Illinois variant, which does not creep where latency is curved (M. Dowell and P. Jarratt, BIT 11, 1971).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from darwin_core.contracts import HeadKind, Latency, NetworkCost
from darwin_core.dependency import DependencyGraph, narrow
from darwin_core.networks import save_network
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.journal import Journal
from darwin_core.synthesis.requirements import RequirementsIndicator, ResourceLimits

_AIM = 0.96
"""Share of the bound that is aimed at: measured again, a network is a few per cent slower or faster."""
_NEAR_ENOUGH = (0.92, 0.99)
_MOST_STEPS = 8

Measure = Callable[[Path], Latency]


class LatencyCalibration:
    """Finds how many MACs a network may have under the requirements on latency.

    Args:
        indicator: Knows the requirements.
        measure: Measures the latency of a network file.
        folder: Where networks are put to be measured.
        journal: Remembers what was measured.
    """

    def __init__(self, indicator: RequirementsIndicator, measure: Measure, folder: Path, journal: Journal) -> None:
        self._indicator, self._measure, self._folder, self._journal = indicator, measure, folder, journal

    def most_macs(self, graph: DependencyGraph, cost: NetworkCost, head: HeadKind, dropped: tuple[str, ...]) -> float:
        """The MACs up to which the requirements on latency are kept.

        Args:
            graph: The reference's dependency graph.
            cost: What the reference costs, its latency included.
            head: The head of all offspring.
            dropped: Inputs that no offspring reads.

        Returns:
            Infinity where the reference keeps them itself. Where not even one channel per group does, that network's
            MACs: the nearest there is.
        """
        above = (float(cost.macs), self._use(cost))
        if above[1] <= _AIM:
            return math.inf
        allocator = WidthAllocator(graph, cost, head=head, dropped_inputs=dropped)
        below = self._measured(graph, allocator, ResourceLimits(macs=0), head, dropped)
        stayed = None
        for _ in range(_MOST_STEPS):
            if below[1] >= _NEAR_ENOUGH[0]:
                break
            share = (_AIM - below[1]) / (above[1] - below[1])
            macs = below[0] + share * (above[0] - below[0])
            found = self._measured(graph, allocator, ResourceLimits(macs=macs), head, dropped)
            if _NEAR_ENOUGH[0] <= found[1] <= _NEAR_ENOUGH[1]:
                return found[0]
            if found[0] <= below[0]:
                break
            if found[1] < _AIM:
                below = found
                above = _nearer(above) if stayed == "above" else above
                stayed = "above"
            else:
                above = found
                below = _nearer(below) if stayed == "below" else below
                stayed = "below"
        return below[0]

    def _use(self, cost: NetworkCost) -> float:
        """Latency over its bound; where several are required, the highest of them."""
        return 1.0 / self._indicator.latency_share(cost, most=math.inf)

    def _measured(
        self,
        graph: DependencyGraph,
        allocator: WidthAllocator,
        limits: ResourceLimits,
        head: HeadKind,
        dropped: tuple[str, ...],
    ) -> tuple[float, float]:
        """(MACs, latency over its bound) of the widest network within limits."""
        widths = allocator.allocate({}, Target(1.0, limits))
        cost = allocator.cost(widths)
        key = f"latency/{cost.macs}"
        entry = self._journal.get(key)
        if entry is None:
            keep = {name: np.arange(width) for name, width in widths.items()}
            network = narrow(graph.source, keep, head=head, dropped_inputs=dropped, graph=graph)
            entry = self._time(network).model_dump(mode="json")
            self._journal.append(key, entry)
        return float(cost.macs), self._use(cost.model_copy(update={"latency": Latency.model_validate(entry)}))

    def _time(self, network: keras.Model) -> Latency:
        path = self._folder / "latency.keras"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_network(network, path)
        try:
            return self._measure(path)
        finally:
            path.unlink()


def _nearer(end: tuple[float, float]) -> tuple[float, float]:
    """An end of the interval that was kept twice counts as half as far from the aim."""
    return end[0], (end[1] + _AIM) / 2
