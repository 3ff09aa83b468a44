"""Two nights under a real Airflow: retrain, compaction by itself, publish; then a spoiled retrain, and a rejection.

The engine runs in its own environment; Airflow's holds no TensorFlow.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from airflow_runtime import AirflowRuntime

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(2400)]

STEPS = ("fetch-data", "synthesize", "evaluate", "explain", "publish")


@dataclass(frozen=True)
class Night:
    """One retrain and the compaction that followed."""

    retrain: str
    compact: str
    state: str
    tasks: dict[str, str]
    champion: dict[str, Any]


def live_through(airflow: AirflowRuntime, *, spoiled: bool) -> Night:
    rest = airflow.rest
    known = {run["dag_run_id"] for run in rest.runs("compact")}
    retrain = rest.trigger("retrain", {"spoiled": spoiled})
    assert rest.wait_for_run("retrain", retrain, 600) == "success", rest.log("retrain", retrain, "train")
    compact = rest.wait_for_new_run("compact", known, 60)
    state = rest.wait_for_run("compact", compact, 1500)
    tasks = rest.task_states("compact", compact)
    for step, found in tasks.items():
        if found == "failed":
            pytest.fail(f"{step} failed:\n{rest.log('compact', compact, step)}")
    return Night(retrain, compact, state, tasks, json.loads((line(airflow) / "pointers" / "champion.json").read_text()))


def line(airflow: AirflowRuntime) -> Path:
    return airflow.home.parent / "work" / "line"


@pytest.fixture(scope="module")
def first(airflow: AirflowRuntime) -> Night:
    return live_through(airflow, spoiled=False)


@pytest.fixture(scope="module")
def second(airflow: AirflowRuntime, first: Night) -> Night:
    return live_through(airflow, spoiled=True)


def test_no_dag_is_broken(airflow: AirflowRuntime) -> None:
    assert airflow.rest.import_errors() == []
    assert {"retrain", "compact"} <= airflow.rest.dag_ids()


def test_compaction_starts_by_itself_and_publishes(airflow: AirflowRuntime, first: Night) -> None:
    assert (first.state, first.tasks) == ("success", dict.fromkeys(STEPS, "success"))
    run = airflow.rest.get(f"dags/compact/dagRuns/{first.compact}")
    assert run["run_type"] == "asset_triggered"
    version = airflow.rest.xcom("compact", first.compact, "publish")["version"]
    assert first.champion["version"] == version
    assert (line(airflow) / "versions" / version / "model.keras").is_file()


def test_the_published_network_is_smaller(airflow: AirflowRuntime, first: Night) -> None:
    verdict = json.loads(
        Path(airflow.rest.xcom("compact", first.compact, "evaluate")["verdict_document"]["uri"]).read_text()
    )
    assert verdict["verdict"] == "PASS"
    assert verdict["candidate_cost"]["parameters"] <= 1500 < verdict["reference_cost"]["parameters"]


def test_the_model_line_tells_what_was_published(airflow: AirflowRuntime, first: Night) -> None:
    events = airflow.rest.asset_events(line(airflow).as_uri())
    assert [event["extra"]["version"] for event in events[:1]] == [first.champion["version"]]
    extra = events[0]["extra"]
    assert extra["verdict"] == "PASS"
    assert extra["candidate_sha256"] == first.champion["network"]["sha256"]
    assert Path(extra["report"]).is_file()


def test_the_report_is_one_click_away(airflow: AirflowRuntime, first: Night) -> None:
    for task in ("explain", "publish"):
        url = airflow.rest.links("compact", first.compact, task)["Compaction report"]
        assert url is not None
        assert url.startswith("https://reports.example/")
        assert url.endswith("/explain/report.html")


def test_the_engine_speaks_in_the_task_log(airflow: AirflowRuntime, first: Night) -> None:
    assert "Verdict: PASS" in airflow.rest.log("compact", first.compact, "evaluate")
    assert "The candidate has" in airflow.rest.log("compact", first.compact, "synthesize")


def test_a_rejected_candidate_leaves_the_champion(airflow: AirflowRuntime, first: Night, second: Night) -> None:
    expected = dict.fromkeys(STEPS[:-1], "success") | {"publish": "skipped"}
    assert (second.state, second.tasks) == ("success", expected)
    assert second.champion == first.champion
    assert airflow.rest.xcom("compact", second.compact, "evaluate")["verdict"] != "PASS"
    log = airflow.rest.log("compact", second.compact, "publish")
    assert f"Not published; the champion is {first.champion['version']}." in log
    assert len(airflow.rest.asset_events(line(airflow).as_uri())) == 1, "a rejected candidate woke somebody"


def test_every_retrain_started_one_compaction(airflow: AirflowRuntime, first: Night, second: Night) -> None:
    """Above all, publishing did not start a run of its own."""
    runs = [run["dag_run_id"] for run in airflow.rest.runs("compact")]
    assert runs == [first.compact, second.compact]
