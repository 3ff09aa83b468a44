"""LightGBM on one table, in the peers' environment: 100 trees, defaults otherwise. Called by `peers.py`.

    python peers_lightgbm.py REQUEST.json SCORES.npy

The request names train, test, label, positive_label, columns, threads and seed. Scores of the test rows go to SCORES,
figures of cost go to stdout as JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TREES = 100
PASSES = 5


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds words, coded by the file or not."""
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(plain) or pa.types.is_large_string(plain)


def codes(column: pa.ChunkedArray, words: list[str]) -> np.ndarray:
    """Text as numbers, unknown and missing as NaN."""
    known = {word: float(code) for code, word in enumerate(words)}
    return np.asarray([known.get(value, np.nan) for value in column.to_pylist()])


def features(table: pa.Table, columns: list[str], vocabulary: dict[str, list[str]]) -> np.ndarray:
    """The rows as a matrix, text as codes."""
    parts = [
        codes(table[name], vocabulary[name])
        if name in vocabulary
        else np.asarray(table[name].to_numpy(zero_copy_only=False), np.float64)
        for name in columns
    ]
    return np.stack(parts, axis=1)


def main() -> None:
    """Train, score, time."""
    request = json.loads(Path(sys.argv[1]).read_text())
    train, test = pq.read_table(request["train"]), pq.read_table(request["test"])
    columns = request["columns"]
    text = [name for name in columns if is_text(train.schema.field(name).type)]
    vocabulary = {name: sorted({word for word in train[name].to_pylist() if word is not None}) for name in text}
    labels = np.asarray([str(value) == str(request["positive_label"]) for value in train[request["label"]].to_pylist()])
    settings = {"objective": "binary", "num_threads": request["threads"], "seed": request["seed"], "verbosity": -1}
    started = time.monotonic()
    known = lightgbm.Dataset(
        features(train, columns, vocabulary), labels, categorical_feature=[columns.index(name) for name in text]
    )
    booster = lightgbm.train(settings, known, TREES)
    seconds = time.monotonic() - started
    rows = features(test, columns, vocabulary)
    passes = []
    for _ in range(PASSES + 1):
        started = time.monotonic()
        scores = booster.predict(rows, num_threads=request["threads"])
        passes.append(time.monotonic() - started)
    np.save(sys.argv[2], scores)
    used = int((booster.feature_importance() > 0).sum())
    figures = {
        "version": lightgbm.__version__,
        "trees": booster.num_trees(),
        "bytes": len(booster.model_to_string().encode()),
        "input_features": used,
        "fit_seconds": round(seconds, 1),
        "rows_per_second": round(len(rows) / median(passes[1:])),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
