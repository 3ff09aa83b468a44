"""All files of a source as one sequence of rows, restricted by the ``where`` conditions."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnKind, DataSource
from darwin_core.data.columns import SCALAR_TYPES, scalar_kind
from darwin_core.data.labels import label_text
from darwin_core.data.sources.base import FileReader
from darwin_core.errors import DataError


@dataclass(frozen=True)
class SourceBatch:
    """Some rows of a source.

    Attributes:
        columns: The rows in canonical types.
        numbers: Position of each row in the whole source, counted over all files in name order, before ``where``.
        row_name: Names a row of the batch in error messages: file, and position in the file.
    """

    columns: pa.RecordBatch
    numbers: npt.NDArray[np.int64]
    row_name: Callable[[int], str]


class RowSource:
    """A data source, opened.

    Args:
        source: What was asked for.
        readers: Its files, in name order.
    """

    def __init__(self, source: DataSource, readers: Sequence[FileReader]) -> None:
        self.source = source
        self._readers = readers
        self._elements: Mapping[str, tuple[str, int]] = {}
        self._arrays: Mapping[str, pa.Field] = {}
        self.fields = _unified({reader.name: reader.fields for reader in readers})
        for column in source.where:
            if column not in self.fields:
                raise DataError(
                    f"{source} restricts rows by column {column!r}, which the data do not have; they have "
                    f"{', '.join(map(repr, list(self.fields)[:20]))}.",
                    hint="Correct the name behind '#'.",
                )

    def with_elements(self, column: str, names: Sequence[str]) -> RowSource:
        """The same rows with an array column of one axis taken apart: each element is a column of its own.

        Args:
            column: An array column of ``len(names)`` elements.
            names: What the elements' columns are called.
        """
        item = self.fields[column].type.value_type
        kind = ColumnKind.NUMBER if pa.types.is_floating(item) else ColumnKind.INTEGER
        apart = copy.copy(self)
        apart._elements = {name: (column, position) for position, name in enumerate(names)}
        apart.fields = {name: field for name, field in self.fields.items() if name != column}
        apart.fields |= {name: pa.field(name, SCALAR_TYPES[kind]) for name in names}
        apart._arrays = {**self._arrays, column: self.fields[column]}
        return apart

    @property
    def rows(self) -> int | None:
        """Rows before ``where``; None where that is not known beforehand."""
        counts = [reader.rows for reader in self._readers]
        return None if None in counts else sum(count for count in counts if count is not None)

    @property
    def unusable(self) -> dict[str, str]:
        """Columns that cannot be read, with the reason."""
        return {name: reason for reader in self._readers for name, reason in reader.unusable.items()}

    def batches(self, schema: pa.Schema) -> Iterator[SourceBatch]:
        """The rows that the conditions let through, in file order, converted to ``schema``."""
        extra = [self.fields[name] for name in self.source.where if name not in schema.names]
        plain = [field for field in schema if field.name not in self._elements]
        arrays = dict.fromkeys(self._elements[name][0] for name in schema.names if name in self._elements)
        read = [*plain, *(self._arrays[name] for name in arrays), *(_typed(field) for field in extra)]
        wanted = pa.schema(read)
        start = 0
        for reader in self._readers:
            in_file = 0
            for batch in reader.read(wanted):
                kept = self._kept(batch)
                yield SourceBatch(
                    columns=self._columns(batch, schema).take(pa.array(kept)),
                    numbers=start + in_file + kept,
                    row_name=_Naming(reader.name, in_file, kept),
                )
                in_file += batch.num_rows
            start += in_file

    def _columns(self, batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
        if not self._elements:
            return batch.select(schema.names)
        return pa.RecordBatch.from_arrays([self._column(batch, field) for field in schema], schema=schema)

    def _column(self, batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
        if field.name not in self._elements:
            return batch[field.name]
        name, position = self._elements[field.name]
        return pc.list_element(batch[name], position).cast(field.type)

    def _kept(self, batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
        mask = np.ones(batch.num_rows, bool)
        for column, accepted in self.source.where.items():
            found = pc.is_in(label_text(batch[column]), value_set=pa.array(accepted, pa.string()))
            mask &= found.to_numpy(zero_copy_only=False).astype(bool)
        return np.flatnonzero(mask)


@dataclass(frozen=True)
class _Naming:
    file: str
    start: int
    kept: npt.NDArray[np.int64]

    def __call__(self, position: int) -> str:
        return f"{self.file} row {self.start + int(self.kept[position])}"


def align(*sources: RowSource) -> dict[str, pa.Field]:
    """The columns that all sources have, each in one type that holds the values of all of them.

    Raises:
        DataError: A column holds different kinds of values in two sources.
    """
    fields = _unified({str(source.source): source.fields for source in sources}, common=True)
    return {name: _typed(field) for name, field in fields.items()}


def _typed(field: pa.Field) -> pa.Field:
    """A column whose values are all missing is read as numbers."""
    return field.with_type(pa.float64()) if pa.types.is_null(field.type) else field


def _unified(origins: Mapping[str, Mapping[str, pa.Field]], *, common: bool = False) -> dict[str, pa.Field]:
    names = list(origins)
    merged = dict(origins[names[0]])
    for origin in names[1:]:
        other = origins[origin]
        absent = [name for name in merged if name not in other]
        if absent and not common:
            raise DataError(
                f"{origin} has no column {absent[0]!r}, {names[0]} has.", hint="All files of a source need all columns."
            )
        merged = {
            name: _merge(field, other[name], f"{names[0]} and {origin}")
            for name, field in merged.items()
            if name in other
        }
    return merged


def _merge(left: pa.Field, right: pa.Field, where: str) -> pa.Field:
    if left.type == right.type:
        return left
    for one, other in ((left, right), (right, left)):
        if pa.types.is_null(one.type):
            return other
        if pa.types.is_floating(other.type) and (pa.types.is_integer(one.type) or pa.types.is_boolean(one.type)):
            return other
        if pa.types.is_integer(other.type) and pa.types.is_boolean(one.type):
            return other
    raise DataError(
        f"Column {left.name!r} holds {_kind(left)} in one and {_kind(right)} in the other of {where}.",
        hint="Write the column in one type.",
    )


def _kind(field: pa.Field) -> Any:
    return scalar_kind(field.type) or field.type
