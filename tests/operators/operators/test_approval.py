"""What a person sees before a version goes live, and what happens where nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG

from darwin_core.contracts import CompactionConfig, StepName
from darwin_pipelines.airflow_dags import compaction_dag

pytest.importorskip("airflow.providers.standard.operators.hitl", reason="people can be asked from Airflow 3.1 on")

from airflow.providers.standard.operators.hitl import ApprovalOperator
from stand_in_engine import write_result

from darwin_operators.operators.approval import ApprovePublicationOperator


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[ApprovalOperator]:
    """Whom Airflow's own operator was about to ask; asking needs a running Airflow and is shown with one."""
    found: list[ApprovalOperator] = []
    monkeypatch.setattr(ApprovalOperator, "execute", lambda self, _context: found.append(self))
    return found


@pytest.fixture
def approve(config: dict[str, object]) -> Callable[[str], ApprovePublicationOperator]:
    def build(scenario: str) -> ApprovePublicationOperator:
        parsed = CompactionConfig.model_validate(config)
        for step in list(StepName)[:-1]:
            write_result(step, parsed, "r1", scenario)
        return ApprovePublicationOperator(
            task_id="approve", config=config, run_id="r1", report_base_url="https://reports.example"
        )

    return build


def test_the_question_holds_the_figures(approve: Callable[[str], Any], asked: list[Any]) -> None:
    task = approve("good")
    task.execute({})
    assert asked == [task]
    assert "**PASS**" in task.body
    assert "| parameters | 10 | 10 |" in task.body
    assert f"]({task.report_url})" in task.body
    assert task.report_url.startswith("https://reports.example/")


def test_silence_is_a_rejection(approve: Callable[[str], Any]) -> None:
    task = approve("good")
    assert task.defaults == ["Reject"]
    assert task.response_timeout == timedelta(hours=12)


def test_nobody_is_asked_about_what_the_gate_refused(approve: Callable[[str], Any], asked: list[Any]) -> None:
    assert approve("rejected").execute({}) is None
    assert asked == []


def test_approval_stands_before_publishing(config: dict[str, object]) -> None:
    dag = compaction_dag(
        "compact",
        config,
        approval={"response_timeout": timedelta(hours=1)},
        operator_args={"launcher_args": {"python": "/opt/darwin/bin/python"}, "report_base_url": "https://r.example"},
    )
    assert isinstance(dag, DAG)
    task = dag.get_task("approve")
    assert (task.upstream_task_ids, task.downstream_task_ids) == ({"explain"}, {"publish"})
    assert (task.response_timeout, task.report_base_url) == (timedelta(hours=1), "https://r.example")
