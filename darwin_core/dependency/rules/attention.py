"""Attention layers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, Count, register_rule


@register_rule(layers.MultiHeadAttention)
def multi_head_attention(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Kernels are (input, heads, width) and, for the output, (heads, width, output).

    Heads, the width of keys and queries, the width of values and the output each give a dependency group. Scores are
    divided by the root of the key width; the query's kernel makes up for it when that width shrinks.
    """
    layer = call.layer
    if getattr(layer, "_output_shape", None) is not None and len(layer._output_shape) > 1:
        return call.give_up("its output has several axes of channels")
    if len(call.output_shape()) != 3 or len(call.trace.call.outputs) != 1:
        return call.give_up("it attends over several axes or returns its scores")
    sources = [call.last_axis(position) for position in range(len(call.inputs))]
    query, value = sources[0], sources[1]
    key = sources[2] if len(sources) > 2 else value
    heads = call.produce(layer.num_heads, "heads")
    key_width = call.produce(layer.key_dim, "key_width")
    value_width = call.produce(layer.value_dim, "value_width")
    outputs = call.produce(call.output_shape()[-1] or 1)
    _project(call, layer.query_dense, query, (heads, key_width), scale=_sharper(key_width))
    _project(call, layer.key_dense, key, (heads, key_width))
    _project(call, layer.value_dense, value, (heads, value_width))
    call.weight(layer.output_dense.kernel, heads, value_width, outputs)
    call.weight(layer.output_dense.bias, outputs)
    call.sight(heads, layer.output_dense, axis=2, entering=True)
    call.sight(value_width, layer.output_dense, axis=3, entering=True)
    call.sight(key_width, layer.query_dense, axis=3)
    call.resize(num_heads=heads, key_dim=key_width, value_dim=value_width, output_shape=lambda count: (count(outputs),))
    return call.last(outputs)


def _project(call: CallTracer, dense: Any, source: Channels, axes: tuple[Ids, Ids], scale: Any = None) -> None:
    call.weight(dense.kernel, source, *axes, scale=scale)
    call.weight(dense.bias, *axes, scale=scale)


def _sharper(width: Ids) -> Any:
    def scale(count: Count) -> float:
        return math.sqrt(count(width) / len(width))

    return scale


@register_rule(layers.GroupQueryAttention)
def grouped_query_attention(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Several heads of queries share one head of keys and values; the output is as wide as the query.

    Either heads of keys and values go with all their heads of queries, or the same positions go among the query heads
    of every key head, whichever leaves more to choose from. The layer wants queries and values of equal width.
    """
    layer = call.layer
    if len(call.trace.call.outputs) != 1:
        return call.give_up("it returns its scores")
    sources = [call.last_axis(position) for position in range(len(call.inputs))]
    query, value = sources[0], sources[1]
    key = sources[2] if len(sources) > 2 else value
    query_heads, key_heads = _tied_heads(call)
    width = call.produce(layer.head_dim, "head_width")
    outputs = call.produce(call.output_shape()[-1] or 1)
    call.ids.couple(outputs, query.ids)
    call.ids.couple(value.ids, query.ids)
    _project(call, layer._query_dense, query, (query_heads, width), scale=_sharper(width))
    _project(call, layer._key_dense, key, (key_heads, width))
    _project(call, layer._value_dense, value, (key_heads, width))
    if layer.use_gate:
        _project(call, layer._gate_dense, query, (query_heads, width))
    call.weight(layer._output_dense.kernel, query_heads, width, outputs)
    call.weight(layer._output_dense.bias, outputs)
    call.sight(query_heads, layer._output_dense, axis=2, entering=True)
    call.sight(width, layer._output_dense, axis=3, entering=True)
    call.resize(head_dim=width, num_query_heads=query_heads, num_key_value_heads=key_heads)
    return call.last(outputs)


def _tied_heads(call: CallTracer) -> tuple[Ids, Ids]:
    """Ids of the query heads, and of the heads of keys and values."""
    layer = call.layer
    sharing = layer.num_query_heads // layer.num_key_value_heads
    if layer.num_key_value_heads >= sharing:
        heads = call.produce(layer.num_key_value_heads, "heads")
        return np.repeat(heads, sharing), heads
    heads = call.produce(sharing, "heads")
    fixed = call.fixed(layer.num_key_value_heads, "all heads of keys and values stay where query heads are chosen")
    return np.tile(heads, layer.num_key_value_heads), fixed


@register_rule(layers.Attention, layers.AdditiveAttention)
def attention(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Attention without projections: scores are a sum over the channels that queries and keys share; values pass."""
    if len(call.trace.call.outputs) != 1:
        return call.give_up("it returns its scores")
    query, value = call.last_axis(0).ids, call.last_axis(1).ids
    call.ids.couple(query, call.last_axis(2).ids if len(call.inputs) > 2 else value)
    if type(call.layer) is layers.AdditiveAttention:
        call.weight(call.layer.scale, query)
    return call.last(value)
