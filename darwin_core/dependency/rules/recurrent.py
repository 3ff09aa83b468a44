"""Recurrent layers: every gate of a cell has one column per unit, and the units feed back."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import layers

from darwin_core.dependency.ids import Ids
from darwin_core.dependency.tracing import CallTracer, Channels, register_rule

_GATES = {layers.LSTM: 4, layers.GRU: 3, layers.SimpleRNN: 1}


@register_rule(*_GATES)
def recurrent(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """Kernel (input, gates x units), recurrent kernel (units, gates x units)."""
    layer = call.layer
    if not keeps_state_inside(layer) or len(call.inputs) > 1:
        return call.give_up("it takes or hands on its state")
    units = call.produce(layer.units)
    declare_cell(call, layer, call.last_axis(), units)
    call.resize(units=units)
    return call.last(units)


@register_rule(layers.ConvLSTM1D, layers.ConvLSTM2D, layers.ConvLSTM3D)
def convolutional_lstm(call: CallTracer) -> Channels | tuple[Channels, ...]:
    """As an LSTM, with the space of a convolution's kernel in front of every weight's axes."""
    layer = call.layer
    if layer.return_state or layer.stateful or len(call.inputs) > 1:
        return call.give_up("it takes or hands on its state")
    filters, source, cell = call.produce(layer.filters), call.last_axis(), layer.cell
    gates, space = np.tile(filters, 4), [None] * cell.rank
    call.weight(cell.kernel, *space, source, gates)
    call.weight(cell.recurrent_kernel, *space, filters, gates)
    call.weight(cell.bias, gates)
    call.resize(filters=filters)
    return call.last(filters)


def keeps_state_inside(layer: Any) -> bool:
    """True for a plain recurrent layer whose state nobody else sees."""
    return type(layer) in _GATES and not layer.return_state and not layer.stateful


def declare_cell(call: CallTracer, layer: Any, source: Channels, units: Ids) -> None:
    """The ids along the weights of a recurrent layer's cell."""
    gates = np.tile(units, _GATES[type(layer)])
    cell = layer.cell
    call.weight(cell.kernel, source, gates)
    call.weight(cell.recurrent_kernel, units, gates)
    if cell.bias is not None:
        # A GRU with reset_after has one bias for the input and one for the state.
        call.weight(cell.bias, *[None] * (len(cell.bias.shape) - 1), gates)
