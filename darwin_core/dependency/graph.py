"""The dependency graph of a network: its groups, what is frozen, and what may be dropped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras

import darwin_core.dependency.rules  # noqa: F401  (registers the built-in rules)
from darwin_core.contracts import FrozenLayer, GroupSummary, HeadKind
from darwin_core.dependency.groups import DependencyGroup, find_frozen, find_groups, matches
from darwin_core.dependency.heads import poolable_flattens
from darwin_core.dependency.probing import ProbePoint, find_probe_points
from darwin_core.dependency.rebuilding import flatten_nested
from darwin_core.dependency.selection import View, is_droppable
from darwin_core.dependency.tracing import trace_network
from darwin_core.networks.wiring import Wiring, read_wiring


@dataclass(frozen=True)
class DependencyGraph:
    """What can be removed from a network, and what goes with what.

    ``source`` is the analysed network. ``model`` is the same network without nesting: the very same object where
    nothing was nested, a copy otherwise. Probe points are tensors of ``model``.
    """

    source: keras.Model
    model: keras.Model
    wiring: Wiring
    source_wiring: Wiring
    views: Mapping[HeadKind, View]
    estimators: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """Cost estimators made so far, by head and dropped inputs."""

    @property
    def groups(self) -> Mapping[str, DependencyGroup]:
        """Name -> dependency group, in the order of their first layers."""
        return self.views[HeadKind.KEEP].groups

    @cached_property
    def frozen(self) -> tuple[FrozenLayer, ...]:
        """Layers that keep their full width, each with the reason."""
        return find_frozen(self.views[HeadKind.KEEP].trace)

    @cached_property
    def droppable_inputs(self) -> tuple[str, ...]:
        """Named inputs that the network can do without, one at a time; empty for a network with a single input."""
        view = self.views[HeadKind.KEEP]
        return tuple(name for name in self.wiring.inputs if is_droppable(view, [name]))

    @property
    def heads(self) -> tuple[HeadKind, ...]:
        """Heads that make a difference: pooling only where a Flatten can be replaced by it."""
        return tuple(self.views)

    def view(self, head: HeadKind) -> View:
        """The traced network under a head; a head that makes no difference gives the plain network."""
        return self.views.get(head, self.views[HeadKind.KEEP])

    def summaries(self) -> tuple[GroupSummary, ...]:
        """All groups as contracts."""
        return tuple(group.summary() for group in self.groups.values())

    def probe_points(self) -> Mapping[str, tuple[ProbePoint, ...]]:
        """For each group the tensors of ``model`` at which its channels are best observed."""
        return find_probe_points(self.views[HeadKind.KEEP])

    def can_drop(self, inputs: Iterable[str]) -> bool:
        """Whether these named inputs can be dropped together."""
        return is_droppable(self.views[HeadKind.KEEP], inputs)


def analyse(model: keras.Model) -> DependencyGraph:
    """Find the dependency groups of a Functional or Sequential network.

    Raises:
        NetworkError: The network's graph cannot be read.
    """
    source_wiring = wiring = read_wiring(model)
    flat = model
    if wiring.nested:
        flat = flatten_nested(wiring)
        wiring = read_wiring(flat)
    trace = trace_network(wiring)
    views = {HeadKind.KEEP: View(trace, find_groups(trace))}
    pooled = poolable_flattens(wiring)
    if pooled:
        trace = trace_network(wiring, pooled)
        view = View(trace, find_groups(trace))
        if matches(view.groups, views[HeadKind.KEEP].groups):
            views[HeadKind.GLOBAL_POOLING] = view
    return DependencyGraph(model, flat, wiring, source_wiring, views)
