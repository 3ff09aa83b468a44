"""Compaction in Airflow: a DAG that starts by itself after every retrain, or a task group inside your own DAG.

Add compaction to a training pipeline, in a file of the DAGs folder::

    from darwin_pipelines.airflow_dags import compaction_dag, reference_asset

    FRAUD = {
        "line": "s3://bank/models/fraud",                    # everything is written below this prefix
        "reference": "s3://bank/training/fraud/model.keras",
        "train": "s3://bank/training/fraud/train.parquet",
        "test": "s3://bank/training/fraud/test.parquet",
        "roles": {"label": "is_fraud", "positive_label": "1", "slices": ["country", "age:30,45,60"]},
    }
    compaction_dag("compact_fraud", FRAUD)

and let the task that writes the network announce it: ``outlets=[reference_asset(FRAUD)]``.
"""

from darwin_pipelines.airflow_dags.assets import published_asset as published_asset
from darwin_pipelines.airflow_dags.assets import reference_asset as reference_asset
from darwin_pipelines.airflow_dags.assets import watched_reference as watched_reference
from darwin_pipelines.airflow_dags.compaction import compaction_dag as compaction_dag
from darwin_pipelines.airflow_dags.compaction import compaction_group as compaction_group
