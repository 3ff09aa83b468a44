"""Kubeflow's executor input and output, as its documentation and its local runner write and read them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from darwin_components.slots import Slots, local_path


def executor_input(folder: Path, **artifacts: str) -> dict[str, Any]:
    return {
        "inputs": {
            "parameterValues": {"config": "{}", "run_id": "night-1"},
            "artifacts": {
                "reference": {"artifacts": [{"name": "x", "uri": "minio://bucket/v2/reference", "metadata": {"a": 1}}]},
                "train": {"artifacts": []},
            },
        },
        "outputs": {
            "parameters": {
                "verdict": {"outputFile": str(folder / "deep" / "verdict")},
                "rows": {"outputFile": str(folder / "deep" / "rows")},
                "ok": {"outputFile": str(folder / "deep" / "ok")},
            },
            "artifacts": {name: {"artifacts": [{"name": name, "uri": uri}]} for name, uri in artifacts.items()},
            "outputFile": str(folder / "deeper" / "executor_output.json"),
        },
    }


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("minio://mlpipeline/v2/model", "/minio/mlpipeline/v2/model"),
        ("s3://bucket/a b/model", "/s3/bucket/a b/model"),
        ("gs://bucket/model", "/gcs/bucket/model"),
        ("/local/root/model", "/local/root/model"),
    ],
)
def test_artifacts_lie_where_kubeflow_mounts_them(uri: str, path: str) -> None:
    kfp = pytest.importorskip("kfp.dsl")
    assert local_path(uri) == Path(path)
    assert kfp.Artifact(name="x", uri=uri).path == path


def test_reads_parameters_and_artifacts(tmp_path: Path) -> None:
    slots = Slots.from_executor_input(json.dumps(executor_input(tmp_path, candidate="s3://bucket/candidate")))
    assert slots.parameters == {"config": "{}", "run_id": "night-1"}
    assert slots.inputs["reference"].path == Path("/minio/bucket/v2/reference")
    assert "train" not in slots.inputs, "an optional input that is not connected"
    assert slots.outputs["candidate"].uri == "s3://bucket/candidate"


def test_writes_parameters_as_the_backend_reads_them(tmp_path: Path) -> None:
    slots = Slots.from_executor_input(json.dumps(executor_input(tmp_path)))
    slots.write_parameter("verdict", "PASS")
    slots.write_parameter("rows", 12)
    slots.write_parameter("ok", True)
    slots.write_parameter("unknown", "nothing is written for it")
    written = {path.name: path.read_text() for path in (tmp_path / "deep").iterdir()}
    assert written == {"verdict": "PASS", "rows": "12", "ok": "true"}


def test_output_can_be_read_by_kfp(tmp_path: Path) -> None:
    reader = pytest.importorskip("kfp.local.executor_output_utils")
    slots = Slots.from_executor_input(json.dumps(executor_input(tmp_path, candidate=str(tmp_path / "candidate"))))
    slots.outputs["candidate"].uri += ".keras"
    slots.outputs["candidate"].metadata |= {"parameters": 12, "framework": "keras"}
    slots.write_executor_output()
    output = reader.load_executor_output(str(tmp_path / "deeper" / "executor_output.json"))
    (artifact,) = output.artifacts["candidate"].artifacts
    assert artifact.uri == str(tmp_path / "candidate.keras")
    assert dict(artifact.metadata) == {"parameters": 12.0, "framework": "keras"}


def test_numbers_that_are_none_are_refused_not_written(tmp_path: Path) -> None:
    slots = Slots.from_executor_input(json.dumps(executor_input(tmp_path, metrics="s3://b/metrics")))
    slots.outputs["metrics"].metadata["loss"] = float("nan")
    with pytest.raises(ValueError, match="not JSON compliant"):
        slots.write_executor_output()
    assert not (tmp_path / "deeper").exists()
