"""NPZ archives: members are read in chunks side by side, without unpacking any of them whole.

Members named ``<column>_train``, ``<column>_test`` and the like give rows with a column ``split``, so that
``digits.npz#split=train`` picks its part.
"""

from __future__ import annotations

import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import pyarrow as pa

from darwin_core.data.columns import SCALAR_TYPES, array_field, array_item, scalar_kind
from darwin_core.data.parquet import rows_per_batch
from darwin_core.data.sources.base import LocalFile
from darwin_core.errors import DataError

_PART = re.compile(r"^(?P<column>.+)_(?P<part>train|valid|validation|val|test)$")


@dataclass(frozen=True)
class _Member:
    column: str
    path: str
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


class NpzReader:
    """One NPZ archive: every member is a column, its first axis counts the rows."""

    def __init__(self, file: LocalFile) -> None:
        self.name = file.name
        self._path = file.path
        try:
            with zipfile.ZipFile(file.path) as archive:
                members = [self._member(archive, path) for path in archive.namelist()]
        except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
            raise self._unreadable(error) from None
        self._parts = _parts(members, file.name)
        self.rows: int | None = sum(_rows(part, file.name) for part in self._parts.values())
        self.unusable: dict[str, str] = {}
        self.fields = self._fields()

    def read(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The named columns of all rows, converted to ``target``."""
        for part, members in self._parts.items():
            wanted = [member for member in members if member.column in target.names]
            rows = members[0].shape[0]
            step = rows_per_batch(sum(member.dtype.itemsize * math.prod(member.shape[1:]) for member in wanted))
            for chunks in self._chunks(wanted, rows, step):
                count = min(step, rows)
                rows -= count
                columns = [
                    pa.array([part] * count) if field.name not in chunks else _to_arrow(chunks[field.name], field)
                    for field in target
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=target)

    def _chunks(self, members: list[_Member], rows: int, step: int) -> Iterator[dict[str, np.ndarray[Any, Any]]]:
        try:
            with zipfile.ZipFile(self._path) as archive:
                streams = [archive.open(member.path) for member in members]
                for stream in streams:
                    _header(stream)
                for start in range(0, rows, step):
                    count = min(step, rows - start)
                    yield {
                        member.column: _read_rows(stream, member, count)
                        for member, stream in zip(members, streams, strict=True)
                    }
        except (zipfile.BadZipFile, zlib.error, OSError, EOFError) as error:
            raise self._unreadable(error) from None

    def _member(self, archive: zipfile.ZipFile, path: str) -> _Member:
        with archive.open(path) as stream:
            shape, fortran, dtype = _header(stream)
        column = path.removesuffix(".npy")
        if dtype.hasobject:
            raise DataError(
                f"{self.name}: member {column!r} holds pickled objects, which are not read because loading them "
                "executes code.",
                hint="Save numbers or fixed-width text.",
            )
        if fortran and len(shape) > 1:
            raise DataError(
                f"{self.name}: member {column!r} is in column order and cannot be read row by row.",
                hint="Save numpy.ascontiguousarray(member).",
            )
        if not shape:
            raise DataError(f"{self.name}: member {column!r} is a single value.", hint="Save one value per row.")
        return _Member(column, path, dtype, shape)

    def _fields(self) -> dict[str, pa.Field]:
        fields: dict[str, pa.Field] = {}
        for member in next(iter(self._parts.values())):
            if member.dtype.kind not in "SUbiufM":
                self.unusable[member.column] = f"{member.dtype} of shape {member.shape}"
                continue
            item = pa.string() if member.dtype.kind in "SU" else pa.from_numpy_dtype(member.dtype)
            kind = scalar_kind(item)
            if len(member.shape) > 1 and member.dtype.kind in "iuf":
                fields[member.column] = array_field(member.column, member.shape[1:], array_item(item))
            elif len(member.shape) == 1 and kind is not None:
                fields[member.column] = pa.field(member.column, SCALAR_TYPES[kind])
            else:
                self.unusable[member.column] = f"{member.dtype} of shape {member.shape}"
        if "" not in self._parts:
            fields["split"] = pa.field("split", pa.string())
        return fields

    def _unreadable(self, error: Exception) -> DataError:
        return DataError(
            f"{self.name} cannot be read as NPZ; it may be truncated ({error}).",
            hint="Write or copy the file again and compare its size with the original.",
        )


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return shape, fortran, dtype


def _parts(members: list[_Member], name: str) -> dict[str, list[_Member]]:
    """Split part -> members; a single part with an empty name where members carry no part."""
    if not members:
        raise DataError(f"{name} holds no array.", hint="Save one array per column.")
    matches = [_PART.match(member.column) for member in members]
    if not all(matches):
        return {"": members}
    parts: dict[str, list[_Member]] = {}
    for member, match in zip(members, matches, strict=True):
        assert match is not None
        parts.setdefault(match["part"], []).append(_Member(match["column"], member.path, member.dtype, member.shape))
    _check_alike(parts, name)
    return parts


def _check_alike(parts: dict[str, list[_Member]], name: str) -> None:
    """The parts of a column must be of one type and shape: they are read as one."""
    forms = {part: {member.column: _form(member) for member in members} for part, members in parts.items()}
    (first, expected), *others = forms.items()
    for part, found in others:
        for column in [*expected, *found]:
            one, other = expected.get(column, "nothing"), found.get(column, "nothing")
            if one != other:
                raise DataError(
                    f"{name}: column {column!r} holds {one} in part {first!r} and {other} in part {part!r}.",
                    hint="Save all parts with the same columns, types and shapes.",
                )


def _form(member: _Member) -> str:
    if member.dtype.kind in "SU":
        values = "text"
    elif len(member.shape) == 1 and member.dtype.kind in "iu":
        values = "whole numbers"
    else:
        values = str(member.dtype)
    return f"{values} of shape {member.shape[1:]} per row"


def _rows(members: list[_Member], name: str) -> int:
    rows = members[0].shape[0]
    for member in members[1:]:
        if member.shape[0] != rows:
            raise DataError(
                f"{name}: member {members[0].column!r} has {rows} rows, member {member.column!r} has "
                f"{member.shape[0]}.",
                hint="Save arrays whose first axis counts the same rows.",
            )
    return rows


def _read_rows(stream: IO[bytes], member: _Member, count: int) -> np.ndarray[Any, Any]:
    shape = (count, *member.shape[1:])
    wanted = member.dtype.itemsize * math.prod(shape)
    data = stream.read(wanted)
    if len(data) != wanted:
        raise EOFError(f"member {member.column!r} ends early")
    return np.frombuffer(data, member.dtype).reshape(shape)


def _to_arrow(values: np.ndarray[Any, Any], field: pa.Field) -> pa.Array:
    if pa.types.is_fixed_size_list(field.type):
        flat = pa.array(values.reshape(-1).astype(field.type.value_type.to_pandas_dtype(), copy=False))
        return pa.FixedSizeListArray.from_arrays(flat, field.type.list_size)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8")
    array = pa.array(values.tolist() if values.dtype.kind == "U" else values)
    return array.cast(field.type, safe=False)
