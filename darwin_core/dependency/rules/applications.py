"""Layers that only the networks of ``keras.applications`` use; they ship with Keras, so any Keras loads them."""

from __future__ import annotations

from keras.src.applications.convnext import LayerScale, StochasticDepth
from keras.src.applications.inception_resnet_v2 import CustomScaleLayer

from darwin_core.dependency.rules.merging import merge
from darwin_core.dependency.tracing import CallTracer, Channels, register_rule


@register_rule(StochasticDepth)
def stochastic_depth(call: CallTracer) -> Channels:
    """Drops whole branches while training."""
    return call.inputs[0]


@register_rule(LayerScale)
def layer_scale(call: CallTracer) -> Channels:
    """One factor per channel."""
    channels = call.last_axis()
    call.weight(call.layer.gamma, channels)
    call.resize(projection_dim=channels.ids)
    return channels


@register_rule(CustomScaleLayer)
def scaled_sum(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """The first input plus a constant times the second."""
    return merge(call)
