"""Layers around other layers."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.rules.recurrent import declare_cell, keeps_state_inside
from darwin_core.dependency.tracing import CallTracer, Channels, Count, register_rule

_INSIDE = (layers.Activation, layers.Dropout, layers.ELU, layers.LeakyReLU, layers.ReLU)


@register_rule(layers.TimeDistributed)
def time_distributed(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """A Dense layer (or an activation) at every step is what it would be without the wrapper."""
    inner = call.layer.layer
    if isinstance(inner, _INSIDE):
        return call.inputs[0]
    if type(inner) is not layers.Dense:
        return call.give_up(f"there is no rule for {type(inner).__name__} inside of it")
    source = call.last_axis()
    units = call.produce(inner.units)
    call.weight(inner.kernel, source, units)
    call.weight(inner.bias, units)
    call.resize(layer=_resized(inner, units))
    return call.last(units)


@register_rule(layers.Bidirectional)
def bidirectional(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Two recurrent layers of equal width; their units at the same position go together."""
    forward, backward = call.layer.forward_layer, call.layer.backward_layer
    if type(forward) is not type(backward) or not keeps_state_inside(forward) or not keeps_state_inside(backward):
        return call.give_up("it wraps layers other than two plain LSTM, GRU or SimpleRNN layers")
    if call.layer.merge_mode is None or forward.units != backward.units or len(call.inputs) > 1:
        return call.give_up("it returns both directions apart, or they differ in width")
    units, source = call.produce(forward.units), call.last_axis()
    for direction in (forward, backward):
        declare_cell(call, direction, source, units)
    call.resize(layer=_resized(forward, units), backward_layer=_resized(backward, units))
    return call.last(np.tile(units, 2) if call.layer.merge_mode == "concat" else units)


def _resized(inner: keras.Layer, units: Ids) -> Any:
    """The inner layer's serialised form at the new width, without the shapes it was built for."""

    def serialised(count: Count) -> dict[str, Any]:
        whole: dict[str, Any] = keras.saving.serialize_keras_object(inner)
        return {
            "module": whole["module"],
            "class_name": whole["class_name"],
            "registered_name": whole["registered_name"],
            "config": whole["config"] | {"units": count(units)},
        }

    return serialised
