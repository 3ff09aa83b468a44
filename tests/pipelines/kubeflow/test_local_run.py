"""Whole pipelines for real: Kubeflow's local runner, real networks, the engine in child processes."""

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from support import tiny

pytest.importorskip("kfp")

from kfp import dsl, local
from kfp.dsl import Dataset, Model, Output
from kfp.local.orchestrator import task_executor
from kfp.local.subprocess_task_handler import SubprocessTaskHandler

from darwin_components import IMAGE, SUBPROCESSES, fetch_data, subprocess_runner
from darwin_core.contracts import HistoryAction, HistoryEntry, Pointer, SearchRecord, Snapshot, VerdictDocument
from darwin_pipelines.kubeflow_pipelines import (
    compact_after_training,
    declare_compaction_fan_out_pipeline,
    declare_compaction_pipeline,
)
from darwin_pipelines.kubeflow_pipelines.compaction import CompactionOutputs

pytestmark = [
    pytest.mark.slow,
    # The runner warns of every image that is not called "python"; it does not use the image at all.
    pytest.mark.filterwarnings("ignore:You may be attemping to run a task:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore:.* have no effect in the current local runner:UserWarning"),
]

TESTS = Path(__file__).parents[2]


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(tests: str, rows: str, network: Output[Model], data: Output[Dataset]) -> None:
    """A bank's own training task: it leaves a network and the rows that it was trained with."""
    import shutil
    import sys
    from pathlib import Path

    sys.path.insert(0, tests)
    from support import tiny

    data.path = data.path + ".parquet"
    shutil.copyfile(rows, data.path)
    network.path = network.path + ".keras"
    tiny.write_table_network(Path(network.path), Path(data.path), epochs=6)


@dsl.pipeline(name="nightly-training")
def nightly_training(tests: str, rows: str, config: str) -> CompactionOutputs:
    """An existing pipeline with compaction behind its training task."""
    trained = train(tests=tests, rows=rows)
    return compact_after_training(
        config=config,
        reference=trained.outputs["network"],
        train=trained.outputs["data"],
        components=SUBPROCESSES,
    ).outputs()


def write_rows(path: Path, rows: int, seed: int) -> Path:
    tiny.write_table(path, rows=rows, seed=seed)
    table = pq.read_table(path)
    filled = pc.fill_null(table["amount"], 100.0)
    pq.write_table(table.set_column(table.column_names.index("amount"), "amount", filled), path)
    return path


def configuration(folder: Path, **more: Any) -> dict[str, Any]:
    """Margins wide enough for a few hundred rows: this is about the plumbing, not about statistics."""
    gate = {"pr_auc_margin": 0.3, "recall_margin": 0.3, "accuracy_margin": 0.3, "alert_rate_change": None,
            "alert_overlap": None, "calibration_rise": None, "slice_margin": None}  # fmt: skip
    return {
        "line": str(folder / "line"),
        "test": str(write_rows(folder / "test.parquet", 900, seed=2)),
        "roles": {"label": "is_fraud", "row_id": "row_id", "slices": ["browser"]},
        "budget": {"generations": 1, "offspring": 2, "final_samples": 6000},
        "gate": gate,
        "tfma_rows": 0,
        "explain_rows": 32,
        **more,
    }


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DARWIN_WORK_DIR", str(tmp_path / "work"))
    monkeypatch.setattr(task_executor, "time", SimpleNamespace(sleep=lambda _seconds: None))  # between retries
    root = tmp_path / "root"
    local.init(runner=subprocess_runner(), pipeline_root=str(root), raise_on_error=True)
    return root


def parameter(root: Path, task: str, name: str) -> str:
    """An output parameter of a task of the only run below ``root``."""
    (folder,) = root.glob(f"*/{task}")
    return (folder / name).read_text()


def artifact(root: Path, task: str, name: str) -> tuple[Path, dict[str, Any]]:
    """An output of a task of the only run below ``root``: its file and its metadata."""
    (folder,) = root.glob(f"*/{task}")
    output = json.loads((folder / "executor_output.json").read_text())
    (described,) = output["artifacts"][name]["artifacts"]
    return Path(described["uri"]), described.get("metadata", {})


def test_compaction_behind_a_training_task(runner: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "train.parquet", 1600, seed=1)
    config = json.dumps(configuration(tmp_path))
    task = nightly_training(tests=str(TESTS), rows=str(rows), config=config)
    assert task.outputs["verdict"] == "PASS"
    assert task.outputs["published"] is True
    pointer = Pointer.from_json((tmp_path / "line" / "pointers" / "champion.json").read_text())
    assert pointer.version == task.outputs["version"] == task.outputs["champion"]

    candidate, about = artifact(runner, "synthesize-in-subprocess", "candidate")
    reference, _ = artifact(runner, "train", "network")
    assert candidate.suffix == ".keras"
    assert candidate.stat().st_size < reference.stat().st_size
    assert about["framework"] == "keras"
    assert Path(about["store_uri"].removeprefix("file://")).read_bytes() == candidate.read_bytes()

    _, metrics = artifact(runner, "evaluate-in-subprocess", "metrics")
    assert 0 < metrics["candidate_parameters"] < metrics["reference_parameters"]
    _, curves = artifact(runner, "evaluate-in-subprocess", "curves")
    assert len(curves["confidenceMetrics"]) > 10
    assert sum(sum(row["row"]) for row in curves["confusionMatrix"]["rows"]) == 900
    slices, _ = artifact(runner, "evaluate-in-subprocess", "slices")
    assert "browser = chrome" in slices.read_text()
    report, _ = artifact(runner, "explain-in-subprocess", "report")
    assert "The compact network may replace the reference." in report.read_text()
    assert not list(runner.glob("*/publish-in-subprocess-2"))


def test_a_rejected_candidate_takes_the_other_branch(runner: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "train.parquet", 1200, seed=1)
    network = tiny.write_table_network(tmp_path / "reference.keras", rows, epochs=3, units=16)
    config = configuration(tmp_path, reference=str(network), train=str(rows), requirements=["parameters<=3"])
    declare_compaction_pipeline(SUBPROCESSES)(config=json.dumps(config))
    assert parameter(runner, "evaluate-in-subprocess", "verdict") == "FAIL"
    assert parameter(runner, "publish-in-subprocess-2", "published") == "false"
    assert parameter(runner, "publish-in-subprocess-2", "champion") == ""
    assert not (tmp_path / "line" / "pointers" / "champion.json").exists()
    document, _ = artifact(runner, "evaluate-in-subprocess", "verdict_document")
    verdict = VerdictDocument.from_json(document.read_text())
    assert any("parameters" in reason for reason in verdict.reasons)
    entries = [HistoryEntry.from_json(path.read_text()) for path in (tmp_path / "line" / "history").rglob("*.json")]
    assert HistoryAction.REJECT in {entry.action for entry in entries}
    assert not list(runner.glob("*/publish-in-subprocess")), "the branch of a passed candidate"
    summary, _ = artifact(runner, "summarize-in-subprocess", "summary")
    assert summary.read_text().startswith("# FAIL")
    assert "The champion stays." in summary.read_text()


def test_several_searches_side_by_side(runner: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "train.parquet", 1200, seed=1)
    network = tiny.write_table_network(tmp_path / "reference.keras", rows, epochs=3, units=16)
    config = configuration(tmp_path, reference=str(network), train=str(rows))
    branches = [{"name": "widths"}, {"name": "other", "seed": 1, "generator": "separable"}]
    declare_compaction_fan_out_pipeline(SUBPROCESSES)(config=json.dumps(config), branches=branches)
    record, about = artifact(runner, "choose-in-subprocess", "search_record")
    assert about["contract"] == "SearchRecord"
    found = SearchRecord.from_json(record.read_text())
    assert [item.run_id.rpartition(".")[2] for item in found.rivals] == ["widths", "other"]
    assert [item.seed for item in found.rivals] == [0, 1]
    (best,) = (item for item in found.rivals if item.taken)
    assert best.performance == max(item.performance or 0.0 for item in found.rivals if item.feasible == best.feasible)
    candidate, about = artifact(runner, "choose-in-subprocess", "candidate")
    assert best.run_id in about["store_uri"]
    assert Path(about["store_uri"].removeprefix("file://")).read_bytes() == candidate.read_bytes()
    summary, _ = artifact(runner, "summarize-in-subprocess", "summary")
    assert best.run_id.rpartition(".")[0] in summary.read_text()


def test_the_summary_tells_of_a_failure_and_how_to_go_on(runner: Path, tmp_path: Path) -> None:
    config = {"line": str(tmp_path / "line"), "reference": str(tmp_path / "none.keras"), "train": "none.parquet"}
    with pytest.raises(RuntimeError, match="FAILURE"):
        declare_compaction_pipeline(SUBPROCESSES)(config=json.dumps(config | {"roles": {"label": "is_fraud"}}))
    summary, _ = artifact(runner, "summarize-in-subprocess", "summary")
    assert "is not done" in summary.read_text()
    assert "FAILED" in summary.read_text()


def test_a_container_component_and_kfp_understand_each_other(
    runner: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kfp makes the executor input and reads what the launcher wrote; only the container around it is left out."""
    monkeypatch.setattr(SubprocessTaskHandler, "validate_not_container_component", lambda *_: None)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    rows = write_rows(tmp_path / "train.parquet", 600, seed=1)
    network = tiny.write_table_network(tmp_path / "reference.keras", rows, epochs=1, units=8)
    config = json.dumps(configuration(tmp_path, reference=str(network), train=str(rows)))
    task = fetch_data(config=config, run_id="night-1")
    assert task.outputs["run_config"] == config
    assert task.outputs["train_rows"] == 510
    assert task.outputs["test_rows"] == 900
    snapshot = task.outputs["snapshot"]
    assert Snapshot.from_json(Path(snapshot.path).read_text()).test.rows == 900
    assert Path(snapshot.metadata["store_uri"]).read_text() == Path(snapshot.path).read_text()
