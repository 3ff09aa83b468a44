"""Read rows as they come in production, in the types that production has them in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from darwin_core.contracts import ColumnKind, Snapshot
from darwin_core.data.columns import scalar_kind
from darwin_core.data.sources import RowSource
from darwin_core.errors import DataError
from darwin_core.explanation.checks.base import ServingRows
from darwin_core.explanation.checks.columns import Column
from darwin_core.progress import Reporter

MAX_SERVING_CELLS = 20_000_000
"""Values held in memory (rows times columns); rows beyond are not read."""

_ARRAYS = frozenset({ColumnKind.IMAGE, ColumnKind.TENSOR})


@dataclass(frozen=True)
class ServingTable:
    """Serving rows as the checks see them, and as a table whose columns have the types of the source."""

    rows: ServingRows
    table: pa.Table


def read_serving_rows(source: RowSource, snapshot: Snapshot, reporter: Reporter) -> ServingTable:
    """The features of a snapshot, and the row ids, from a source without labels.

    Args:
        source: The opened source; the first rows where it holds more than fit in memory.
        snapshot: Says what the features are.
        reporter: Where progress goes.

    Raises:
        DataError: The source has no rows, or none of the features.
    """
    kinds = {column.name: column.kind for column in snapshot.columns if column.kind not in _ARRAYS}
    names = [name for name in kinds if name in source.fields and scalar_kind(source.fields[name].type) is not None]
    if not names:
        raise DataError(
            f"{source.source} has none of the {len(kinds)} single-valued columns that the network reads.",
            hint=f"Serving rows need the columns' names as training has them, such as {', '.join(list(kinds)[:5])}.",
        )
    row_id = snapshot.roles.row_id if snapshot.roles.row_id in source.fields else None
    wanted = list(dict.fromkeys([*names, *([row_id] if row_id else [])]))
    table = _read(source, wanted, MAX_SERVING_CELLS // len(wanted), reporter)
    rows = ServingRows(
        columns={name: _column(table[name], name, kinds[name], source.fields[name]) for name in names},
        absent=tuple(name for name in kinds if name not in names),
        row_ids=table[row_id].cast(pa.string()).to_pylist() if row_id else None,
    )
    return ServingTable(rows, table)


def _read(source: RowSource, names: list[str], most: int, reporter: Reporter) -> pa.Table:
    schema = pa.schema(
        [pa.field(name, pa.float64()) if pa.types.is_null(source.fields[name].type) else source.fields[name]
         for name in names]
    )  # fmt: skip
    parts, rows = [], 0
    with reporter.track("Reading serving rows", source.rows) as tracker:
        for batch in source.batches(schema):
            parts.append(batch.columns.slice(0, most - rows))
            rows += parts[-1].num_rows
            tracker.advance(batch.columns.num_rows)
            if rows >= most:
                break
    if not rows:
        raise DataError(f"{source.source} has no rows.", hint="Check the file, and the values behind '#'.")
    return pa.Table.from_batches(parts)


def _column(values: pa.ChunkedArray, name: str, kind: ColumnKind, field: pa.Field) -> Column:
    """A column without any value has the type that training has it in."""
    if values.null_count == len(values):
        if kind is ColumnKind.STRING:
            return Column(name, kind, np.empty(0), np.full(len(values), -1))
        return Column.of_numbers(name, np.full(len(values), np.nan), kind)
    return Column.from_arrow(name, scalar_kind(field.type) or kind, values)
