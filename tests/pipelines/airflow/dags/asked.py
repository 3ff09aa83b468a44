"""A compaction that starts when a network lands in the bucket, and asks a person before it publishes.

An executable stands in for the engine: what is on trial is Airflow.
"""

import os
from datetime import timedelta

from airflow.providers.openlineage.utils.selective_enable import enable_lineage

from darwin_pipelines.airflow_dags import compaction_dag, watched_reference

CONFIG = {
    "line": os.environ["DARWIN_TEST_LINE"] + "-asked",
    "reference": os.environ["DARWIN_TEST_LINE"] + "-asked/retrained.keras",
    "train": "train.parquet",
    "roles": {"label": "default"},
}

dag = compaction_dag(
    "asked",
    CONFIG,
    starts_on=watched_reference(CONFIG, darwin_conn_id="bank", poll_seconds=1),
    approval={"response_timeout": timedelta(seconds=120)},
    operator_args={
        "darwin_conn_id": "bank",
        "launcher_args": {"python": os.environ["DARWIN_TEST_STAND_IN"]},
    },
)
enable_lineage(dag)
