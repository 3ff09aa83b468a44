"""``keras.ops`` written straight into a functional network, such as ``x + y`` or ``ops.relu(x)``.

Their classes are not exported; they are found through the module that the file format names, and an operation that a
keras version lacks is left out (networks that use it freeze there).
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras.src.ops import core as core_ops
from keras.src.ops import nn as nn_ops
from keras.src.ops import numpy as numpy_ops

from darwin_core.dependency.rules.merging import join, merge
from darwin_core.dependency.rules.reshaping import rearranged
from darwin_core.dependency.tracing import CallTracer, Channels, register_rule

_MODULES = (numpy_ops, nn_ops, core_ops)


def _types(*names: str) -> list[type[Any]]:
    found = [getattr(module, name) for module in _MODULES for name in names if hasattr(module, name)]
    return list(dict.fromkeys(found))


@register_rule(
    *_types(
        *("Abs", "Absolute", "Cast", "Celu", "Clip", "Cos", "Elu", "Erf", "Exp", "Gelu", "HardSigmoid", "HardSilu"),
        *("HardTanh", "Isfinite", "Isinf", "Isnan", "LeakyRelu", "Log", "Log1p", "LogSigmoid", "NanToNum", "Negative"),
        *("Reciprocal", "Relu", "Relu6", "Rsqrt", "Selu", "Sigmoid", "Sign", "Silu", "Sin", "Softplus", "Softsign"),
        *("Sqrt", "Square", "StopGradient", "Tanh"),
        "Softmax",
    )
)
def unary(call: CallTracer) -> Channels:
    """One value at a time."""
    return call.inputs[0]


@register_rule(
    *_types(
        *("Add", "Divide", "Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalNot"),
        *("LogicalOr", "Maximum", "Minimum", "Multiply", "NotEqual", "Power", "Subtract", "TrueDivide", "Where"),
    )
)
def broadcast(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Several tensors, or tensors and constants, value by value; numpy's broadcasting aligns the last axes."""
    args, kwargs = call.trace.call.arguments
    constants = [leaf for leaf in keras.tree.flatten([args, kwargs]) if np.ndim(leaf) > 0 and np.size(leaf) > 1]
    if constants:
        return call.give_up("it combines channels with a constant array")
    if len(call.inputs) == 1:
        return call.inputs[0]
    ranks = {len(call.input_shape(i)) for i in range(len(call.inputs))}
    if len(ranks) > 1:
        return call.give_up("it broadcasts tensors of different ranks")
    call.trace.may_lose_inputs = type(call.layer).__name__ in {"Add", "Maximum", "Minimum", "Multiply"}
    return merge(call)


@register_rule(*_types("Concatenate"))
def concatenate(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Join along the operation's axis."""
    return join(call, call.layer.axis)


@register_rule(*_types("Mean", "Max", "Min", "Sum"))
def reduction(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Reducing every axis but the channels' leaves the channels; reducing theirs mixes them."""
    channels, rank = call.inputs[0], len(call.input_shape())
    axis = call.layer.axis
    reduced = {item % rank for item in ([axis] if isinstance(axis, int) else axis or range(rank))}
    if channels.axis is None or 0 in reduced:
        return call.give_up("it reduces over rows")
    if channels.axis in reduced:
        return _mixed(call)
    shift = 0 if call.layer.keepdims else sum(item < channels.axis for item in reduced)
    return Channels(channels.axis - shift, channels.ids)


def _mixed(call: CallTracer) -> Channels:
    """The channels are summed up: any of them may go, what comes out is a single fixed channel per position."""
    shape = call.output_shape()
    axis = len(shape) - 1 if len(shape) > 1 else None
    count = 1 if axis is None else (shape[axis] or 1)
    return Channels(axis, call.fixed(count, f"operation '{call.name}' reduces the channels to a fixed number"))


@register_rule(*_types("Reshape"))
def reshape(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Follow every position into the new shape; the channel axis of the target follows the width."""
    channels = rearranged(call)
    if channels is None:
        return call.give_up("it reshapes axes of unknown length")
    target = list(call.layer.newshape)
    if channels.axis is not None and target[channels.axis] != -1:
        call.resize(newshape=lambda count: _replaced(target, channels.axis, count(channels.ids)))
    return channels


def _replaced(shape: list[int], axis: int | None, size: int) -> tuple[int, ...]:
    return tuple(size if position == axis else old for position, old in enumerate(shape))


@register_rule(*_types("Transpose"))
def transpose(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """The channel axis moves."""
    channels, axes = call.inputs[0], call.layer.axes
    if channels.axis is None or axes is None or axes[0] != 0:
        return call.give_up("it moves the batch axis")
    return Channels(list(axes).index(channels.axis), channels.ids)


@register_rule(*_types("ExpandDims", "Squeeze"))
def axes_of_one(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Axes of size 1 come or go."""
    return rearranged(call) or call.give_up("it changes axes of unknown length")


@register_rule(*_types("GetItem"))
def get_item(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Positions or ranges of other axes, such as the first step of a sequence; the channels have to stay whole."""
    args, kwargs = call.trace.call.arguments
    key = args[1] if len(args) > 1 else kwargs["key"]
    parts = _full_key(list(key) if isinstance(key, list | tuple) else [key], len(call.input_shape()))
    channels = call.inputs[0]
    axis, out_axis = 0, 0
    for part in parts:
        if part is not None and axis == channels.axis:
            whole = isinstance(part, slice) and part == slice(None)
            return Channels(out_axis, channels.ids) if whole else call.give_up("it takes a part of the channels")
        axis += part is not None
        out_axis += not isinstance(part, int)
    return call.give_up("it indexes rows")


def _full_key(key: list[Any], rank: int) -> list[Any]:
    """One entry per axis of the input, and None for every new axis; an ellipsis is written out."""
    used = sum(part is not None and part is not Ellipsis for part in key)
    at = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
    return [*key[:at], *[slice(None)] * (rank - used), *key[at + 1 :]]
