"""Layers that join branches: position by position, or one behind the other."""

from __future__ import annotations

from collections.abc import Sequence

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
