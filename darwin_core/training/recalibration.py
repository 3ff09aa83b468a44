"""Batch-norm recalibration: moving statistics measured afresh on the network as it is now.

An inheriting offspring carries statistics of wider layers. Judged with them it stands near chance, so they are
measured again before every judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from darwin_core.training.front import TrainedPart
from darwin_core.training.runtime import walk_layers, without_dropout


def normalizations(network: keras.Model) -> list[Any]:
    """The trainable batch normalisations of a network, nested ones included."""
    return [
        layer
        for layer in walk_layers(network)
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]


def recalibrate(
    network: keras.Model, batches: Iterable[Mapping[str, npt.NDArray[np.generic]]], part: TrainedPart | None = None
) -> None:
    """Set the moving mean and variance of every batch normalisation to their averages over ``batches``.

    Statistics of a layer depend on those of the layers before it only through the batch itself, because the network
    runs in training mode: one pass is enough. Nothing happens in a network without batch normalisation.

    Args:
        network: Changed in place.
        batches: Inputs by name, batch axis first.
        part: What was trained of the network, where that is at hand: its front need not be traced again.
    """
    layers = normalizations(network)
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    variables = [variable for layer in layers for variable in (layer.moving_mean, layer.moving_variance)]
    sums = [np.zeros(variable.shape, np.float64) for variable in variables]
    count = 0
    try:
        for layer in layers:
            layer.momentum = 0.0  # the moving statistics become those of the batch

        part = part or TrainedPart(network)
        with without_dropout(network):
            forward: Callable[[Any], Any] | None = None
            for inputs in batches:
                tensors = part.prepare({name: tf.constant(values) for name, values in inputs.items()})
                forward = forward or _traced(part, tensors)
                forward(tensors)
                count += 1
                for total, variable in zip(sums, variables, strict=True):
                    total += np.asarray(variable)
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    for total, variable in zip(sums, variables, strict=True):
        if count:
            variable.assign((total / count).astype(np.float32))


def _traced(part: TrainedPart, tensors: Mapping[str, Any]) -> Callable[[Any], Any]:
    """A network in training mode as one graph for batches of any size."""
    signature = {name: tf.TensorSpec((None, *value.shape[1:]), value.dtype) for name, value in tensors.items()}
    function = tf.function(part.run, autograph=False)
    traced: Callable[[Any], Any] = function.get_concrete_function(signature)
    return traced
