"""Attention layers."""

from __future__ import annotations

import math
from typing import Any

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
    call.resize(num_heads=heads, key_dim=key_width, value_dim=value_width, output_shape=lambda count: (count(outputs),))
    return call.last(outputs)


def _project(call: CallTracer, dense: Any, source: Channels, axes: tuple[Ids, Ids], scale: Any = None) -> None:
    call.weight(dense.kernel, source, *axes, scale=scale)
    call.weight(dense.bias, *axes, scale=scale)


def _sharper(width: Ids) -> Any:
    def scale(count: Count) -> float:
        return math.sqrt(count(width) / len(width))

    return scale


@register_rule(layers.Attention)
def attention(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Dot-product attention without projections: queries and keys share their channels, values pass."""
    if len(call.trace.call.outputs) != 1 or call.layer.score_mode != "dot":
        return call.give_up("it scores by concatenation or returns its scores")
    query, value = call.last_axis(0).ids, call.last_axis(1).ids
    call.ids.couple(query, call.last_axis(2).ids if len(call.inputs) > 2 else value)
    return call.last(value)
