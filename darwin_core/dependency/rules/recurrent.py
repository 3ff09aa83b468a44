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
    if layer.return_state or layer.stateful or len(call.inputs) > 1:
        return call.give_up("it hands its state around")
    units = call.produce(layer.units)
    _declare(call, layer, call.last_axis(), units)
    call.resize(units=units)
    return call.last(units)


def _declare(call: CallTracer, layer: Any, source: Channels, units: Ids) -> None:
    gates = np.tile(units, _GATES[type(layer)])
    cell = layer.cell
    call.weight(cell.kernel, source, gates)
    call.weight(cell.recurrent_kernel, units, gates)
    if cell.bias is not None:
        # A GRU with reset_after has one bias for the input and one for the state.
        call.weight(cell.bias, *[None] * (len(cell.bias.shape) - 1), gates)
