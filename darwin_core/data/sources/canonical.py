"""Arrow columns of any origin to the canonical types of a snapshot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnKind
from darwin_core.data.columns import (
    SCALAR_TYPES,
    array_field,
    array_item,
    array_shape,
    encoded_image_field,
    is_bytes,
    scalar_kind,
)
from darwin_core.data.images import image_shape, looks_like_image
from darwin_core.errors import DataError

RowName = Callable[[int], str]
Peek = Callable[[], Any]
"""The first value of the column that is not missing; None where there is none."""


def canonical_field(field: pa.Field, peek: Peek, origin: str) -> pa.Field | None:
    """The canonical field of a column, or None where its type cannot be used.

    Args:
        field: The column as the file has it.
        peek: Reads a first value, which tells images from text and the lengths of lists.
        origin: Names the file in error messages.
    """
    if pa.types.is_null(field.type):
        return pa.field(field.name, pa.null())
    kind = scalar_kind(field.type)
    if kind is not None:
        return pa.field(field.name, SCALAR_TYPES[kind])
    if is_bytes(field.type) or _is_image_struct(field.type):
        return _bytes_field(field.name, peek(), origin)
    return _list_field(field, peek)


def convert(column: pa.Array, target: pa.Field, row_name: RowName) -> pa.Array:
    """Convert values to the canonical type of ``target``.

    Raises:
        DataError: A value does not fit; the row is named.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if pa.types.is_fixed_size_list(target.type):
        return _convert_array(column, target, row_name)
    if pa.types.is_struct(column.type):
        column = pc.struct_field(column, "bytes")
    if column.type == target.type:
        return column
    try:
        return column.cast(target.type, safe=pa.types.is_integer(target.type))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise _unfit(column, target, row_name, error) from None


def _is_image_struct(data_type: pa.DataType) -> bool:
    """{bytes, path} structures, as image data sets are often published."""
    if not pa.types.is_struct(data_type):
        return False
    index = data_type.get_field_index("bytes")
    return index >= 0 and is_bytes(data_type.field(index).type)


def _bytes_field(name: str, value: Any, origin: str) -> pa.Field | None:
    if isinstance(value, dict):
        value = value.get("bytes")
    if value is None:
        return pa.field(name, pa.null())
    if looks_like_image(value):
        return encoded_image_field(name, image_shape(value, f"{origin}, first value of column {name!r}"))
    try:
        value.decode()
    except UnicodeDecodeError:
        return None
    return pa.field(name, pa.string())


def _list_field(field: pa.Field, peek: Peek) -> pa.Field | None:
    if isinstance(field.type, pa.FixedShapeTensorType):
        return array_field(field.name, array_shape(field), array_item(field.type.value_type))
    item, depth = field.type, 0
    while pa.types.is_list(item) or pa.types.is_large_list(item) or pa.types.is_fixed_size_list(item):
        item, depth = item.value_type, depth + 1
    if depth == 0 or not (pa.types.is_integer(item) or pa.types.is_floating(item)):
        return None
    if depth == 1 and pa.types.is_fixed_size_list(field.type):
        return array_field(field.name, array_shape(field), array_item(item))
    value = peek()
    if value is None:
        return pa.field(field.name, pa.null())
    return array_field(field.name, np.asarray(value).shape, array_item(item))


def _convert_array(column: pa.Array, target: pa.Field, row_name: RowName) -> pa.Array:
    if column.null_count:
        position = first(pc.is_null(column))
        raise DataError(
            f"{row_name(position)}: the array in column {target.name!r} is missing.", hint="Leave the row out."
        )
    shape, rows = array_shape(target), len(column)
    values, sizes = column, (shape if _depth(column.type) > 1 else (target.type.list_size,))
    for size in sizes:
        lengths = pc.list_value_length(values)
        wrong = pc.not_equal(lengths, size)
        if pc.any(wrong, min_count=0).as_py():
            position = first(wrong)
            raise DataError(
                f"{row_name(position * rows // max(len(values), 1))}: expected an array of shape {shape} in column "
                f"{target.name!r}, got a length of {lengths[position].as_py()} instead of {size}.",
                hint="Pad or cut the arrays to one shape.",
            )
        values = values.flatten()
    return pa.FixedSizeListArray.from_arrays(values.cast(target.type.value_type, safe=False), target.type.list_size)


def _depth(data_type: pa.DataType) -> int:
    depth = 0
    while pa.types.is_list(data_type) or pa.types.is_large_list(data_type) or pa.types.is_fixed_size_list(data_type):
        data_type, depth = data_type.value_type, depth + 1
    return depth


def first(mask: pa.Array) -> int:
    """Position of the first true value."""
    return int(np.flatnonzero(mask.to_numpy(zero_copy_only=False).astype(bool))[0])


def _unfit(column: pa.Array, target: pa.Field, row_name: RowName, error: Exception) -> DataError:
    kind = scalar_kind(target.type) or ColumnKind.IMAGE
    for position in range(len(column)):
        try:
            column.slice(position, 1).cast(target.type, safe=pa.types.is_integer(target.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return DataError(
                f"{row_name(position)}: column {target.name!r} holds {column[position].as_py()!r}, expected a value "
                f"of kind {kind}.",
                hint="Correct the value; one column holds one kind of value in all files.",
            )
    return DataError(f"{row_name(0)}: column {target.name!r} does not convert to {kind} ({error}).")
