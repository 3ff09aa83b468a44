"""ONNX: the exchange format that most servers and accelerators read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from darwin_core.arrays import Arrays
from darwin_core.contracts import ExportFormat
from darwin_core.exports.base import OUTPUT, Exporter, Runner

if TYPE_CHECKING:
    import keras

_OPERATION_SET = 18  # of December 2022: what runtimes of the last years read


class Onnx(Exporter):
    """Through tf2onnx; any number of rows per call."""

    format: ClassVar = ExportFormat.ONNX
    file = "network.onnx"
    runtime = "onnxruntime"
    packages = ("onnx", "onnxruntime", "tf2onnx")
    extra = "onnx"

    def convert(self, core: keras.Model, path: Path, calibration: Arrays | None) -> None:  # noqa: ARG002 - not needed
        """Write the file."""
        import keras
        import onnx
        import tensorflow as tf
        import tf2onnx

        signature = [
            {
                tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype, name=tensor.name)
                for tensor in keras.tree.flatten(core.input)
            }
        ]

        def serve(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {OUTPUT: core(values, training=False)}

        function = tf.function(serve, input_signature=signature)
        graph = function.get_concrete_function(*signature).graph
        model, _ = tf2onnx.convert.from_function(function, signature, opset=_OPERATION_SET)
        _fix_inputs(model, {inner.name: outer.numpy() for outer, inner in graph.captures if outer.dtype != "resource"})
        onnx.save(model, str(path))

    def open(self, path: Path, threads: int) -> Runner:
        """A function that runs a file."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

        def run(rows: Arrays) -> NDArray[Any]:
            return np.asarray(session.run([OUTPUT], dict(rows))[0])

        return run


def _fix_inputs(model: Any, values: Mapping[str, NDArray[Any]]) -> None:
    """Turn inputs into constants: tf2onnx leaves plain tensors that layers hold (a Normalization's mean) as inputs."""
    from onnx import numpy_helper

    read = {name for node in model.graph.node for name in node.input}
    for given in [item for item in model.graph.input if item.name in values]:
        if given.name in read:
            model.graph.initializer.append(numpy_helper.from_array(values[given.name], given.name))
        model.graph.input.remove(given)
