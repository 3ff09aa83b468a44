"""The operators over a real child process: results from the store, exit codes as exceptions, the gate's answer."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from darwin_core.contracts import CompactionConfig, StepName
from darwin_operators import (
    CompactionReportLink,
    CompactModelOperator,
    EvaluateOperator,
    ExplainOperator,
    FetchDataOperator,
    PublishedVersionLink,
    PublishOperator,
    SynthesizeOperator,
)

OPERATORS = (FetchDataOperator, SynthesizeOperator, EvaluateOperator, ExplainOperator, PublishOperator)
ASSET = Asset(uri="s3://bank/models/fraud")


class OutletEvents(dict[Asset, SimpleNamespace]):
    """As in a task's context: one event per Asset, made when it is asked for."""

    def __missing__(self, asset: Asset) -> SimpleNamespace:
        return self.setdefault(asset, SimpleNamespace(extra={}))


class TaskInstance:
    """Takes what is pushed, as a task's own instance does."""

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.fixture
def context() -> dict[str, Any]:
    return {
        "run_id": "manual__2026-11-22T20:15:00+00:00",
        "outlet_events": OutletEvents(),
        "params": {},
        "ti": TaskInstance(),
    }


@pytest.fixture
def make(stand_in: str, config: dict[str, object], context: dict[str, Any]) -> Callable[..., Any]:
    """Builds an operator, with its templates rendered as Airflow does before ``execute``."""

    def build(operator: type, scenario: str = "good", **arguments: Any) -> Any:
        launcher_args = {"python": stand_in, "env": {"SCENARIO": scenario}}
        defaults = {"task_id": operator.step.value, "config": config, "launcher_args": launcher_args}
        task = operator(**defaults | arguments)
        task.render_template_fields(context)
        return task

    return build


def run_all(make: Callable[..., Any], context: dict[str, Any], scenario: str = "good") -> None:
    for operator in OPERATORS[:-1]:
        make(operator, scenario).execute(context)


def test_the_operators_are_the_five_steps_in_order() -> None:
    assert [operator.step for operator in OPERATORS] == list(StepName)


@pytest.mark.parametrize("operator", OPERATORS[:-1])
def test_what_comes_back_is_small_json_from_the_store(
    make: Callable[..., Any], context: dict[str, Any], config: dict[str, object], operator: type
) -> None:
    found = make(operator).execute(context)
    uri = f"{config['line']}/runs/{context['run_id']}/{operator.step.value}/result.json"
    assert (found["result_uri"], found["run_id"]) == (uri, context["run_id"])
    stored = json.loads(Path(uri).read_text())
    assert {name: found[name] for name in stored} == stored
    assert len(json.dumps(found)) < 5000


def test_the_verdict_is_data(
    make: Callable[..., Any], context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    task = make(EvaluateOperator, "rejected")
    found = task.execute(context)
    log = capsys.readouterr().out
    assert found["verdict"] == "FAIL"
    assert found["reasons"] == ["Q1 PR-AUC: the lower bound of the difference is -0.031, below -0.005."]
    assert "Verdict: FAIL" in log
    assert found["reasons"][0] in log


def test_a_verdict_that_was_changed_later_is_refused(
    make: Callable[..., Any], context: dict[str, Any], config: dict[str, object]
) -> None:
    run_all(make, context, "rejected")
    path = Path(str(config["line"])) / "runs" / context["run_id"] / "evaluate" / "verdict.json"
    path.write_text(path.read_text().replace("FAIL", "PASS"))
    with pytest.raises(AirflowException, match=r"has digest .* expected"):
        make(PublishOperator, outlets=[ASSET]).execute(context)
    assert not context["outlet_events"]


@pytest.mark.parametrize(
    ("scenario", "exception", "text"),
    [
        ("bad-request", AirflowFailException, "cannot be done as asked: Error: Expected a column 'default'"),
        ("crash", AirflowException, "exit code 1. The last it said: RuntimeError: out of luck"),
        ("out-of-memory", AirflowException, "exit code 137. It was killed"),
        ("silent-failure", AirflowException, "The last it said: step fetch-data begins"),
        ("chatter", AirflowException, "result.json"),
        ("another-version", AirflowException, "does not answer this task's request"),
    ],
)
def test_exit_codes(
    make: Callable[..., Any], context: dict[str, Any], scenario: str, exception: type[Exception], text: str
) -> None:
    """``AirflowFailException`` is never retried; its plain base is. ``chatter`` claims success and wrote nothing."""
    with pytest.raises(exception) as caught:
        make(FetchDataOperator, scenario).execute(context)
    assert type(caught.value) is exception
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"config": {"line": "/tmp/line"}}, "roles"),
        ({"config": "{"}, "not a valid CompactionConfig"),
        ({"launcher": "podman"}, "There is no launcher 'podman'"),
        ({"launcher": "in_process", "launcher_args": {}}, "TensorFlow is not installed"),
        ({"launcher_args": {"python": "/missing/python"}}, "should be an executable file"),
        ({"launcher_args": {"image": "darwin:1"}}, "launcher_args do not fit"),
    ],
)
def test_what_no_second_try_can_mend(
    make: Callable[..., Any], context: dict[str, Any], arguments: dict[str, Any], text: str
) -> None:
    with pytest.raises(AirflowFailException, match=text.replace("(", r"\(")):
        make(FetchDataOperator, **arguments).execute(context)


def test_templates_are_rendered_before_anything_is_read(
    make: Callable[..., Any], context: dict[str, Any], config: dict[str, object]
) -> None:
    context["params"] = {"night": 7}
    templated = config | {"title": "Night {{ params.night }}"}
    task = make(FetchDataOperator, config=templated, run_id="night-{{ params.night }}")
    assert task.execute(context)["run_id"] == "night-7"
    assert task.config["title"] == "Night 7"


def test_a_typed_config_is_taken_too(
    make: Callable[..., Any], context: dict[str, Any], config: dict[str, object]
) -> None:
    task = make(FetchDataOperator, config=CompactionConfig.model_validate(config))
    assert json.loads(json.dumps(task.config)) == task.config
    assert task.execute(context)["train_rows"] == 1000


def test_publish_announces_the_version(
    make: Callable[..., Any], context: dict[str, Any], config: dict[str, object]
) -> None:
    run_all(make, context)
    task = make(PublishOperator, outlets=[ASSET], report_base_url="https://reports.example")
    found = task.execute(context)
    extra = context["outlet_events"][ASSET].extra
    assert (extra["version"], extra["verdict"]) == ("3-0123456789ab", "PASS")
    assert extra["candidate_sha256"] == "a" * 64
    assert extra["report"].endswith("/explain/report.html")
    assert extra["run_id"] == context["run_id"]
    assert json.loads(json.dumps(extra)) == extra
    assert found["published"] is True
    assert found["report_url"].startswith("https://reports.example/")
    assert PublishedVersionLink().get_link(task, ti_key=None).endswith("/versions/3-0123456789ab/model_card.md")
    message = context["ti"].pushed["message"]
    assert "version 3-0123456789ab is now the champion" in message
    assert found["report_url"] in message


@pytest.mark.parametrize(
    ("on_rejection", "exception"), [("skip", AirflowSkipException), ("fail", AirflowFailException)]
)
def test_a_rejected_candidate_wakes_nobody(
    make: Callable[..., Any], context: dict[str, Any], on_rejection: str, exception: type[Exception]
) -> None:
    run_all(make, context, "rejected")
    task = make(PublishOperator, "rejected", outlets=[ASSET], on_rejection=on_rejection)
    with pytest.raises(exception, match=r"Not published; the champion is 2-aaaaaaaaaaaa\. Q1 PR-AUC"):
        task.execute(context)
    assert not context["outlet_events"]
    assert CompactionReportLink().get_link(task, ti_key=None).endswith("report.html"), "people want to know why"
    assert PublishedVersionLink().get_link(task, ti_key=None) == ""
    assert "not published, 2-aaaaaaaaaaaa stays the champion" in context["ti"].pushed["message"]


def test_one_task_for_the_whole_run(
    make: Callable[..., Any], context: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    task = make(CompactModelOperator, outlets=[ASSET])
    found = task.execute(context)
    assert (found["version"], found["candidate_parameters"]) == ("3-0123456789ab", 1234)
    assert context["outlet_events"][ASSET].extra["verdict"] == "PASS"
    log = capsys.readouterr().out
    assert all(f"step {step} begins" in log for step in StepName)


def test_a_whole_run_can_be_rejected(make: Callable[..., Any], context: dict[str, Any]) -> None:
    with pytest.raises(AirflowSkipException, match="Not published"):
        make(CompactModelOperator, "rejected", outlets=[ASSET]).execute(context)
    assert not context["outlet_events"]


def test_a_version_without_a_pass_is_an_alarm(make: Callable[..., Any], context: dict[str, Any]) -> None:
    run_all(make, context, "rejected")
    with pytest.raises(AirflowFailException, match=r"was published, but the stored verdict is FAIL.*darwin rollback"):
        make(PublishOperator, "published-in-error", outlets=[ASSET]).execute(context)
    assert not context["outlet_events"]


def test_an_unknown_answer_to_a_rejection() -> None:
    with pytest.raises(ValueError, match="shrug"):
        PublishOperator(task_id="publish", config={}, on_rejection="shrug")


def test_the_link_is_empty_until_there_is_a_report(make: Callable[..., Any], context: dict[str, Any]) -> None:
    task = make(ExplainOperator)
    assert CompactionReportLink().get_link(task, ti_key=None) == ""
    task.execute(context)
    assert CompactionReportLink().get_link(task, ti_key=None).startswith("file:///")


def test_kill_without_a_running_step_does_nothing(make: Callable[..., Any]) -> None:
    make(SynthesizeOperator).on_kill()


def test_a_serialised_dag_stays_the_same(config: dict[str, object]) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    def serialised() -> str:
        with DAG("d", start_date=datetime(2026, 1, 1, tzinfo=UTC), schedule=None) as dag:
            for operator in OPERATORS:
                operator(task_id=operator.step.value, config=CompactionConfig.model_validate(config))
        return json.dumps(DagSerialization.to_dict(dag), sort_keys=True)

    assert serialised() == serialised()
