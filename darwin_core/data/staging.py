"""First pass over a source: check every row, hash it, describe its images, and write it in canonical form."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import ColumnKind, ColumnSchema
from darwin_core.data.columns import ROW_ID, is_bytes
from darwin_core.data.decoders import flat_values
from darwin_core.data.factors import factor_names, image_factors
from darwin_core.data.hashing import Hashes, hash_arrays, hash_column, hash_rows
from darwin_core.data.images import decode_images
from darwin_core.data.labels import class_indices, label_flags, label_masks, label_numbers, label_text
from darwin_core.data.mapped import Array
from darwin_core.data.parquet import iter_parquet, open_parquet, rows_per_batch
from darwin_core.data.planning import ColumnPlan
from darwin_core.data.sketches import can_be_sketched, has_pictures, picture_look, sketch_pictures, sketch_table
from darwin_core.data.sources import RowSource, SourceBatch
from darwin_core.data.sources.canonical import RowName, first
from darwin_core.data.writing import PartWriter
from darwin_core.errors import DataError
from darwin_core.progress import Reporter

ROW_HASH = "__row_hash__"
ENTITY_HASH = "__entity_hash__"
SKETCH = "__sketch__"
FACTOR_PREFIX = "__factor__"
_MAX_CLASSES = 10_000
__all__ = ["ENTITY_HASH", "FACTOR_PREFIX", "ROW_HASH", "SKETCH", "Staged", "factor_columns", "stage"]


@dataclass(frozen=True)
class Staged:
    """A source in canonical form, with hashes and image factors beside the rows."""

    path: Path
    rows: int

    def read(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Some columns of all rows, in bounded batches."""
        file = open_parquet(self.path)
        metadata = file.metadata
        row_bytes = (
            sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups)) / self.rows
        )
        return iter_parquet(file, columns, rows_per_batch(row_bytes), name=self.path.name)

    def label_counts(self, label: str) -> dict[str, int]:
        """Label value, as text -> rows.

        Raises:
            DataError: There are too many values to be classes.
        """
        counts: Counter[str] = Counter()
        for batch in self.read([label]):
            for item in pc.value_counts(label_text(batch[label])).to_pylist():
                counts[item["values"]] += item["counts"]
            if len(counts) > _MAX_CLASSES:
                raise DataError(
                    f"The label {label!r} has more than {_MAX_CLASSES} different values, which cannot be classes.",
                    hint="Check the label column; for numbers, the reference must be a regression network.",
                )
        return dict(counts)

    def flag_counts(self, labels: Sequence[str]) -> dict[str, int]:
        """Label column of zeros and ones -> rows that have the label."""
        counts = np.zeros(len(labels), np.int64)
        for batch in self.read(list(labels)):
            flags = label_flags([batch[name] for name in labels], labels, lambda position: f"row {position}")
            counts += flags.sum(axis=0, dtype=np.int64)
        return dict(zip(labels, counts.tolist(), strict=True))


def factor_columns(plan: ColumnPlan) -> dict[str, str]:
    """Staging column -> name of the image factor it holds."""
    images = [column for column in plan.features if column.kind is ColumnKind.IMAGE]
    names: dict[str, str] = {}
    for column in images:
        for factor in factor_names(column.shape):
            names[f"{FACTOR_PREFIX}{column.name}.{factor}"] = factor if len(images) == 1 else f"{column.name}.{factor}"
    return names


def stage(
    source: RowSource, plan: ColumnPlan, part: str, path: Path, classes: Sequence[str] | None, reporter: Reporter
) -> Staged:
    """Write all rows of a source to ``path``, in canonical form.

    Args:
        source: The opened source.
        plan: Columns to keep.
        part: ``train``, ``validation`` or ``test``; rows without an id of their own are named after it.
        path: Where to write; a complete file from an earlier attempt is kept as it is.
        classes: Known label values; None while they are still to be learned from these rows.
        reporter: Where progress goes.

    Raises:
        DataError: A row cannot be used; file, row and column are named. Nothing is left at ``path``.
    """
    if not path.exists():
        with reporter.track(f"Reading {part} rows", source.rows) as tracker, PartWriter(path, _schema(plan)) as writer:
            for batch in source.batches(plan.schema):
                if batch.columns.num_rows:
                    writer.write(_staged_rows(batch, plan, part, classes))
                tracker.advance(batch.columns.num_rows)
            if not writer.rows:
                raise DataError(f"{source.source} has no rows.", hint="Check the file, and the values behind '#'.")
    return Staged(path, open_parquet(path).metadata.num_rows)


def _schema(plan: ColumnPlan) -> pa.Schema:
    hidden = [pa.field(ROW_HASH, pa.uint64()), pa.field(ENTITY_HASH, pa.uint64())]
    factors = [pa.field(name, pa.float64()) for name in factor_columns(plan)]
    return pa.schema([pa.field(ROW_ID, pa.string()), *plan.schema, *hidden, pa.field(SKETCH, pa.binary()), *factors])


def _staged_rows(batch: SourceBatch, plan: ColumnPlan, part: str, classes: Sequence[str] | None) -> pa.RecordBatch:
    _check_label(batch, plan, classes)
    _check_numbers(batch, plan)
    hashes: dict[str, Hashes] = {}
    factors: dict[str, Array] = {}
    looks: list[Array] = []
    for column in plan.features:
        if column.kind in (ColumnKind.IMAGE, ColumnKind.TENSOR):
            hashes[column.name], found, look = _describe_arrays(batch, column)
            factors |= {f"{FACTOR_PREFIX}{column.name}.{name}": values for name, values in found.items()}
            looks += [] if look is None else [look]
        else:
            hashes[column.name] = hash_column(batch.columns[column.name])
    rows = batch.columns.num_rows
    arrays = [
        _row_ids(batch, plan, part),
        *batch.columns.columns,
        pa.array(hash_rows(hashes, rows)),
        _entity_hashes(batch, plan),
        _sketches(batch, plan, looks),
        *(pa.array(factors[name], pa.float64()) for name in factor_columns(plan)),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=_schema(plan))


def _sketches(batch: SourceBatch, plan: ColumnPlan, looks: Sequence[Array]) -> pa.Array:
    kinds = [column.kind for column in plan.features]
    if not can_be_sketched(kinds):
        return pa.nulls(batch.columns.num_rows, pa.binary())
    if has_pictures(kinds):
        return sketch_pictures(looks).cast(pa.binary())
    names = [column.name for column in plan.features]
    return sketch_table({name: batch.columns[name] for name in names}, plan.features).cast(pa.binary())


def _row_ids(batch: SourceBatch, plan: ColumnPlan, part: str) -> pa.Array:
    if plan.roles.row_id is None:
        return pa.array([f"{part}:{number}" for number in batch.numbers], pa.string())
    ids = batch.columns[plan.roles.row_id]
    if ids.null_count:
        raise DataError(
            f"{batch.row_name(first(pc.is_null(ids)))}: the row id in column {plan.roles.row_id!r} is missing.",
            hint="Fill the column, or leave `row_id` out to number the rows.",
        )
    return ids.cast(pa.string())


def _entity_hashes(batch: SourceBatch, plan: ColumnPlan) -> pa.Array:
    if plan.roles.entity is None:
        return pa.nulls(batch.columns.num_rows, pa.uint64())
    entities = batch.columns[plan.roles.entity]
    missing = pc.is_null(entities).to_numpy(zero_copy_only=False)
    # Through text, so that an entity numbered in one file and written as text in another stays one entity.
    return pa.array(hash_column(entities.cast(pa.string())), mask=missing)


def _check_label(batch: SourceBatch, plan: ColumnPlan, classes: Sequence[str] | None) -> None:
    labels = batch.columns[plan.roles.label]
    if plan.is_segmentation:
        label_masks(labels, plan.output.positions, plan.output.classes, batch.row_name)
    elif plan.is_multilabel:
        label_flags([batch.columns[name] for name in plan.roles.labels], plan.roles.labels, batch.row_name)
    elif plan.is_regression:
        label_numbers(labels, batch.row_name)
    elif classes is not None:
        class_indices(labels, classes, batch.row_name)
    elif labels.null_count:
        raise DataError(
            f"{batch.row_name(first(pc.is_null(labels)))}: the label in column {plan.roles.label!r} is missing.",
            hint="Leave rows without a label out of the data.",
        )


def _check_numbers(batch: SourceBatch, plan: ColumnPlan) -> None:
    """Weights must be usable, times present, and inputs for whole numbers without gaps."""
    if plan.roles.weight is not None:
        weights = batch.columns[plan.roles.weight].cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        _reject(batch, ~(np.isfinite(weights) & (weights >= 0)), plan.roles.weight, "a weight of at least 0")
    if plan.roles.time is not None:
        _reject(batch, _missing(batch.columns[plan.roles.time]), plan.roles.time, "a time")
    for item in plan.bound:
        if item.input.dtype.startswith(("int", "uint")) and len(item.columns) == 1:
            column = batch.columns[item.columns[0].name]
            if not pa.types.is_fixed_size_list(column.type) and not is_bytes(column.type):
                _reject(
                    batch, _missing(column), item.columns[0].name, f"a value for an input of type {item.input.dtype}"
                )


def _missing(column: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False), bool)


def _reject(batch: SourceBatch, bad: npt.NDArray[np.bool_], column: str, expected: str) -> None:
    if bad.any():
        position = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{batch.row_name(position)}: expected {expected} in column {column!r}, got "
            f"{batch.columns[column][position].as_py()!r}.",
            hint="Fill the column, or leave the row out.",
        )


def _describe_arrays(batch: SourceBatch, column: ColumnSchema) -> tuple[Hashes, dict[str, Array], Array | None]:
    """Hashes of the decoded arrays and, for images, their factors and looks; decoded a bounded piece at a time."""
    values = batch.columns[column.name]
    step = rows_per_batch(4 * int(np.prod(column.shape)))
    hashes, factors, looks = [], [], []
    for start in range(0, len(values), step):
        pixels = _decoded(values.slice(start, step), column, _shifted(batch.row_name, start))
        hashes.append(hash_arrays(pixels))
        if column.kind is ColumnKind.IMAGE:
            factors.append(image_factors(pixels))
            looks.append(picture_look(pixels))
    merged = {name: np.concatenate([found[name] for found in factors]) for name in (factors[0] if factors else ())}
    return np.concatenate(hashes), merged, np.concatenate(looks) if looks else None


def _decoded(values: pa.Array, column: ColumnSchema, row_name: RowName) -> Array:
    if is_bytes(values.type):
        return decode_images(values.to_pylist(), column.shape, row_name)
    return flat_values(values, column.name, row_name).reshape(-1, *column.shape)


def _shifted(row_name: RowName, start: int) -> RowName:
    return lambda position: row_name(start + position)
