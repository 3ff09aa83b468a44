"""Parquet parts of a snapshot: bounded reading, and columns for slices and explanations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from darwin_core.errors import DataError

BATCH_BYTES = 16 << 20
"""Aim for the decoded size of a batch of rows."""

MAX_BATCH_ROWS = 8192


def open_parquet(path: Path, *, name: str | None = None) -> pq.ParquetFile:
    """Open a Parquet file for reading in pieces.

    Raises:
        DataError: The file is empty, truncated, or no Parquet; ``name`` says what to call it.
    """
    try:
        return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False, page_checksum_verification=True)
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError) as error:
        raise unreadable(name or str(path), error) from None


def iter_parquet(
    file: pq.ParquetFile, columns: Sequence[str] | None, batch_rows: int, *, name: str
) -> Iterator[pa.RecordBatch]:
    """Rows of an open Parquet file in record batches of at most ``batch_rows`` rows.

    Raises:
        DataError: The file breaks off or is damaged.
    """
    try:
        yield from file.iter_batches(batch_size=batch_rows, columns=columns, use_threads=False)
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError) as error:
        raise unreadable(name, error) from None


def read_columns(path: Path, columns: Sequence[str]) -> pa.Table:
    """A few columns of a snapshot part, whole.

    Raises:
        DataError: A column is not there.
    """
    file = open_parquet(path)
    known = file.schema_arrow.names
    unknown = [column for column in columns if column not in known]
    if unknown:
        raise DataError(
            f"{path.name} has no column {unknown[0]!r}; it has {', '.join(map(repr, known[:20]))}.",
            hint="Name a column of the snapshot; excluded columns are not kept.",
        )
    return file.read(columns=list(columns))


def rows_per_batch(row_bytes: float) -> int:
    """How many rows of this decoded size make a batch."""
    return max(16, min(MAX_BATCH_ROWS, math.floor(BATCH_BYTES / max(row_bytes, 1))))


def unreadable(name: str, error: Exception) -> DataError:
    """The error for a file that is no sound Parquet."""
    return DataError(
        f"{name} cannot be read as Parquet; it may be truncated ({error}).",
        hint="Write or copy the file again and compare its size with the original.",
    )
