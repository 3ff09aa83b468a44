"""Data sets for the data checks, profiled and hashed by the code that makes snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from darwin_core.contracts import ArtifactRef, ColumnKind, ColumnSchema, DataRoles, SplitProfile
from darwin_core.data.columns import SCALAR_TYPES, scalar_kind
from darwin_core.data.hashing import hash_arrays, hash_column, hash_rows
from darwin_core.data.profiles import EdgeFinder, Profiler, is_numeric
from darwin_core.data.sketches import picture_look, sketch_pictures, sketch_table
from darwin_core.explanation.checks import CheckedData, Column, Fingerprints, Sketches

Table = Mapping[str, Any]


def checked_data(
    train: Table,
    labels: Any,
    test: Table | None = None,
    *,
    classes: tuple[str, ...] = ("no", "yes"),
    roles: DataRoles | None = None,
    sample: int | None = None,
    entities: tuple[Any, Any] | None = None,
    seed: int = 0,
) -> CheckedData:
    """What the checks see of a table; the same rows as test set where none is given. ``sample``: rows kept."""
    ours = _as_arrow(train)
    theirs = _as_arrow(test) if test is not None else ours
    kinds = {name: scalar_kind(ours[name].type) or ColumnKind.STRING for name in ours.column_names}
    every = {name: Column.from_arrow(name, kinds[name], ours[name]) for name in ours.column_names}
    kept = slice(0, sample)
    sampled = {name: Column.from_arrow(name, kinds[name], ours[name][kept]) for name in ours.column_names}
    ids = [f"train-{row}" for row in range(ours.num_rows)]
    profiles = _profiles(ours, theirs, kinds)
    return CheckedData(
        roles=roles or DataRoles(label="label"),
        classes=classes,
        columns=sampled,
        labels=np.asarray(labels)[kept],
        row_ids=ids[kept],
        train_rows=ours.num_rows,
        stream=lambda wanted: iter([{name: every[name] for name in wanted}]),
        kinds=kinds,
        train_profile=profiles[0],
        test_profile=profiles[1],
        fingerprints=_fingerprints(ours, theirs, ids, entities),
        train_labels=np.asarray(labels),
        seed=seed,
    )


def _as_arrow(table: Table) -> pa.Table:
    arrow = pa.table({name: pa.array(values, from_pandas=True) for name, values in table.items()})
    fields = [(name, SCALAR_TYPES[scalar_kind(arrow[name].type) or ColumnKind.STRING]) for name in arrow.column_names]
    return arrow.cast(pa.schema(fields))


def _profiles(train: pa.Table, test: pa.Table, kinds: Mapping[str, ColumnKind]) -> tuple[SplitProfile, SplitProfile]:
    columns = [ColumnSchema(name=name, kind=kind) for name, kind in kinds.items()]
    finder = EdgeFinder([column.name for column in columns if is_numeric(column)], train.num_rows)
    for batch in train.to_batches():
        finder.add(batch)
    found = []
    for table in (train, test):
        profiler = Profiler(columns, {}, finder.edges())
        for batch in table.to_batches():
            profiler.add(batch)
        nowhere = ArtifactRef(uri="nowhere", sha256="0" * 64, size_bytes=0)
        found.append(SplitProfile(rows=table.num_rows, columns=profiler.profile(), fingerprints=nowhere))
    return found[0], found[1]


def _fingerprints(train: pa.Table, test: pa.Table, ids: list[str], entities: tuple[Any, Any] | None) -> Fingerprints:
    hashes = [_row_hashes(table) for table in (train, test)]
    codes = np.unique(np.concatenate(hashes), return_inverse=True)[1].astype(np.int64)
    ours, theirs = np.split(codes, [len(hashes[0])])
    return Fingerprints(
        train_ids=ids,
        train=ours,
        test_ids=[f"test-{row}" for row in range(test.num_rows)],
        test=theirs,
        train_entities=None if entities is None else np.asarray(entities[0], np.int64),
        test_entities=None if entities is None else np.asarray(entities[1], np.int64),
        sketches=_sketches(train, test),
    )


def _sketches(train: pa.Table, test: pa.Table) -> Sketches:
    features = [
        ColumnSchema(name=name, kind=scalar_kind(train[name].type) or ColumnKind.STRING) for name in train.column_names
    ]
    found = [
        as_numbers(
            sketch_table({name: table[name].combine_chunks() for name in table.column_names}, features), np.uint64
        )
        for table in (train, test)
    ]
    return Sketches(False, np.arange(train.num_rows), found[0], np.arange(test.num_rows), found[1])


def _look_sketches(pixels: np.ndarray) -> np.ndarray:
    """In pieces, so that a million pictures fit."""
    pieces = [pixels[start : start + 20_000] for start in range(0, len(pixels), 20_000)]
    return np.concatenate([as_numbers(sketch_pictures([picture_look(piece)]), np.int8) for piece in pieces])


def as_numbers(sketches: pa.Array, dtype: Any) -> np.ndarray:
    """(rows, numbers) of a column of sketches."""
    return np.frombuffer(b"".join(sketches.to_pylist()), np.uint8).reshape(len(sketches), -1).view(dtype)


def checked_pictures(
    train: np.ndarray, labels: Any, test: np.ndarray, *, classes: int = 2, seed: int = 0
) -> CheckedData:
    """What the checks see of pictures: (rows, height, width, channels) each."""
    hashes = np.unique(np.concatenate([hash_arrays(train), hash_arrays(test)]), return_inverse=True)[1]
    looks = [_look_sketches(pixels) for pixels in (train, test)]
    ids = [f"train-{row}" for row in range(len(train))]
    ours, theirs = np.split(hashes.astype(np.int64), [len(train)])
    return CheckedData(
        roles=DataRoles(label="label"),
        classes=tuple(str(index) for index in range(classes)),
        columns={},
        labels=np.asarray(labels),
        row_ids=ids,
        train_rows=len(train),
        stream=lambda wanted: iter(()),
        kinds={"image": ColumnKind.IMAGE},
        fingerprints=Fingerprints(
            train_ids=ids,
            train=ours,
            test_ids=[f"test-{row}" for row in range(len(test))],
            test=theirs,
            sketches=Sketches(True, np.arange(len(train)), looks[0], np.arange(len(test)), looks[1]),
        ),
        train_labels=np.asarray(labels),
        seed=seed,
    )


def _row_hashes(table: pa.Table) -> np.ndarray:
    columns = {name: hash_column(table[name].combine_chunks()) for name in table.column_names}
    return hash_rows(columns, table.num_rows)
