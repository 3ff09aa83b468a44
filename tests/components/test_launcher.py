"""The launcher as a container runs it: a process of its own, with the executor input as its only argument."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from support import tiny

from darwin_core.contracts import Snapshot


def executor_input(folder: Path, config: str, artifacts: dict[str, str] | None = None) -> str:
    """What Kubeflow passes for the fetch-data component."""
    connected = {name: {"artifacts": [{"name": name, "uri": uri}]} for name, uri in (artifacts or {}).items()}
    snapshot = {"name": "snapshot", "uri": str(folder / "artifacts" / "snapshot")}
    parameters = ("run_config", "train_rows", "test_rows")
    document: dict[str, Any] = {
        "inputs": {"parameterValues": {"config": config, "run_id": "night-1"}, "artifacts": connected},
        "outputs": {
            "parameters": {name: {"outputFile": str(folder / "parameters" / name)} for name in parameters},
            "artifacts": {"snapshot": {"artifacts": [snapshot]}},
            "outputFile": str(folder / "out" / "executor_output.json"),
        },
    }
    return json.dumps(document)


def start(folder: Path, text: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "darwin_components.launcher", "fetch-data", "--executor-input", text]
    environment = os.environ | {"DARWIN_WORK_DIR": str(folder / "work")}
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("data")
    train = tiny.write_table(folder / "train", rows=400, seed=1)
    table = pq.read_table(train)
    filled = pc.fill_null(table["amount"], 100.0)
    pq.write_table(table.set_column(table.column_names.index("amount"), "amount", filled), train)
    return {"train": train, "network": tiny.write_table_network(folder / "network.keras", train, epochs=1, units=8)}


def test_a_step_fills_parameters_artifacts_and_metadata(data: dict[str, Path], tmp_path: Path) -> None:
    config = json.dumps({"line": str(tmp_path / "line"), "roles": {"label": "is_fraud", "row_id": "row_id"}})
    artifacts = {"reference": str(data["network"]), "train": str(data["train"])}
    process = start(tmp_path, executor_input(tmp_path, config, artifacts))
    _, log = process.communicate(timeout=300)
    assert process.returncode == 0, log
    written = {path.name: path.read_text() for path in (tmp_path / "parameters").iterdir()}
    assert int(written["train_rows"]) + int(written["test_rows"]) < 400
    assert json.loads(written["run_config"])["reference"] == str(data["network"])
    snapshot = Snapshot.from_json((tmp_path / "artifacts" / "snapshot").read_text())
    assert snapshot.train.rows == int(written["train_rows"])
    output = json.loads((tmp_path / "out" / "executor_output.json").read_text())
    (described,) = output["artifacts"]["snapshot"]["artifacts"]
    assert Path(described["metadata"]["store_uri"]).read_text() == (tmp_path / "artifacts" / "snapshot").read_text()


def test_a_bad_request_is_a_sentence_and_exit_code_2(tmp_path: Path) -> None:
    config = json.dumps({"line": str(tmp_path / "line"), "roles": {"label": "is_fraud"}, "reference": "model.keras"})
    process = start(tmp_path, executor_input(tmp_path, config))
    _, log = process.communicate(timeout=300)
    assert process.returncode == 2, log
    assert "train: Field required" in log
    assert "Step fetch-data ended with exit code 2" in log
    assert "Traceback" not in log
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "parameters").exists()


def test_a_cancelled_task_ends_with_143_and_leaves_no_process(tmp_path: Path) -> None:
    # Reading a named pipe into which nobody writes keeps the step waiting for as long as the test needs.
    pipe = tmp_path / "config.json"
    os.mkfifo(pipe)
    process = start(tmp_path, executor_input(tmp_path, str(pipe)))
    writer = _open_once_read(pipe, deadline=time.monotonic() + 120)
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=120)
    os.close(writer)
    assert process.returncode == 143, log
    assert not Path(f"/proc/{child}").exists()


def _open_once_read(pipe: Path, deadline: float) -> int:
    """The writing end of a named pipe, as soon as somebody reads it."""
    while time.monotonic() < deadline:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            time.sleep(0.05)
    raise AssertionError("the step did not ask for its configuration")
