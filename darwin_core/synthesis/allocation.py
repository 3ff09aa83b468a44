"""Width allocation: how many channels each dependency group keeps so that the whole network reaches a target.

Every group has an *appetite*; widths are ``scale * appetite * channels``, at least one and at most all, and the largest
scale that the target admits is found by bisection. Uniform narrowing is the case of equal appetites. Costs come from
``estimate_cost``, which is exact and builds nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from darwin_core.contracts import HeadKind, NetworkCost
from darwin_core.dependency import DependencyGraph, estimate_cost
from darwin_core.synthesis.performance import relative_size
from darwin_core.synthesis.requirements import ResourceLimits

_BISECTIONS = 40
_PROBE_SHARE = 0.7


@dataclass(frozen=True)
class Target:
    """What an offspring's cost must not exceed: a size relative to the reference, and ceilings."""

    size: float
    limits: ResourceLimits = field(default_factory=ResourceLimits)


def elasticities(channels: Mapping[str, int], measure: Callable[[Mapping[str, int]], float]) -> dict[str, float]:
    """How strongly a cost depends on the width of each group.

    Args:
        channels: Group -> full width.
        measure: Cost of the network at given widths, positive.

    Returns:
        Group -> d log cost / d log width, measured towards smaller widths; at least 1e-6.
    """
    whole = measure(channels)
    found = {}
    for name, width in channels.items():
        fewer = max(1, round(_PROBE_SHARE * width))
        change = (
            0.0 if fewer == width else math.log(whole / measure({**channels, name: fewer})) / math.log(width / fewer)
        )
        found[name] = max(change, 1e-6)
    return found


class WidthAllocator:
    """Allocates the channels of one network's groups.

    Args:
        graph: The network that offspring are cut from.
        reference_cost: What sizes are relative to.
        head: The head that offspring will have.
        dropped_inputs: The inputs that offspring will not read.
    """

    def __init__(
        self,
        graph: DependencyGraph,
        reference_cost: NetworkCost,
        *,
        head: HeadKind = HeadKind.KEEP,
        dropped_inputs: tuple[str, ...] = (),
    ) -> None:
        self._graph, self._reference_cost = graph, reference_cost
        self._head, self._dropped_inputs = head, dropped_inputs
        self.channels = {name: group.channels for name, group in graph.groups.items()}

    def on(self, graph: DependencyGraph) -> WidthAllocator:
        """The same for another graph: a parent after rewriting."""
        dropped = tuple(name for name in self._dropped_inputs if name in graph.wiring.inputs)
        return WidthAllocator(graph, self._reference_cost, head=self._head, dropped_inputs=dropped)

    def cost(self, widths: Mapping[str, int]) -> NetworkCost:
        """Exact cost of an offspring of these widths."""
        return estimate_cost(self._graph, widths, head=self._head, dropped_inputs=self._dropped_inputs)

    def size(self, widths: Mapping[str, int]) -> float:
        """Size relative to the reference of an offspring of these widths."""
        return relative_size(self.cost(widths), self._reference_cost)

    def allocate(self, appetite: Mapping[str, float], target: Target) -> dict[str, int]:
        """The widest network that the target admits.

        Args:
            appetite: Group -> relative claim on channels, positive; groups not named have 1.
            target: What the cost must not exceed. Where even one channel per group exceeds it, that network results.

        Returns:
            Group -> channels kept.
        """
        low, high = 0.0, 1.0 / min([appetite.get(name, 1.0) for name in self.channels], default=1.0)
        if self._admitted(self._scaled(appetite, high), target):
            return self._scaled(appetite, high)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            if self._admitted(self._scaled(appetite, middle), target):
                low = middle
            else:
                high = middle
            if self._scaled(appetite, low) == self._scaled(appetite, high):
                break
        return self._scaled(appetite, low)

    def elasticities(self) -> dict[str, float]:
        """Group -> relative change of the network's size per relative change of the group's width, positive."""
        return elasticities(self.channels, self.size)

    def _scaled(self, appetite: Mapping[str, float], scale: float) -> dict[str, int]:
        return {
            name: min(channels, max(1, math.floor(scale * appetite.get(name, 1.0) * channels)))
            for name, channels in self.channels.items()
        }

    def _admitted(self, widths: Mapping[str, int], target: Target) -> bool:
        cost = self.cost(widths)
        return target.limits.admits(cost) and relative_size(cost, self._reference_cost) <= target.size
