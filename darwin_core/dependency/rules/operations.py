"""``keras.ops`` written straight into a functional network, such as ``x + y`` or ``ops.relu(x)``.

Their classes are not exported; they are found through the module that the file format names, and an operation that a
keras version lacks is left out (networks that use it freeze there).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras.src.ops import core as core_ops
from keras.src.ops import nn as nn_ops
from keras.src.ops import numpy as numpy_ops

from darwin_core.dependency.rules.merging import join, merge, multiply_out
from darwin_core.dependency.rules.reshaping import rearranged
from darwin_core.dependency.tracing import Arguments, CallTracer, Channels, Count, register_rule, remaining

_MODULES = (numpy_ops, nn_ops, core_ops)


def _types(*names: str) -> list[type[Any]]:
    found = [getattr(module, name) for module in _MODULES for name in names if hasattr(module, name)]
    return list(dict.fromkeys(found))


@register_rule(
    *_types(
        *("Abs", "Absolute", "Cast", "Ceil", "Celu", "Clip", "Cos", "Elu", "Erf", "Exp", "Expm1", "Floor", "Gelu"),
        *("HardSigmoid", "HardSilu", "HardTanh", "Isfinite", "Isinf", "Isnan", "LeakyRelu", "Log", "Log1p", "Log2"),
        *("LogSigmoid", "NanToNum", "Negative", "Reciprocal", "Relu", "Relu6", "Round", "Rsqrt", "Selu", "Sigmoid"),
        *("Sign", "Silu", "Sin", "Softplus", "Softsign", "Sqrt", "Square", "StopGradient", "Tanh"),
        *("LogSoftmax", "Normalize", "Softmax"),
    )
)
def unary(call: CallTracer) -> Channels:
    """One value at a time, or statistics that leave the shape as it is."""
    return call.inputs[0]


@register_rule(
    *_types(
        *("Add", "Divide", "Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "LogicalAnd", "LogicalNot"),
        *("LogicalOr", "Maximum", "Minimum", "Multiply", "NotEqual", "Power", "Subtract", "TrueDivide", "Where"),
    )
)
def broadcast(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Several tensors, or tensors and constants, value by value; numpy's broadcasting aligns the last axes."""
    if len(call.inputs) == 1:
        return _with_constants(call)
    if any(np.size(leaf) > 1 for leaf in keras.tree.flatten(call.trace.call.arguments)):
        return call.give_up("it combines several tensors with a constant array")
    ranks = {len(call.input_shape(i)) for i in range(len(call.inputs))}
    if len(ranks) > 1:
        return call.give_up("it broadcasts tensors of different ranks")
    call.trace.may_lose_inputs = type(call.layer).__name__ in {"Add", "Maximum", "Minimum", "Multiply"}
    return merge(call)


def _with_constants(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """One tensor and constants: an array with one entry per channel (a table of positions, say) narrows with them."""
    channels, rank = call.inputs[0], len(call.input_shape())
    arrays = [leaf for leaf in keras.tree.flatten(call.trace.call.arguments) if np.size(leaf) > 1]
    if not arrays:
        return channels
    if channels.axis is None or call.output_shape() != call.input_shape():
        return call.give_up("it combines channels with a constant array of another shape")
    axis, width = channels.axis - rank, len(channels.ids)
    if any(np.ndim(leaf) >= -axis and np.shape(leaf)[axis] == width > 1 for leaf in arrays):

        def arguments(count: Count) -> Arguments:
            kept = remaining(count, channels.ids)

            def narrowed(leaf: Any) -> Any:
                runs_along = np.ndim(leaf) >= -axis and np.shape(leaf)[axis] == width
                return np.take(np.asarray(leaf), kept, axis=axis) if runs_along else leaf

            args, kwargs = keras.tree.map_structure(narrowed, call.trace.call.arguments)
            return args, kwargs

        call.rewrite(arguments)
    return channels


@register_rule(*_types("Matmul"))
def matmul(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """The last axis of the first tensor is summed up with the last but one of the second; axes before count them."""
    ranks = {len(call.input_shape(position)) for position in range(len(call.inputs))}
    if len(call.inputs) != 2 or len(ranks) != 1 or ranks == {2}:
        return call.give_up("it multiplies with a constant matrix, or tensors of different ranks")
    rank = ranks.pop()
    numbering = [channels for channels in call.inputs if channels.axis is not None and channels.axis < rank - 2]
    if numbering:
        return _stacked(call, numbering)
    return multiply_out(call, (rank - 1, rank - 2), lambda _, axis: axis)


def _stacked(call: CallTracer, numbering: list[Channels]) -> Channels | tuple[Channels, ...]:
    """One matrix product per channel: then both tensors have the same channels along the same axis."""
    axes, widths = {channels.axis for channels in numbering}, {len(channels.ids) for channels in numbering}
    if len(numbering) != len(call.inputs) or len(axes) != 1 or len(widths) != 1:
        return call.give_up("it multiplies stacks of matrices whose channels run along different axes")
    return Channels(axes.pop(), call.ids.merged([channels.ids for channels in numbering]))


@register_rule(*_types("Concatenate"))
def concatenate(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Join along the operation's axis."""
    return join(call, call.layer.axis)


@register_rule(*_types("All", "Any", "Max", "Mean", "Min", "Sum"))
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


@register_rule(*_types("Swapaxes"))
def swap_axes(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """The channel axis moves where it is one of the two."""
    channels, rank = call.inputs[0], len(call.input_shape())
    first, second = call.layer.axis1 % rank, call.layer.axis2 % rank
    if channels.axis is None or 0 in (first, second):
        return call.give_up("it moves the batch axis")
    return Channels({first: second, second: first}.get(channels.axis, channels.axis), channels.ids)


@register_rule(*_types("Pad"))
def pad(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Axes other than the channels' become longer."""
    channels = call.inputs[0]
    if channels.axis is None or call.output_shape()[channels.axis] != len(channels.ids):
        return call.give_up("it pads the channels")
    return channels


@register_rule(*_types("ExpandDims", "Squeeze"))
def axes_of_one(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Axes of size 1 come or go."""
    return rearranged(call) or call.give_up("it changes axes of unknown length")


@register_rule(*_types("GetItem"))
def get_item(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Positions or ranges of axes, such as the first step of a sequence; a range of the channels narrows with them."""
    args, kwargs = call.trace.call.arguments
    key = args[1] if len(args) > 1 else kwargs["key"]
    parts = _full_key(list(key) if isinstance(key, list | tuple) else [key], len(call.input_shape()))
    channels = call.inputs[0]
    axis, out_axis = 0, 0
    for place, part in enumerate(parts):
        if part is not None and axis == channels.axis:
            return _range(call, parts, place, out_axis)
        axis += part is not None
        out_axis += not isinstance(part, int)
    return call.give_up("it indexes rows")


def _range(call: CallTracer, parts: list[Any], place: int, axis: int) -> Channels | tuple[Channels, ...]:
    """The channels that the key's entry at ``place`` leaves."""
    part, ids = parts[place], call.inputs[0].ids
    if not isinstance(part, slice):
        return call.give_up("it takes a single channel")
    start, stop, step = part.indices(len(ids))
    if step != 1 or stop <= start:
        return call.give_up("it takes channels in steps, or none")
    if stop - start < len(ids):
        call.divide(ids[start:stop])
        (tensor, *_), _ = call.trace.call.arguments

        def arguments(count: Count) -> Arguments:
            first = count(ids[:start])
            new = slice(first, first + count(ids[start:stop]))
            return (tensor, (*parts[:place], new, *parts[place + 1 :])), {}

        call.rewrite(arguments)
    return Channels(axis, ids[start:stop])


@register_rule(*_types("Split"))
def split(call: CallTracer) -> Sequence[Channels]:
    """Sections along one axis; a split of the channels is moved as they become fewer."""
    channels, shape = call.inputs[0], call.input_shape()
    if channels.axis != call.layer.axis % len(shape):
        return [Channels(channels.axis, channels.ids) for _ in call.trace.call.outputs]
    borders = call.layer.indices_or_sections
    if isinstance(borders, int):
        borders = [len(channels.ids) // borders * number for number in range(1, borders)]
    sections = np.split(channels.ids, borders)
    if not all(map(len, sections)):
        return call.give_up("it makes empty sections")
    call.divide(*sections)
    call.resize(indices_or_sections=lambda count: [count(channels.ids[:border]) for border in borders])
    return [Channels(channels.axis, section) for section in sections]


def _full_key(key: list[Any], rank: int) -> list[Any]:
    """One entry per axis of the input, and None for every new axis; an ellipsis is written out."""
    used = sum(part is not None and part is not Ellipsis for part in key)
    at = next((i for i, part in enumerate(key) if part is Ellipsis), len(key))
    return [*key[:at], *[slice(None)] * (rank - used), *key[at + 1 :]]
