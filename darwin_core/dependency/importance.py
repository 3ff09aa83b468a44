"""Widths and importances that need no data."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from darwin_core.dependency.graph import DependencyGraph
from darwin_core.errors import RequestError
from darwin_core.networks.measuring import weights_of

_STATISTICS = ("moving_mean", "moving_variance")


def uniform_widths(graph: DependencyGraph, share: float) -> dict[str, int]:
    """The same share of every group, rounded, at least one channel.

    Args:
        graph: The dependency graph of a network.
        share: Between 0 (exclusive) and 1.
    """
    if not 0 < share <= 1:
        raise RequestError(f"Expected a share of the width above 0 and at most 1, got {share}.")
    return {name: max(1, round(share * group.channels)) for name, group in graph.groups.items()}


def magnitude_importance(graph: DependencyGraph) -> dict[str, NDArray[np.float64]]:
    """Importance of each group's channels from the sizes of the weights alone.

    For every weight that runs along a channel, the root of the sum of its squared entries, relative to the mean over
    the group's channels; the mean of that over all weights of the group, producers and consumers alike (the group norm
    of Fang et al., arXiv 2301.12900, with every weight counted equally). Biases and running statistics say little
    about what a channel contributes and are left out.

    Returns:
        Group -> (channels,) scores, mean 1 (all 1 where the weights say nothing).
    """
    trace = graph.views[next(iter(graph.views))].trace
    sources = graph.source_wiring.layers()
    roots = trace.ids.roots
    energies: dict[str, list[NDArray[np.float64]]] = {name: [] for name in graph.groups}
    seen: set[str] = set()
    for traced in trace.calls:
        name = traced.call.name
        if name in seen:
            continue
        seen.add(name)
        for index, weight in enumerate(weights_of(sources[name])):
            if index in traced.weights and _speaks(weight):
                value = np.asarray(keras.ops.convert_to_numpy(weight), dtype=np.float64)
                for axis, ids in enumerate(traced.weights[index].axes):
                    if ids is not None:
                        others = tuple(other for other in range(value.ndim) if other != axis)
                        _add(energies, graph, roots[ids], np.square(value).sum(others))
    return {name: _mean(found, graph.groups[name].channels) for name, found in energies.items()}


def _speaks(weight: Any) -> bool:
    name = weight.path.rsplit("/", 1)[-1]
    return name not in _STATISTICS and (len(weight.shape) > 1 or name in ("gamma", "scale"))


def _add(
    energies: dict[str, list[NDArray[np.float64]]],
    graph: DependencyGraph,
    roots: NDArray[np.int64],
    energy: NDArray[np.float64],
) -> None:
    """Add one weight axis to every group that runs along it."""
    present = set(roots.tolist())
    for name, group in graph.groups.items():
        if int(group.roots[0]) in present:
            order = np.argsort(group.roots)
            places = np.searchsorted(group.roots[order], roots)
            places = np.minimum(places, group.channels - 1)
            own = group.roots[order][places] == roots
            total = np.bincount(order[places[own]], weights=energy[own], minlength=group.channels)
            energies[name].append(np.sqrt(total))


def _mean(norms: list[NDArray[np.float64]], channels: int) -> NDArray[np.float64]:
    relative = [norm / norm.mean() for norm in norms if norm.mean() > 0]
    return np.mean(relative, axis=0) if relative else np.ones(channels)
