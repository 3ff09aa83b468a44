"""Rows per second of a network on a table, in a process of its own so that its threads can be pinned.

    python throughput.py NETWORK.keras ROWS.parquet THREADS SCORES.npy

Raw columns go in, text included, all rows in batches of 8,192. The outputs go to SCORES; prints cost and the median of
five passes as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from darwin_core.networks import Predictor, load_network, measure_cost

BATCH = 8192
PASSES = 5


def main(path: str, rows: str, threads: str, scores: str) -> None:
    """Measure and print."""
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    network = load_network(path)
    predict = Predictor(network)
    table = pq.read_table(rows, columns=[item.name for item in predict.inputs])
    values = {name: _array(table[name]) for name in table.column_names}
    passes = []
    for _ in range(PASSES + 1):
        started = time.monotonic()
        outputs = predict(values, BATCH)
        passes.append(time.monotonic() - started)
    np.save(scores, outputs[:, 0])
    speed = {"rows_per_second": round(table.num_rows / median(passes[1:]))}
    print(json.dumps(measure_cost(network).model_dump(exclude={"latency"}) | speed))


def _array(column: pa.ChunkedArray) -> np.ndarray:
    values = column.to_numpy(zero_copy_only=False)
    kind = object if values.dtype == object else np.float32
    return np.asarray(values, kind)[:, None]


if __name__ == "__main__":
    main(*sys.argv[1:])
