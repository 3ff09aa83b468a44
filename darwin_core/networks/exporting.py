"""Networks in the form that servers read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from darwin_core.contracts import NetworkInput
from darwin_core.networks.inputs import as_structure, network_inputs
from darwin_core.networks.wiring import read_wiring

OUTPUT_KEY = "output"


def export_serving(model: keras.Model, directory: str | Path, *, inputs: Sequence[NetworkInput] | None = None) -> None:
    """Write a SavedModel whose signature ``serving_default`` takes tensors by input name.

    Args:
        model: A network with one output; the signature returns it under the key ``output``.
        directory: A folder that does not exist yet or is empty.
        inputs: Inputs of the signature where they are more than the network reads: those of the reference, so that
            callers need not change when a candidate does without some of its inputs.
    """
    wiring = read_wiring(model)
    offered = network_inputs(model) if inputs is None else tuple(inputs)
    signature = {item.name: tf.TensorSpec((None, *item.shape), item.dtype, name=item.name) for item in offered}

    def serve(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        outputs = model(as_structure(wiring, values), training=False)
        return {OUTPUT_KEY: keras.tree.flatten(outputs)[0]}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(name="serve", fn=serve, input_signature=[signature])
    archive.write_out(str(directory), verbose=False)
