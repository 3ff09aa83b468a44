"""The process that runs a file: ``python -m darwin_core.exports.probe FORMAT FILE ROWS OUTPUTS THREADS CALLS WARMUP``.

Writes the outputs of all rows to OUTPUTS (.npy) and prints a `Latency` as JSON on its last line. Only the format's own
runtime is loaded.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from darwin_core.arrays import load_arrays
from darwin_core.contracts import ExportFormat
from darwin_core.exports.registry import EXPORTERS
from darwin_core.timing import MOST_ROWS, time_calls

_BATCH = 512


def main(name: str, file: str, rows_path: str, outputs_path: str, threads: str, calls: str, warmup: str) -> None:
    """Run, measure and print."""
    run = EXPORTERS[ExportFormat(name)].open(Path(file), int(threads))
    rows = load_arrays(Path(rows_path))
    count = len(next(iter(rows.values())))
    batches = [
        {key: values[start : start + _BATCH] for key, values in rows.items()} for start in range(0, count, _BATCH)
    ]
    np.save(outputs_path, np.concatenate([run(batch) for batch in batches]), allow_pickle=False)
    single = [{key: values[row : row + 1] for key, values in rows.items()} for row in range(min(MOST_ROWS, count))]
    latency = time_calls(
        lambda position: run(single[position % len(single)]),
        threads=int(threads),
        calls=int(calls),
        warmup=int(warmup),
    )
    sys.stdout.write("\n" + latency.model_dump_json() + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
