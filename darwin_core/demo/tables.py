"""What a table network needs to know of its columns before training: means, spreads, vocabularies, gaps."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnKind, DataRoles, DataSource, OutputKind, Task
from darwin_core.data.columns import NUMERIC_KINDS, column_schema
from darwin_core.data.labels import class_indices, class_order, label_numbers, label_text
from darwin_core.data.profiles import numeric_view
from darwin_core.data.sources import LocalFile, align, open_source
from darwin_core.errors import DataError

_MAX_WORDS = 1_000
_MIN_COUNT = 5


@dataclass(frozen=True)
class TableColumn:
    """One input column, as seen in the training rows.

    Attributes:
        name: The column, and the network's input.
        words: Vocabulary of a text column, sorted; empty for numbers.
        mean: Of a number, over the rows that have one.
        variance: Of a number; 1 where it is constant.
        has_missing: Whether some rows have no number.
    """

    name: str
    words: tuple[str, ...] = ()
    mean: float = 0.0
    variance: float = 1.0
    has_missing: bool = False


@dataclass(frozen=True)
class TrainingTable:
    """Rows in memory, as a training script would hold them.

    Attributes:
        columns: The input columns.
        values: Column -> float32 numbers or text as bytes, of shape (rows, 1).
        labels: Class index, or the number itself for regression.
        classes: Label values in the order of the outputs; empty for regression.
    """

    columns: tuple[TableColumn, ...]
    values: Mapping[str, npt.NDArray[Any]]
    labels: npt.NDArray[Any]
    classes: tuple[str, ...]


def read_table(source: DataSource, roles: DataRoles, *, regression: bool = False) -> TrainingTable:
    """Read a table of text and number columns whole.

    Args:
        source: A local file and the rows of it.
        roles: The label, and columns that are no features. Text of more values than a vocabulary holds is kept: rare
            values share one place.
        regression: Whether the label is a number to predict, not a class.

    Raises:
        DataError: There is no usable column, a label is missing, or the file is damaged.
    """
    path = Path(source.uri.removeprefix("file://"))
    opened = open_source(source, [LocalFile(path, path.name)])
    fields = align(opened)
    names = _features(fields, roles)
    schema = pa.schema([fields[name] for name in [*names, roles.label]])
    table = pa.Table.from_batches([batch.columns for batch in opened.batches(schema)], schema=schema)
    if not names or not table.num_rows:
        raise DataError(
            f"{source} has {len(names)} usable columns and {table.num_rows} rows.",
            hint="Check the source and the roles.",
        )
    values: dict[str, npt.NDArray[Any]] = {}
    columns = []
    for name in names:
        column = table[name].combine_chunks()
        values[name] = _values(column)
        columns.append(_text_column(name, column) if pa.types.is_string(column.type) else _number(name, values[name]))
    labels = table[roles.label].combine_chunks()
    if regression:
        return TrainingTable(tuple(columns), values, label_numbers(labels, _row_name(source)), ())
    classes = _classes(labels, roles.positive_label)
    return TrainingTable(tuple(columns), values, class_indices(labels, classes, _row_name(source)), classes)


def _row_name(source: DataSource) -> Callable[[int], str]:
    return lambda position: f"{source} row {position}"


def _features(fields: Mapping[str, pa.Field], roles: DataRoles) -> Sequence[str]:
    if roles.features:
        return roles.features
    other = {roles.label, roles.weight, roles.row_id, roles.entity, roles.time, *roles.exclude}
    usable = NUMERIC_KINDS | {ColumnKind.STRING}
    return [name for name, field in fields.items() if name not in other and column_schema(field).kind in usable]


def _values(column: pa.Array) -> npt.NDArray[Any]:
    if pa.types.is_string(column.type):
        return np.array(pc.fill_null(column, "").cast(pa.binary()).to_pylist(), dtype=np.bytes_).reshape(-1, 1)
    return numeric_view(column).astype(np.float32).reshape(-1, 1)


def _text_column(name: str, column: pa.Array) -> TableColumn:
    counts = {item["values"]: item["counts"] for item in pc.value_counts(column.drop_null()).to_pylist()}
    frequent = sorted((word for word in counts if word and counts[word] >= _MIN_COUNT), key=lambda word: -counts[word])
    return TableColumn(name, words=tuple(sorted(frequent[:_MAX_WORDS])) or ("-",))


def _number(name: str, values: npt.NDArray[Any]) -> TableColumn:
    present = values[np.isfinite(values)].astype(np.float64)
    if not present.size:
        return TableColumn(name, has_missing=True)
    variance = float(present.var())
    return TableColumn(name, (), float(present.mean()), variance if variance > 0 else 1.0, present.size < values.size)


def _classes(labels: pa.Array, positive: str | None) -> tuple[str, ...]:
    seen: list[str] = pc.unique(label_text(labels).drop_null()).to_pylist()
    units = len(seen)
    task = Task.BINARY if units == 2 else Task.MULTICLASS
    return class_order(seen, OutputKind(task=task, units=units, from_logits=False), positive)
