"""Example DAGs: a bank retrains its credit-risk network, and compaction follows by itself.

To try it, copy this file into Airflow's DAGs folder, name the engine's interpreter (``AIRFLOW__DARWIN__PYTHON``),
unpause both DAGs and trigger ``retrain_credit_risk``. Everything is written below ``DARWIN_EXAMPLE_HOME``. With
``night`` 2 the bank's customers have moved on, and the candidate must also hold its own against the first night's.

To use it, put your training task in the place of ``retrain`` and your URIs in the place of ``CREDIT_RISK``.
"""

import os
from pathlib import Path

from airflow.providers.common.compat.sdk import conf
from airflow.sdk import DAG, Param, task

from darwin_pipelines.airflow_dags import compaction_dag, reference_asset

HOME = Path(os.environ.get("DARWIN_EXAMPLE_HOME", Path.home() / "darwin-example"))
ENGINE = conf.get("darwin", "python", fallback="") or os.environ.get("DARWIN_PYTHON", "python3")

CREDIT_RISK = {
    "line": str(HOME / "line"),  # in a bank: s3://models/credit-risk
    "reference": str(HOME / "retrained" / "reference.keras"),
    "train": str(HOME / "retrained" / "train.parquet"),
    "validation": str(HOME / "retrained" / "validation.parquet"),  # the rows that decided when training stopped
    "test": str(HOME / "retrained" / "test.parquet"),
    "roles": {
        "label": "default.payment.next.month",
        "positive_label": "1",
        "row_id": "ID",
        "slices": ["SEX", "EDUCATION", "AGE:30,45,60"],
    },
    "requirements": ["parameters<=20000"],
    # What 7,500 test rows can prove; with a million rows, leave the gate out and keep its defaults.
    "gate": {
        "pr_auc_margin": 0.02,
        "recall_margin": 0.02,
        "accuracy_margin": 0.02,
        "alert_rate_change": 0.10,
        "alert_overlap": 0.80,
        "calibration_rise": 0.02,
    },
    "title": "Credit default: compaction report",
}

with DAG(
    "retrain_credit_risk",
    schedule=None,  # in a bank: "@daily"
    max_active_runs=1,
    params={"night": Param(1, type="integer", minimum=1)},
    tags=["darwin", "example"],
    doc_md="Trains the bank's network on the customers of one night; then `compact_credit_risk` starts by itself.",
):

    @task.external_python(python=ENGINE, expect_airflow=False, outlets=[reference_asset(CREDIT_RISK)])
    def retrain(folder: str, night: str) -> dict[str, float]:
        """Train the network where the engine lives; Airflow's own environment holds no TensorFlow."""
        import logging
        from pathlib import Path

        from darwin_core.demo.data import write_demo_data
        from darwin_core.demo.reference import train_reference
        from darwin_core.progress import LogReporter

        logging.basicConfig(level=logging.INFO, format="%(message)s")
        files = write_demo_data(Path(folder), night=int(night))
        output = Path(folder) / "reference.keras"
        trained = train_reference(files.train, output, LogReporter(), seed=int(night))
        return {"parameters": trained.parameters, **trained.validation}

    retrain(str(HOME / "retrained"), "{{ params.night }}")

compaction_dag("compact_credit_risk", CREDIT_RISK)
