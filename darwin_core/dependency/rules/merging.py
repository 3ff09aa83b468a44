"""Layers that join branches: position by position, or one behind the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from keras import layers

from darwin_core.dependency.tracing import CallTracer, Channels, register_rule


@register_rule(layers.Add, layers.Average, layers.Maximum, layers.Minimum, layers.Multiply)
def elementwise_merge(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Channels at the same position go together; a branch that disappears leaves the others."""
    call.trace.may_lose_inputs = True
    return merge(call)


@register_rule(layers.Subtract)
def subtract(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """As the other element-wise merges, but neither branch can be left alone."""
    return merge(call)


def merge(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Couple inputs that are broadcast against each other; lower ranks get axes of size 1 after the batch axis."""
    rank = len(call.output_shape())
    axes = {_lifted(channels, len(call.input_shape(i)), rank) for i, channels in enumerate(call.inputs)}
    axis = axes.pop()
    if axes or axis is None:
        return call.give_up("it joins tensors whose channels run along different axes")
    width = call.output_shape()[axis]
    if any(len(channels.ids) not in (1, width) for channels in call.inputs):
        return call.give_up("it joins tensors of different widths")
    return Channels(axis, call.ids.merged([channels.ids for channels in call.inputs]))


def _lifted(channels: Channels, own_rank: int, rank: int) -> int | None:
    """The channel axis once the tensor has ``rank`` axes."""
    return None if channels.axis is None else channels.axis + rank - own_rank


@register_rule(layers.Concatenate)
def concatenate(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Join along the layer's axis."""
    return join(call, call.layer.axis)


def join(call: CallTracer, axis: int) -> Channels | tuple[Channels, ...]:
    """Along the channel axis the ids follow each other; along any other axis they go together by position."""
    axis %= len(call.output_shape())
    own: Sequence[int | None] = [channels.axis for channels in call.inputs]
    if all(item == axis for item in own):
        call.trace.may_lose_inputs = True
        return Channels(axis, np.concatenate([channels.ids for channels in call.inputs]))
    if len(set(own)) == 1 and own[0] is not None:
        return Channels(own[0], call.ids.merged([channels.ids for channels in call.inputs]))
    return call.give_up("it joins tensors whose channels run along different axes")


@register_rule(layers.Dot)
def dot(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Products summed up over one axis of each input; the output has the other axes of both, the first one's in front.

    Channels that are summed up on both sides go together and are gone behind. Channels that stay run on, the second
    input's if both inputs' do.
    """
    axes, in_front = _summed(call), len(call.input_shape(0)) - 2

    def place(position: int, axis: int) -> int:
        return (in_front if position else 0) + axis - (axis > axes[position])

    return multiply_out(call, axes, place)


def multiply_out(
    call: CallTracer, axes: Sequence[int], place: Callable[[int, int], int]
) -> Channels | tuple[Channels, ...]:
    """Products of two inputs summed up over one axis of each; ``place`` tells where another axis goes."""
    summed = [channels.axis == axis for channels, axis in zip(call.inputs, axes, strict=True)]
    if all(summed):
        call.ids.couple(call.inputs[0].ids, call.inputs[1].ids)
        return _sums(call)
    staying = [position for position in (0, 1) if not summed[position] and call.inputs[position].axis is not None]
    for position in (0, 1):
        if position not in staying[-1:]:
            reason = f"layer '{call.name}' ({call.trace.call.kind}) multiplies them with an axis that holds no channels"
            call.ids.freeze(call.inputs[position].ids, reason)
    if not staying:
        return _sums(call)
    channels = call.inputs[staying[-1]]
    return Channels(place(staying[-1], channels.axis or 0), channels.ids)


def _summed(call: CallTracer) -> list[int]:
    """The axis of each input that is summed up, counted from the front."""
    axes = call.layer.axes
    pair = [axes, axes] if isinstance(axes, int) else axes
    return [axis % len(call.input_shape(position)) for position, axis in enumerate(pair)]


def _sums(call: CallTracer) -> Channels:
    """An output without any of the inputs' channels."""
    shape = call.output_shape()
    return call.last(call.fixed(shape[-1] or 1, f"layer '{call.name}' sums the channels up"))
