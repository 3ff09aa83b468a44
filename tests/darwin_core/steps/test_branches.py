"""Searches side by side: branches of a run, and the choice among them, through the command line as orchestrators do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tiny import write_table, write_table_network

from darwin_core.contracts import CompactionConfig, DataRoles, DataSource, SearchBudget, SearchRecord, SynthesizeResult
from darwin_core.steps.stored_runs import read_front


def door(config: CompactionConfig, run_id: str, step: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "darwin_core", "run-step", step, "--config", config.to_json(), "--run-id", run_id]
    return subprocess.run([*command, *options, "--quiet"], capture_output=True, text=True)


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> CompactionConfig:
    """A line with a run that has fetched its data, and two branches of it that have searched."""
    folder = tmp_path_factory.mktemp("branches")
    train = write_table(folder / "train.parquet", rows=800)
    reference = write_table_network(folder / "reference.keras", train, epochs=1, units=16)
    config = CompactionConfig(
        line=str(folder / "line"),
        reference=str(reference),
        train=DataSource(uri=str(train)),
        roles=DataRoles(label="is_fraud", positive_label="1", row_id="row_id"),
        budget=SearchBudget(generations=1, offspring=1, generation_samples=1000, final_samples=1000),
        threads=1,
    )
    steps: list[tuple[CompactionConfig, str, tuple[str, ...]]] = [
        (config, "night", ("fetch-data",)),
        (config, "night.a", ("synthesize", "--branch-of", "night")),
        (config.model_copy(update={"seed": 1}), "night.b", ("synthesize", "--branch-of", "night")),
        (config, "night", ("synthesize", "--choose-from", "night.a", "--choose-from", "night.b")),
    ]
    for settings, run_id, arguments in steps:
        done = door(settings, run_id, *arguments)
        assert done.returncode == 0, done.stderr
    return config


def stored(config: CompactionConfig, *place: str) -> Any:
    return json.loads(Path(config.line, "runs", *place).read_text())


def test_the_best_branch_becomes_the_runs_result(config: CompactionConfig) -> None:
    result = SynthesizeResult.model_validate(stored(config, "night", "synthesize", "result.json"))
    record = SearchRecord.from_json(Path(result.search_record.uri.removeprefix("file://")).read_text())
    assert [(item.run_id, item.seed) for item in record.rivals] == [("night.a", 0), ("night.b", 1)]
    (best,) = (item for item in record.rivals if item.taken)
    theirs = SynthesizeResult.model_validate(stored(config, best.run_id, "synthesize", "result.json"))
    assert (result.candidate, result.front, result.insights) == (theirs.candidate, theirs.front, theirs.insights)
    assert result.key != theirs.key
    assert best.run_id in record.reason
    assert best.performance == max(item.performance or 0.0 for item in record.rivals)


def test_a_branch_is_a_run_whose_front_can_be_looked_at(config: CompactionConfig) -> None:
    front = read_front(config.line, "night.b", config.storage)
    assert front.points
    assert stored(config, "night.b", "config.json")["seed"] == 1


def test_a_run_without_data_has_no_branches(config: CompactionConfig) -> None:
    done = door(config, "other.a", "synthesize", "--branch-of", "other")
    assert done.returncode == 2
    assert "Run other has no snapshot to search." in done.stderr


def test_a_choice_needs_finished_searches(config: CompactionConfig) -> None:
    done = door(config, "night", "synthesize", "--choose-from", "night.c")
    assert done.returncode == 2
    assert "night.c" in done.stderr


def test_only_synthesize_has_branches(config: CompactionConfig) -> None:
    done = door(config, "night", "evaluate", "--branch-of", "night")
    assert done.returncode == 2
    assert "are for synthesize" in done.stderr


def test_a_run_that_is_not_done_has_no_summary(config: CompactionConfig) -> None:
    command = [sys.executable, "-m", "darwin_core", "summary", "night", "--output", config.line]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "evaluate, explain, publish not done" in done.stderr
