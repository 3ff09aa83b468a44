"""Raw outputs of a network for arrays of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from darwin_core.errors import BindingError
from darwin_core.networks.inputs import as_structure, as_tensor, network_inputs
from darwin_core.networks.wiring import read_wiring


class Predictor:
    """A network as one traced graph function: no per-call overhead, strings welcome, no retracing.

    Args:
        model: A Functional or Sequential network with one output.
    """

    def __init__(self, model: keras.Model) -> None:
        self.inputs = network_inputs(model)
        wiring = read_wiring(model)

        def forward(values: dict[str, tf.Tensor]) -> tf.Tensor:
            return keras.tree.flatten(model(as_structure(wiring, values), training=False))[0]

        signature = {
            given.name: tf.TensorSpec((None, *given.shape), given.dtype, name=given.name) for given in self.inputs
        }
        self._function = tf.function(forward, input_signature=[signature], autograph=False)

    def __call__(self, inputs: Mapping[str, NDArray[Any]], batch_size: int = 512) -> NDArray[Any]:
        """Raw outputs, shape (rows, ...).

        Args:
            inputs: Input name -> array with batch axis; inputs that the network lacks are ignored.
            batch_size: Rows per step.

        Raises:
            BindingError: An input is missing or has the wrong shape.
        """
        missing = [given.name for given in self.inputs if given.name not in inputs]
        if missing:
            raise BindingError(f"Expected values for input '{missing[0]}', got {', '.join(sorted(inputs)) or 'none'}.")
        rows = len(inputs[self.inputs[0].name])
        parts = [
            self._function(self._tensors(inputs, slice(start, start + batch_size))).numpy()
            for start in range(0, max(rows, 1), batch_size)
        ]
        return np.concatenate(parts)

    def _tensors(self, inputs: Mapping[str, NDArray[Any]], rows: slice) -> dict[str, tf.Tensor]:
        return {given.name: as_tensor(given, inputs[given.name][rows]) for given in self.inputs}
