"""Weighted pooling: where a feature map becomes a vector, every position of every channel has a weight of its own.

The average over a map forgets where something was seen; flattening it remembers, at the price of a Dense layer over all
positions. A depthwise convolution as large as the map remembers for one weight per channel and position (the global
depthwise convolution of MobileFaceNets, Chen et al., arXiv 1804.07573). It starts as the average, so the network
answers as with global average pooling until training finds better weights.
"""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import layers

from darwin_core.contracts import HeadKind
from darwin_core.dependency import DependencyGraph, analyse, narrow
from darwin_core.dependency.heads import read_by_dense
from darwin_core.networks.wiring import Call, Wiring, read_wiring
from darwin_core.rewriting.applying import Chain, flat_network, with_replacements
from darwin_core.rewriting.operators import Site

_MOST_POSITIONS = 64
"""Larger maps would get more weights than the average over them hides."""


def weighted_pooling(model: keras.Model, graph: DependencyGraph | None = None) -> keras.Model | None:
    """A copy of a network whose head weighs positions, starting as their average; None where it has no such head.

    A head is the average over a two-dimensional feature map of up to 64 positions that nothing else reads (as a
    squeeze-and-excitation block would) and that only Dense layers read, directly or through activations and dropout;
    or a Flatten that such an average could take the place of.

    Args:
        model: A Functional or Sequential network; nested ones are written out flat.
        graph: The dependency graph of ``model``, to save analysing it again.

    Raises:
        NetworkError: The network's graph cannot be read.
    """
    graph = graph or analyse(model)
    if HeadKind.GLOBAL_POOLING in graph.heads:
        wiring = read_wiring(narrow(model, {}, head=HeadKind.GLOBAL_POOLING, graph=graph))
    else:
        wiring = read_wiring(flat_network(model))
    poolings = [call for call in wiring.calls if _is_head(wiring, call)]
    if not poolings:
        return None
    return with_replacements(wiring, {call.name: Chain(_weighing(Site(wiring, call))) for call in poolings})


def _is_head(wiring: Wiring, call: Call) -> bool:
    layer, consumers = call.operation, wiring.consumers()
    if type(layer) is not layers.GlobalAveragePooling2D or layer.data_format != "channels_last" or layer.keepdims:
        return False
    rows, columns = wiring.shape(call.inputs[0])[1:3]
    return (
        rows is not None
        and columns is not None
        and 1 < rows * columns <= _MOST_POSITIONS
        and sum(other.operation is layer for other in wiring.calls) == 1
        and len(consumers[call.inputs[0]]) == 1
        and call.inputs[0] not in wiring.outputs
        and read_by_dense(call.outputs[0], consumers, set(wiring.outputs))
    )


def _weighing(site: Site) -> tuple[Any, ...]:
    """The two layers that take the place of the average; together they have its output shape."""
    positions = site.input_shape[1:3]
    weights = keras.initializers.Constant(1.0 / math.prod(size or 1 for size in positions))
    convolution = layers.DepthwiseConv2D(
        positions,
        use_bias=False,
        depthwise_initializer=weights,
        dtype=site.layer.dtype_policy,
        name=site.derived("weights"),
    )
    return convolution, layers.Flatten(dtype=site.layer.dtype_policy, name=site.name)
