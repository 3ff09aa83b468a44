"""Parquet part -> memory-mapped arrays, once: bounded memory, resumable after a kill, shared by content."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from darwin_core.contracts import NetworkInput, Snapshot
from darwin_core.data.binding import BoundInput, bind_inputs
from darwin_core.data.columns import ROW_ID
from darwin_core.data.decoders import (
    StoredArray,
    as_utf8,
    batch_dtype,
    input_array,
    label_array,
    number_array,
    text_array,
)
from darwin_core.data.mapped import Array, MappedSplit, RowIds
from darwin_core.data.parquet import iter_parquet, open_parquet, rows_per_batch
from darwin_core.progress import Reporter, Tracker
from darwin_core.storage import atomic_file, file_digest

_LAYOUT = 1
_SAVE_EVERY_SECONDS = 2.0


def map_split(
    parquet_path: Path, snapshot: Snapshot, inputs: Sequence[NetworkInput], cache_dir: Path, reporter: Reporter
) -> MappedSplit:
    """Decode a part of a snapshot into memory-mapped arrays, or find them decoded already.

    Args:
        parquet_path: The part as a local file.
        snapshot: The snapshot it belongs to: roles, columns, classes.
        inputs: The network's inputs.
        cache_dir: Where decoded parts are kept, by content.
        reporter: Where progress goes.

    Raises:
        BindingError: The columns do not fit the inputs.
        DataError: A value cannot be decoded or is missing where it must not be; row and column are named.
    """
    bound = bind_inputs(inputs, snapshot.columns)
    folder = cache_dir / "decoded" / _key(parquet_path, snapshot, inputs)
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not (folder / "complete").exists():
            _decode(parquet_path, snapshot, bound, folder, reporter)
            # Arrow keeps what it read into for the next file; what comes now wants the memory.
            pa.default_memory_pool().release_unused()
    # Plain arrays over the maps: numpy's memmap class spends more time on wrapping than small batches take to read.
    maps = {path.stem: np.load(path, mmap_mode="r").view(np.ndarray) for path in folder.glob("*.npy")}
    return MappedSplit(
        inputs={item.input.name: maps[f"input_{position}"] for position, item in enumerate(bound)},
        input_types={item.input.name: batch_dtype(item.input) for item in bound},
        labels=maps["labels"],
        weights=maps.get("weights"),
        row_ids=RowIds(maps["row_ids"]),
    )


def _decode(
    parquet_path: Path, snapshot: Snapshot, bound: Sequence[BoundInput], folder: Path, reporter: Reporter
) -> None:
    file = open_parquet(parquet_path)
    arrays = _planned_arrays(file, parquet_path.name, snapshot, bound)
    batches = iter_parquet(
        file,
        _columns_read(snapshot, bound),
        rows_per_batch(sum(array.row_bytes for array in arrays)),
        name=parquet_path.name,
    )
    with reporter.track(f"Decoding {parquet_path.name}", file.metadata.num_rows) as tracker:
        _decode_all(batches, file.metadata.num_rows, arrays, folder, tracker)
    _write_text(folder / "complete", "")


def _key(path: Path, snapshot: Snapshot, inputs: Sequence[NetworkInput]) -> str:
    content = file_digest(path).sha256
    meaning = json.dumps(
        {
            "layout": _LAYOUT,
            "inputs": [item.model_dump(mode="json") for item in inputs],
            "columns": [[column.name, column.kind, column.shape] for column in snapshot.columns],
            "classes": snapshot.classes,
            "labels": snapshot.roles.labels,
            "mask": snapshot.mask,
            "weight": snapshot.roles.weight,
        }
    )
    return f"{content[:20]}-{hashlib.sha256(meaning.encode()).hexdigest()[:12]}"


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time; the lock of a killed process is free again."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _planned_arrays(
    file: pq.ParquetFile, name: str, snapshot: Snapshot, bound: Sequence[BoundInput]
) -> list[StoredArray]:
    text_columns = {ROW_ID} | {item.columns[0].name for item in bound if item.input.dtype == "string"}
    widths = dict.fromkeys(text_columns, 1)
    for batch in iter_parquet(file, sorted(text_columns), rows_per_batch(256), name=name):
        for column in text_columns:
            widths[column] = max(widths[column], pc.max(pc.binary_length(as_utf8(batch[column]))).as_py() or 1)
    arrays = [
        label_array(snapshot.roles.labels, snapshot.classes, snapshot.mask),
        text_array("row_ids", ROW_ID, widths[ROW_ID]),
    ]
    if snapshot.roles.weight is not None:
        arrays.append(number_array("weights", [snapshot.roles.weight], np.dtype(np.float32), ()))
    schema = file.schema_arrow
    arrays += [input_array(f"input_{position}", item, schema, widths) for position, item in enumerate(bound)]
    return arrays


def _columns_read(snapshot: Snapshot, bound: Sequence[BoundInput]) -> list[str]:
    roles = snapshot.roles
    named = [ROW_ID, *roles.labels, *([] if roles.weight is None else [roles.weight])]
    return list(dict.fromkeys(named + [column.name for item in bound for column in item.columns]))


def _decode_all(
    batches: Iterator[pa.RecordBatch], rows: int, arrays: Sequence[StoredArray], folder: Path, tracker: Tracker
) -> None:
    progress = folder / "progress"
    done = int(progress.read_text()) if progress.exists() else 0
    maps = [_open_map(folder / f"{array.name}.npy", array, rows, fresh=done == 0) for array in arrays]
    saved_at = time.monotonic()
    start = 0
    for batch in batches:
        end = start + batch.num_rows
        if end > done:
            for array, target in zip(arrays, maps, strict=True):
                target[start:end] = array.decode(batch).reshape(-1, *array.row_shape)
            if time.monotonic() - saved_at > _SAVE_EVERY_SECONDS:
                _flush(maps)
                _write_text(progress, str(end))
                saved_at = time.monotonic()
        start = end
        tracker.advance(batch.num_rows)
    _flush(maps)


def _open_map(path: Path, array: StoredArray, rows: int, *, fresh: bool) -> Array:
    mapped: Array = np.lib.format.open_memmap(
        path, mode="w+" if fresh else "r+", dtype=array.dtype, shape=(rows, *array.row_shape)
    )
    return mapped


def _flush(maps: Sequence[Array]) -> None:
    for target in maps:
        if isinstance(target, np.memmap):
            target.flush()


def _write_text(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())
