"""Networks in the form that servers read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from darwin_core.contracts import NetworkInput
from darwin_core.networks.inputs import as_structure, network_inputs
from darwin_core.networks.wiring import read_wiring

OUTPUT_KEY = "output"


def signature_names(names: Iterable[str]) -> dict[str, str]:
    """The names by which a SavedModel knows inputs.

    TensorFlow's graphs admit letters, digits and ``_.-``, and no two names that differ in case alone. Other characters
    become underscores, and a name that is taken gets a number: ``amount per day`` is served as ``amount_per_day``.

    Returns:
        Input name -> name in the signature, the same for most.
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        base = re.sub(r"[^A-Za-z0-9_.-]", "_", name)
        base = base if base[:1].isalnum() else f"input{base}"
        served, number = base, 1
        while served.lower() in taken:
            number += 1
            served = f"{base}_{number}"
        taken.add(served.lower())
        found[name] = served
    return found


def export_serving(model: keras.Model, directory: str | Path, *, inputs: Sequence[NetworkInput] | None = None) -> None:
    """Write a SavedModel whose signature ``serving_default`` takes tensors by input name (see :func:`signature_names`).

    Args:
        model: A network with one output; the signature returns it under the key ``output``.
        directory: A folder that does not exist yet or is empty.
        inputs: Inputs of the signature where they are more than the network reads: those of the reference, so that
            callers need not change when a candidate does without some of its inputs.
    """
    wiring = read_wiring(model)
    offered = network_inputs(model) if inputs is None else tuple(inputs)
    served = signature_names(item.name for item in offered)
    signature = {
        served[item.name]: tf.TensorSpec((None, *item.shape), item.dtype, name=served[item.name]) for item in offered
    }

    def serve(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        named = {name: values[served[name]] for name in served}
        outputs = model(as_structure(wiring, named), training=False)
        return {OUTPUT_KEY: keras.tree.flatten(outputs)[0]}

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(name="serve", fn=serve, input_signature=[signature])
    archive.write_out(str(directory), verbose=False)
