"""These tests run in Airflow's own environment, which holds no TensorFlow; elsewhere they are not collected."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

if importlib.util.find_spec("airflow") is None:
    collect_ignore_glob = ["*"]
else:
    sys.path[:0] = [str(HERE), str(HERE.parent / "airflow_runtime")]
    from airflow_home import use_private_home

    use_private_home()


@pytest.fixture
def stand_in(tmp_path: Path) -> str:
    """An executable that takes the place of the engine's interpreter; see stand_in_engine.py."""
    script = HERE / "stand_in_engine.py"
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
