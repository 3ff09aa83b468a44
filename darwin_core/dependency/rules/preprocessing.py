"""Layers that prepare raw columns: their widths are fixed by vocabularies, bins and statistics, not by choice.

They still carry ids, so that a column that is dropped takes its preparation with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, Count, register_rule, remaining


@register_rule(
    layers.CategoryEncoding,
    layers.Discretization,
    layers.HashedCrossing,
    layers.Hashing,
    layers.IntegerLookup,
    layers.MelSpectrogram,
    layers.STFTSpectrogram,
    layers.StringLookup,
    layers.TextVectorization,
)
def preparation(call: CallTracer) -> tuple[Channels, ...]:
    """Inputs and outputs keep their width."""
    return call.keep_widths(f"layer '{call.name}' ({call.trace.call.kind}) prepares raw columns")


@register_rule(layers.Normalization)
def normalization(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """A mean and a variance per position of its axes: learned as weights, or given as constructor arguments."""
    layer, channels, rank = call.layer, call.inputs[0], len(call.input_shape())
    axes = sorted(axis % rank for axis in layer.axis)
    if channels.axis is None:
        return call.keep_widths(f"layer '{call.name}' ({call.trace.call.kind}) prepares raw columns")
    if layer.input_mean is None:
        running = [channels.ids if axis == channels.axis else None for axis in axes]
        call.weight(layer.adapt_mean, *running)
        call.weight(layer.adapt_variance, *running)
    elif channels.axis in axes:
        at = axes.index(channels.axis) - len(axes)
        call.resize(mean=_entries(layer.input_mean, at, channels.ids))
        call.resize(variance=_entries(layer.input_variance, at, channels.ids))
    return channels


def _entries(given: Any, axis: int, ids: Ids) -> Callable[[Count], Any]:
    """What is left of numbers that are broadcast over the axes, the last ones aligned."""
    value = np.asarray(given)
    if value.ndim < -axis or value.shape[axis] != len(ids):
        return lambda _: value.tolist()
    return lambda count: np.take(value, remaining(count, ids), axis=axis).tolist()


@register_rule(
    layers.AugMix,
    layers.AutoContrast,
    layers.Equalization,
    layers.RandAugment,
    layers.RandomBrightness,
    layers.RandomColorDegeneration,
    layers.RandomColorJitter,
    layers.RandomContrast,
    layers.RandomCrop,
    layers.RandomElasticTransform,
    layers.RandomErasing,
    layers.RandomFlip,
    layers.RandomGaussianBlur,
    layers.RandomGrayscale,
    layers.RandomHue,
    layers.RandomInvert,
    layers.RandomPerspective,
    layers.RandomPosterization,
    layers.RandomRotation,
    layers.RandomSaturation,
    layers.RandomSharpness,
    layers.RandomShear,
    layers.RandomTranslation,
    layers.RandomZoom,
    layers.Solarization,
)
def augmentation(call: CallTracer) -> tuple[Channels, ...]:
    """Augmentation of images: works on colours, which keep their number."""
    return call.keep_widths(f"layer '{call.name}' ({call.trace.call.kind}) augments images")
