"""What a column holds: Arrow types to column kinds, and the few canonical types in which snapshots store them.

Canonical types: int64, float64, bool, string, timestamp[us] without zone, binary for encoded images, and fixed-size
lists of uint8, int64 or float32 for arrays, whose shape stands in the field's metadata.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pyarrow as pa

from darwin_core.contracts import ColumnKind, ColumnSchema

ROW_ID = "__row_id__"
"""Column of every snapshot part that names the row, as text."""

SHAPE_KEY = b"darwin.shape"
IMAGE_CHANNELS = (1, 3, 4)

SCALAR_TYPES = {
    ColumnKind.INTEGER: pa.int64(),
    ColumnKind.NUMBER: pa.float64(),
    ColumnKind.BOOLEAN: pa.bool_(),
    ColumnKind.STRING: pa.string(),
    ColumnKind.TIME: pa.timestamp("us"),
}
NUMERIC_KINDS = frozenset({ColumnKind.INTEGER, ColumnKind.NUMBER, ColumnKind.BOOLEAN})


def scalar_kind(data_type: pa.DataType) -> ColumnKind | None:
    """The kind of a scalar Arrow type; None where it is no scalar that a table column can hold."""
    if pa.types.is_dictionary(data_type):
        return scalar_kind(data_type.value_type)
    checks = (
        (pa.types.is_boolean, ColumnKind.BOOLEAN),
        (pa.types.is_integer, ColumnKind.INTEGER),
        (pa.types.is_floating, ColumnKind.NUMBER),
        (pa.types.is_decimal, ColumnKind.NUMBER),
        (pa.types.is_timestamp, ColumnKind.TIME),
        (pa.types.is_date, ColumnKind.TIME),
        (is_text, ColumnKind.STRING),
        (pa.types.is_null, ColumnKind.NUMBER),
    )
    return next((kind for check, kind in checks if check(data_type)), None)


def is_text(data_type: pa.DataType) -> bool:
    """Whether values are Unicode text."""
    return bool(
        pa.types.is_string(data_type) or pa.types.is_large_string(data_type) or pa.types.is_string_view(data_type)
    )


def is_bytes(data_type: pa.DataType) -> bool:
    """Whether values are bytes of any length, as encoded images are."""
    return bool(
        pa.types.is_binary(data_type) or pa.types.is_large_binary(data_type) or pa.types.is_binary_view(data_type)
    )


def array_kind(shape: tuple[int, ...], item: pa.DataType) -> ColumnKind:
    """IMAGE for (height, width) or (height, width, 1 | 3 | 4) arrays of bytes or floats, TENSOR otherwise."""
    image_like = len(shape) == 2 or (len(shape) == 3 and shape[-1] in IMAGE_CHANNELS)
    numeric = pa.types.is_uint8(item) or pa.types.is_floating(item)
    return ColumnKind.IMAGE if image_like and numeric else ColumnKind.TENSOR


def array_item(item: pa.DataType) -> pa.DataType:
    """The canonical item type of an array column."""
    if pa.types.is_uint8(item):
        return pa.uint8()
    return pa.float32() if pa.types.is_floating(item) else pa.int64()


def array_field(name: str, shape: tuple[int, ...], item: pa.DataType) -> pa.Field:
    """The field of an array column, with its shape in the metadata."""
    text = ",".join(str(size) for size in shape)
    return pa.field(name, pa.list_(item, math.prod(shape)), metadata={SHAPE_KEY: text.encode()})


def array_shape(field: pa.Field) -> tuple[int, ...]:
    """The shape of one row of an array column."""
    if isinstance(field.type, pa.FixedShapeTensorType):
        return tuple(field.type.shape)
    text = (field.metadata or {}).get(SHAPE_KEY)
    if text:
        return tuple(int(size) for size in text.decode().split(","))
    return (int(field.type.list_size),)


def same_shape(wanted: tuple[int | None, ...], found: tuple[int, ...]) -> bool:
    """Whether shapes agree, up to unknown sizes in ``wanted`` and axes of length one at the end."""
    left, right = list(wanted), list(found)
    while len(left) > len(right) and left[-1] == 1:
        left.pop()
    while len(right) > len(left) and right[-1] == 1:
        right.pop()
    return len(left) == len(right) and all(a is None or a == b for a, b in zip(left, right, strict=True))


def describe(columns: Iterable[ColumnSchema], limit: int = 12) -> str:
    """Columns for an error message: name and kind, shortened."""
    listed = [f"{column.name!r} ({column.kind})" for column in columns]
    rest = len(listed) - limit
    return ", ".join(listed[:limit]) + (f" and {rest} more" if rest > 0 else "")


def encoded_image_field(name: str, shape: tuple[int, ...]) -> pa.Field:
    """The field of a column of encoded images, with (height, width, channels) in the metadata."""
    text = ",".join(str(size) for size in shape)
    return pa.field(name, pa.binary(), metadata={SHAPE_KEY: text.encode()})


def column_schema(field: pa.Field) -> ColumnSchema:
    """The contract's view of a canonical field."""
    if is_bytes(field.type):
        return ColumnSchema(name=field.name, kind=ColumnKind.IMAGE, shape=array_shape(field))
    if pa.types.is_fixed_size_list(field.type):
        shape = array_shape(field)
        return ColumnSchema(name=field.name, kind=array_kind(shape, field.type.value_type), shape=shape)
    return ColumnSchema(name=field.name, kind=scalar_kind(field.type) or ColumnKind.NUMBER)
