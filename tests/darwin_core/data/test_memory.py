"""Memory must not grow with the data: ten times the rows, about the same peak."""

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.data import BINARY, numbers, opened, png, prepared, snapshot_of

from darwin_core.contracts import ColumnKind, ColumnSchema, DataRoles, NetworkInput
from darwin_core.data import map_split, parquet, profiles, splitting, writing
from darwin_core.data.sources import RowSource, align
from darwin_core.data.sources import csv as csv_module
from darwin_core.progress import Reporter

ROWS = 4_000


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces a hundredth of their real size, so that small files already take many of them."""
    monkeypatch.setattr(parquet, "MAX_BATCH_ROWS", 256)
    monkeypatch.setattr(parquet, "BATCH_BYTES", 1 << 18)
    monkeypatch.setattr(writing, "_MAX_GROUP_ROWS", 1024)
    monkeypatch.setattr(writing, "_GROUP_BYTES", 1 << 18)
    monkeypatch.setattr(splitting, "_CHUNK", 2048)
    monkeypatch.setattr(profiles, "_SAMPLE_ROWS", 500)
    monkeypatch.setattr(csv_module, "_BLOCK_BYTES", 1 << 15)


class Peak:
    """Highest number of bytes held by Arrow and by Python (numpy included) together."""

    total = 0


@contextmanager
def measured() -> Iterator[Peak]:
    peak, before = Peak(), pa.default_memory_pool()
    pool = pa.proxy_memory_pool(before)
    gc.collect()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        yield peak
        peak.total = pool.max_memory() + tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)


def table(rows: int) -> pa.Table:
    rng = np.random.default_rng(rows)
    numeric = {f"x{column}": rng.normal(size=rows) for column in range(8)}
    return pa.table({**numeric, "s": rng.choice(["a", "b", "c"], rows), "y": rng.integers(0, 2, rows)})


def write_parquet(folder: Path, rows: int) -> Path:
    path = folder / f"{rows}.parquet"
    # One row group, the worst case. Pages are what a reader must hold whole; here they are a hundredth as well.
    pq.write_table(table(rows), path, row_group_size=rows, use_dictionary=False, data_page_size=1 << 13)
    return path


def write_csv(folder: Path, rows: int) -> Path:
    path = folder / f"{rows}.csv"
    columns = table(rows).to_pydict()
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    return path


def write_npz(folder: Path, rows: int) -> Path:
    path = folder / f"{rows}.npz"
    np.savez_compressed(path, **{name: np.array(values) for name, values in table(rows).to_pydict().items()})
    return path


def drain(source: RowSource) -> int:
    schema = pa.schema(list(align(source).values()))
    return sum(batch.columns.num_rows for batch in source.batches(schema))


@pytest.mark.parametrize("write", [write_parquet, write_csv, write_npz])
def test_reading(tmp_path: Path, write: Callable[[Path, int], Path]) -> None:
    peaks = []
    for rows in (ROWS, 10 * ROWS):
        path = write(tmp_path, rows)
        with measured() as peak:
            assert drain(opened(path)) == rows
        peaks.append(peak.total)
    assert peaks[1] < 2 * peaks[0]


def test_preparing_a_table(tmp_path: Path) -> None:
    peaks = []
    for rows in (ROWS, 10 * ROWS):
        path = write_parquet(tmp_path, rows)
        with measured() as peak:
            prepared(
                tmp_path / f"snapshot-{rows}",
                opened(path),
                DataRoles(label="y"),
                (numbers(*(f"x{column}" for column in range(8))), BINARY),
            )
        peaks.append(peak.total)
    per_row = (peaks[1] - peaks[0]) / (9 * ROWS)
    assert per_row < 12  # marks of the split and page indices, against 80 bytes of numbers


def test_preparing_decoding_and_shuffling_images(tmp_path: Path) -> None:
    peaks = []
    inputs = (NetworkInput(name="x", shape=(32, 32, 3), dtype="float32"),)
    snapshot = snapshot_of([ColumnSchema(name="image", kind=ColumnKind.IMAGE, shape=(32, 32, 3))], ("0", "1"), "y")
    rng = np.random.default_rng(0)
    some = [png(rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)) for _ in range(50)]
    for rows in (400, 4000):
        path = tmp_path / f"{rows}.parquet"
        pq.write_table(pa.table({"image": [some[n % 50] for n in range(rows)], "y": np.arange(rows) % 2}), path)
        with measured() as peak:
            found = prepared(tmp_path / f"a{rows}", opened(path), DataRoles(label="y"), (inputs, BINARY))
            mapped = map_split(found.folder / "train.parquet", snapshot, inputs, tmp_path / f"c{rows}", Reporter())
            assert sum(len(batch.rows) for batch in mapped.batches(64, seed=1)) == mapped.rows
        peaks.append(peak.total)
    assert peaks[1] < 1.5 * peaks[0]
    assert peaks[1] < 4000 * 32 * 32 * 3 / 2  # half of the decoded bytes
