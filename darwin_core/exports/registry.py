"""Which class writes which format."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import ExportFormat
from darwin_core.exports.base import Exporter
from darwin_core.exports.formats.litert import LiteRtFloat16, LiteRtInt8
from darwin_core.exports.formats.onnx import Onnx
from darwin_core.exports.formats.torch_program import TorchProgram

EXPORTERS: dict[ExportFormat, Exporter] = {
    exporter.format: exporter for exporter in (LiteRtFloat16(), LiteRtInt8(), Onnx(), TorchProgram())
}


def check_installed(formats: Sequence[ExportFormat]) -> None:
    """Find out before hours of work whether all formats can be written.

    Raises:
        MissingExtraError: A package is missing; the extra that installs it is named.
    """
    for name in formats:
        EXPORTERS[name].check_installed()
