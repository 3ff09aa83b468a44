"""Parquet files."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from darwin_core.data.parquet import iter_parquet, open_parquet, rows_per_batch
from darwin_core.data.sources.base import LocalFile
from darwin_core.data.sources.canonical import canonical_field, convert
from darwin_core.errors import DataError


class ParquetReader:
    """One Parquet file, read page by page."""

    def __init__(self, file: LocalFile) -> None:
        self.name = file.name
        self._file = open_parquet(file.path, name=file.name)
        self.rows: int | None = self._file.metadata.num_rows
        self.fields: dict[str, pa.Field] = {}
        self.unusable: dict[str, str] = {}
        schema: pa.Schema = self._file.schema_arrow
        repeated = [name for name in schema.names if schema.names.count(name) > 1]
        if repeated:
            raise DataError(f"{file.name} has more than one column {repeated[0]!r}.", hint="Give columns unique names.")
        for field in schema:
            found = canonical_field(field, functools.partial(_first_value, self._file, field.name), file.name)
            if found is None:
                self.unusable[field.name] = f"type {field.type}"
            else:
                self.fields[field.name] = found

    def read(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The named columns of all rows, converted to ``target``."""
        metadata = self._file.metadata
        groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
        row_bytes = max((group.total_byte_size / max(group.num_rows, 1) for group in groups), default=1)
        start = 0
        for batch in iter_parquet(self._file, target.names, rows_per_batch(row_bytes), name=self.name):
            offset = start

            def row_name(position: int, offset: int = offset) -> str:
                return f"{self.name} row {offset + position}"

            columns = [convert(batch[field.name], field, row_name) for field in target]
            yield pa.RecordBatch.from_arrays(columns, schema=target)
            start += batch.num_rows


def _first_value(file: pq.ParquetFile, column: str) -> Any:
    for batch in iter_parquet(file, [column], 64, name="file"):
        values = batch.column(0).drop_null()
        if len(values):
            return values[0].as_py()
    return None
