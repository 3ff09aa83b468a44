"""PyTorch: a ``torch.export`` program, which needs PyTorch and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from numpy.typing import NDArray

from darwin_core.arrays import Arrays
from darwin_core.contracts import ExportFormat
from darwin_core.exports.base import OUTPUT, Exporter, Runner

if TYPE_CHECKING:
    import keras

_NOTES = ("stack_trace", "source_fn_stack", "from_node", "nn_module_stack", "torch_fn", "fwd_source_fn_stack")
_SAMPLE_ROWS = 2  # not 1, which torch.export would take for a size that never changes


class TorchProgram(Exporter):
    """The network runs under Keras's PyTorch backend and is traced there; any number of rows per call.

    A file is used as ``torch.export.load(path).module()({"name": tensor, ...})["output"]``.
    """

    format: ClassVar = ExportFormat.TORCH
    file = "network.pt2"
    runtime = "torch"
    packages = ("torch",)
    extra = "torch"
    backend = "torch"

    def convert(self, core: keras.Model, path: Path, calibration: Arrays | None) -> None:  # noqa: ARG002 - not needed
        """Write the file."""
        import keras
        import torch

        class ByName(torch.nn.Module):  # type: ignore[misc]
            def __init__(self) -> None:
                super().__init__()
                self.networks = [core]  # in a list, where torch does not see parameters and store them a second time

            def forward(self, values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
                return {OUTPUT: self.networks[0](values, training=False)}

        tensors = keras.tree.flatten(core.input)
        sample = {
            tensor.name: torch.zeros((_SAMPLE_ROWS, *(size or 1 for size in tensor.shape[1:])), dtype=_dtype(tensor))
            for tensor in tensors
        }
        rows = {name: {0: torch.export.Dim.DYNAMIC} for name in sample}
        core.eval()
        with torch.no_grad():
            program = torch.export.export(ByName(), (sample,), dynamic_shapes=(rows,))
        torch.export.save(_lean(program.run_decompositions({})), path)

    def open(self, path: Path, threads: int) -> Runner:
        """A function that runs a file."""
        import torch

        torch.set_num_threads(threads)
        network = torch.export.load(path).module()

        def run(rows: Arrays) -> NDArray[Any]:
            with torch.inference_mode():
                values = {name: torch.from_numpy(values) for name, values in rows.items()}
                output: NDArray[Any] = network(values)[OUTPUT].numpy()
                return output

        return run


def _lean(program: Any) -> Any:
    """Without checks of what tracing saw, and without the source lines behind each node: half of a small file."""
    import torch

    for node in list(program.graph.nodes):
        if node.target is torch.ops.aten._assert_tensor_metadata.default:
            program.graph.erase_node(node)
        else:
            for note in _NOTES:
                node.meta.pop(note, None)
    program.graph_module.recompile()
    return program


def _dtype(tensor: keras.KerasTensor) -> Any:
    import torch

    return getattr(torch, str(tensor.dtype))
