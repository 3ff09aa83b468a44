"""These tests run in Airflow's own environment; elsewhere they are not collected.

Those marked ``airflow`` share one real Airflow, which is started for the first and stopped after the last of them.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
DAG_IDS = {"retrain", "compact", "hang", "crash", "bad-request"}

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["*"]
else:
    sys.path.insert(0, str(HERE.parents[1] / "airflow_runtime"))
    from airflow_home import use_private_home

    use_private_home()


@pytest.fixture(scope="session")
def engine_python() -> str:
    """The interpreter that holds TensorFlow."""
    python = os.environ.get("DARWIN_PYTHON")
    if not python:
        pytest.fail("DARWIN_PYTHON must name the engine's interpreter")
    return python


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory, engine_python: str) -> Iterator[object]:
    """A running Airflow with the DAGs of ``dags/``; its work lies in ``home.parent / "work"``."""
    from airflow_rest import wait_until
    from airflow_runtime import running_airflow

    root = tmp_path_factory.mktemp("airflow")
    stand_in = root / "stand-in"
    stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE.parents[1]}/operators/stand_in_engine.py" "$@"\n')
    stand_in.chmod(0o755)
    environment = {
        "DARWIN_PYTHON": engine_python,
        "DARWIN_WORK_DIR": str(root / "scratch"),
        "DARWIN_TEST_HOME": str(root / "work"),
        "DARWIN_TEST_STAND_IN": str(stand_in),
    }
    with running_airflow(root / "home", HERE / "dags", environment) as runtime:
        wait_until(lambda: runtime.rest.dag_ids() >= DAG_IDS, 120, f"the DAGs {sorted(DAG_IDS)}")
        for dag_id in DAG_IDS:
            runtime.rest.unpause(dag_id)
        yield runtime
