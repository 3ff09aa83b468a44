"""Launcher in_process where the engine is installed: a real step, called as a function."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PROGRAM = """
import json, logging, sys
from pathlib import Path

import keras, numpy as np, pyarrow as pa, pyarrow.parquet as pq

from darwin_core.contracts import CompactionConfig, StepName
from darwin_operators.arguments import door_arguments
from darwin_operators.launchers import create_launcher

home = Path(sys.argv[1])
random = np.random.default_rng(0)
columns = {f"x{i}": random.normal(size=400).astype("float32") for i in range(3)}
pq.write_table(pa.table(columns | {"y": (columns["x0"] > 0).astype("int64")}), home / "rows.parquet")
inputs = keras.Input((3,), name="row")
network = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dense(8, "relu")(inputs)))
network.compile("adam", "binary_crossentropy")
network.save(home / "reference.keras")
config = CompactionConfig.model_validate({
    "line": str(home / "line"), "reference": str(home / "reference.keras"), "train": str(home / "rows.parquet"),
    "roles": {"label": "y"},
})
log = logging.Logger("task", logging.INFO)
outcome = create_launcher("in_process", {}).launch(door_arguments(StepName.FETCH_DATA, config, "r1"), log)
print(json.dumps({"exit_code": outcome.exit_code, "tail": outcome.tail}))
"""


def test_a_real_step(tmp_path: Path) -> None:
    python = os.environ.get("DARWIN_PYTHON")
    if not python:
        pytest.skip("DARWIN_PYTHON does not name the engine's interpreter")
    environment = os.environ | {"DARWIN_WORK_DIR": str(tmp_path / "scratch"), "TF_CPP_MIN_LOG_LEVEL": "3"}
    result = subprocess.run(
        [python, "-c", PROGRAM, str(tmp_path)], capture_output=True, text=True, env=environment, timeout=300
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout.splitlines()[-1])["exit_code"] == 0
    stored = json.loads((tmp_path / "line/runs/r1/fetch-data/result.json").read_text())
    assert stored["train_rows"] + stored["validation_rows"] + stored["test_rows"] == 400
