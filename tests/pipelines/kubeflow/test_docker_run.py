"""Whole pipelines on Darwin's image: Kubeflow's local container runner on podman, real data, the demo's bank."""

import json
import threading
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("kfp")
pytest.importorskip("docker")

from docker.models.containers import Container
from kfp import dsl, local
from kfp.local import docker_task_handler

from darwin_components import IMAGE, docker_runner
from darwin_core.contracts import CompactionSummary, Pointer, SearchBudget
from darwin_core.demo.settings import demo_config
from darwin_pipelines.kubeflow_pipelines import train_and_compact_pipeline

pytestmark = [
    pytest.mark.container,
    pytest.mark.filterwarnings("ignore:.* have no effect in the current local runner:UserWarning"),
]


@dsl.container_component
def quick_failure() -> dsl.ContainerSpec:
    """Fails before anybody can ask how it goes."""
    return dsl.ContainerSpec(image=IMAGE, command=["false"])


@dsl.container_component
def talking_failure() -> dsl.ContainerSpec:
    """Fails after its last word."""
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", "echo one; echo two; exit 5"])


@dsl.container_component
def success() -> dsl.ContainerSpec:
    """Says how it is called."""
    return dsl.ContainerSpec(image=IMAGE, command=["sh", "-c", "id -u; touch /tmp/works"])


@pytest.fixture
def root(container_engine: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A pipeline root that the image's user can write to."""
    for name, value in container_engine.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "root"
    folder.mkdir()
    folder.chmod(0o777)
    before = docker_task_handler.run_docker_container
    runner = docker_runner(network_mode="none", read_only=True, tmpfs={"/tmp": "mode=1777"})
    local.init(runner, pipeline_root=str(folder))
    yield folder
    docker_task_handler.run_docker_container = before


def test_failures_are_failures(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(5):
        for component in (quick_failure, talking_failure):
            with pytest.raises(RuntimeError, match="FAILURE"):
                component()
            assert capsys.readouterr().out.count("one\n    two\n") == (component is talking_failure)
    success()


@pytest.mark.timeout(120)
def test_a_log_without_an_end_holds_up_nobody(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What podman does now and then, here every time: a part of the log, then silence."""
    logs = Container.logs

    def without_end(container: Container, **options: Any) -> Any:
        said = logs(container, **options)
        return chain(islice(said, 1), iter(threading.Event().wait, None)) if options.get("stream") else said

    monkeypatch.setattr(Container, "logs", without_end)
    with pytest.raises(RuntimeError, match="FAILURE"):
        talking_failure()
    assert capsys.readouterr().out.count("one\n    two\n") == 1


def test_a_bank_retrains_and_compacts_its_network(root: Path) -> None:
    config = demo_config(
        root / "line", reference="-", train="-", validation="-", test="-",
        budget=SearchBudget(generations=1, offspring=1, generation_samples=40_000, final_samples=80_000),
    )  # fmt: skip
    config = config.model_copy(update={"tfma_rows": 2000, "explain_rows": 64})
    train_and_compact_pipeline(config=config.to_json(), night=1)
    summary = CompactionSummary.from_json((root / "line" / "summary.json").read_text())
    assert summary.candidate.parameters <= 20_000 < summary.reference.parameters
    evaluated = described(root, "evaluate")
    assert sum(sum(row["row"]) for row in evaluated["curves"]["metadata"]["confusionMatrix"]["rows"]) == 7500
    assert len(evaluated["curves"]["metadata"]["confidenceMetrics"]) > 50
    assert evaluated["verdict_document"]["metadata"]["contract"] == "VerdictDocument"
    report = Path(described(root, "explain")["report"]["uri"]).read_text()
    assert "<script" in report or "<svg" in report
    page = Path(described(root, "summarize")["summary"]["uri"]).read_text()
    assert page.startswith(f"# {summary.verdict}")
    pointer = root / "line" / "pointers" / "champion.json"
    assert pointer.exists() is summary.published
    if summary.published:
        assert Pointer.from_json(pointer.read_text()).version == summary.version


def described(root: Path, task: str) -> dict[str, Any]:
    """Output -> artifact, as a task told Kubeflow."""
    (path,) = root.glob(f"*/{task}/executor_output.json")
    return {name: item["artifacts"][0] for name, item in json.loads(path.read_text())["artifacts"].items()}
