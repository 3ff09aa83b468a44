"""A network lands in the bucket, compaction starts, and a person is asked before anything is published."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_runtime import AirflowRuntime

    from .conftest import ModelStore

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(1800)]

READING_SECONDS = 20
STEPS = ("fetch-data", "synthesize", "evaluate", "explain")


@pytest.fixture(scope="module")
def run_id(airflow: AirflowRuntime, store: ModelStore) -> str:
    """The run that starts because an object was put; nobody answers its question."""
    known = {run["dag_run_id"] for run in airflow.rest.runs("asked")}
    assert known == set(), "something started it before there was a network"
    store.write("-asked/retrained.keras", b"network")
    return airflow.rest.wait_for_new_run("asked", known, 180)


@pytest.fixture(scope="module")
def unanswered(airflow: AirflowRuntime, run_id: str) -> dict[str, str]:
    """How the tasks end when nobody answers."""
    assert airflow.rest.wait_for_run("asked", run_id, 900) == "success"
    return airflow.rest.task_states("asked", run_id)


def test_silence_keeps_the_champion(airflow: AirflowRuntime, store: ModelStore, unanswered: dict[str, str]) -> None:
    assert unanswered == dict.fromkeys((*STEPS, "approve"), "success") | {"publish": "skipped"}
    assert airflow.rest.asset_events(f"{store.line}-asked") == []


def test_lineage_was_sent(airflow: AirflowRuntime, store: ModelStore, unanswered: dict[str, str]) -> None:
    text = (airflow.home.parent / "lineage.json").read_text()
    events = [json.loads(line) for line in text.splitlines() if line.strip()]
    done = [event for event in events if event["eventType"] == "COMPLETE"]
    (evaluated,) = [event for event in done if event["job"]["name"] == "asked.evaluate"]
    tags = {tag["key"]: tag["value"] for tag in evaluated["run"]["facets"]["tags"]["tags"]}
    assert tags["darwin.verdict"] == "PASS"
    names = {(item["namespace"], item["name"].rpartition("/")[2]) for item in evaluated["outputs"]}
    assert (f"s3://{store.bucket}", "verdict.json") in names
    assert {event["job"]["namespace"] for event in events} == {"bank"}


def test_one_object_starts_one_run(airflow: AirflowRuntime, run_id: str, unanswered: dict[str, str]) -> None:
    """The trigger has looked dozens of times since."""
    assert [run["dag_run_id"] for run in airflow.rest.runs("asked")] == [run_id]


def test_an_approved_version_is_published(
    airflow: AirflowRuntime, store: ModelStore, run_id: str, unanswered: dict[str, str]
) -> None:
    from airflow_rest import wait_until

    rest = airflow.rest
    store.write("-asked/retrained.keras", b"the next network")
    following = rest.wait_for_new_run("asked", {run_id}, 180)

    def ended() -> str | None:
        question = rest.question("asked", following, "approve")
        if question is not None and not question["response_received"]:
            assert question["defaults"] == ["Reject"]
            assert "**PASS**" in question["body"]
            # People read first. An answer that comes before the scheduler has seen the task wait makes Airflow take
            # the task for dead, and ask again.
            time.sleep(READING_SECONDS)
            rest.answer("asked", following, "approve", "Approve")
        return rest.run_state("asked", following)

    assert wait_until(ended, 900, "the end of the run") == "success"
    assert rest.task_states("asked", following)["publish"] == "success"
    (event,) = rest.asset_events(f"{store.line}-asked")
    assert (event["extra"]["verdict"], event["extra"]["run_id"]) == ("PASS", following)
