"""Rows per second of a network on a table, in a process of its own so that its threads can be pinned.

    python throughput.py NETWORK.keras ROWS.parquet THREADS

Raw columns go in, text included, all rows in batches of 8,192. Prints the median of five passes.
"""

from __future__ import annotations

import sys
import time
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from darwin_core.networks import Predictor, load_network

BATCH = 8192
PASSES = 5


def main(path: str, rows: str, threads: str) -> None:
    """Measure and print."""
    tf.config.threading.set_intra_op_parallelism_threads(int(threads))
    tf.config.threading.set_inter_op_parallelism_threads(int(threads))
    predict = Predictor(load_network(path))
    table = pq.read_table(rows, columns=[item.name for item in predict.inputs])
    values = {name: _array(table[name]) for name in table.column_names}
    passes = []
    for _ in range(PASSES + 1):
        started = time.monotonic()
        predict(values, BATCH)
        passes.append(time.monotonic() - started)
    print(round(table.num_rows / median(passes[1:])))


def _array(column: pa.ChunkedArray) -> np.ndarray:
    values = column.to_numpy(zero_copy_only=False)
    kind = object if pa.types.is_string(column.type) else np.float32
    return np.asarray(values, kind)[:, None]


if __name__ == "__main__":
    main(*sys.argv[1:])
