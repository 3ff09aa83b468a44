"""A connection of type ``darwin``: what the operators take from it, over a real S3 server that checks nothing twice."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from support.s3 import KEYS, S3Server, new_bucket

from darwin_core.contracts import Pointer, PointerName, StorageOptions
from darwin_core.errors import RequestError
from darwin_core.storage import open_store
from darwin_operators import DarwinHook, EvaluateOperator, FetchDataOperator
from darwin_operators.get_provider_info import connection_form


@pytest.fixture
def line(moto_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """A model line behind the connection ``bank``; nothing else on this machine knows the key pair."""
    for name in (*KEYS, "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    line = f"s3://{new_bucket(moto_server)}/models/fraud"
    connect(monkeypatch, moto_server.endpoint, line)
    return line


def connect(monkeypatch: pytest.MonkeyPatch, endpoint: str, line: str, **changes: Any) -> None:
    extra = {"line": line, "region": "us-east-1", "path_style": True, "report_base_url": "https://reports.example"}
    connection = {
        "conn_type": "darwin",
        "host": endpoint,
        "login": KEYS["AWS_ACCESS_KEY_ID"],
        "password": KEYS["AWS_SECRET_ACCESS_KEY"],
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_BANK", json.dumps(connection | changes))


def test_the_form_names_what_the_hook_reads(line: str) -> None:
    behaviour = DarwinHook.get_ui_field_behaviour()
    assert behaviour["relabeling"]["host"] == "S3 endpoint URL"
    assert "extra" in behaviour["hidden_fields"]
    assert set(connection_form()["conn-fields"]) >= {"line", "region", "path_style", "ca_bundle", "sse_kms_key_id"}
    assert (DarwinHook.conn_type, DarwinHook.hook_name) == ("darwin", "Darwin")


def test_what_the_configuration_says_comes_first(line: str) -> None:
    given = StorageOptions(region="eu-central-1")
    options = DarwinHook("bank").storage_options(given)
    assert (options.region, options.path_style) == ("eu-central-1", True)
    assert options.endpoint_url is not None


def test_the_button_test(line: str) -> None:
    hook = DarwinHook("bank")
    assert hook.test_connection() == (True, f"{line}: nothing is published yet")
    pointer = Pointer.model_validate(
        {
            "name": PointerName.CHAMPION,
            "version": "1-0123456789ab",
            "manifest_sha256": "a" * 64,
            "serve_uri": f"{line}/versions/1-0123456789ab/serve/",
            "network": {"uri": f"{line}/versions/1-0123456789ab/model.keras", "sha256": "b" * 64, "size_bytes": 1},
            "moved_at": "2026-11-22T20:15:00Z",
            "moved_by": "r1",
            "previous_version": None,
        }
    )
    hook.get_conn().write(f"{line}/pointers/champion.json", pointer.to_json().encode())
    assert DarwinHook("bank").test_connection() == (True, f"{line}: the champion is 1-0123456789ab")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"extra": {}}, "names no model line"),
        ({"password": None}, "an access key and a secret key, or neither"),
        ({"extra": {"line": "s3://no-such-bucket/line", "path_style": True, "region": "us-east-1"}}, "no-such-bucket"),
        ({"extra": {"line": "s3://bank/line", "path_style": "perhaps"}}, "path_style"),
    ],
)
def test_a_connection_that_does_not_work_says_why(
    line: str, moto_server: S3Server, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], text: str
) -> None:
    connect(monkeypatch, moto_server.endpoint, line, **changes)
    works, message = DarwinHook("bank").test_connection()
    assert not works
    assert text in message


def test_without_a_connection_all_is_left_to_the_environment() -> None:
    hook = DarwinHook(None)
    assert hook.storage_options() == StorageOptions()
    assert (hook.credentials(), hook.environment()) == (None, {})
    with pytest.raises(RequestError, match="names no model line"):
        hook.get_conn()


def test_the_secret_is_never_shown(line: str) -> None:
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in repr(DarwinHook("bank").credentials())


def test_the_step_gets_the_key_pair_and_the_operator_reads_with_it(
    line: str, stand_in: str, config: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    """The child process knows nothing but what the connection says; the secret is on no command line and in no log."""
    task = EvaluateOperator(
        task_id="evaluate",
        config=config | {"line": line},
        run_id="r1",
        darwin_conn_id="bank",
        launcher_args={"python": stand_in, "env": {"SCENARIO": "rejected"}},
    )
    found = task.execute({})
    assert found["verdict"] == "FAIL"
    assert KEYS["AWS_SECRET_ACCESS_KEY"] not in capsys.readouterr().out + json.dumps(found)
    stored = open_store(line, DarwinHook("bank").storage_options(), DarwinHook("bank").credentials())
    assert stored.stat(found["result_uri"]) is not None


def test_half_a_key_pair_fails_for_good(
    line: str, stand_in: str, config: dict[str, object], moto_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, moto_server.endpoint, line, password=None)
    task = FetchDataOperator(
        task_id="fetch",
        config=config | {"line": line},
        run_id="r1",
        darwin_conn_id="bank",
        launcher_args={"python": stand_in},
    )
    with pytest.raises(AirflowFailException, match="or neither"):
        task.execute({})
