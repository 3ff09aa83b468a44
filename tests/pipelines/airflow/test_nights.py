"""Two nights under a real Airflow: retrain, compaction by itself, publish; then a spoiled retrain, and a rejection.

The engine runs in its own environment; Airflow's holds no TensorFlow. The database is PostgreSQL where it is installed,
the model line lies on an S3 server, and in the second night the scheduler is killed while the search runs.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from airflow_runtime import AirflowRuntime
    from nights import Night

    from .conftest import ModelStore

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(3600)]

STEPS = ("fetch-data", "synthesize", "evaluate", "explain", "publish")


def test_no_dag_is_broken(airflow: AirflowRuntime) -> None:
    assert airflow.rest.import_errors() == []
    assert {"retrain", "compact", "asked"} <= airflow.rest.dag_ids()


def test_the_connection_says_that_it_works(airflow: AirflowRuntime, bank: dict[str, str], store: ModelStore) -> None:
    given = bank | {"connection_id": "bank"}
    works, message = airflow.rest.test_connection(given)
    assert works
    assert message.startswith(store.line)
    elsewhere = json.loads(given["extra"]) | {"line": "s3://no-such-bucket/models/loans"}
    works, message = airflow.rest.test_connection(
        given | {"connection_id": "elsewhere", "extra": json.dumps(elsewhere)}
    )
    assert not works
    assert "no-such-bucket" in message


def test_compaction_starts_by_itself_and_publishes(airflow: AirflowRuntime, store: ModelStore, first: Night) -> None:
    assert (first.state, first.tasks) == ("success", dict.fromkeys(STEPS, "success"))
    run = airflow.rest.get(f"dags/compact/dagRuns/{first.compact}")
    assert run["run_type"] == "asset_triggered"
    version = airflow.rest.xcom("compact", first.compact, "publish")["version"]
    assert first.champion["version"] == version
    assert store.read(f"versions/{version}/model.keras")[:2] == b"PK", "a .keras file is a zip archive"


def test_the_published_network_is_smaller(airflow: AirflowRuntime, store: ModelStore, first: Night) -> None:
    verdict = json.loads(store.read(f"runs/{first.compact}/evaluate/verdict.json"))
    assert verdict["verdict"] == "PASS"
    assert verdict["candidate_cost"]["parameters"] <= 1500 < verdict["reference_cost"]["parameters"]


def test_the_model_line_tells_what_was_published(airflow: AirflowRuntime, store: ModelStore, first: Night) -> None:
    events = airflow.rest.asset_events(store.line)
    assert [event["extra"]["version"] for event in events[:1]] == [first.champion["version"]]
    extra = events[0]["extra"]
    assert extra["verdict"] == "PASS"
    assert extra["candidate_sha256"] == first.champion["network"]["sha256"]
    assert extra["report"].startswith(store.line)


def test_report_and_version_are_one_click_away(airflow: AirflowRuntime, first: Night) -> None:
    for task in ("explain", "publish"):
        url = airflow.rest.links("compact", first.compact, task)["Compaction report"]
        assert url is not None
        assert requests.get(url, timeout=30).text.lower().lstrip().startswith("<!doctype html>")
    card = airflow.rest.links("compact", first.compact, "publish")["Published version"]
    assert card is not None
    assert first.champion["version"] in requests.get(card, timeout=30).text


def test_people_can_be_told(airflow: AirflowRuntime, first: Night) -> None:
    message = airflow.rest.xcom("compact", first.compact, "publish", "message")
    assert f"version {first.champion['version']} is now the champion" in message


def test_the_engine_speaks_in_the_task_log(airflow: AirflowRuntime, bank: dict[str, str], first: Night) -> None:
    assert "Verdict: PASS" in airflow.rest.log("compact", first.compact, "evaluate")
    log = airflow.rest.log("compact", first.compact, "synthesize")
    assert "The candidate has" in log
    assert bank["password"] not in log


def test_a_rejected_candidate_leaves_the_champion(
    airflow: AirflowRuntime, store: ModelStore, first: Night, second: Night
) -> None:
    expected = dict.fromkeys(STEPS[:-1], "success") | {"publish": "skipped"}
    assert (second.state, second.tasks) == ("success", expected)
    assert second.champion == first.champion
    assert airflow.rest.xcom("compact", second.compact, "evaluate")["verdict"] != "PASS"
    log = airflow.rest.log("compact", second.compact, "publish")
    assert f"Not published; the champion is {first.champion['version']}." in log
    assert "stays the champion" in airflow.rest.xcom("compact", second.compact, "publish", "message")
    assert len(airflow.rest.asset_events(store.line)) == 1, "a rejected candidate woke somebody"


def test_every_retrain_started_one_compaction(airflow: AirflowRuntime, first: Night, second: Night) -> None:
    """Above all, publishing did not start a run of its own, nor did a scheduler that came back."""
    runs = [run["dag_run_id"] for run in airflow.rest.runs("compact")]
    assert runs == [first.compact, second.compact]
