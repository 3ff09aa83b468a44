"""The demo's table: real customers of a bank, in words a person can read, split into training and test files.

Source and licence are in NOTICE.md beside the data.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darwin_core.data.hashing import hash_column
from darwin_core.errors import RequestError
from darwin_core.storage import atomic_file

LABEL = "default.payment.next.month"
ROW_ID = "ID"
TEST_SHARE = 0.25
VALIDATION_SHARE = 0.15
WINDOW_ROWS = 21_500
"""Rows of one night for training and validation, of the 22,500 that are not test rows."""
NEW_ROWS_PER_NIGHT = 500

_WORDS = {
    "SEX": {1: "male", 2: "female"},
    "EDUCATION": {1: "graduate school", 2: "university", 3: "high school", 4: "other"},
    "MARRIAGE": {1: "married", 2: "single", 3: "other"},
}
_UNKNOWN = "unknown"


class DemoFiles(NamedTuple):
    """The files of one night."""

    train: Path
    validation: Path
    test: Path


def write_demo_data(directory: Path, *, night: int = 1) -> DemoFiles:
    """Write ``train.parquet``, ``validation.parquet`` and ``test.parquet``.

    Which rows are test or validation rows follows from a hash of their ID alone, so a customer never changes sides. The
    rows of a night are a window over the customers who are not in the test set, in the order of their ID, that moves on
    by 500 a night: new ones arrive, the oldest leave. Training the reference does not see the validation rows, so
    they judge fairly between it and smaller networks.

    Args:
        directory: Where to write; made if it is not there.
        night: 1 for the first night.

    Raises:
        RequestError: ``night`` is below 1.
    """
    if night < 1:
        raise RequestError(f"Expected a night of at least 1, got {night}.", hint="The first night is 1.")
    directory.mkdir(parents=True, exist_ok=True)
    table = readable_table()
    is_test, is_validation = _held_out_rows(table)
    pool = np.flatnonzero(~is_test)
    start = (night - 1) * NEW_ROWS_PER_NIGHT
    window = np.sort(pool[np.arange(start, start + WINDOW_ROWS) % len(pool)])
    parts = {
        "train": window[~is_validation[window]],
        "validation": window[is_validation[window]],
        "test": np.flatnonzero(is_test),
    }
    files = DemoFiles(*(directory / f"{name}.parquet" for name in parts))
    for path, rows in zip(files, parts.values(), strict=True):
        with atomic_file(path) as file:
            pq.write_table(table.take(pa.array(rows)), file, compression="zstd")
    return files


def readable_table() -> pa.Table:
    """All 30,000 rows, with words instead of the codes of SEX, EDUCATION and MARRIAGE."""
    packaged = resources.files("darwin_core.demo") / "taiwan_credit_default.parquet"
    with resources.as_file(packaged) as path:
        table = pq.read_table(path)
    for name, words in _WORDS.items():
        codes = table[name].cast(pa.int64())
        places = pc.index_in(codes, value_set=pa.array(list(words), pa.int64()))
        texts = pa.array(list(words.values()), pa.string()).take(places.combine_chunks())
        table = table.set_column(table.schema.get_field_index(name), name, pc.fill_null(texts, _UNKNOWN))
    return table.replace_schema_metadata()


def _held_out_rows(table: pa.Table) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Test and validation rows: of each class, those with the smallest hashes of their ID, and those that follow."""
    hashes = hash_column(table[ROW_ID].combine_chunks())
    labels = table[LABEL].to_numpy()
    is_test, is_validation = np.zeros(len(hashes), bool), np.zeros(len(hashes), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranked = members[np.argsort(hashes[members], kind="stable")]
        tests = round(TEST_SHARE * len(members))
        is_test[ranked[:tests]] = True
        is_validation[ranked[tests : tests + round(VALIDATION_SHARE * (len(members) - tests))]] = True
    return is_test, is_validation
