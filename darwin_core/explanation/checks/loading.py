"""Read what the checks look at: a bounded sample of the training part, profiles and row hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind, Snapshot, SplitProfile
from darwin_core.data.columns import ROW_ID
from darwin_core.data.labels import class_indices, label_flags, label_numbers
from darwin_core.data.parquet import iter_parquet, open_parquet
from darwin_core.data.sketches import has_pictures
from darwin_core.explanation.checks.base import CheckedData, Fingerprints, ServingRows, Sketches
from darwin_core.explanation.checks.columns import Column
from darwin_core.progress import Reporter, Tracker

MAX_CELLS = 20_000_000
"""Sampled values held in memory (rows times columns); 160 MB of numbers."""

MIN_SAMPLE_ROWS = 5_000
MAX_FINGERPRINTS = 5_000_000
MAX_SKETCHES = 1_500_000
"""Rows whose sketches are held in memory; at most 192 MB."""

_BATCH_ROWS = 8192
_SCALARS = frozenset({ColumnKind.NUMBER, ColumnKind.INTEGER, ColumnKind.BOOLEAN, ColumnKind.STRING, ColumnKind.TIME})


@dataclass(frozen=True)
class CheckSources:
    """Local files of a snapshot that the checks may read; the sealed rows are present as a profile only.

    The training side of the profiles and hashes is training and validation rows together, so ``parts`` names both.
    """

    parts: tuple[Path, ...]
    train_profile: SplitProfile
    test_profile: SplitProfile
    train_fingerprints: Path
    test_fingerprints: Path


def load_checked_data(
    snapshot: Snapshot,
    sources: CheckSources,
    reporter: Reporter,
    *,
    seed: int,
    serving: ServingRows | None = None,
    max_cells: int = MAX_CELLS,
) -> CheckedData:
    """Sample the training rows and read the hashes.

    Args:
        snapshot: The snapshot that the files belong to.
        sources: The files.
        reporter: Where progress goes.
        seed: Seed of the sample and of the checks.
        serving: Rows as they come in production.
        max_cells: Largest number of sampled values.

    Raises:
        DataError: A file is damaged, or a label is missing or unknown.
    """
    names = [column.name for column in snapshot.columns if column.kind in _SCALARS]
    kinds = {column.name: column.kind for column in snapshot.columns}
    rows = snapshot.train.rows + snapshot.validation.rows
    read = [ROW_ID, *_label_columns(snapshot), *names]
    chosen = _chosen_rows(rows, max(MIN_SAMPLE_ROWS, max_cells // len(read)), seed)
    with reporter.track("Reading rows for the data checks", rows) as tracker:
        table = _take(_batches(sources.parts, read), chosen, tracker)
    pictures = has_pictures([column.kind for column in snapshot.columns])
    fingerprints = _read_fingerprints(sources.train_fingerprints, sources.test_fingerprints, pictures)

    def stream(wanted: Sequence[str]) -> Iterator[Mapping[str, Column]]:
        for batch in _batches(sources.parts, wanted):
            yield {name: Column.from_arrow(name, kinds[name], batch[name]) for name in wanted}

    return CheckedData(
        roles=snapshot.roles,
        classes=() if snapshot.mask else snapshot.classes,
        columns={name: Column.from_arrow(name, kinds[name], table[name]) for name in names},
        labels=_labels(table, snapshot),
        row_ids=table[ROW_ID].to_pylist(),
        train_rows=rows,
        stream=stream,
        kinds=kinds,
        train_profile=sources.train_profile,
        test_profile=sources.test_profile,
        fingerprints=fingerprints,
        train_labels=_labels_of(fingerprints.train_ids, sources.parts, snapshot),
        serving=serving,
        seed=seed,
    )


def _batches(parts: Sequence[Path], columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for path in parts:
        yield from iter_parquet(open_parquet(path), list(columns), _BATCH_ROWS, name=path.name)


def _chosen_rows(rows: int, most: int, seed: int) -> NDArray[np.int64]:
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def _take(batches: Iterator[pa.RecordBatch], chosen: NDArray[np.int64], tracker: Tracker) -> pa.Table:
    parts, start = [], 0
    for batch in batches:
        inside = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + batch.num_rows)]
        parts.append(batch.take(pa.array(inside - start)))
        start += batch.num_rows
        tracker.advance(batch.num_rows)
    return pa.Table.from_batches(parts)


def _label_columns(snapshot: Snapshot) -> tuple[str, ...]:
    """What is read of the labels; nothing of masks, of which the checks ask nothing."""
    return () if snapshot.mask else snapshot.roles.labels


def _labels(table: pa.Table, snapshot: Snapshot) -> NDArray[np.int64] | NDArray[np.float64]:
    names = snapshot.roles.labels
    if snapshot.mask:
        return np.zeros(table.num_rows)
    if len(names) > 1:
        columns = [table[name].combine_chunks() for name in names]
        return label_flags(columns, names, lambda row: f"Row {row}").astype(np.int64)
    array = table[names[0]].combine_chunks()
    if snapshot.classes:
        return class_indices(array, snapshot.classes, lambda row: f"Row {row}").astype(np.int64)
    return label_numbers(array, lambda row: f"Row {row}").astype(np.float64)


def _labels_of(
    row_ids: Sequence[str], parts: Sequence[Path], snapshot: Snapshot
) -> NDArray[np.int64] | NDArray[np.float64]:
    """Labels of the training rows with these ids, in this order; only these are held in memory."""
    wanted = pa.array(row_ids, pa.string())
    read = [ROW_ID, *_label_columns(snapshot)]
    kept = [batch.filter(pc.is_in(batch[ROW_ID], value_set=wanted)) for batch in _batches(parts, read)]
    table = pa.Table.from_batches(kept)
    positions = pc.index_in(wanted, value_set=table[ROW_ID].combine_chunks())
    return _labels(table.take(positions), snapshot)


def _read_fingerprints(train: Path, test: Path, pictures: bool) -> Fingerprints:
    """Both parts' hashes on one numbering; beyond MAX_FINGERPRINTS rows, the same sample by hash from both."""
    files = [open_parquet(path) for path in (train, test)]
    share = min(1.0, MAX_FINGERPRINTS / max(sum(file.metadata.num_rows for file in files), 1))
    tables = [_hashes(path, share) for path in (train, test)]
    rows = _numbered(tables, "row_hash")
    entities = _numbered(tables, "entity_hash")
    return Fingerprints(
        train_ids=tables[0]["row_id"].to_pylist(),
        train=rows[0],
        test_ids=tables[1]["row_id"].to_pylist(),
        test=rows[1],
        train_entities=entities[0] if (entities[0] >= 0).any() else None,
        test_entities=entities[1] if (entities[1] >= 0).any() else None,
        share=share,
        sketches=_read_sketches((train, test), share, sum(table.num_rows for table in tables), pictures),
    )


def _read_sketches(paths: Sequence[Path], share: float, rows: int, pictures: bool) -> Sketches | None:
    """Sketches of the rows whose hashes were read, or of a sample of them; None in a snapshot that has none."""
    if any("sketch" not in open_parquet(path).schema_arrow.names for path in paths):
        return None
    kept = share * min(1.0, MAX_SKETCHES / max(rows, 1))
    read = [_sketches(path, share, kept) for path in paths]
    width = max((values.shape[1] for _, values in read), default=0)
    if not width:
        return None
    (train_rows, train), (test_rows, test) = read

    def numbers(values: NDArray[np.uint8]) -> NDArray[np.int8] | NDArray[np.uint64]:
        values = values.reshape(-1, width)
        return values.view(np.int8) if pictures else values.view(np.uint64)

    return Sketches(
        pictures=pictures,
        train_rows=train_rows,
        train=numbers(train),
        test_rows=test_rows,
        test=numbers(test),
        share=kept,
    )


def _sketches(path: Path, share: float, kept: float) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """Positions among the rows that `_hashes` keeps, and (rows, bytes) sketches."""
    positions: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    sketches, start = [], 0
    for batch in _batches((path,), ["row_hash", "sketch"]):
        batch = batch if share >= 1.0 else batch.filter(_below(batch, share))
        chosen = pc.and_(_below(batch, kept), pc.is_valid(batch["sketch"])).to_numpy(zero_copy_only=False)
        positions.append(start + np.flatnonzero(chosen))
        sketches.append(np.frombuffer(b"".join(batch["sketch"].filter(pa.array(chosen)).to_pylist()), np.uint8))
        start += batch.num_rows
    rows = np.concatenate(positions)
    values = np.concatenate(sketches) if sketches else np.empty(0, np.uint8)
    return rows, values.reshape(rows.size, -1) if rows.size else values.reshape(0, 0)


def _below(batch: pa.RecordBatch, share: float) -> pa.Array:
    """Which rows a sample by hash keeps; their order is a fair draw that treats equal rows alike."""
    if share >= 1.0:
        return pa.array(np.ones(batch.num_rows, bool))
    return pc.less(pc.utf8_slice_codeunits(batch["row_hash"], 0, 8), f"{int(share * 16**8):08x}")


def _hashes(path: Path, share: float) -> pa.Table:
    kept = [
        batch if share >= 1.0 else batch.filter(_below(batch, share))
        for batch in _batches((path,), ["row_id", "row_hash", "entity_hash"])
    ]
    return pa.Table.from_batches(kept)


def _numbered(tables: Sequence[pa.Table], column: str) -> list[NDArray[np.int64]]:
    """Equal texts of all tables to equal numbers, -1 where there is none."""
    joined = pa.concat_arrays([table[column].combine_chunks().cast(pa.string()) for table in tables])
    codes = pc.fill_null(joined.dictionary_encode().indices.cast(pa.int64()), -1).to_numpy(zero_copy_only=False)
    return [np.asarray(part) for part in np.split(codes, [tables[0].num_rows])]
