"""Where to look at a group: the tensors at which its channels show what they contribute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
from keras import layers

from darwin_core.dependency.groups import DependencyGroup
from darwin_core.dependency.ids import Ids
from darwin_core.dependency.selection import View
from darwin_core.dependency.tracing import CallTrace
from darwin_core.networks.wiring import Call

_ACTIVATIONS = (layers.Activation, layers.ELU, layers.LeakyReLU, layers.PReLU, layers.ReLU)
_ON_THE_WAY = (
    *(layers.Add, layers.BatchNormalization, layers.Dropout, layers.GroupNormalization, layers.LayerNormalization),
    *(layers.RMSNormalization, layers.SpatialDropout1D, layers.SpatialDropout2D, layers.SpatialDropout3D),
)


@dataclass(frozen=True)
class ProbePoint:
    """A tensor of the network, and the group's channel at each position of its last axis (-1: of another group).

    Where ``part`` is given, the channels show at no tensor of the network but inside of the layer: along ``axis`` of
    what that part of it puts out, or reads if ``entering``. ``tensor`` is what the whole layer puts out then.
    """

    tensor: keras.KerasTensor
    layer: str
    channels: Ids
    part: keras.Layer | None = None
    axis: int = -1
    entering: bool = False


def find_probe_points(view: View) -> Mapping[str, tuple[ProbePoint, ...]]:
    """For each group one tensor per producing layer, without repetition.

    From a producer's output the way leads through normalisation, dropout and sums for as long as each is the only
    reader, and ends behind the first activation. Groups that show on no last axis (the heads of an attention layer)
    are seen inside of their layers.
    """
    finder = _Finder(view)
    return {name: finder.points(group) for name, group in view.groups.items()}


class _Finder:
    def __init__(self, view: View) -> None:
        self._view = view
        self._consumers = view.trace.wiring.consumers()

    def points(self, group: DependencyGroup) -> tuple[ProbePoint, ...]:
        found: dict[int, ProbePoint] = {}
        for traced in self._view.trace.calls:
            if traced.call.name in group.layers:
                tensor, layer = self._follow(traced)
                channels = self._channel_of(tensor, group)
                if channels is not None:
                    found.setdefault(tensor, ProbePoint(self._view.trace.wiring.tensors[tensor], layer, channels))
        return tuple(found.values()) or self._inside(group)

    def _inside(self, group: DependencyGroup) -> tuple[ProbePoint, ...]:
        """Points inside of the producing layers, one for each of their parts."""
        found: dict[int, ProbePoint] = {}
        for traced in self._view.trace.calls:
            for sight in traced.sights if traced.call.name in group.layers else ():
                channels = self._members(sight.ids, group)
                if channels is not None:
                    tensor = self._view.trace.wiring.tensors[traced.call.outputs[0]]
                    point = ProbePoint(tensor, traced.call.name, channels, sight.part, sight.axis, sight.entering)
                    found.setdefault(id(sight.part), point)
        return tuple(found.values())

    def _follow(self, traced: CallTrace) -> tuple[int, str]:
        tensor, layer = traced.call.outputs[0], traced.call.name
        if _is_activated(traced.call):
            return tensor, layer
        while True:
            readers = self._consumers[tensor]
            if len(readers) != 1 or tensor in self._view.trace.wiring.outputs:
                return tensor, layer
            reader = readers[0]
            if isinstance(reader.operation, _ACTIVATIONS) or type(reader.operation).__name__ == "Relu":
                return reader.outputs[0], reader.name
            if not isinstance(reader.operation, _ON_THE_WAY) and type(reader.operation).__name__ != "Add":
                return tensor, layer
            tensor, layer = reader.outputs[0], reader.name

    def _channel_of(self, tensor: int, group: DependencyGroup) -> Ids | None:
        trace = self._view.trace
        channels = trace.channels[tensor]
        if channels.axis != len(trace.wiring.shape(tensor)) - 1:
            return None
        return self._members(channels.ids, group)

    def _members(self, ids: Ids, group: DependencyGroup) -> Ids | None:
        """The group's channel at each position, -1 for another group's; None where there is none of it."""
        order = {root: channel for channel, root in enumerate(group.roots.tolist())}
        found = np.asarray([order.get(root, -1) for root in self._view.trace.ids.roots[ids].tolist()], dtype=np.int64)
        return found if (found >= 0).any() else None


def _is_activated(call: Call) -> bool:
    activation = getattr(call.operation, "activation", None)
    return activation is not None and activation is not keras.activations.linear
