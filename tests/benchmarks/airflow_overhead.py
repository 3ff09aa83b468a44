"""Seconds that Airflow adds to the steps of a compaction, measured in a real night.

    .venv-airflow/bin/python tests/benchmarks/airflow_overhead.py

It runs the test of the first night (PostgreSQL where installed, LocalExecutor, launcher external_python, an S3 server on
this machine) and writes AIRFLOW_OVERHEAD.md. ``--figures FILE`` renders the figures of an earlier night instead.
DARWIN_PYTHON names the engine's interpreter.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = Path(__file__).with_name("AIRFLOW_OVERHEAD.md")
TEST = "tests/pipelines/airflow/test_nights.py"


def measure() -> dict[str, Any]:
    """Live through one night."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "night.json"
        command = [sys.executable, "-m", "pytest", "-m", "airflow", TEST, "-k", "starts_by_itself", "-q"]
        environment = os.environ | {"DARWIN_NIGHT_FIGURES": str(figures)}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return described(json.loads(figures.read_text()))


def described(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures, and what they were measured on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return figures | {
        "commit": commit.stdout.strip(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def render(found: dict[str, Any]) -> str:
    tasks = found["tasks"]
    steps, task_seconds = (sum(item[name] for item in tasks.values()) for name in ("step", "task"))
    rows = [
        f"| {name} | {item['step']:.1f} | {item['task']:.1f} | {item['task'] - item['step']:.1f} |"
        for name, item in tasks.items()
    ]
    return f"""# What Airflow adds to a compaction

Made by `tests/benchmarks/airflow_overhead.py` at {found["commit"]}, Python {found["python"]}, {found["cores"]} cores with a
load of {found.get("load", "unknown height")} over the last quarter of an hour; seed and data are those of `tests/pipelines/airflow/dags/retrain.py`.
All times are wall seconds. *Step* is what the step itself reports. *Task* adds Airflow's task process, the start of the
engine's interpreter with TensorFlow, and reading the result from the store. The run adds what the scheduler takes between
tasks.

| task | step | task | added |
|---|---:|---:|---:|
{chr(10).join(rows)}
| all tasks | {steps:.1f} | {task_seconds:.1f} | {task_seconds - steps:.1f} |
| the run, from the event that started it | {steps:.1f} | {found["run"]:.1f} | {found["run"] - steps:.1f} |
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--figures", type=Path, help="figures of an earlier night, as JSON")
    given = parser.parse_args().figures
    found = described(json.loads(given.read_text())) if given else measure()
    PAGE.with_suffix(".json").write_text(json.dumps(found, indent=2) + "\n")
    PAGE.write_text(render(found))


if __name__ == "__main__":
    main()
