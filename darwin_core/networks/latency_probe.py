"""The process that measures latency: ``python -m darwin_core.networks.latency_probe MODEL NPZ THREADS CALLS WARMUP``.

Prints a `Latency` as JSON on its last line.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from numpy.typing import NDArray

from darwin_core.arrays import load_arrays
from darwin_core.contracts import Latency
from darwin_core.networks.inputs import as_structure, as_tensor, network_inputs
from darwin_core.networks.loading import load_network
from darwin_core.networks.wiring import read_wiring
from darwin_core.timing import MOST_ROWS, time_calls


def probe(model: keras.Model, inputs: Mapping[str, NDArray[Any]], *, threads: int, calls: int, warmup: int) -> Latency:
    """Milliseconds per call."""
    given, wiring = network_inputs(model), read_wiring(model)
    signature = {item.name: tf.TensorSpec((1, *item.shape), item.dtype) for item in given}

    def forward(values: dict[str, tf.Tensor]) -> tf.Tensor:
        return keras.tree.flatten(model(as_structure(wiring, values), training=False))[0]

    count = min(MOST_ROWS, len(inputs[given[0].name]))
    rows = [{item.name: as_tensor(item, inputs[item.name][row : row + 1]) for item in given} for row in range(count)]
    run = tf.function(forward, input_signature=[signature]).get_concrete_function()
    return time_calls(lambda position: run(rows[position % count]).numpy(), threads=threads, calls=calls, warmup=warmup)


def main(model_path: str, inputs_path: str, threads: str, calls: str, warmup: str) -> None:
    """Measure and print."""
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(1)
    inputs = load_arrays(Path(inputs_path))
    latency = probe(load_network(model_path), inputs, threads=int(threads), calls=int(calls), warmup=int(warmup))
    sys.stdout.write(latency.model_dump_json() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
