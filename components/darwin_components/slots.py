"""The places where Kubeflow wants a component's outputs, read from the executor input; kfp itself is not needed.

A container component gets the executor input as JSON and describes its artifacts in ``executor_output.json``.
Parameters are written to one file each. No folder of any of these paths can be relied on to exist.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

_MOUNTS: Final = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
"""Where the backend's launcher keeps the local copies of artifacts."""


def local_path(uri: str) -> Path:
    """Where an artifact lies in the container. A plain path (as the local runners use) stays as it is."""
    for scheme, mount in _MOUNTS.items():
        if uri.startswith(scheme):
            return Path(mount + uri.removeprefix(scheme))
    return Path(uri)


@dataclass
class ArtifactSlot:
    """One artifact: its URI in the pipeline's root, its metadata, and its local copy.

    Both can be changed by the step: a suffix appended to ``uri`` moves the artifact, since the backend uploads what
    lies at the local path of the URI that it is told.
    """

    name: str
    uri: str
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """The local copy."""
        return local_path(self.uri)


@dataclass(frozen=True)
class Slots:
    """Everything that a component is given: parameters, input artifacts, and where its outputs go."""

    parameters: dict[str, Any]
    inputs: dict[str, ArtifactSlot]
    outputs: dict[str, ArtifactSlot]
    parameter_files: dict[str, Path]
    output_file: Path | None = None

    @classmethod
    def from_executor_input(cls, text: str) -> Self:
        """Read the executor input that Kubeflow puts in for ``{{$}}``."""
        document = json.loads(text)
        inputs, outputs = document.get("inputs", {}), document.get("outputs", {})
        files = {name: Path(item["outputFile"]) for name, item in outputs.get("parameters", {}).items()}
        return cls(
            parameters=dict(inputs.get("parameterValues", {})),
            inputs=_artifacts(inputs.get("artifacts", {})),
            outputs=_artifacts(outputs.get("artifacts", {})),
            parameter_files=files,
            output_file=Path(outputs["outputFile"]) if "outputFile" in outputs else None,
        )

    def write_parameter(self, name: str, value: str | bool | int | float) -> None:
        """Write an output parameter as the backend reads it: text as it is, everything else as JSON."""
        if name in self.parameter_files:
            _write(self.parameter_files[name], value if isinstance(value, str) else json.dumps(value))

    def write_executor_output(self) -> None:
        """Tell Kubeflow of the artifacts' final URIs and metadata."""
        if self.output_file is None:
            return
        described = {
            slot.name: {"artifacts": [{"name": slot.name, "uri": slot.uri, "metadata": slot.metadata}]}
            for slot in self.outputs.values()
        }
        _write(self.output_file, json.dumps({"artifacts": described}, allow_nan=False))


def _artifacts(document: Mapping[str, Any]) -> dict[str, ArtifactSlot]:
    found = {}
    for name, item in document.items():
        artifacts = item.get("artifacts") or []
        if artifacts:
            first = artifacts[0]
            found[name] = ArtifactSlot(name, first.get("uri", ""), dict(first.get("metadata", {})))
    return found


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
