"""Layers through which channels pass unchanged: activations, dropout, pooling, padding, augmentation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers
from numpy.typing import NDArray

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, Count, register_rule, remaining


@register_rule(
    layers.Activation,
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.ELU,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.LeakyReLU,
    layers.Masking,
    layers.ReLU,
    layers.Softmax,
    layers.SpatialDropout1D,
    layers.SpatialDropout2D,
    layers.SpatialDropout3D,
    layers.UnitNormalization,
)
def elementwise(call: CallTracer) -> Channels:
    """The output has the input's shape, whichever axis the channels run along."""
    return call.inputs[0]


@register_rule(
    layers.AdaptiveAveragePooling1D,
    layers.AdaptiveAveragePooling2D,
    layers.AdaptiveAveragePooling3D,
    layers.AdaptiveMaxPooling1D,
    layers.AdaptiveMaxPooling2D,
    layers.AdaptiveMaxPooling3D,
    layers.AveragePooling1D,
    layers.AveragePooling2D,
    layers.AveragePooling3D,
    layers.CenterCrop,
    layers.Cropping1D,
    layers.Cropping2D,
    layers.Cropping3D,
    layers.GlobalAveragePooling1D,
    layers.GlobalAveragePooling2D,
    layers.GlobalAveragePooling3D,
    layers.GlobalMaxPooling1D,
    layers.GlobalMaxPooling2D,
    layers.GlobalMaxPooling3D,
    layers.MaxPooling1D,
    layers.MaxPooling2D,
    layers.MaxPooling3D,
    layers.RepeatVector,
    layers.Resizing,
    layers.UpSampling1D,
    layers.UpSampling2D,
    layers.UpSampling3D,
    layers.ZeroPadding1D,
    layers.ZeroPadding2D,
    layers.ZeroPadding3D,
)
def spatial(call: CallTracer) -> Channels:
    """Every channel is handled alone; the last axis stays the last one, whatever happens to the axes between."""
    return call.last(call.last_axis().ids)


@register_rule(layers.PReLU)
def prelu(call: CallTracer) -> Channels:
    """The slopes have the input's shape without the batch axis; shared axes have size 1."""
    channels = call.inputs[0]
    axes = [None] * (len(call.input_shape()) - 1)
    if channels.axis is not None and call.layer.alpha.shape[channels.axis - 1] == len(channels.ids):
        shared = call.layer.shared_axes or ()
        if channels.axis not in shared:
            axes[channels.axis - 1] = channels  # type: ignore[call-overload]
    call.weight(call.layer.alpha, *axes)
    return channels


@register_rule(layers.Rescaling)
def rescaling(call: CallTracer) -> Channels:
    """Scale and offset are single numbers, or one number per channel, which narrow with the channels."""
    channels = call.inputs[0]
    for argument in ("scale", "offset"):
        value = np.asarray(getattr(call.layer, argument))
        if value.ndim == 1 and len(value) == len(channels.ids) and channels.axis == len(call.input_shape()) - 1:
            call.resize(**{argument: _entries(value, channels.ids)})
        elif value.size > 1:
            call.ids.freeze(channels.ids, f"layer '{call.name}' scales positions by fixed numbers")
            call.trace.rigid = True
    return channels


def _entries(value: NDArray[Any], ids: Ids) -> Callable[[Count], Any]:
    return lambda count: value[remaining(count, ids)].tolist()
