"""Dense layers and embeddings."""

from __future__ import annotations

from typing import Any

from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, Count, register_rule


@register_rule(layers.Dense)
def dense(call: CallTracer) -> Channels:
    """Mixes the last axis; every unit is a channel of its own."""
    source = call.last_axis()
    units = call.produce(call.layer.units)
    call.weight(call.layer.kernel, source, units)
    call.weight(call.layer.bias, units)
    call.resize(units=units)
    return call.last(units)


@register_rule(layers.Embedding)
def embedding(call: CallTracer) -> Channels:
    """Looks rows up; the columns are channels, the rows are fixed by the vocabulary."""
    call.ids.freeze(call.inputs[0].ids, f"layer '{call.name}' reads them as indices")
    columns = call.produce(call.layer.output_dim)
    call.weight(call.layer.embeddings, None, columns)
    call.resize(output_dim=columns)
    return call.last(columns)


@register_rule(layers.EinsumDense)
def einsum_dense(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """A kernel over labelled axes: the input's channels and one produced axis can be narrowed, other axes stay.

    Of several produced axes (heads and their width, say) the last one is the layer's width.
    """
    layer = call.layer
    left, result = layer.equation.replace("...", "~").split("->")
    source, kernel = left.split(",")
    produced = [label for label in result if label in kernel and label not in source]
    if "~" in left or not produced or result[-1] != produced[-1]:
        return call.give_up(f"its equation {layer.equation} does not end in an axis that it produces")
    read = next((label for label in reversed(source) if label in kernel), None)
    if read is None or read in result:
        return call.give_up(f"its equation {layer.equation} mixes no channels")
    units = call.produce(call.output_shape()[-1] or 1)
    running: dict[str, Ids] = {read: call.along(source.index(read)), produced[-1]: units}
    call.weight(layer.kernel, *(running.get(label) for label in kernel))
    if layer.bias is not None:
        call.weight(layer.bias, *_bias_axes(layer, result, running))
    call.resize(output_shape=_with_last(tuple(layer.partial_output_shape), units))
    return call.last(units)


def _bias_axes(layer: Any, result: str, running: dict[str, Ids]) -> list[Ids | None]:
    """Labels of the bias axes, which keras aligns with the output from its first biased axis on."""
    first = min(result.index(label) for label in layer.bias_axes)
    labels = [label if label in layer.bias_axes else None for label in result[first:]]
    return [running.get(label) if label else None for label in labels]


def _with_last(shape: tuple[int | None, ...], ids: Ids) -> Any:
    def resized(count: Count) -> tuple[int | None, ...]:
        return (*shape[:-1], count(ids))

    return resized
