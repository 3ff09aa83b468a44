"""Layers that prepare raw columns: their widths are fixed by vocabularies, bins and statistics, not by choice.

They still carry ids, so that a column that is dropped takes its preparation with it.
"""

from __future__ import annotations

from keras import layers

from darwin_core.dependency.tracing import CallTracer, Channels, register_rule


@register_rule(
    layers.CategoryEncoding,
    layers.Discretization,
    layers.HashedCrossing,
    layers.Hashing,
    layers.IntegerLookup,
    layers.MelSpectrogram,
    layers.Normalization,
    layers.STFTSpectrogram,
    layers.StringLookup,
    layers.TextVectorization,
)
def preparation(call: CallTracer) -> tuple[Channels, ...]:
    """Inputs and outputs keep their width."""
    return call.keep_widths(f"layer '{call.name}' ({call.trace.call.kind}) prepares raw columns")


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
