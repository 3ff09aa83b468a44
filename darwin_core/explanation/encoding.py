"""Where a network's preprocessing ends: the first tensors from which on the network can be differentiated.

Text has no gradient, a missing number has none either, nor has a value that is put into a bin. So the network is cut
in two::

    raw columns --> lookups, bins, filling of gaps --> | cut | --> everything that can be differentiated --> score

The cut is found, not declared: a tensor is unfit where it is no float, or holds something that is not finite on real
rows, or where something behind it is unfit. The cut are the first fit tensors. Which position of the cut belongs to
which raw column is found by exchanging one column's values between rows and looking which positions change.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from darwin_core.contracts import OutputKind
from darwin_core.dependency import analyse
from darwin_core.errors import NetworkError
from darwin_core.explanation.attribution.base import Floats, Inputs, Targets
from darwin_core.explanation.attribution.features import FeatureMap, count_rows, take
from darwin_core.explanation.scoring import score_of
from darwin_core.networks import network_inputs
from darwin_core.networks.inputs import as_tensor
from darwin_core.networks.wiring import Wiring

_PROBED_ROWS = 128


class Encoding:
    """A network cut in two behind its preprocessing.

    Args:
        model: The network.
        kind: How to read its output.
        features: The columns that it reads.
        rows: Real rows, missing values and rare texts included.

    Raises:
        NetworkError: The graph cannot be read, or a position of the cut depends on several columns.
    """

    def __init__(self, model: keras.Model, kind: OutputKind, features: FeatureMap, rows: Inputs) -> None:
        graph = analyse(model)
        wiring = graph.wiring
        self._kind = kind
        probed = take(rows, slice(0, _PROBED_ROWS))
        self._cut = _find_cut(wiring, graph.model, probed)
        tensors = [wiring.tensors[index] for index in self._cut]
        self._encode = _Reader(graph.model, tensors)
        self._rest = keras.Model(tensors, wiring.tensors[wiring.outputs[0]])
        signature = [tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype) for tensor in tensors]
        self._gradient = tf.function(
            self._differentiate, input_signature=[signature, tf.TensorSpec((None,), tf.int64)], autograph=False
        )
        self._owners = _owners(self._encode, features, probed)
        self._columns = len(features)

    def encode(self, inputs: Inputs) -> list[NDArray[np.float32]]:
        """Rows at the cut: one array per tensor."""
        return self._encode(inputs)

    def gradients(self, encoded: list[NDArray[np.float32]], targets: Targets | None) -> tuple[Floats, list[Any]]:
        """(rows,) scores of encoded rows, and their gradients by every tensor of the cut."""
        chosen = np.zeros(len(encoded[0]), np.int64) if targets is None else targets
        scores, gradients = self._gradient([tf.constant(part) for part in encoded], tf.constant(chosen, tf.int64))
        return scores.numpy().astype(np.float64), [gradient.numpy() for gradient in gradients]

    def by_column(self, parts: list[NDArray[Any]]) -> Floats:
        """(rows, columns) sums of what lies at the positions of each column."""
        found = np.zeros((len(parts[0]), self._columns))
        for part, owner in zip(parts, self._owners, strict=True):
            flat = part.reshape(len(part), -1)
            owned = owner >= 0
            np.add.at(found.T, owner[owned], flat[:, owned].T)
        return found

    def _differentiate(self, encoded: list[tf.Tensor], targets: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            tape.watch(encoded)
            outputs = self._rest(encoded, training=False)
            score = score_of(self._kind, tf.cast(outputs, tf.float32), targets)
        return score, tape.gradient(score, encoded, unconnected_gradients=tf.UnconnectedGradients.ZERO)


class _Reader:
    """Values of inner tensors."""

    def __init__(self, model: keras.Model, tensors: list[keras.KerasTensor]) -> None:
        self._inputs = network_inputs(model)
        self._model = keras.Model(model.inputs, tensors)
        self._read = tf.function(lambda values: self._model(values, training=False), autograph=False)

    def __call__(self, inputs: Inputs) -> list[Any]:
        values = [as_tensor(given, inputs[given.name]) for given in self._inputs]
        found = self._read(values)
        return [part.numpy() for part in (found if isinstance(found, list | tuple) else [found])]


def _find_cut(wiring: Wiring, model: keras.Model, rows: Inputs) -> tuple[int, ...]:
    used = sorted({index for call in wiring.calls for index in (*call.data, *call.outputs)} | set(wiring.outputs))
    values = dict(zip(used, _Reader(model, [wiring.tensors[index] for index in used])(rows), strict=True))
    fit = {index: value.dtype.kind == "f" and bool(np.isfinite(value).all()) for index, value in values.items()}
    for call in reversed(wiring.calls):
        if not all(fit[index] for index in call.outputs):
            fit.update(dict.fromkeys(call.data, False))
    behind = [index for call in wiring.calls for index in call.outputs if not all(fit[i] for i in call.data)]
    cut = [index for index in (*wiring.inputs.values(), *behind) if fit.get(index)]
    if not cut:
        raise NetworkError(f"No part of network '{model.name}' can be differentiated on these rows.")
    return tuple(dict.fromkeys(cut))


def _owners(encode: _Reader, features: FeatureMap, rows: Inputs) -> list[NDArray[np.int64]]:
    """For every tensor of the cut the column of each position; -1: no column changes it on these rows."""
    plain = encode(rows)
    owners = [np.full(part[0].size, -1, np.int64) for part in plain]
    order = np.roll(np.arange(count_rows(rows)), 1)
    for column, feature in enumerate(features.features):
        changed = encode({**rows, **features.replace(rows, feature, features.values(rows, feature)[order])})
        for owner, before, after in zip(owners, plain, changed, strict=True):
            moved = (before != after).reshape(len(before), -1).any(axis=0)
            if (owner[moved] >= 0).any():
                raise NetworkError(
                    f"Column '{feature.name}' is mixed with others before the network can be differentiated."
                )
            owner[moved] = column
    return owners
