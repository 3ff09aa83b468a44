"""The chosen network in other runtimes' formats, and what each file was measured to do."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from darwin_core.contracts.artifacts import ArtifactRef
from darwin_core.contracts.base import Contract, Document
from darwin_core.contracts.networks import Latency, NetworkInput


class ExportFormat(StrEnum):
    """Formats besides the .keras file and the SavedModel, which every published version has."""

    LITERT_FLOAT16 = "litert-float16"
    LITERT_INT8 = "litert-int8"
    ONNX = "onnx"
    TORCH = "torch"


class ExportRecord(Contract):
    """One export held against the network it was made from, on the same rows and in the format's own runtime.

    Every file takes tensors by input name and gives the network's raw output under the name ``output``. An export that
    could not be made, or that fails on rows, is a record with a ``problem``, not an error of the run.
    """

    format: ExportFormat
    runtime: str = Field(description="package and version that ran the file, e.g. 'onnxruntime 1.32.0'")
    file: str | None = Field(default=None, description="name of the file; None where there is none")
    file_bytes: int | None = Field(default=None, ge=0)
    artifact: ArtifactRef | None = Field(default=None, description="the stored file, where a store is at hand")
    inputs: tuple[NetworkInput, ...] = Field(default=(), description="what the file takes")
    batch_size: int | None = Field(default=None, ge=1, description="rows per call; None: any number")
    lookups: str | None = Field(
        default=None, description="JSON file with the table look-ups that callers do first; None: nothing to do"
    )
    lookups_artifact: ArtifactRef | None = None
    rows: int = Field(default=0, ge=0, description="rows on which both were compared")
    real_rows: bool = Field(default=True, description="False: the rows were made up, as no data were given")
    max_score_difference: float | None = Field(default=None, ge=0, description="largest |export - network|")
    decision_agreement: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of rows with the same class, or for two classes with the same alert at the network's own "
        "threshold; None for regression",
    )
    metric: str | None = Field(default=None, description="what `quality` is; None without labels")
    network_quality: float | None = None
    quality: float | None = None
    latency: Latency | None = None
    seconds: float = Field(default=0.0, ge=0, description="conversion and measurement")
    problem: str | None = Field(default=None, description="why there is no file, or what is wrong with it; a sentence")


class ExportReport(Document):
    """exports.json of `darwin export`."""

    network: str = Field(description="the .keras file")
    network_latency: Latency | None = Field(default=None, description="of the network itself, as a graph function")
    exports: tuple[ExportRecord, ...]
