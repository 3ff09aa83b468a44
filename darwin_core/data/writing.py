"""Parquet files that are written batch by batch and appear only when complete."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_BYTES = 8 << 20
_MAX_GROUP_ROWS = 131_072
"""Whoever reads a part holds a group of it several times over: as it was compressed, as pages and as columns."""


class PartWriter:
    """Writes one Parquet file with row groups of bounded size; leaves nothing behind unless it ends well."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.partial")
        self._writer = pq.ParquetWriter(self._partial, schema, compression="zstd", write_page_checksum=True)
        self._schema = schema
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = self._waiting_rows = 0
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        if not batch.num_rows:
            return
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        self._waiting_rows += batch.num_rows
        self.rows += batch.num_rows
        if self._waiting_bytes >= _GROUP_BYTES or self._waiting_rows >= _MAX_GROUP_ROWS:
            self._write_group()

    def _write_group(self) -> None:
        if self._waiting:
            table = pa.Table.from_batches(self._waiting, schema=self._schema)
            self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._waiting_bytes, self._waiting_rows = [], 0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._write_group()
        self._writer.close()
        if kind is None:
            self._partial.replace(self._path)
        else:
            self._partial.unlink(missing_ok=True)
