"""The compiled pipelines are held still: what a cluster would run changes only when somebody means it.

After a change that is meant, from the repository's root::

    make golden
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
from darwin_components.cluster import Cluster
from darwin_pipelines.kubeflow_pipelines import declare_compaction_pipeline
from darwin_pipelines.kubeflow_pipelines.__main__ import PIPELINES

FOLDER = Path(__file__).parent
STEPS = {"fetch-data", "synthesize", "evaluate", "explain", "publish", "publish-2"}
SEARCHES = {"search", "choose"}


def golden(name: str) -> dict[str, Any]:
    return documents(FOLDER / f"{name}.yaml")[0]


def documents(path: Path) -> list[dict[str, Any]]:
    """The pipeline, and what is special to Kubernetes."""
    return list(yaml.safe_load_all(path.read_text()))


def tasks(document: Any) -> dict[str, dict[str, Any]]:
    """Every task of the pipeline and of its branches."""
    found: dict[str, dict[str, Any]] = {}
    for item in document.values() if isinstance(document, dict) else ():
        found |= tasks(item)
    found |= document.get("tasks", {}) if isinstance(document, dict) else {}
    return found


def steps(document: Any) -> dict[str, dict[str, Any]]:
    """The tasks that are containers of ours, but for the exit task and the training."""
    return {name: task for name, task in tasks(document).items() if name in STEPS | SEARCHES}


@pytest.mark.parametrize("name", PIPELINES)
def test_compiles_to_the_golden_file(name: str, tmp_path: Path) -> None:
    compiled = tmp_path / f"{name}.yaml"
    environment = {key: value for key, value in os.environ.items() if key != "DARWIN_IMAGE"}
    command = [sys.executable, "-m", "darwin_pipelines.kubeflow_pipelines", name, str(compiled)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    # Documents, not texts: a comment lists defaults in an order that changes from process to process.
    assert documents(compiled) == documents(FOLDER / compiled.name), f"regenerate the golden file: {__doc__}"


@pytest.mark.parametrize("name", PIPELINES)
def test_loads_back(name: str) -> None:
    loaded = components.load_component_from_file(str(FOLDER / f"{name}.yaml"))
    extra = {"compaction": set(), "compaction-fan-out": {"branches"}, "train-and-compact": {"night"}}
    assert set(loaded.component_spec.inputs) == {"config"} | extra[name]


@pytest.mark.parametrize("name", PIPELINES)
def test_every_container_is_ours_and_installs_nothing(name: str) -> None:
    executors = golden(name)["deploymentSpec"]["executors"]
    assert {item["container"]["image"] for item in executors.values()} == {IMAGE}
    assert "pip install" not in (FOLDER / f"{name}.yaml").read_text()


@pytest.mark.parametrize("name", PIPELINES)
def test_nothing_is_cached_and_every_step_is_retried(name: str) -> None:
    spec = golden(name)
    found = steps(spec)
    assert set(found) == STEPS - {"synthesize"} | SEARCHES if name == "compaction-fan-out" else set(found) == STEPS
    for task, item in {**found, "summarize": tasks(spec)["summarize"]}.items():
        assert item["cachingOptions"] == {}, task
    for task, item in found.items():
        assert item["retryPolicy"]["maxRetryCount"] == 2, task
        assert item["retryPolicy"]["backoffDuration"] == "60s", task
        assert item["retryPolicy"]["backoffFactor"] == 2.0, task


@pytest.mark.parametrize("name", PIPELINES)
def test_every_container_asks_for_what_it_needs(name: str) -> None:
    spec, platform = documents(FOLDER / f"{name}.yaml")
    ours = {key: item for key, item in spec["deploymentSpec"]["executors"].items() if "train-credit" not in key}
    for key, item in ours.items():
        resources = item["container"]["resources"]
        assert resources["resourceCpuRequest"], key
        assert resources["resourceMemoryRequest"], key
        assert resources["resourceMemoryLimit"], key
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(settings) == set(ours)
    assert all(item["securityContext"]["runAsNonRoot"] for item in settings.values())


def test_publish_depends_on_the_verdict_and_explain_does_not() -> None:
    spec = golden("compaction")
    every = tasks(spec)
    branches = {
        name: task["triggerPolicy"]["condition"] for name, task in every.items() if "-3" in name or "-4" in name
    }
    passed, kept = sorted(branches.values(), key=lambda condition: "!" in condition)
    assert passed.endswith("evaluate-verdict'] == 'PASS'")
    assert kept.startswith("!(") and "'PASS'" in kept
    assert {"publish"} == set(spec["components"]["comp-condition-3"]["dag"]["tasks"])
    assert {"publish-2"} == set(spec["components"]["comp-condition-4"]["dag"]["tasks"])


@pytest.mark.parametrize("name", PIPELINES)
def test_the_summary_runs_whatever_happened(name: str) -> None:
    summary = tasks(golden(name))["summarize"]
    assert summary["triggerPolicy"]["strategy"] == "ALL_UPSTREAM_TASKS_COMPLETED"
    assert "taskFinalStatus" in summary["inputs"]["parameters"]["status"]


@pytest.mark.parametrize("name", PIPELINES)
def test_no_secret_and_no_host_is_compiled_in(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text().lower()
    for word in ("secret", "password", "aws_access", "http://", "https://"):
        assert word not in text


def test_the_example_connects_the_training_tasks_artifacts() -> None:
    fetch = tasks(golden("train-and-compact"))["fetch-data"]
    connected = {name: item["taskOutputArtifact"] for name, item in fetch["inputs"]["artifacts"].items()}
    assert {name: item["outputArtifactKey"] for name, item in connected.items()} == {
        "reference": "network",
        "train": "train",
        "validation": "validation",
        "test": "test",
    }
    assert {item["producerTask"] for item in connected.values()} == {"train-credit-network"}


def test_the_fan_out_searches_side_by_side_and_then_chooses() -> None:
    every = tasks(golden("compaction-fan-out"))
    (loop,) = (task for name, task in every.items() if name.startswith("for-loop"))
    assert loop["parameterIterator"]["items"] == {"inputParameter": "pipelinechannel--branches"}
    collected = every["choose"]["inputs"]["artifacts"]["search_records"]["taskOutputArtifact"]
    assert collected["producerTask"].startswith("for-loop")
    assert every["evaluate"]["inputs"]["artifacts"]["candidate"]["taskOutputArtifact"]["producerTask"] == "choose"


def test_a_cluster_gives_accelerators_secrets_and_a_volume(tmp_path: Path) -> None:
    cluster = Cluster(
        accelerator="nvidia.com/gpu",
        secrets={"darwin-store": {"access": "AWS_ACCESS_KEY_ID", "secret": "AWS_SECRET_ACCESS_KEY"}},
        pull_secret="registry",
        work_claim="darwin-work",
        node_selector={"pool": "training"},
        timeout_seconds=7200,
    )
    path = tmp_path / "compaction.yaml"
    compiler.Compiler().compile(declare_compaction_pipeline(cluster=cluster), str(path))
    spec, platform = documents(path)
    executors = spec["deploymentSpec"]["executors"]
    with_gpu = {name for name, item in executors.items() if "accelerator" in item["container"]["resources"]}
    assert with_gpu == {"exec-synthesize", "exec-evaluate", "exec-explain"}
    assert executors["exec-synthesize"]["container"]["env"] == [{"name": "DARWIN_WORK_DIR", "value": "/scratch/darwin"}]
    settings = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert set(settings) == set(executors)
    for item in settings.values():
        (secret,) = item["secretAsEnv"]
        variables = {pair["secretKey"]: pair["envVar"] for pair in secret["keyToEnv"]}
        assert variables == {"access": "AWS_ACCESS_KEY_ID", "secret": "AWS_SECRET_ACCESS_KEY"}
        assert item["pvcMount"][0]["mountPath"] == "/scratch"
        assert item["nodeSelector"]["labels"] == {"pool": "training"}
        assert int(item["activeDeadlineSeconds"]) == 7200
