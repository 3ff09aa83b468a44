"""Following channel ids through a network: what a rule sees, what it declares, and the trace that results.

A rule for a layer type is a function that gets a `CallTracer` and returns the channels of the outputs::

    @register_rule(keras.layers.Dense)
    def dense(call: CallTracer) -> Channels:
        source = call.last_axis()  # ids of the input's last axis
        units = call.produce(call.layer.units)  # new ids: this layer decides about them
        call.weight(call.layer.kernel, source, units)  # which ids run along which axis of a weight
        call.weight(call.layer.bias, units)
        call.resize(units=units)  # constructor argument that counts ids
        return call.last(units)

From these declarations alone follow the dependency groups, the narrowed network and its exact cost.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import keras
import numpy as np

from darwin_core.dependency.ids import Ids, IdSpace, SettledIds
from darwin_core.networks.measuring import weights_of
from darwin_core.networks.wiring import Call, Shape, Wiring

Count = Callable[[Ids], int]
"""How many of the given ids are kept."""
ConfigValue: TypeAlias = Ids | Callable[[Count], Any]
"""A constructor argument: the number of these ids, or any function of such counts."""
Arguments: TypeAlias = tuple[tuple[Any, ...], dict[str, Any]]
"""Positional and named arguments of a call, with a `TensorRef` for every tensor."""


def remaining(count: Count, ids: Ids) -> list[int]:
    """Positions of an id array that are kept, for constructor arguments with one entry per channel."""
    return [position for position in range(len(ids)) if count(ids[position : position + 1])]


@dataclass(frozen=True)
class Channels:
    """The ids along one axis of a tensor (``axis`` counts the batch axis; None for a scalar per row).

    ``fold`` is the number of spatial positions that were pooled into one where the plain network flattens them: a
    weight that reads these channels has ``fold`` rows for each of them, which are summed.
    """

    axis: int | None
    ids: Ids
    fold: int = 1


Rule = Callable[["CallTracer"], "Channels | Sequence[Channels]"]
_RULES: dict[type[Any], Rule] = {}


def register_rule(*types: type[Any]) -> Callable[[Rule], Rule]:
    """Declare how channels run through these layer (or operation) types; replaces an earlier rule for the type."""

    def register(rule: Rule) -> Rule:
        for layer_type in types:
            _RULES[layer_type] = rule
        return rule

    return register


def has_rule(layer_type: type[Any]) -> bool:
    """True where the layer type can be narrowed or passed through."""
    return layer_type in _RULES


@dataclass(frozen=True)
class WeightAxes:
    """Which ids run along each axis of a weight (None: an axis of fixed size), and the ``fold`` of each axis."""

    axes: tuple[Ids | None, ...]
    folds: tuple[int, ...]
    scale: Callable[[Count], float] | None = None


@dataclass(frozen=True)
class Sight:
    """Ids that show along ``axis`` of what a layer inside of another one reads (``entering``) or puts out."""

    ids: Ids
    part: keras.Layer
    axis: int
    entering: bool


@dataclass
class CallTrace:
    """What a rule declared about one call.

    ``parts`` are sections of a channel axis that are told apart, ``arguments`` what the call gets once channels are
    gone, ``rigid`` says that inputs cannot lose some of their channels, whatever the reason.
    """

    call: Call
    outputs: tuple[Channels, ...] = ()
    weights: dict[int, WeightAxes] = field(default_factory=dict)
    config: dict[str, ConfigValue] = field(default_factory=dict)
    produced: list[tuple[str, Ids]] = field(default_factory=list)
    parts: list[Ids] = field(default_factory=list)
    sights: list[Sight] = field(default_factory=list)
    arguments: Callable[[Count], Arguments] | None = None
    rigid: bool = False
    may_lose_inputs: bool = False
    given_up: str | None = None
    replacement: Callable[[], keras.Layer] | None = None


@dataclass
class CallTracer:
    """The door through which a rule sees a call and declares what it knows."""

    wiring: Wiring
    ids: IdSpace
    trace: CallTrace
    inputs: tuple[Channels, ...]

    @property
    def layer(self) -> Any:
        """The layer or operation."""
        return self.trace.call.operation

    @property
    def name(self) -> str:
        """The layer's name, unique in the network."""
        return self.trace.call.name

    def input_shape(self, position: int = 0) -> Shape:
        """Shape of an input, batch axis first."""
        return self.wiring.shape(self.trace.call.inputs[position])

    def output_shape(self, position: int = 0) -> Shape:
        """Shape of an output, batch axis first."""
        return self.wiring.shape(self.trace.call.outputs[position])

    def produce(self, count: int, role: str = "") -> Ids:
        """New ids that this layer decides about; ``role`` tells several kinds of one layer apart (heads, say)."""
        ids = self.ids.new(count, [channels.ids for channels in self.inputs])
        self.trace.produced.append((f"{self.name}/{role}" if role else self.name, ids))
        return ids

    def fixed(self, count: int, reason: str) -> Ids:
        """New ids that always stay, computed from all inputs."""
        ids = self.ids.new(count, [channels.ids for channels in self.inputs])
        self.ids.freeze(ids, reason)
        return ids

    def along(self, axis: int, position: int = 0) -> Ids:
        """Ids along ``axis`` of an input.

        Where the channels run along another axis, that axis is frozen and this one gets fixed ids.
        """
        channels, shape = self.inputs[position], self.input_shape(position)
        if channels.axis == axis % len(shape):
            return channels.ids
        reason = f"layer '{self.name}' ({self.trace.call.kind}) works across the axis that holds these channels"
        self.ids.freeze(channels.ids, reason)
        ids = self.ids.new(shape[axis] or 1, [channels.ids])
        self.ids.freeze(ids, reason)
        return ids

    def last_axis(self, position: int = 0) -> Channels:
        """The channels of an input along its last axis (see `along`)."""
        channels, axis = self.inputs[position], len(self.input_shape(position)) - 1
        return channels if channels.axis == axis else Channels(axis, self.along(axis, position))

    def last(self, ids: Ids, position: int = 0) -> Channels:
        """Output channels that run along the last axis."""
        return Channels(len(self.output_shape(position)) - 1, ids)

    def weight(
        self, variable: Any, *axes: Channels | Ids | None, scale: Callable[[Count], float] | None = None
    ) -> None:
        """Declare the ids along each axis of a weight; ``None`` for the weight or an axis is skipped.

        ``scale`` is a factor the kept entries are multiplied with, for layers whose arithmetic depends on a width.
        """
        if variable is None:
            return
        index = next(i for i, own in enumerate(weights_of(self.layer)) if own is variable)
        plain = tuple(axis.ids if isinstance(axis, Channels) else axis for axis in axes)
        folds = tuple(axis.fold if isinstance(axis, Channels) else 1 for axis in axes)
        self.trace.weights[index] = WeightAxes(plain, folds, scale)

    def resize(self, **arguments: ConfigValue) -> None:
        """Constructor arguments that follow from how many ids are kept."""
        self.trace.config |= arguments

    def divide(self, *sections: Ids) -> None:
        """Sections of a channel axis that go separate ways: every dependency group in them keeps a channel in each."""
        self.trace.parts += sections

    def rewrite(self, arguments: Callable[[Count], Arguments]) -> None:
        """Arguments of the call that follow from how many ids are kept (the borders of a slice, say)."""
        self.trace.arguments = arguments

    def sight(self, ids: Ids, part: keras.Layer, axis: int, *, entering: bool = False) -> None:
        """These ids show at no tensor of the network, but along ``axis`` of what ``part``, a layer inside, puts out.

        ``entering``: of what it reads.
        """
        self.trace.sights.append(Sight(ids, part, axis, entering))

    def give_up(self, reason: str) -> tuple[Channels, ...]:
        """This call cannot be traced: all that enters or leaves it keeps its width, and the report says why."""
        self.trace.given_up = reason
        return self.keep_widths(f"it is connected with layer '{self.name}' ({self.trace.call.kind}): {reason}")

    def keep_widths(self, reason: str) -> tuple[Channels, ...]:
        """Everything that enters or leaves this call keeps its full width."""
        self.trace.rigid = True
        for channels in self.inputs:
            self.ids.freeze(channels.ids, reason)
        frozen = []
        for tensor in self.trace.call.outputs:
            shape = self.wiring.shape(tensor)
            axis = len(shape) - 1 if len(shape) > 1 else None
            size = 1 if axis is None else (shape[axis] or 1)
            frozen.append(Channels(axis, self.fixed(size, reason)))
        return tuple(frozen)


@dataclass(frozen=True)
class Trace:
    """Ids of every tensor and weight of a network."""

    wiring: Wiring
    calls: tuple[CallTrace, ...]
    channels: Mapping[int, Channels]
    ids: SettledIds


def trace_network(wiring: Wiring, pooled: frozenset[str] = frozenset()) -> Trace:
    """Follow the ids through every call of a network.

    Args:
        wiring: The network.
        pooled: Names of Flatten layers to be read as global average pooling.
    """
    return _NetworkTracer(wiring, pooled).run()


class _NetworkTracer:
    def __init__(self, wiring: Wiring, pooled: frozenset[str]) -> None:
        self._wiring, self._pooled = wiring, pooled
        self._ids = IdSpace()
        self._channels: dict[int, Channels] = {}
        self._calls: list[CallTrace] = []

    def run(self) -> Trace:
        for name, tensor in self._wiring.inputs.items():
            shape = self._wiring.shape(tensor)
            axis = len(shape) - 1 if len(shape) > 1 else None
            ids = self._ids.new(1 if axis is None else (shape[axis] or 1), [])
            self._ids.freeze(ids, f"its channels are coupled with the network's input '{name}'")
            self._channels[tensor] = Channels(axis, ids)
        for call in self._wiring.calls:
            self._trace_call(call)
        for tensor in self._wiring.outputs:
            self._ids.freeze(self._channels[tensor].ids, "its channels are the network's output")
        return Trace(self._wiring, tuple(self._calls), self._channels, self._ids.settle())

    def _trace_call(self, call: Call) -> None:
        inputs = tuple(self._channels[tensor] for tensor in call.data)
        for tensor in call.inputs[len(call.data) :]:
            self._ids.freeze(self._channels[tensor].ids, f"layer '{call.name}' ({call.kind}) reads them as a mask")
        tracer = CallTracer(self._wiring, self._ids, CallTrace(call), inputs)
        outputs = self._outputs(tracer)
        tracer.trace.outputs = (outputs,) if isinstance(outputs, Channels) else tuple(outputs)
        self._channels.update(zip(call.outputs, tracer.trace.outputs, strict=True))
        self._couple_shared(tracer.trace)
        self._calls.append(tracer.trace)

    def _outputs(self, tracer: CallTracer) -> Channels | Sequence[Channels]:
        if tracer.name in self._pooled:
            return _pool(tracer)
        reason = _untraceable(tracer.layer)
        return _RULES[type(tracer.layer)](tracer) if reason is None else tracer.give_up(reason)

    def _couple_shared(self, trace: CallTrace) -> None:
        """A layer called again has one set of weights: what runs along them in both calls goes together."""
        earlier = next((other for other in self._calls if other.call.operation is trace.call.operation), None)
        if earlier is None:
            return
        for index in trace.weights.keys() & earlier.weights.keys():
            for first, second in zip(earlier.weights[index].axes, trace.weights[index].axes, strict=True):
                if first is not None and second is not None:
                    self._ids.couple(first, second, optional=True)


def _untraceable(layer: Any) -> str | None:
    """Why no rule can be applied to a layer; None where one can."""
    if getattr(layer, "quantization_mode", None) is not None:
        return "its weights are quantised"
    if getattr(layer, "lora_enabled", False):
        return "its weights are split by LoRA; merge them first"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its data format is channels_first; only channels_last is supported"
    if not has_rule(type(layer)):
        return f"there is no rule for layers of type {type(layer).__name__}"
    return None


def _pool(tracer: CallTracer) -> Channels:
    """Read a Flatten layer as global average pooling over everything but the channels."""
    shape = tracer.input_shape()
    channels = tracer.last_axis()
    positions = int(np.prod([size or 1 for size in shape[1:-1]]))
    pooling = {3: keras.layers.GlobalAveragePooling1D, 4: keras.layers.GlobalAveragePooling2D}
    layer_type = pooling.get(len(shape), keras.layers.GlobalAveragePooling3D)
    name = tracer.name.replace("flatten", "global_average_pooling")
    tracer.trace.replacement = lambda: layer_type(name=name)
    return Channels(1, channels.ids, fold=positions)
