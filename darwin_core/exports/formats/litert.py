"""LiteRT (TensorFlow Lite): files for phones and small boards, one row per call."""

from __future__ import annotations

import tempfile
import warnings
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from darwin_core.arrays import Arrays
from darwin_core.contracts import ExportFormat
from darwin_core.errors import NetworkError
from darwin_core.exports.base import OUTPUT, Exporter, Runner, one_row_calls

if TYPE_CHECKING:
    import keras

_SIGNATURE = "serving_default"


@contextmanager
def _unwarned() -> Iterator[None]:
    """TensorFlow would rather see its interpreter used from another package; it is the same interpreter."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"\s*Warning: tf.lite.Interpreter is deprecated")
        yield


class _LiteRt(Exporter):
    """What both precisions share.

    The batch is fixed at one row: sizes that are known beforehand let the runtime plan its memory and use its fastest
    kernels. Only LiteRT's own operations are used, so that no file needs TensorFlow where it runs.
    """

    runtime = "tensorflow"
    batch_size = 1

    @abstractmethod
    def _configure(self, converter: Any, calibration: Arrays | None) -> None:
        """Set the precision."""

    def convert(self, core: keras.Model, path: Path, calibration: Arrays | None) -> None:
        """Write the file.

        Raises:
            NetworkError: An input has a free size besides the batch.
        """
        import keras
        import tensorflow as tf

        signature = {}
        for tensor in keras.tree.flatten(core.input):
            if None in tensor.shape[1:]:
                raise NetworkError(
                    f"LiteRT needs fixed sizes, and input '{tensor.name}' has the shape {tuple(tensor.shape)}.",
                    hint="Give the Input layer its full shape.",
                )
            signature[tensor.name] = tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype, name=tensor.name)

        def serve(values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
            return {OUTPUT: core(values, training=False)}

        archive = keras.export.ExportArchive()
        archive.track(core)
        archive.add_endpoint(name="serve", fn=serve, input_signature=[signature])
        with tempfile.TemporaryDirectory(prefix="darwin-litert-") as folder:
            archive.write_out(folder, verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=[_SIGNATURE])
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            self._configure(converter, calibration)
            with _unwarned():
                path.write_bytes(converter.convert())

    def open(self, path: Path, threads: int) -> Runner:
        """A function that runs a file row by row."""
        import tensorflow as tf

        with _unwarned():
            interpreter = tf.lite.Interpreter(model_path=str(path), num_threads=threads)
        interpreter.allocate_tensors()
        signature = interpreter.get_signature_runner(_SIGNATURE)  # knows the names, but is slow to call
        places = {name: details["index"] for name, details in signature.get_input_details().items()}
        place = signature.get_output_details()[OUTPUT]["index"]

        def one_row(row: Arrays) -> NDArray[Any]:
            for name, index in places.items():
                interpreter.set_tensor(index, row[name])
            interpreter.invoke()
            output: NDArray[Any] = interpreter.get_tensor(place)
            return output

        return one_row_calls(one_row)


class LiteRtFloat16(_LiteRt):
    """Weights in half precision, arithmetic in single precision: half the bytes, hardly another number."""

    format: ClassVar = ExportFormat.LITERT_FLOAT16
    file = "float16.tflite"

    def _configure(self, converter: Any, calibration: Arrays | None) -> None:  # noqa: ARG002 - not needed
        import tensorflow as tf

        converter.target_spec.supported_types = [tf.float16]


class LiteRtInt8(_LiteRt):
    """Weights and activations in eight bits, inputs and outputs still floating point.

    The range of every activation is taken from example rows. An input column of a wide range (an amount, say) gets 256
    steps over that range before the network sees it, so accuracy has to be measured.
    """

    format: ClassVar = ExportFormat.LITERT_INT8
    file = "int8.tflite"
    calibrated = True

    def _configure(self, converter: Any, calibration: Arrays | None) -> None:
        import tensorflow as tf

        if calibration is None:
            raise NetworkError("The export format litert-int8 needs training rows, which set the range of every value.")
        rows = calibration

        def examples() -> Iterator[dict[str, NDArray[Any]]]:
            for row in range(len(next(iter(rows.values())))):
                yield {name: values[row : row + 1] for name, values in rows.items()}

        converter.representative_dataset = examples
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
