"""Which input features a network can do without."""

from __future__ import annotations

from collections.abc import Mapping

from darwin_core.dependency import DependencyGraph


def inputs_to_drop(graph: DependencyGraph, use: Mapping[str, float], most: int | None) -> tuple[str, ...]:
    """The least used named inputs, so that at most so many features are left.

    An input that the network's structure needs stays, and then more of the others go. Where too few can go, the
    network keeps more features than asked for, and the requirement is reported as missed.

    Args:
        graph: The network's dependency graph.
        use: Input feature -> share of its use.
        most: Features that may stay; None: all.
    """
    if most is None:
        return ()
    dropped: list[str] = []
    for name in sorted(graph.droppable_inputs, key=lambda item: use.get(item, 0.0)):
        if len(graph.wiring.inputs) - len(dropped) <= max(most, 1):
            break
        if graph.can_drop([*dropped, name]):
            dropped.append(name)
    return tuple(dropped)
