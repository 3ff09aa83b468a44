"""What a narrowed network will cost, exactly, without building it.

Every weight axis is a linear form in the widths of the groups: so many positions that always stay, and so many per
channel of each group (see `darwin_core.dependency.groups`). One matrix product gives all axis lengths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import HeadKind, NetworkCost
from darwin_core.dependency.graph import DependencyGraph
from darwin_core.dependency.ids import Ids
from darwin_core.dependency.selection import Selection, View, select
from darwin_core.dependency.tracing import CallTrace
from darwin_core.errors import RequestError
from darwin_core.networks.macs import CallShapes, call_macs
from darwin_core.networks.measuring import input_features, weight_width, weights_of
from darwin_core.networks.wiring import Shape


def estimate_cost(
    graph: DependencyGraph,
    widths: Mapping[str, int],
    *,
    head: HeadKind = HeadKind.KEEP,
    dropped_inputs: Iterable[str] = (),
) -> NetworkCost:
    """Exactly what ``measure_cost(narrow(...))`` will say.

    Args:
        graph: The dependency graph of the network to be narrowed.
        widths: Dependency group -> channels kept; groups not named keep all.
        head: As for `narrow`.
        dropped_inputs: As for `narrow`.

    Raises:
        RequestError: A group is unknown, or a width is below 1 or above the group's.
        NetworkError: The inputs cannot be dropped.
    """
    key = (head if head in graph.views else HeadKind.KEEP, frozenset(dropped_inputs))
    if key not in graph.estimators:
        view = graph.view(key[0])
        graph.estimators[key] = CostEstimator(view, select(view, {}, sorted(key[1])))
    estimator: CostEstimator = graph.estimators[key]
    return estimator.estimate(widths)


@dataclass
class _Lengths:
    """Lengths of id arrays as linear forms in the group widths."""

    view: View
    selection: Selection
    _rows: dict[int, int] = field(default_factory=dict)
    _arrays: list[Ids] = field(default_factory=list)

    def add(self, ids: Ids) -> int:
        """Register an array; its index among the lengths."""
        if id(ids) not in self._rows:
            self._rows[id(ids)] = len(self._arrays)
            self._arrays.append(ids)
        return self._rows[id(ids)]

    def matrix(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(arrays, groups) entries per kept channel, and (arrays,) entries that always stay."""
        groups = list(self.view.groups.values())
        group_of = np.full(len(self.view.trace.ids.roots), -1, dtype=np.int64)
        for number, group in enumerate(groups):
            group_of[group.roots] = number
        group_of = group_of[self.view.trace.ids.roots]
        per_channel = np.zeros((len(self._arrays), len(groups)))
        fixed = np.zeros(len(self._arrays))
        sizes = np.asarray([group.channels for group in groups], dtype=np.float64)
        for row, ids in enumerate(self._arrays):
            owners = group_of[ids[self.selection.kept[ids]]]
            fixed[row] = np.count_nonzero(owners < 0)
            per_channel[row] = np.bincount(owners[owners >= 0], minlength=len(groups))
        return per_channel / np.maximum(sizes, 1), fixed


@dataclass(frozen=True)
class _Dims:
    """A shape, some of whose sizes are lengths of id arrays."""

    sizes: Shape
    rows: tuple[int | None, ...]

    def at(self, lengths: NDArray[np.int64]) -> Shape:
        return tuple(
            size if row is None else int(lengths[row]) for size, row in zip(self.sizes, self.rows, strict=True)
        )


class CostEstimator:
    """Costs of one network under one head and one set of dropped inputs."""

    def __init__(self, view: View, selection: Selection) -> None:
        self._view, self._selection = view, selection
        self._lengths = _Lengths(view, selection)
        self._traced = selection.live_calls
        self._weights = self._weight_dims()
        self._tensors = {
            tensor: self._tensor_dims(tensor)
            for traced in self._traced
            for tensor in (*traced.call.inputs, *traced.call.outputs)
        }
        self._per_channel, self._fixed = self._lengths.matrix()
        self._constant_bytes = sum(view.table_bytes[name] for name in self._layers())

    def estimate(self, widths: Mapping[str, int]) -> NetworkCost:
        """Cost at these widths."""
        lengths = np.rint(self._per_channel @ self._width_vector(widths) + self._fixed).astype(np.int64)
        parameters = weight_bytes = 0
        for name, layer in self._layers().items():
            for index, weight in enumerate(weights_of(layer)):
                entries = math.prod(size or 0 for size in self._weights[name][index].at(lengths))
                parameters += entries
                weight_bytes += entries * weight_width(weight)
        return NetworkCost(
            parameters=parameters,
            macs=sum(self._macs(traced, lengths) for traced in self._traced if self._computes(traced)),
            weight_bytes=weight_bytes + self._constant_bytes,
            input_features=self._input_features(),
        )

    def _layers(self) -> dict[str, Any]:
        return {
            traced.call.name: traced.call.operation
            for traced in self._traced
            if self._computes(traced) and traced.replacement is None
        }

    def _computes(self, traced: CallTrace) -> bool:
        """False for a merge that hands its only input on."""
        return len(traced.call.inputs) < 2 or len(self._selection.live_inputs(traced)) > 1

    def _weight_dims(self) -> dict[str, list[_Dims]]:
        dims: dict[str, list[_Dims]] = {}
        for traced in self._traced:
            if traced.call.name not in dims:
                dims[traced.call.name] = [
                    self._dims(tuple(weight.shape), traced.weights[index].axes)
                    if index in traced.weights
                    else self._dims(tuple(weight.shape), (None,) * len(weight.shape))
                    for index, weight in enumerate(weights_of(traced.call.operation))
                ]
        return dims

    def _tensor_dims(self, tensor: int) -> _Dims:
        trace = self._view.trace
        shape, channels = trace.wiring.shape(tensor), trace.channels[tensor]
        if channels.axis is not None and shape[channels.axis] is None:
            return self._dims(shape, (None,) * len(shape))
        if channels.fold > 1:
            shape = (shape[0], len(channels.ids))
        return self._dims(shape, tuple(channels.ids if axis == channels.axis else None for axis in range(len(shape))))

    def _dims(self, shape: Shape, axes: tuple[Ids | None, ...]) -> _Dims:
        return _Dims(shape, tuple(None if ids is None else self._lengths.add(ids) for ids in axes))

    def _macs(self, traced: CallTrace, lengths: NDArray[np.int64]) -> int:
        if traced.replacement is not None:
            return 0
        layer, dims = traced.call.operation, self._weights[traced.call.name]
        shapes = {
            id(weight): tuple(size or 0 for size in own.at(lengths))
            for weight, own in zip(weights_of(layer), dims, strict=True)
        }
        live = self._selection.live_inputs(traced)
        return call_macs(
            CallShapes(
                layer=layer,
                inputs=[self._tensors[tensor].at(lengths) for tensor in live],
                outputs=[self._tensors[tensor].at(lengths) for tensor in traced.call.outputs],
                weight=lambda weight: shapes[id(weight)],
            )
        )

    def _width_vector(self, widths: Mapping[str, int]) -> NDArray[np.float64]:
        groups = self._view.groups
        for name, width in widths.items():
            if name not in groups:
                raise RequestError(f"Expected names of dependency groups, got {name!r}.")
            if not 1 <= width <= groups[name].channels:
                raise RequestError(
                    f"Group '{name}': expected a width between 1 and {groups[name].channels}, got {width}."
                )
        return np.asarray([widths.get(name, group.channels) for name, group in groups.items()], dtype=np.float64)

    def _input_features(self) -> int:
        trace = self._view.trace
        live = [tensor for tensor in trace.wiring.inputs.values() if not self._selection.is_dead(tensor)]
        return sum(input_features(trace.wiring.shape(tensor)) for tensor in live)
