"""The named inputs of a network, and arrays turned into what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from darwin_core.contracts import NetworkInput
from darwin_core.errors import BindingError
from darwin_core.networks.wiring import TensorRef, Wiring, read_wiring


def network_inputs(model: keras.Model) -> tuple[NetworkInput, ...]:
    """The inputs in the order in which the network lists them; shapes without the batch axis."""
    wiring = read_wiring(model)
    return tuple(
        NetworkInput(name=name, shape=wiring.shape(tensor)[1:], dtype=str(wiring.tensors[tensor].dtype))
        for name, tensor in wiring.inputs.items()
    )


def as_structure(wiring: Wiring, values: Mapping[str, Any]) -> Any:
    """Values by input name, in the structure (a tensor, a list or a dict) in which the network takes its inputs."""
    by_tensor = {tensor: values[name] for name, tensor in wiring.inputs.items()}
    return keras.tree.map_structure(lambda ref: by_tensor[_index(ref)], wiring.input_structure)


def _index(ref: TensorRef) -> int:
    return ref.index


def as_tensor(given: NetworkInput, array: NDArray[Any]) -> tf.Tensor:
    """An array with batch axis as a tensor of the input's dtype and rank.

    Strings come as object, str or bytes arrays; a column of scalars, shape (rows,), fits an input of shape (1,).

    Raises:
        BindingError: The array's shape does not fit the input.
    """
    array = np.asarray(array)
    if array.ndim == len(given.shape) and given.shape[-1:] == (1,):
        array = array[..., None]
    fits = array.ndim == len(given.shape) + 1 and all(
        expected in (None, size) for expected, size in zip(given.shape, array.shape[1:], strict=True)
    )
    if not fits:
        raise BindingError(
            f"Input '{given.name}': expected shape (rows, {', '.join(map(str, given.shape))}), got {array.shape}."
        )
    if given.dtype == "string":
        return tf.constant(array.astype(object) if array.dtype.kind == "U" else array, dtype=tf.string)
    return tf.constant(array, dtype=given.dtype)
