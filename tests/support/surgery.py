"""Taking networks apart in tests."""

from __future__ import annotations

import keras
import numpy as np

from darwin_core.contracts import HeadKind
from darwin_core.dependency import DependencyGraph
from darwin_core.dependency.selection import select

Kept = dict[str, np.ndarray]


def random_keep(graph: DependencyGraph, seed: int) -> Kept:
    """Some channels of every group, at least one."""
    rng = np.random.default_rng(seed)
    return {
        name: np.sort(rng.choice(group.channels, rng.integers(1, group.channels + 1), replace=False))
        for name, group in graph.groups.items()
    }


def silence(model: keras.Model, graph: DependencyGraph, keep: Kept) -> None:
    """Set every weight entry that touches a channel which is not kept to zero."""
    assert graph.source is model
    view = graph.view(HeadKind.KEEP)
    selection = select(view, keep)
    layers = graph.source_wiring.layers()
    for traced in view.trace.calls:
        for index, axes in traced.weights.items():
            weight = layers[traced.call.name].weights[index]
            value = weight.numpy()
            for axis, ids in enumerate(axes.axes):
                if ids is not None:
                    gone: list[object] = [slice(None)] * value.ndim
                    gone[axis] = ~selection.kept[ids]
                    value[tuple(gone)] = 0
            weight.assign(value)
