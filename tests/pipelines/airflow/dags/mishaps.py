"""Steps that go wrong, behind an executable that stands in for the engine."""

import os
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG

from darwin_operators import FetchDataOperator

CONFIG = {
    "line": str(Path(os.environ["DARWIN_TEST_HOME"]) / "mishaps"),
    "reference": "reference.keras",
    "train": "train.parquet",
    "roles": {"label": "default"},
}

for scenario in ("hang", "crash", "bad-request"):
    with DAG(scenario, schedule=None):
        FetchDataOperator(
            task_id="fetch-data",
            config=CONFIG,
            launcher_args={"python": os.environ["DARWIN_TEST_STAND_IN"], "env": {"SCENARIO": scenario}},
            retries=1,
            retry_delay=timedelta(seconds=1),
        )
