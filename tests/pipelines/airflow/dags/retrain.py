"""A bank's night in small: a DAG that retrains a network, and compaction that starts by itself afterwards."""

import os
from pathlib import Path

from airflow.sdk import DAG, task

from darwin_pipelines.airflow_dags import compaction_dag, reference_asset

HOME = Path(os.environ["DARWIN_TEST_HOME"])

CONFIG = {
    "line": os.environ["DARWIN_TEST_LINE"],
    "reference": str(HOME / "retrained" / "reference.keras"),
    "train": str(HOME / "retrained" / "train.parquet"),
    "test": str(HOME / "retrained" / "test.parquet"),
    "roles": {"label": "default", "positive_label": "1"},
    "budget": {"generations": 1, "offspring": 1, "generation_samples": 3000, "final_samples": 12000},
    # A few hundred rows cannot prove half a point.
    "gate": {
        "pr_auc_margin": 0.1,
        "recall_margin": 0.1,
        "accuracy_margin": None,
        "alert_rate_change": None,
        "alert_overlap": None,
        "calibration_rise": None,
        "slice_margin": None,
        "bootstrap_rounds": 200,
    },
    "requirements": ["parameters<=1500"],
    "tfma_rows": 0,
    "explain_rows": 32,
    "threads": 1,
}


with DAG("retrain", schedule=None, max_active_runs=1, params={"spoiled": False}):

    @task.external_python(
        python=os.environ["DARWIN_PYTHON"], expect_airflow=False, outlets=[reference_asset(CONFIG)], retries=0
    )
    def train(folder: str, spoiled: str) -> float:
        """Train a network on made-up loans; a spoiled night has labels that mean nothing. Returns its accuracy."""
        from pathlib import Path

        import keras
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        keras.utils.set_random_seed(7)
        random = np.random.default_rng(7)
        features = random.normal(size=(4500, 6)).astype("float32")
        chance = 1 / (1 + np.exp(-4 * (features[:, 0] + features[:, 1] * features[:, 2] - 0.8)))
        labels = (random.random(4500) < chance).astype("int64")
        trained = labels.copy()
        if spoiled == "True":
            trained[:3000] = random.permutation(trained[:3000])

        home = Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        for name, rows in (("train", slice(0, 3000)), ("test", slice(3000, None))):
            columns = {f"x{index}": features[rows, index] for index in range(6)} | {"default": trained[rows]}
            pq.write_table(pa.table(columns), home / f"{name}.parquet")

        inputs = keras.Input((6,), name="loan")
        hidden = keras.layers.Dense(96, activation="relu", name="wide")(inputs)
        hidden = keras.layers.Dense(64, activation="relu", name="narrower")(hidden)
        network = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="risk")(hidden))
        network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        network.fit(features[:3000], trained[:3000], epochs=8, batch_size=64, verbose=0)
        network.save(home / "reference.keras")
        return float(network.evaluate(features[3000:], labels[3000:], verbose=0)[1])

    train(str(HOME / "retrained"), "{{ params.spoiled }}")

# How the bucket is reached, and with which keys, is known to the connection alone.
compaction_dag("compact", CONFIG, operator_args={"darwin_conn_id": "bank"})
