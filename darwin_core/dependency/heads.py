"""Heads: where a feature map becomes a vector, and whether pooling it could take the place of flattening it."""

from __future__ import annotations

import math

from keras import layers

from darwin_core.networks.wiring import Call, Wiring

_TRANSPARENT = (layers.Activation, layers.Dropout, layers.ELU, layers.Identity, layers.LeakyReLU, layers.ReLU)


def poolable_flattens(wiring: Wiring) -> frozenset[str]:
    """Names of the Flatten layers that global average pooling can replace.

    Such a layer reads a feature map (at least one spatial axis, all of known length, more than one position) and is
    read by Dense layers only, directly or through activations and dropout.
    """
    consumers = wiring.consumers()
    ends = set(wiring.outputs)
    calls = [call for call in wiring.calls if type(call.operation) is layers.Flatten]
    shared = {call.name for call in calls if sum(other.name == call.name for other in calls) > 1}
    return frozenset(
        call.name
        for call in calls
        if call.name not in shared and _is_feature_map(wiring, call) and read_by_dense(call.outputs[0], consumers, ends)
    )


def _is_feature_map(wiring: Wiring, call: Call) -> bool:
    shape = wiring.shape(call.inputs[0])
    known = all(size is not None for size in shape[1:])
    return 3 <= len(shape) <= 5 and known and math.prod(size or 1 for size in shape[1:-1]) > 1


def read_by_dense(tensor: int, consumers: dict[int, list[Call]], ends: set[int]) -> bool:
    """Whether only Dense layers read a tensor, directly or through activations and dropout, and it is no output."""
    if tensor in ends or not consumers[tensor]:
        return False
    return all(
        type(call.operation) is layers.Dense
        or (isinstance(call.operation, _TRANSPARENT) and read_by_dense(call.outputs[0], consumers, ends))
        for call in consumers[tensor]
    )
