"""Output reconstruction: the last linear layer of a replaced block, refitted on real rows.

With X the layer's inputs on these rows, one row per position and one column per entry of its kernel (and one of ones
for the bias), Y what the replaced layer gave there before its activation, and W0 the inherited weights, the new ones
minimise ``|X W - Y|^2 + ridge |W - W0|^2``:

    W = W0 + (X'X + ridge I)^-1 X'(Y - X W0)         ridge = 1e-3 * trace(X'X) / columns

which is ridge regression (Hoerl and Kennard, Technometrics 12, 1970) towards what was inherited instead of zero. Blocks
are taken in the order of calls, with X from the rewritten network as it is by then and Y from the network before, so
that a later block makes good what earlier ones lost (Zhang et al., arXiv 1505.06798).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from darwin_core.dependency.rebuilding import clone_operation, copy_weights
from darwin_core.networks.inputs import as_tensor, network_inputs
from darwin_core.networks.wiring import Wiring, input_name

_RIDGE = 1e-3
_BATCH = 128
_MOST_COLUMNS = 8192


@dataclass(frozen=True)
class Block:
    """A replaced layer of the network before.

    Attributes:
        replaced: The layer.
        source: Index of the tensor that it read.
        last: The last layer of what takes its place.
    """

    replaced: Any
    source: int
    last: Any


def reconstruct_outputs(
    before: keras.Model,
    wiring: Wiring,
    after: keras.Model,
    blocks: Sequence[Block],
    rows: Mapping[str, NDArray[Any]],
) -> None:
    """Refit the last layer of every block that ends in a linear one; others stay as they are.

    Args:
        before: The network before, without nested networks.
        wiring: Its wiring.
        after: The rewritten network; changed in place.
        blocks: The replaced layers in the order of their calls.
        rows: Input name -> rows.
    """
    for block in blocks:
        if _is_linear(block.last):
            _refit(before, wiring.tensors[block.source], after, block, rows)


def _is_linear(layer: Any) -> bool:
    """Whether a layer is a matrix applied at every position, and small enough to be solved for."""
    if type(layer) is layers.Dense:
        return True
    return type(layer) is layers.Conv2D and layer.groups == 1 and int(np.prod(layer.kernel.shape[:-1])) <= _MOST_COLUMNS


def _refit(
    before: keras.Model, source: keras.KerasTensor, after: keras.Model, block: Block, rows: Mapping[str, NDArray[Any]]
) -> None:
    linear = clone_operation(block.replaced, block.replaced.name, {"activation": None})
    wanted = linear(source)
    copy_weights(block.replaced, linear)
    target = keras.Model(before.inputs, wanted)
    read = keras.Model(after.inputs, block.last.input)
    kernel = np.asarray(keras.ops.convert_to_numpy(block.last.kernel), np.float64)
    inherited = kernel.reshape(-1, kernel.shape[-1])
    if block.last.bias is not None:
        inherited = np.vstack([inherited, np.asarray(keras.ops.convert_to_numpy(block.last.bias), np.float64)])
    square = np.zeros((len(inherited), len(inherited)))
    missing = np.zeros(inherited.shape)
    for seen, outputs in zip(_run(read, rows), _run(target, rows), strict=True):
        matrix = _columns(block.last, seen)
        rest = outputs.reshape(-1, outputs.shape[-1]) - matrix @ inherited
        square += matrix.T @ matrix
        missing += matrix.T @ rest
    ridge = _RIDGE * np.trace(square) / len(square)
    fitted = inherited + np.linalg.solve(square + max(ridge, 1e-12) * np.eye(len(square)), missing)
    if block.last.bias is not None:
        fitted, bias = fitted[:-1], fitted[-1]
        block.last.bias.assign(bias.astype(np.float32))
    block.last.kernel.assign(fitted.reshape(kernel.shape).astype(np.float32))


def _run(model: keras.Model, rows: Mapping[str, NDArray[Any]]) -> Iterator[NDArray[np.float64]]:
    """Outputs in batches."""
    given = {item.name: item for item in network_inputs(model)}
    names = [input_name(tensor) for tensor in model.inputs]
    count = len(rows[names[0]])
    for start in range(0, count, _BATCH):
        tensors = [as_tensor(given[name], rows[name][start : start + _BATCH]) for name in names]
        yield np.asarray(model(tensors, training=False), np.float64)


def _columns(layer: Any, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the kernel is multiplied with, shape (rows and positions, entries of the kernel and one for the bias)."""
    if type(layer) is layers.Conv2D:
        inputs = np.asarray(
            tf.image.extract_patches(
                inputs,
                sizes=[1, *layer.kernel_size, 1],
                strides=[1, *layer.strides, 1],
                rates=[1, *layer.dilation_rate, 1],
                padding=layer.padding.upper(),
            )
        )
    matrix = inputs.reshape(-1, inputs.shape[-1])
    return matrix if layer.bias is None else np.hstack([matrix, np.ones((len(matrix), 1))])
