"""How one column of a snapshot part becomes rows of one array: dtype, shape, and the conversion of a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnKind, NetworkInput
from darwin_core.data.binding import BoundInput
from darwin_core.data.columns import ROW_ID, is_bytes
from darwin_core.data.images import decode_images
from darwin_core.data.labels import class_indices, label_flags, label_masks, label_numbers
from darwin_core.data.mapped import Array
from darwin_core.errors import DataError

Decoder = Callable[[pa.RecordBatch], Array]


@dataclass(frozen=True)
class StoredArray:
    """One array on disk: what a row looks like, and how a batch of the part is converted."""

    name: str
    dtype: np.dtype[Any]
    row_shape: tuple[int, ...]
    decode: Decoder

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.dtype.itemsize * math.prod(self.row_shape)


def batch_dtype(item: NetworkInput) -> np.dtype[Any]:
    """The numpy dtype in which a batch carries this input; text keeps the bytes dtype it is stored in."""
    if item.dtype == "string":
        return np.dtype(np.bytes_)
    return np.dtype(np.float32 if item.dtype in ("bfloat16", "float16") else item.dtype)


def label_array(columns: Sequence[str], classes: Sequence[str], mask: tuple[int, ...] = ()) -> StoredArray:
    """Labels: int32 class indices, float32 where there are no classes, int8 flags where there are several columns.

    Args:
        columns: The label columns.
        classes: Label values in the order of the outputs.
        mask: (height, width) where the label is a mask of class indices, which are uint8 then.
    """
    if mask:
        return StoredArray(
            "labels",
            np.dtype(np.uint8),
            mask,
            lambda batch: label_masks(batch[columns[0]], mask, len(classes), namer(batch)),
        )
    if len(columns) > 1:
        return StoredArray(
            "labels",
            np.dtype(np.int8),
            (len(columns),),
            lambda batch: label_flags([batch[name] for name in columns], columns, namer(batch)),
        )
    column = columns[0]
    if classes:
        return StoredArray(
            "labels", np.dtype(np.int32), (), lambda batch: class_indices(batch[column], classes, namer(batch))
        )
    return StoredArray("labels", np.dtype(np.float32), (), lambda batch: label_numbers(batch[column], namer(batch)))


def text_array(name: str, column: str, width: int, row_shape: tuple[int, ...] = ()) -> StoredArray:
    """Text as UTF-8 bytes of fixed width; a missing value is the empty text."""
    dtype = np.dtype(f"S{width}")

    def decode(batch: pa.RecordBatch) -> Array:
        return np.array(as_utf8(batch[column]).to_pylist(), dtype)

    return StoredArray(name, dtype, row_shape, decode)


def number_array(name: str, columns: Sequence[str], dtype: np.dtype[Any], row_shape: tuple[int, ...]) -> StoredArray:
    """Numbers of one column, or of several side by side. A missing value is NaN, and an error for whole numbers."""

    def decode(batch: pa.RecordBatch) -> Array:
        values = [_numbers(batch, column, dtype) for column in columns]
        return values[0] if len(values) == 1 else np.stack(values, axis=1)

    return StoredArray(name, dtype, row_shape, decode)


def input_array(name: str, item: BoundInput, schema: pa.Schema, widths: Mapping[str, int]) -> StoredArray:
    """The array of one network input.

    Args:
        name: File name of the array.
        item: The input with its columns.
        schema: Arrow schema of the part.
        widths: Longest value of each text column, in bytes.
    """
    column, wanted = item.columns[0], item.input
    if column.kind in (ColumnKind.IMAGE, ColumnKind.TENSOR):
        return _pixel_array(name, item, schema.field(column.name).type)
    names = [part.name for part in item.columns]
    row_shape = (len(names),) if wanted.shape not in ((), (1,), (None,)) else (1,) * len(wanted.shape)
    if wanted.dtype == "string":
        return text_array(name, column.name, widths[column.name], row_shape)
    return number_array(name, names, batch_dtype(wanted), row_shape)


def as_utf8(column: pa.Array) -> pa.Array:
    """A text or integer column as UTF-8 bytes without missing values."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return pc.fill_null(column.cast(pa.string()), "").cast(pa.binary())


def namer(batch: pa.RecordBatch) -> Callable[[int], str]:
    """Names rows of a batch in error messages."""
    return lambda position: f"Row {batch[ROW_ID][position].as_py()}"


def _pixel_array(name: str, item: BoundInput, stored: pa.DataType) -> StoredArray:
    column = item.columns[0]
    sizes = (*column.shape, *(1,) * (len(item.input.shape) - len(column.shape)))
    row_shape = tuple(sizes[: len(item.input.shape)])
    if is_bytes(stored):
        return StoredArray(
            name,
            np.dtype(np.uint8),
            row_shape,
            lambda batch: decode_images(batch[column.name].to_pylist(), column.shape, namer(batch)),
        )
    dtype = np.dtype(stored.value_type.to_pandas_dtype())

    def decode(batch: pa.RecordBatch) -> Array:
        return flat_values(batch[column.name], column.name, namer(batch)).reshape(-1, *row_shape)

    return StoredArray(name, dtype, row_shape, decode)


def flat_values(column: pa.Array, name: str, row_name: Callable[[int], str]) -> Array:
    """All numbers of an array column, row after row.

    Raises:
        DataError: A row has no array; it is named.
    """
    if column.null_count:
        position = int(np.flatnonzero(pc.is_null(column).to_numpy(zero_copy_only=False))[0])
        raise DataError(f"{row_name(position)}: the array in column {name!r} is missing.", hint="Leave the row out.")
    values = column.flatten()
    if values.null_count and pa.types.is_integer(values.type):
        first = int(np.flatnonzero(pc.is_null(values).to_numpy(zero_copy_only=False))[0])
        position = first // (len(values) // len(column))
        raise DataError(
            f"{row_name(position)}: the array in column {name!r} has a gap, and whole numbers have no missing value.",
            hint="Fill it, or store the column as floats.",
        )
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _numbers(batch: pa.RecordBatch, name: str, dtype: np.dtype[Any]) -> Array:
    column = batch[name]
    if pa.types.is_timestamp(column.type):
        values = np.asarray(pc.divide(column.cast(pa.int64()).cast(pa.float64(), safe=False), 1e6))
    elif dtype.kind in "iu" and pa.types.is_integer(column.type) and not column.null_count:
        values = np.asarray(column)
    else:
        values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    if dtype.kind == "f":
        return values.astype(dtype)
    return _whole(values, dtype, name, namer(batch))


def _whole(values: Array, dtype: np.dtype[Any], name: str, row_name: Callable[[int], str]) -> Array:
    with np.errstate(invalid="ignore"):
        converted = values.astype(dtype)
    bad = np.flatnonzero(converted != values)
    if bad.size:
        position = int(bad[0])
        found = values[position]
        raise DataError(
            f"{row_name(position)}: column {name!r} holds {'no value' if np.isnan(found) else found}, "
            f"the network's input expects {dtype.name}.",
            hint="Fill the column, or train the reference with a float input and handle missing values inside it.",
        )
    return converted
