"""These tests run in Airflow's own environment; elsewhere they are not collected.

Those marked ``airflow`` share one real Airflow, which is started for the first and stopped after the last of them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.s3 import KEYS, S3Server, admin_client, new_bucket

HERE = Path(__file__).parent
DAG_IDS = {"retrain", "compact", "asked", "hang", "crash", "bad-request"}

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["*"]
else:
    sys.path.insert(0, str(HERE.parents[1] / "airflow_runtime"))
    from airflow_home import use_private_home

    use_private_home()


class ModelStore:
    """A model line in the bucket."""

    def __init__(self, line: str, endpoint: str) -> None:
        self.line = line
        self.bucket, _, self._prefix = line.removeprefix("s3://").partition("/")
        self._client = admin_client(endpoint, *KEYS.values())
        # People's browsers have no keys: what the buttons open must be readable without.
        everything = f"arn:aws:s3:::{self.bucket}/*"
        readable = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": everything}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [readable]})
        self._client.put_bucket_policy(Bucket=self.bucket, Policy=policy)

    def read(self, path: str) -> bytes:
        """An object below the line."""
        return bytes(self._client.get_object(Bucket=self.bucket, Key=f"{self._prefix}/{path}")["Body"].read())

    def write(self, path: str, data: bytes) -> None:
        """Put an object beside the line: ``path`` is appended to its prefix as it is."""
        self._client.put_object(Bucket=self.bucket, Key=f"{self._prefix}{path}", Body=data)

    def champion(self) -> dict[str, Any]:
        """What the champion pointer says."""
        return dict(json.loads(self.read("pointers/champion.json")))


@pytest.fixture(scope="session")
def engine_python() -> str:
    """The interpreter that holds TensorFlow."""
    python = os.environ.get("DARWIN_PYTHON")
    if not python:
        pytest.fail("DARWIN_PYTHON must name the engine's interpreter")
    return python


@pytest.fixture(scope="session")
def bank(moto_server: S3Server) -> dict[str, str]:
    """A connection of type ``darwin`` to the S3 server, as the REST API takes it."""
    line = f"s3://{new_bucket(moto_server)}/models/loans"
    extra = {"line": line, "region": "us-east-1", "path_style": True}
    return {
        "conn_type": "darwin",
        "host": moto_server.endpoint,
        "login": KEYS["AWS_ACCESS_KEY_ID"],
        "password": KEYS["AWS_SECRET_ACCESS_KEY"],
        "extra": json.dumps(extra),
    }


@pytest.fixture(scope="session")
def store(bank: dict[str, str]) -> ModelStore:
    """What lies in the bucket, seen by a client of our own."""
    return ModelStore(json.loads(bank["extra"])["line"], bank["host"])


@pytest.fixture(scope="session")
def airflow(
    tmp_path_factory: pytest.TempPathFactory, engine_python: str, bank: dict[str, str], store: ModelStore
) -> Iterator[object]:
    """A running Airflow with the DAGs of ``dags/``, on PostgreSQL where that is installed.

    Its work lies in ``home.parent / "work"``, its model lines in the bucket. Nothing but the connection ``bank`` knows
    the keys of the bucket.
    """
    from airflow_rest import wait_until
    from airflow_runtime import postgres, running_airflow

    root = tmp_path_factory.mktemp("airflow")
    stand_in = root / "stand-in"
    stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE.parents[1]}/operators/stand_in_engine.py" "$@"\n')
    stand_in.chmod(0o755)
    environment = {
        "DARWIN_PYTHON": engine_python,
        "DARWIN_WORK_DIR": str(root / "scratch"),
        "DARWIN_TEST_HOME": str(root / "work"),
        "DARWIN_TEST_STAND_IN": str(stand_in),
        "DARWIN_TEST_LINE": store.line,
        "AIRFLOW_CONN_BANK": json.dumps(bank),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__OPENLINEAGE__SELECTIVE_ENABLE": "True",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "bank",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(
            {"type": "file", "log_file_path": str(root / "lineage.json"), "append": True}
        ),
    }
    with (
        postgres() as database,
        running_airflow(root / "home", HERE / "dags", environment, database) as runtime,
    ):
        print(f"Airflow runs on {'PostgreSQL' if database else 'SQLite: PostgreSQL is not installed'}")
        wait_until(lambda: runtime.rest.dag_ids() >= DAG_IDS, 120, f"the DAGs {sorted(DAG_IDS)}")
        for dag_id in DAG_IDS:
            runtime.rest.unpause(dag_id)
        runtime.rest.reparse("asked")  # Airflow begins to watch Assets when it reads a DAG that is not paused
        yield runtime


@pytest.fixture(scope="session")
def first(airflow: Any, store: ModelStore) -> Any:
    """The night on which a network is published."""
    from nights import live_through, seconds_of

    night = live_through(airflow, store, spoiled=False)
    if path := os.environ.get("DARWIN_NIGHT_FIGURES"):  # for tests/benchmarks/airflow_overhead.py
        Path(path).write_text(json.dumps(seconds_of(airflow, night), indent=2))
    return night


@pytest.fixture(scope="session")
def second(airflow: Any, store: ModelStore, first: Any) -> Any:
    """The night on which the training data are worthless, and the scheduler dies during the search."""
    from nights import live_through

    return live_through(airflow, store, spoiled=True, kill_scheduler=True)
