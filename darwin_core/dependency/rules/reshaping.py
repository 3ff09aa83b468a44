"""Layers that rearrange positions: Flatten, Reshape, Permute."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, Count, register_rule


@register_rule(layers.Flatten)
def flatten(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Every position of the flat vector keeps the id of its channel."""
    everywhere = spread(call)
    return call.give_up("it flattens axes of unknown length") if everywhere is None else call.last(everywhere.ravel())


@register_rule(layers.Reshape)
def reshape(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Follow every position into the new shape."""
    channels = rearranged(call)
    if channels is None:
        return call.give_up("it reshapes axes of unknown length")
    call.resize(target_shape=_target(call, channels))
    return channels


@register_rule(layers.Permute)
def permute(call: CallTracer) -> Channels:
    """The channel axis moves."""
    channels = call.inputs[0]
    if channels.axis is None:
        return channels
    return Channels(list(call.layer.dims).index(channels.axis) + 1, channels.ids)


def spread(call: CallTracer) -> Ids | None:
    """The id at every position of the input, in the input's shape without the batch axis; None if that is unknown."""
    shape, channels = call.input_shape()[1:], call.inputs[0]
    if any(size is None for size in shape):
        return None
    if channels.axis is None:
        return channels.ids
    along = [1] * len(shape)
    along[channels.axis - 1] = -1
    return np.broadcast_to(channels.ids.reshape(along), [size or 1 for size in shape])


def rearranged(call: CallTracer) -> Channels | None:
    """Channels of an output that holds the input's entries in the same order, in another shape.

    If one axis explains the ids, channels run along it. Otherwise they run along the last axis, and all that meets at
    one of its positions goes together: then what is kept is again a full box.
    """
    everywhere, shape = spread(call), call.output_shape()[1:]
    if everywhere is None or any(size is None for size in shape):
        return None
    if not shape:
        return Channels(None, everywhere.ravel())
    grid = everywhere.reshape([size or 1 for size in shape])
    for axis in reversed(range(grid.ndim)):
        rows = np.moveaxis(grid, axis, -1).reshape(-1, grid.shape[axis])
        if (rows == rows[0]).all():
            return Channels(axis + 1, rows[0].copy())
    rows = grid.reshape(-1, grid.shape[-1])
    call.ids.couple_rows(rows)
    return Channels(grid.ndim, call.ids.merged(list(rows)))


def _target(call: CallTracer, channels: Channels) -> Any:
    shape = call.output_shape()[1:]

    def resized(count: Count) -> tuple[int, ...]:
        sizes = [size or 1 for size in shape]
        if channels.axis is not None:
            sizes[channels.axis - 1] = count(channels.ids)
        return tuple(sizes)

    return resized
