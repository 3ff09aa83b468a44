"""From ids to dependency groups: channels that several layers can only lose together, and that are interchangeable.

    conv_a (4 filters) --> Add --> conv_c          channel 2 of conv_a and channel 2 of conv_b meet in the Add, so they
    conv_b (4 filters) ----^                       have coupled ids: one class. All four classes touch the same arrays
                                                   in the same number, so they form one group of four channels.

Because the classes of a group touch every weight axis equally often, the cost of a network depends on the widths of
its groups alone, never on which channels are kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from darwin_core.contracts import FrozenLayer, GroupSummary
from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import Trace


@dataclass(frozen=True)
class DependencyGroup:
    """Channels that can only be removed together from all the layers that touch them.

    ``roots`` holds the representative id of each channel: the group's channel 3 is all positions with ``roots[3]``.
    """

    name: str
    channels: int
    layers: tuple[str, ...]
    consumers: tuple[str, ...]
    roots: Ids

    def summary(self) -> GroupSummary:
        """The group as a contract."""
        return GroupSummary(name=self.name, channels=self.channels, layers=self.layers, consumers=self.consumers)


def find_groups(trace: Trace) -> dict[str, DependencyGroup]:
    """The dependency groups of a traced network, in the order of their first layers.

    A group is named after the first layer that produces it, so the name survives narrowing. Where that is ambiguous,
    all producers are named (``a+b``), and where even that is, a count follows (``a+b#2``).
    """
    producers, signatures = _producers(trace), _signatures(trace)
    members: dict[tuple[object, ...], list[int]] = {}
    for root, touched in signatures.items():
        if root in producers and root not in trace.ids.frozen_because:
            members.setdefault(tuple(sorted(touched.items())), []).append(root)
    touching = _touching_layers(trace)
    names = _names([tuple(producers[roots[0]]) for roots in members.values()])
    groups = {}
    for name, roots in zip(names, members.values(), strict=True):
        made_by = tuple(dict.fromkeys(label.split("/")[0] for label in producers[roots[0]]))
        consumers = tuple(layer for layer in touching[roots[0]] if layer not in made_by)
        groups[name] = DependencyGroup(name, len(roots), made_by, consumers, np.asarray(roots, dtype=np.int64))
    return groups


def find_frozen(trace: Trace) -> tuple[FrozenLayer, ...]:
    """Every layer that keeps its full width, or a part of it, and why."""
    frozen: dict[str, FrozenLayer] = {}
    for traced in trace.calls:
        reason = traced.given_up or _frozen_reason(trace, [ids for _, ids in traced.produced])
        if reason is not None:
            call = traced.call
            frozen.setdefault(call.name, FrozenLayer(name=call.name, kind=call.kind, reason=reason))
    return tuple(frozen.values())


def _frozen_reason(trace: Trace, produced: list[Ids]) -> str | None:
    because = trace.ids.frozen_because
    roots = (root for ids in produced for root in trace.ids.roots[ids].tolist())
    return next((because[root] for root in roots if root in because), None)


def _producers(trace: Trace) -> dict[int, dict[str, None]]:
    """Root -> the layers (with role) that produce it, in the order of calls."""
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for traced in trace.calls:
        for label, ids in traced.produced:
            for root in trace.ids.roots[ids].tolist():
                found[root][label] = None
    return found


def _arrays(trace: Trace) -> Iterator[tuple[str, Ids]]:
    """Every id array that a cost can depend on, with the layer it belongs to."""
    for traced in trace.calls:
        for _, ids in traced.produced:
            yield traced.call.name, ids
        for weight in traced.weights.values():
            for axis in weight.axes:
                if axis is not None:
                    yield traced.call.name, axis
        for part in traced.parts:
            yield traced.call.name, part


def _signatures(trace: Trace) -> dict[int, dict[int, int]]:
    """Root -> how often it occurs in each array."""
    found: dict[int, dict[int, int]] = defaultdict(dict)
    for number, (_, ids) in enumerate(_arrays(trace)):
        roots, counts = np.unique(trace.ids.roots[ids], return_counts=True)
        for root, count in zip(roots.tolist(), counts.tolist(), strict=True):
            found[root][number] = count
    return found


def _touching_layers(trace: Trace) -> dict[int, dict[str, None]]:
    """Root -> layers with a weight axis along it, in the order of calls."""
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for layer, ids in _arrays(trace):
        for root in np.unique(trace.ids.roots[ids]).tolist():
            found[root][layer] = None
    return found


def _names(producers: list[tuple[str, ...]]) -> list[str]:
    """A unique name for each tuple of producers."""
    firsts = Counter(labels[0] for labels in producers)
    names = [labels[0] if firsts[labels[0]] == 1 else "+".join(labels) for labels in producers]
    return _counted(names)


def _counted(names: list[str]) -> list[str]:
    seen: Counter[str] = Counter()
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return unique


def matches(first: Mapping[str, DependencyGroup], second: Mapping[str, DependencyGroup]) -> bool:
    """Whether two analyses of one network speak of the same groups."""
    return {name: group.channels for name, group in first.items()} == {
        name: group.channels for name, group in second.items()
    }
