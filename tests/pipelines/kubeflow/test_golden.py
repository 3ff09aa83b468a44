"""The compiled pipeline is held still: what a cluster would run changes only when somebody means it.

After a change that is meant, from the repository's root::

    python -m darwin_pipelines.kubeflow_pipelines tests/pipelines/kubeflow/compaction.yaml
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp")

import yaml
from kfp import compiler, components

from darwin_components import IMAGE
from darwin_pipelines.kubeflow_pipelines import compaction_pipeline, train_and_compact_pipeline

GOLDEN = Path(__file__).with_name("compaction.yaml")


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    loaded = yaml.safe_load(GOLDEN.read_text())
    assert isinstance(loaded, dict)
    return loaded


def tasks(document: Any) -> dict[str, dict[str, Any]]:
    """Every task of the pipeline and of its branches."""
    found: dict[str, dict[str, Any]] = {}
    for item in document.values() if isinstance(document, dict) else ():
        found |= tasks(item)
    found |= document.get("tasks", {}) if isinstance(document, dict) else {}
    return found


def test_compiles_to_the_golden_file(tmp_path: Path) -> None:
    compiled = tmp_path / "compaction.yaml"
    environment = {name: value for name, value in os.environ.items() if name != "DARWIN_IMAGE"}
    command = [sys.executable, "-m", "darwin_pipelines.kubeflow_pipelines", str(compiled)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    assert compiled.read_text() == GOLDEN.read_text(), f"regenerate the golden file: {__doc__}"


def test_loads_back() -> None:
    loaded = components.load_component_from_file(str(GOLDEN))
    assert set(loaded.component_spec.inputs) == {"config"}
    assert set(loaded.component_spec.outputs) == {"verdict", "published", "version", "champion"}


def test_every_container_is_ours(spec: dict[str, Any]) -> None:
    executors = spec["deploymentSpec"]["executors"]
    assert len(executors) == 6
    assert {item["container"]["image"] for item in executors.values()} == {IMAGE}


def test_nothing_is_cached_and_everything_is_retried(spec: dict[str, Any]) -> None:
    steps = {name: task for name, task in tasks(spec).items() if not name.startswith("condition")}
    assert set(steps) == {"fetch-data", "synthesize", "evaluate", "explain", "publish", "publish-2"}
    for name, task in steps.items():
        assert task["cachingOptions"] == {}, name
        assert task["retryPolicy"]["maxRetryCount"] == 2, name
        assert task["retryPolicy"]["backoffDuration"] == "60s", name


def test_publish_depends_on_the_verdict_and_explain_does_not(spec: dict[str, Any]) -> None:
    every = tasks(spec)
    branches = {name: task["triggerPolicy"]["condition"] for name, task in every.items() if "triggerPolicy" in task}
    passed, kept = sorted(branches.values(), key=lambda condition: "!" in condition)
    assert passed.endswith("evaluate-verdict'] == 'PASS'")
    assert kept.startswith("!(") and "'PASS'" in kept
    assert "explain" in spec["root"]["dag"]["tasks"]


def test_no_secret_and_no_host_is_compiled_in(spec: dict[str, Any]) -> None:
    text = GOLDEN.read_text().lower()
    for word in ("secret", "password", "aws_access", "http://", "https://"):
        assert word not in text


def test_the_example_connects_the_training_tasks_artifacts(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    compiler.Compiler().compile(train_and_compact_pipeline, str(path))
    fetch = yaml.safe_load(path.read_text())["root"]["dag"]["tasks"]["fetch-data"]
    connected = {name: item["taskOutputArtifact"] for name, item in fetch["inputs"]["artifacts"].items()}
    assert {name: item["outputArtifactKey"] for name, item in connected.items()} == {
        "reference": "network",
        "train": "train",
        "validation": "validation",
        "test": "test",
    }
    assert {item["producerTask"] for item in connected.values()} == {"train-credit-network"}


def test_compiled_pipelines_do_not_share_state() -> None:
    assert compaction_pipeline.name == "darwin-compaction"
    assert train_and_compact_pipeline.name == "train-and-compact"
