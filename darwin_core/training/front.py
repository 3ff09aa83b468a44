"""The front of a network: what turns raw columns into numbers and learns nothing.

A table's network has a lookup or a normalisation for every column. Over the few rows of a training step each of them
takes longer than the compact layers behind them all; over the thousands of rows of a chunk they take next to nothing.
So training runs the front once for each chunk, or once for all rows, and at every step only what is behind it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from darwin_core.networks.parts import build_part
from darwin_core.networks.wiring import Call, Wiring, read_wiring
from darwin_core.training.runtime import run_network

_FRONT_LAYERS = (
    keras.layers.CategoryEncoding,
    keras.layers.Concatenate,
    keras.layers.Discretization,
    keras.layers.Hashing,
    keras.layers.IntegerLookup,
    keras.layers.Normalization,
    keras.layers.Rescaling,
    keras.layers.Reshape,
    keras.layers.StringLookup,
)
_FEWEST_CALLS = 4
_MOST_ROW_BYTES = 4096
"""A front of fewer calls saves nothing; one that makes more of a row (a wide one-hot code, a picture) costs memory."""

Tensors = Mapping[str, Any]


class TrainedPart:
    """What a training step runs of a network, and how rows are made ready for it.

    Both parts share the network's layers, and so its weights.

    Args:
        network: A Functional or Sequential network with one output.

    Attributes:
        row_bytes: Of a prepared row, if there is a front.
        tensors: What the operations of `run` read and make.
    """

    def __init__(self, network: keras.Model) -> None:
        self._network = network
        self._front: keras.Model | None = None
        self._trunk: keras.Model | None = None
        self._traced: Callable[[Tensors], Tensors] | None = None
        wiring = read_wiring(network)
        self._inputs = tuple(wiring.inputs)
        calls, behind = _halves(wiring)
        cut = _cut(wiring, behind)
        self.row_bytes = _row_bytes(wiring, cut)
        if len(calls) >= _FEWEST_CALLS and self.row_bytes <= _MOST_ROW_BYTES:
            names = {index: f"cut_{index}" for index in cut}
            given = {index: name for name, index in wiring.inputs.items()}
            self._front = build_part(wiring, calls, given, {name: index for index, name in names.items()})
            self._trunk = build_part(wiring, behind, names, wiring.outputs[0])
        trained = wiring.calls if self._trunk is None else behind
        self.tensors = tuple(wiring.tensors[index] for call in trained for index in (*call.inputs, *call.outputs))

    @property
    def is_split(self) -> bool:
        """Whether there is a front that is worth running apart."""
        return self._trunk is not None

    def prepare(self, inputs: Tensors) -> Tensors:
        """Inputs by name, any number of rows -> what `run` takes."""
        if self._front is None:
            return inputs
        given = {name: inputs[name] for name in self._inputs}
        if self._traced is None:
            # Traced once for any number of rows: with hundreds of columns, tracing takes seconds.
            specs = {name: tf.TensorSpec((None, *value.shape[1:]), value.dtype) for name, value in given.items()}
            self._traced = tf.function(self._front, input_signature=[specs], autograph=False)
        return self._traced(given)

    def without_front(self) -> TrainedPart:
        """The same for rows that were prepared before: `prepare` leaves them as they are."""
        part = copy.copy(self)
        part._front = None
        return part

    def run(self, rows: Tensors) -> Any:
        """The network's output in training mode, for rows that were prepared."""
        if self._trunk is None:
            return run_network(self._network, rows, training=True)
        return self._trunk(rows, training=True)


def _halves(wiring: Wiring) -> tuple[list[Call], list[Call]]:
    """Calls of layers that learn nothing and read nothing but inputs and each other, and the others.

    Masks pass between layers unseen, so a network that has any stays in one piece.
    """
    if any(call.masks for call in wiring.calls):
        return [], list(wiring.calls)
    known: set[int] = set(wiring.inputs.values())
    front: list[Call] = []
    behind: list[Call] = []
    for call in wiring.calls:
        if type(call.operation) in _FRONT_LAYERS and known.issuperset(call.inputs):
            known.update(call.outputs)
            front.append(call)
        else:
            behind.append(call)
    return front, behind


def _cut(wiring: Wiring, behind: list[Call]) -> list[int]:
    """Tensors that these calls, or whoever wants the output, read and these calls do not make."""
    made = {tensor for call in behind for tensor in call.outputs}
    read = {tensor for call in behind for tensor in call.inputs}
    return sorted((read | set(wiring.outputs)) - made)


def _row_bytes(wiring: Wiring, tensors: list[int]) -> float:
    """Bytes of a row of these tensors; infinite where a size is not known."""
    total = 0.0
    for index in tensors:
        sizes = wiring.shape(index)[1:]
        if None in sizes:
            return float("inf")
        total += float(np.prod([float(size or 0) for size in sizes])) * tf.as_dtype(wiring.tensors[index].dtype).size
    return total
