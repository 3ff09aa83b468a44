"""Width allocation: how many channels each dependency group keeps so that the whole network reaches a target.

Every group has an *appetite*; widths are ``scale * appetite * channels``, at least one and at most all, and the largest
scale that the target admits is found by bisection. Uniform narrowing is the case of equal appetites. Costs come from
``estimate_cost``, which is exact and builds nothing.

Of a ceiling on parameters and one on MACs, one binds first. Early layers of a picture network cost MACs and late ones
parameters, so appetites are tilted towards the layers that are cheap in what is scarce, by a power t of

    (elasticity of the MACs in the group's width) / (elasticity of the parameters in it)

and t is found by bisection: both ceilings are to be used up. What rounding leaves below ceilings is spent on single
channels, where the group furthest behind its appetite comes first.
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
_TILTS = 7
_STEEPEST_TILT = 1.0
_USED_UP = 0.97
"""Share of a ceiling from which on it counts as used up."""
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
        if not target.limits.bounded:
            return self._widest(appetite, target)
        if not (math.isfinite(target.limits.parameters) and math.isfinite(target.limits.macs)):
            return self._filled(appetite, target)
        return self._balanced(appetite, target)

    def elasticities(self) -> dict[str, float]:
        """Group -> relative change of the network's size per relative change of the group's width, positive."""
        return elasticities(self.channels, self.size)

    def _balanced(self, appetite: Mapping[str, float], target: Target) -> dict[str, int]:
        """Widths that use up the ceilings on parameters and on MACs, as nearly as tilted appetites can."""
        scarcities, tried = self._scarcities(), []
        low, tilt, high = -_STEEPEST_TILT, 0.0, _STEEPEST_TILT
        for _ in range(_TILTS):
            tilted = {name: appetite.get(name, 1.0) * ratio**tilt for name, ratio in scarcities.items()}
            tried.append(self._filled(tilted, target))
            parameters, macs = self._use(tried[-1], target.limits)
            if min(parameters, macs) >= _USED_UP or max(parameters, macs) < _USED_UP:
                break
            low, high = (tilt, high) if parameters > macs else (low, tilt)
            tilt = (low + high) / 2
        return max(tried, key=lambda widths: min(self._use(widths, target.limits)))

    def _use(self, widths: Mapping[str, int], limits: ResourceLimits) -> tuple[float, float]:
        """Shares of the ceilings on parameters and MACs that a network of these widths takes."""
        cost = self.cost(widths)
        return cost.parameters / limits.parameters, cost.macs / limits.macs

    def _scarcities(self) -> dict[str, float]:
        """Group -> how much more its width costs in MACs than in parameters, both relative to the network's."""
        macs = elasticities(self.channels, lambda widths: self.cost(widths).macs)
        parameters = elasticities(self.channels, lambda widths: self.cost(widths).parameters)
        return {name: macs[name] / parameters[name] for name in self.channels}

    def _widest(self, appetite: Mapping[str, float], target: Target) -> dict[str, int]:
        """The largest multiple of the appetites that the target admits."""
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

    def _filled(self, appetite: Mapping[str, float], target: Target) -> dict[str, int]:
        """The same, and what rounding has left below the target spent on at most one channel more per group."""
        widths = self._widest(appetite, target)
        behind = sorted(widths, key=lambda name: widths[name] / (appetite.get(name, 1.0) * self.channels[name]))
        for name in behind:
            wider = {**widths, name: min(widths[name] + 1, self.channels[name])}
            if self._admitted(wider, target):
                widths = wider
        return widths

    def _scaled(self, appetite: Mapping[str, float], scale: float) -> dict[str, int]:
        return {
            name: min(channels, max(1, math.floor(scale * appetite.get(name, 1.0) * channels)))
            for name, channels in self.channels.items()
        }

    def _admitted(self, widths: Mapping[str, int], target: Target) -> bool:
        cost = self.cost(widths)
        return target.limits.admits(cost) and relative_size(cost, self._reference_cost) <= target.size
