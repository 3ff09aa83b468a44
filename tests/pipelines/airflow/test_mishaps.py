"""What a real Airflow does when a step is killed, crashes or was asked for nonsense."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_runtime import AirflowRuntime

pytestmark = pytest.mark.airflow


def test_a_task_that_people_stop_takes_the_engine_with_it(airflow: AirflowRuntime) -> None:
    from airflow_rest import wait_until

    rest = airflow.rest
    run_id = rest.trigger("hang")

    def told() -> list[int]:
        if rest.task_states("hang", run_id).get("fetch-data") != "running":
            return []
        found = re.search(r"pids (\d+) (\d+)", rest.log("hang", run_id, "fetch-data"))
        return [int(text) for text in found.groups()] if found else []

    engine, helper = wait_until(told, 90, "the step to tell its process ids")
    assert Path(f"/proc/{engine}").exists()
    rest.set_task_state("hang", run_id, "fetch-data", "failed")
    wait_until(lambda: not any(_runs(pid) for pid in (engine, helper)), 60, "the engine's processes to end")
    assert rest.wait_for_run("hang", run_id, 60) == "failed"


def test_a_crash_is_retried(airflow: AirflowRuntime) -> None:
    run_id = airflow.rest.trigger("crash")
    assert airflow.rest.wait_for_run("crash", run_id, 120) == "failed"
    assert airflow.rest.task("crash", run_id, "fetch-data")["try_number"] == 2
    assert "RuntimeError: out of luck" in airflow.rest.log("crash", run_id, "fetch-data", attempt=2)


def test_a_bad_request_is_not_retried(airflow: AirflowRuntime) -> None:
    run_id = airflow.rest.trigger("bad-request")
    assert airflow.rest.wait_for_run("bad-request", run_id, 120) == "failed"
    assert airflow.rest.task("bad-request", run_id, "fetch-data")["try_number"] == 1
    assert "Expected a column 'default'" in airflow.rest.log("bad-request", run_id, "fetch-data")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
