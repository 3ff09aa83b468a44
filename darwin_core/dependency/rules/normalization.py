"""Normalisation layers: their weights run along with the channels."""

from __future__ import annotations

from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, register_rule


@register_rule(layers.BatchNormalization)
def batch_normalization(call: CallTracer) -> Channels:
    """One scale, offset, mean and variance per position of ``axis``."""
    layer, channels = call.layer, call.inputs[0]
    axis = layer.axis % len(call.input_shape())
    along = channels.ids if axis == channels.axis else None
    for weight in (layer.gamma, layer.beta, layer.moving_mean, layer.moving_variance):
        call.weight(weight, along)
    return channels


@register_rule(layers.LayerNormalization)
def layer_normalization(call: CallTracer) -> Channels:
    """Scale and offset have the shape of the normalised axes."""
    layer, channels = call.layer, call.inputs[0]
    axes = _running(call, layer.axis)
    call.weight(layer.gamma, *axes)
    call.weight(layer.beta, *axes)
    return channels


@register_rule(layers.RMSNormalization)
def rms_normalization(call: CallTracer) -> Channels:
    """As layer normalisation, without an offset."""
    call.weight(call.layer.scale, *_running(call, call.layer.axis))
    return call.inputs[0]


def _running(call: CallTracer, axis: int | list[int] | tuple[int, ...]) -> list[Ids | None]:
    rank, channels = len(call.input_shape()), call.inputs[0]
    axes = sorted(item % rank for item in ([axis] if isinstance(axis, int) else axis))
    return [channels.ids if item == channels.axis else None for item in axes]


@register_rule(layers.GroupNormalization)
def group_normalization(call: CallTracer) -> Channels:
    """Groups stay equal: whole groups go, or the same positions of every group, whichever leaves more to choose."""
    layer = call.layer
    channels = call.inputs[0] if layer.axis == -1 else Channels(layer.axis, call.along(layer.axis))
    ids = channels.ids
    groups = len(ids) if layer.groups == -1 else layer.groups
    width = len(ids) // groups
    if groups > 1 and width > 1:
        block = ids.reshape(groups, width)
        call.ids.couple_rows(block.T if groups >= width else block)
    if layer.groups != -1 and groups > 1 and groups >= width:
        call.resize(groups=ids[::width])
    call.weight(layer.gamma, ids)
    call.weight(layer.beta, ids)
    return channels
