"""Layers through which channels pass unchanged: activations, dropout, pooling, padding, augmentation."""

from __future__ import annotations

import numpy as np
from keras import layers

from darwin_core.dependency.tracing import CallTracer, Channels, register_rule


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
    """A scale or offset per channel is part of the configuration and cannot be narrowed; a single number can."""
    channels = call.inputs[0]
    if np.size(call.layer.scale) > 1 or np.size(call.layer.offset) > 1:
        call.ids.freeze(channels.ids, f"layer '{call.name}' scales each channel by a fixed number")
    return channels
