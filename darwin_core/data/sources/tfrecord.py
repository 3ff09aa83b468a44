"""TFRecord files of tf.train.Example.

The schema comes from the first records: a feature with at most one value per record is a scalar, one with always the
same number of values an array. Text, numbers and encoded images are told apart as in any other source.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.data.columns import array_field, array_item
from darwin_core.data.parquet import rows_per_batch
from darwin_core.data.sources.base import LocalFile
from darwin_core.data.sources.canonical import canonical_field, convert, first
from darwin_core.errors import DataError

_SCHEMA_RECORDS = 256
_TYPES = {"bytes_list": pa.binary(), "float_list": pa.float32(), "int64_list": pa.int64()}


class TfrecordReader:
    """One TFRecord file, plain or gzip."""

    def __init__(self, file: LocalFile) -> None:
        # Imported here because TensorFlow takes seconds to load, and only this format needs it.
        import tensorflow as tf

        self._tf = tf
        self.name = file.name
        self.rows: int | None = None
        self.unusable: dict[str, str] = {}
        with file.path.open("rb") as stream:
            compression = "GZIP" if stream.read(2) == b"\x1f\x8b" else ""
        self._records = tf.data.TFRecordDataset(str(file.path), compression_type=compression)
        self._types: dict[str, pa.DataType] = {}
        self._record_bytes = 1.0
        self.fields: dict[str, pa.Field] = {}
        self._infer()

    def read(self, target: pa.Schema) -> Iterator[pa.RecordBatch]:
        """The named columns of all rows, converted to ``target``."""
        tf = self._tf
        dtypes = {pa.binary(): tf.string, pa.float32(): tf.float32, pa.int64(): tf.int64}
        spec = {name: tf.io.RaggedFeature(dtypes[self._types[name]]) for name in target.names}
        start = 0
        for serialized in self._guarded(self._records.batch(rows_per_batch(self._record_bytes))):
            offset = start

            def row_name(position: int, offset: int = offset) -> str:
                return f"{self.name} row {offset + position}"

            parsed = self._parse(serialized, spec, row_name)
            columns = [self._column(parsed[field.name], field, row_name) for field in target]
            yield pa.RecordBatch.from_arrays(columns, schema=target)
            start += len(serialized)

    def _infer(self) -> None:
        values: dict[str, list[list[Any]]] = {}
        sizes = []
        for position, record in enumerate(self._guarded(self._records.take(_SCHEMA_RECORDS))):
            data = record.numpy()
            sizes.append(len(data))
            for name, feature in self._example(data, position).features.feature.items():
                kind = feature.WhichOneof("kind")
                if kind is not None:
                    self._types.setdefault(name, _TYPES[kind])
                    values.setdefault(name, []).append(list(getattr(feature, kind).value))
        self._record_bytes = float(np.mean(sizes)) if sizes else 1.0
        for name in sorted(values):
            self._add_field(name, [value for value in values[name] if value])

    def _add_field(self, name: str, present: list[list[Any]]) -> None:
        lengths = {len(value) for value in present}
        if lengths <= {1}:
            value = present[0][0] if present else None
            stored = pa.field(name, self._types[name])
            field = canonical_field(stored, lambda: value, self.name) if present else pa.field(name, pa.null())
        elif len(lengths) == 1 and self._types[name] != pa.binary():
            field = array_field(name, (lengths.pop(),), array_item(self._types[name]))
        else:
            field = None
        if field is None:
            self.unusable[name] = "lists of different lengths, or bytes that are neither text nor an image"
        else:
            self.fields[name] = field

    def _example(self, data: bytes, position: int) -> Any:
        try:
            return self._tf.train.Example.FromString(data)
        except Exception as error:  # protobuf implementations raise different types
            raise DataError(
                f"{self.name} row {position} is no tf.train.Example ({error}).", hint="Write the rows as Examples."
            ) from None

    def _parse(self, serialized: Any, spec: Mapping[str, Any], row_name: Any) -> Mapping[str, Any]:
        try:
            parsed: Mapping[str, Any] = self._tf.io.parse_example(serialized, spec)
        except self._tf.errors.InvalidArgumentError as error:
            raise DataError(
                f"{row_name(0)} or one of the {len(serialized) - 1} rows behind it does not have the types of the "
                f"first records: {error.message}",
                hint="Write every feature with one type in all records.",
            ) from None
        return parsed

    def _column(self, ragged: Any, field: pa.Field, row_name: Any) -> pa.Array:
        offsets = pa.array(ragged.row_splits.numpy().astype(np.int32))
        lists = pa.ListArray.from_arrays(offsets, pa.array(ragged.values.numpy(), self._types[field.name]))
        if pa.types.is_fixed_size_list(field.type):
            return convert(lists, field, row_name)
        too_long = pc.greater(pc.list_value_length(lists), 1)
        if pc.any(too_long, min_count=0).as_py():
            position = first(too_long)
            raise DataError(
                f"{row_name(position)}: expected at most one value in feature {field.name!r}, got "
                f"{len(lists[position])}.",
                hint="Write features with the same number of values in every record.",
            )
        scalars = (
            pc.if_else(
                pc.equal(pc.list_value_length(lists), 0),
                pa.scalar(None, lists.type.value_type),
                lists.values.take(pc.min_element_wise(lists.offsets[:-1], max(len(lists.values) - 1, 0))),
            )
            if len(lists.values)
            else pa.nulls(len(lists), lists.type.value_type)
        )
        return convert(scalars, field, row_name)

    def _guarded(self, dataset: Any) -> Iterator[Any]:
        try:
            yield from dataset
        except self._tf.errors.OpError as error:
            # TensorFlow wraps its message in the names of its own functions.
            reason = str(error.message).split("}}")[-1].split("[Op:")[0].strip()
            raise DataError(
                f"{self.name} cannot be read as TFRecord; it may be truncated ({reason}).",
                hint="Write or copy the file again and compare its size with the original.",
            ) from None
