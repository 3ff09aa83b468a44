"""What a network costs: parameters, multiply-accumulates, bytes, per layer and in all."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import keras
import numpy as np

from darwin_core.contracts import LayerCost, NetworkCost
from darwin_core.networks.macs import CallShapes, call_macs
from darwin_core.networks.wiring import Call, Shape, Wiring, read_wiring


def measure_cost(model: keras.Model) -> NetworkCost:
    """Cost of a network for one row.

    Parameters count every weight once, batch-norm statistics and the statistics of a ``Normalization`` layer included.
    The entries of a lookup table (``StringLookup``...) are not numbers: they add their UTF-8 bytes to ``weight_bytes``
    and nothing to ``parameters``.
    """
    wiring = read_wiring(model)
    costs = wiring_costs(wiring)
    layers = wiring.layers().values()
    return NetworkCost(
        parameters=sum(cost.parameters for cost in costs),
        macs=sum(cost.macs for cost in costs),
        weight_bytes=sum(map(layer_bytes, layers)),
        input_features=sum(input_features(wiring.shape(tensor)) for tensor in wiring.inputs.values()),
    )


def layer_costs(model: keras.Model) -> tuple[LayerCost, ...]:
    """Each layer's share of the cost, in the order of first use; the layers of nested networks stand on their own."""
    return wiring_costs(read_wiring(model))


def wiring_costs(wiring: Wiring) -> tuple[LayerCost, ...]:
    """As `layer_costs`, for a network already read."""
    macs: dict[str, int] = {}
    first: dict[str, Call] = {}
    for call in wiring.calls:
        first.setdefault(call.name, call)
        macs[call.name] = macs.get(call.name, 0) + call_macs(
            CallShapes(
                layer=call.operation,
                inputs=[wiring.shape(tensor) for tensor in call.inputs],
                outputs=[wiring.shape(tensor) for tensor in call.outputs],
                weight=lambda weight: tuple(weight.shape),
            )
        )
    return tuple(
        LayerCost(
            name=name,
            kind=call.kind,
            output_shape=wiring.shape(call.outputs[0]),
            parameters=sum(math.prod(weight.shape) for weight in weights_of(call.operation)),
            macs=macs[name],
        )
        for name, call in first.items()
    )


def weights_of(operation: keras.Operation) -> list[Any]:
    """The weights of a layer; none for a ``keras.ops`` operation."""
    return list(operation.weights) if isinstance(operation, keras.Layer) else []


def weight_width(weight: Any) -> int:
    """Bytes of one number of a weight."""
    name = keras.backend.standardize_dtype(weight.dtype)
    return 2 if name == "bfloat16" else 1 if name.startswith("float8") else int(np.dtype(name).itemsize)


def layer_bytes(operation: keras.Operation) -> int:
    """Bytes of a layer's weights and lookup table."""
    numbers: int = sum(math.prod(weight.shape) * weight_width(weight) for weight in weights_of(operation))
    return numbers + table_bytes(operation)


def table_bytes(operation: keras.Operation) -> int:
    """UTF-8 bytes of the entries of a lookup layer's table; 0 for every other layer."""
    vocabulary = getattr(operation, "get_vocabulary", None)
    return _entry_bytes(vocabulary()) if vocabulary is not None else 0


def _entry_bytes(entries: Iterable[Any]) -> int:
    return sum(len(str(entry).encode()) for entry in entries)


def input_features(shape: Shape) -> int:
    """Raw columns that an input reads: the entries of a vector, 1 for a sequence or an image."""
    return (shape[1] or 1) if len(shape) == 2 else 1
