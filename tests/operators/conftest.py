"""These tests run in Airflow's own environment, which holds no TensorFlow; elsewhere they are not collected."""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import pytest

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["*"]
else:
    # Before anything imports Airflow: it reads its settings once, and makes its home on import.
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="darwin-airflow-")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "True"


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """An executable that takes the place of the engine's interpreter; see stand_in_engine.py."""
    script = Path(__file__).with_name("stand_in_engine.py")
    interpreter = tmp_path / "python"
    interpreter.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    interpreter.chmod(0o755)
    return str(interpreter)


@pytest.fixture
def config(tmp_path: Path) -> dict[str, object]:
    return {
        "line": str(tmp_path / "line"),
        "reference": str(tmp_path / "reference.keras"),
        "train": str(tmp_path / "train.parquet"),
        "roles": {"label": "default"},
    }
