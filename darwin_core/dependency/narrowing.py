"""Narrowing: a new plain Keras network with fewer channels, whose weights are slices of the old ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from darwin_core.contracts import HeadKind
from darwin_core.dependency.graph import DependencyGraph, analyse
from darwin_core.dependency.rebuilding import clone_operation, finalize, rebuild
from darwin_core.dependency.selection import Selection, select
from darwin_core.dependency.tracing import Arguments, CallTrace, WeightAxes
from darwin_core.errors import NetworkError
from darwin_core.networks.measuring import weights_of
from darwin_core.networks.wiring import Call


def narrow(
    model: keras.Model,
    keep: Mapping[str, ArrayLike],
    *,
    head: HeadKind = HeadKind.KEEP,
    dropped_inputs: Iterable[str] = (),
    graph: DependencyGraph | None = None,
) -> keras.Model:
    """A smaller network that inherits the weights of the channels it keeps.

    With everything kept the outputs are identical; without channels that contribute nothing they are equal but for
    rounding. Names of the network, of its inputs and of its layers stay. Nested networks are written out flat.

    Args:
        model: A Functional or Sequential network.
        keep: Dependency group -> indices of the channels to keep; groups not named keep all.
        head: GLOBAL_POOLING averages the feature maps that are flattened now. A Dense layer behind inherits, for each
            channel, the sum of its weights over all positions: exact where the map is constant. A network without
            such a Flatten is left as it is.
        dropped_inputs: Named inputs that the new network does not read; what only they feed disappears.
        graph: The dependency graph of ``model``, to save analysing it again.

    Raises:
        RequestError: A group, channel or input does not exist.
        NetworkError: An input cannot be dropped, or a layer cannot be rebuilt.
    """
    if graph is None or graph.source is not model:
        graph = analyse(model)
    selection = select(graph.view(head), keep, dropped_inputs)
    return _Narrower(graph, selection).build()


class _Narrower:
    def __init__(self, graph: DependencyGraph, selection: Selection) -> None:
        self._graph, self._selection = graph, selection
        self._traces: dict[str, list[CallTrace]] = {}
        for traced in selection.live_calls:
            self._traces.setdefault(traced.call.name, []).append(traced)
        self._clones: dict[tuple[str, str], keras.Operation] = {}
        self._by_call = {id(traced.call): traced for traced in selection.live_calls}

    def build(self) -> keras.Model:
        model = rebuild(self._graph.wiring, self._clone, self._selection.is_dead, self._arguments)
        # Weights come from the analysed network itself: a flat copy of a nested one may be older than its training.
        sources = self._graph.source_wiring.layers()
        for (name, _), layer in self._clones.items():
            self._inherit(name, sources[name], layer)
        return model

    def _clone(self, call: Call) -> keras.Operation:
        traced = self._by_call[id(call)]
        changes = resized_config(traced, self._selection)
        key = (call.name, repr(sorted(changes.items())))
        if key not in self._clones:
            # A shared layer without weights (a Reshape, say) may need another width in each of its calls.
            copies = sum(name == call.name for name, _ in self._clones)
            name = f"{call.name}_{copies + 1}" if copies else call.name
            made = traced.replacement() if traced.replacement else clone_operation(call.operation, name, changes)
            self._clones[key] = made
        return self._clones[key]

    def _arguments(self, call: Call) -> Arguments:
        rewritten = self._by_call[id(call)].arguments
        return call.arguments if rewritten is None else rewritten(self._selection.count)

    def _inherit(self, name: str, source: keras.Operation, target: keras.Operation) -> None:
        if not weights_of(target):
            return
        axes = self._traces[name][0].weights
        for index, (old, new) in enumerate(zip(weights_of(source), weights_of(target), strict=True)):
            value = keras.ops.convert_to_numpy(old)
            if index in axes:
                value = sliced(value, axes[index], self._selection)
            if value.shape != tuple(new.shape):
                raise NetworkError(
                    f"Layer '{name}': weight '{old.path}' would get shape {value.shape}, the layer expects "
                    f"{tuple(new.shape)}.",
                    hint="The rule for this layer type is wrong; please report it with the network.",
                )
            new.assign(value)
        finalize(target)


def resized_config(traced: CallTrace, selection: Selection) -> dict[str, Any]:
    """Constructor arguments of a call's layer that change with the selection."""
    return {
        key: selection.count(value) if isinstance(value, np.ndarray) else value(selection.count)
        for key, value in traced.config.items()
    }


def sliced(value: NDArray[Any], axes: WeightAxes, selection: Selection) -> NDArray[Any]:
    """The kept part of a weight."""
    for axis, (ids, fold) in enumerate(zip(axes.axes, axes.folds, strict=True)):
        if ids is None:
            continue
        if fold > 1:
            shape = value.shape
            value = value.reshape(*shape[:axis], fold, len(ids), *shape[axis + 1 :]).sum(axis)
        value = np.take(value, selection.positions(ids), axis=axis)
    return value if axes.scale is None else value * np.asarray(axes.scale(selection.count), value.dtype)
