"""Operators over a real S3 server: the step writes there, the operator reads there."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from airflow.sdk.exceptions import AirflowException
from moto.server import ThreadedMotoServer

from darwin_operators import EvaluateOperator


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}.items():
        monkeypatch.setenv(name, value)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@pytest.fixture
def s3_config(endpoint: str, config: dict[str, object]) -> dict[str, object]:
    boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1").create_bucket(Bucket="bank")
    storage = {"endpoint_url": endpoint, "region": "us-east-1", "path_style": True}
    return config | {"line": "s3://bank/models/fraud", "storage": storage}


def evaluate(stand_in: str, config: dict[str, object]) -> dict[str, Any]:
    task = EvaluateOperator(
        task_id="evaluate",
        config=config,
        run_id="r1",
        launcher_args={"python": stand_in, "env": {"SCENARIO": "rejected"}},
    )
    return task.execute({})


def test_the_verdict_comes_from_the_bucket(stand_in: str, s3_config: dict[str, object]) -> None:
    found = evaluate(stand_in, s3_config)
    assert found["result_uri"] == "s3://bank/models/fraud/runs/r1/evaluate/result.json"
    assert found["verdict"] == "FAIL"


def test_trouble_with_the_bucket_can_be_retried(stand_in: str, s3_config: dict[str, object]) -> None:
    with pytest.raises(AirflowException, match="exit code 1") as caught:
        evaluate(stand_in, s3_config | {"line": "s3://no-such-bucket/models/fraud"})
    assert type(caught.value) is AirflowException


def test_a_store_that_does_not_answer_can_be_retried(stand_in: str, s3_config: dict[str, object]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        storage = {"endpoint_url": f"http://127.0.0.1:{taken.getsockname()[1]}", "region": "us-east-1"}
        with pytest.raises(AirflowException) as caught:
            evaluate(stand_in, s3_config | {"storage": storage})
    assert type(caught.value) is AirflowException
