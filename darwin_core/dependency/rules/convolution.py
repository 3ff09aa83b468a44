"""Convolutions: plain, grouped, transposed, depthwise and separable."""

from __future__ import annotations

import numpy as np
from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, register_rule


@register_rule(layers.Conv1D, layers.Conv2D, layers.Conv3D)
def convolution(call: CallTracer) -> Channels:
    """Kernel (space..., input channels, filters); every filter is a channel of its own."""
    layer, source = call.layer, call.last_axis()
    filters = call.produce(layer.filters)
    call.resize(filters=filters)
    space = [None] * layer.rank
    if layer.groups == 1:
        call.weight(layer.kernel, *space, source, filters)
    else:
        call.weight(layer.kernel, *space, _couple_groups(call, source.ids, filters), filters)
    call.weight(layer.bias, filters)
    return call.last(filters)


def _couple_groups(call: CallTracer, source: Ids, filters: Ids) -> Ids:
    """Keep the groups of a grouped convolution equal; ids of the kernel's input axis, which covers one group.

    Either whole groups go (then inputs and filters of a group go together), or the same positions go in every group,
    whichever leaves more to choose from.
    """
    groups = call.layer.groups
    inputs, outputs = source.reshape(groups, -1), filters.reshape(groups, -1)
    width = min(inputs.shape[1], outputs.shape[1])
    if groups > width or width == 1:
        for block in (inputs, outputs):
            call.ids.couple_rows(block.T)
        call.ids.couple(inputs[:, 0], outputs[:, 0])
        call.resize(groups=inputs[:, 0])
        # The axis covers one group's inputs, whose number stays; fixed ids say so.
        return call.fixed(inputs.shape[1], "a group of a grouped convolution is kept or removed as one")
    for block in (inputs, outputs):
        call.ids.couple_rows(block)
    shared: Ids = inputs[0]
    return shared


@register_rule(layers.Conv1DTranspose, layers.Conv2DTranspose, layers.Conv3DTranspose)
def transposed(call: CallTracer) -> Channels:
    """As a convolution, with the kernel's last two axes swapped."""
    layer, source = call.layer, call.last_axis()
    filters = call.produce(layer.filters)
    call.weight(layer.kernel, *[None] * layer.rank, filters, source)
    call.weight(layer.bias, filters)
    call.resize(filters=filters)
    return call.last(filters)


@register_rule(layers.DepthwiseConv1D, layers.DepthwiseConv2D)
def depthwise(call: CallTracer) -> Channels:
    """Every input channel gives ``depth_multiplier`` outputs, which go with it."""
    layer, source = call.layer, call.last_axis().ids
    spread = np.repeat(source, layer.depth_multiplier)
    call.weight(layer.kernel, *[None] * layer.rank, source, None)
    call.weight(layer.bias, spread)
    return call.last(spread)


@register_rule(layers.SeparableConv1D, layers.SeparableConv2D)
def separable(call: CallTracer) -> Channels:
    """A depthwise convolution and a pointwise one in a single layer."""
    layer, source = call.layer, call.last_axis().ids
    filters = call.produce(layer.filters)
    space = [None] * layer.rank
    call.weight(layer.depthwise_kernel, *space, source, None)
    call.weight(layer.pointwise_kernel, *space, np.repeat(source, layer.depth_multiplier), filters)
    call.weight(layer.bias, filters)
    call.resize(filters=filters)
    return call.last(filters)
