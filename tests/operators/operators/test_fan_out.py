"""Searches side by side: each a run of its own, and one choice among them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from darwin_core.contracts import CompactionConfig, StepName, SynthesizeRequest
from darwin_operators import ChooseSearchOperator, FetchDataOperator, SearchBranchOperator
from darwin_operators.operators.fan_out import branch_name


@pytest.fixture
def shared(stand_in: str, config: dict[str, object]) -> dict[str, Any]:
    """What all tasks of the run are given, after the data were fetched."""
    found = {"config": config, "run_id": "r1", "launcher_args": {"python": stand_in}}
    FetchDataOperator(task_id="fetch-data", **found).execute({})
    return found


def search(shared: dict[str, Any], index: int, changes: dict[str, Any]) -> dict[str, Any]:
    task = SearchBranchOperator(task_id="search", changes=changes, **shared)
    return task.execute({"ti": SimpleNamespace(map_index=index)})


def test_each_search_is_a_run_of_its_own(shared: dict[str, Any], config: dict[str, object]) -> None:
    found = [search(shared, index, {"seed": index}) for index in range(2)]
    assert [item["run_id"] for item in found] == ["r1.b0", "r1.b1"]
    assert found[0]["key"] != found[1]["key"], "they were asked for different things"
    assert (Path(str(config["line"])) / "runs/r1.b1/synthesize/result.json").exists()
    assert not (Path(str(config["line"])) / "runs/r1/synthesize").exists()


def test_the_choice_is_the_result_of_the_step(shared: dict[str, Any]) -> None:
    for index in range(2):
        search(shared, index, {"seed": index})
    found = ChooseSearchOperator(task_id="synthesize", searches=2, **shared).execute({})
    assert found["run_id"] == "r1"
    assert found["result_uri"].endswith("/runs/r1/synthesize/result.json")


def test_a_choice_without_its_searches_can_be_retried(shared: dict[str, Any]) -> None:
    search(shared, 0, {"seed": 0})
    with pytest.raises(AirflowException):
        ChooseSearchOperator(task_id="synthesize", searches=2, **shared).execute({})


def test_changes_that_do_not_fit(shared: dict[str, Any]) -> None:
    with pytest.raises(AirflowFailException, match=r"search r1\.b3 to differ in any of .*, got colour"):
        search(shared, 3, {"colour": "blue"})


def test_what_the_engine_is_asked(config: dict[str, object]) -> None:
    parsed = CompactionConfig.model_validate(config)
    branch = SearchBranchOperator(task_id="search", config=config, run_id="r1")
    assert branch.arguments(parsed, "r1.b0")[-2:] == ["--branch-of", "r1"]
    choice = ChooseSearchOperator(task_id="synthesize", searches=2, config=config, run_id="r1")
    assert choice.arguments(parsed, "r1")[-4:] == ["--choose-from", "r1.b0", "--choose-from", "r1.b1"]
    assert choice.step is StepName.SYNTHESIZE
    assert "rivals" in SynthesizeRequest.model_fields


def test_names_of_branches_fit_the_contract() -> None:
    long = "x" * 121
    assert branch_name("r1", 2) == "r1.b2"
    assert len(branch_name(long, 0)) <= 121
    assert branch_name(long, 0) != branch_name(long, 1)
