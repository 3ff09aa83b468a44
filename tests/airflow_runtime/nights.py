"""A bank's nights, lived through once for all tests of a session."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from airflow_rest import wait_until

if TYPE_CHECKING:
    from airflow_runtime import AirflowRuntime

DOWN_SECONDS = 5


@dataclass(frozen=True)
class Night:
    """One retrain and the compaction that followed."""

    retrain: str
    compact: str
    state: str
    tasks: dict[str, str]
    champion: dict[str, Any]


def live_through(airflow: AirflowRuntime, store: Any, *, spoiled: bool, kill_scheduler: bool = False) -> Night:
    rest = airflow.rest
    known = {run["dag_run_id"] for run in rest.runs("compact")}
    retrain = rest.trigger("retrain", {"spoiled": spoiled})
    assert rest.wait_for_run("retrain", retrain, 900) == "success", rest.log("retrain", retrain, "train")
    compact = rest.wait_for_new_run("compact", known, 120)
    if kill_scheduler:
        kill_while_searching(airflow, compact)
    state = rest.wait_for_run("compact", compact, 2400)
    tasks = rest.task_states("compact", compact)
    for step, found in tasks.items():
        if found == "failed":
            pytest.fail(f"{step} failed:\n{rest.log('compact', compact, step)}")
    return Night(retrain, compact, state, tasks, store.champion())


def kill_while_searching(airflow: AirflowRuntime, run_id: str) -> None:
    wait_until(
        lambda: airflow.rest.task_states("compact", run_id).get("synthesize") == "running", 600, "the search to begin"
    )
    airflow.parts["scheduler"].kill()
    time.sleep(DOWN_SECONDS)
    airflow.parts["scheduler"].restart()


def seconds_of(airflow: AirflowRuntime, night: Night) -> dict[str, Any]:
    """Where a compaction's time went, in seconds: what each step reports, what its task took, and the whole run."""
    run = airflow.rest.get(f"dags/compact/dagRuns/{night.compact}")
    tasks = {
        task_id: {
            "step": airflow.rest.xcom("compact", night.compact, task_id)["seconds"],
            "task": airflow.rest.task("compact", night.compact, task_id)["duration"],
        }
        for task_id in night.tasks
    }
    whole = datetime.fromisoformat(run["end_date"]) - datetime.fromisoformat(run["run_after"])
    return {"run": whole.total_seconds(), "tasks": tasks, "load": round(os.getloadavg()[2], 1)}
