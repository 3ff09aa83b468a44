"""A changed part of a snapshot as a file that other runs can read."""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from darwin_core.contracts import ColumnKind, DataRoles
from darwin_core.data import ROW_ID, BoundInput
from darwin_core.explanation.finder.pool import Ints
from darwin_core.explanation.fixes.parts import Part
from darwin_core.storage import atomic_file


def write_part(
    source: Path, target: Path, data: Part, bound: tuple[BoundInput, ...], roles: DataRoles, rng: np.random.Generator
) -> None:
    """Write a part of a snapshot as it is now; the file appears whole.

    Rows stand in it as often as they count, since no other part has a column with the weights of a fix; copies of a
    row get names of their own. A dropped column stays where it has another part to play than that of a feature.

    Args:
        source: The part as it lies in the snapshot.
        target: Where to write.
        data: What has changed.
        bound: Which column feeds which input.
        roles: Which column plays which part.
        rng: Draws the copies.
    """
    table = pq.read_table(source)
    for item in (each for each in bound if each.input.name in data.inputs):
        values = data.inputs[item.input.name]
        for position, column in enumerate(item.columns):
            fresh = _cells(values, column.kind) if column.shape else values.reshape(len(data.rows), -1)[:, position]
            table = _replaced(table, column.name, data.rows, fresh)
    drawn = data.drawn(rng)
    table = table.take(pa.array(drawn)).drop_columns([name for name in data.dropped if name not in other_parts(roles)])
    if len(np.unique(drawn)) < len(drawn):
        table = _named_apart(table, roles.row_id)
    names = table.column_names
    if roles.row_id is None or roles.row_id in names:
        table = table.drop_columns([ROW_ID])
    else:
        table = table.rename_columns([roles.row_id if name == ROW_ID else name for name in names])
    with atomic_file(target) as file:
        pq.write_table(table, file, compression="zstd")


def other_parts(roles: DataRoles) -> Collection[str]:
    """Columns that play another part than that of a feature."""
    single = (roles.label, roles.weight, roles.row_id, roles.entity, roles.time)
    return {*filter(None, single), *(item.column for item in roles.slices)}


def _named_apart(table: pa.Table, row_id: str | None) -> pa.Table:
    """Copies of a row under names of their own, also in the column that names rows; numbers stay numbers."""
    names = table[ROW_ID].to_pylist()
    seen: dict[str, int] = {}
    copies = []
    for place, name in enumerate(names):
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            names[place] = f"{name}#{seen[name]}"
            copies.append(place)
    for column in {ROW_ID, row_id} & set(table.column_names):
        fresh = pa.array(names, pa.string())
        if pa.types.is_integer(table[column].type):
            # The other parts' names are not known here; below zero there is room.
            numbers = table[column].to_numpy().astype(np.int64)
            numbers[copies] = min(int(numbers.min()), 0) - 1 - np.arange(len(copies))
            fresh = pa.array(numbers)
        table = table.set_column(table.column_names.index(column), column, fresh)
    return table


def _cells(pictures: NDArray[Any], kind: ColumnKind) -> list[Any]:
    """Values of an image or array column."""
    if kind is not ColumnKind.IMAGE:
        return [list(row.reshape(-1)) for row in pictures]
    return [_png(picture) for picture in np.clip(pictures.round(), 0, 255).astype(np.uint8)]


def _png(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture.squeeze()).save(buffer, "PNG")
    return buffer.getvalue()


def _replaced(table: pa.Table, name: str, rows: Ints, values: Any) -> pa.Table:
    column = table[name].combine_chunks()
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    fresh = pa.array([_plain(value) for value in values], from_pandas=True)
    changed = pc.replace_with_mask(column, pa.array(mask), fresh.cast(column.type, safe=False))
    return table.set_column(table.column_names.index(name), table.schema.field(name), changed)


def _plain(value: Any) -> Any:
    """A value as Arrow takes it; text decoded, missing values as None."""
    if isinstance(value, np.floating) and np.isnan(value):
        return None
    if isinstance(value, bytes) and not value.startswith(b"\x89PNG"):
        return value.decode() or None
    return value
