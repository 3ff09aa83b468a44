import multiprocessing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.data import png, snapshot_of

from darwin_core.contracts import ColumnKind, ColumnSchema, NetworkInput, Snapshot
from darwin_core.data import ROW_ID, decoding, map_split, read_columns
from darwin_core.data.decoders import StoredArray, flat_values
from darwin_core.errors import BindingError, DataError
from darwin_core.progress import Reporter, Tracker

ROWS = 500
RNG = np.random.default_rng(0)
AMOUNT = RNG.normal(size=ROWS)
COUNT = RNG.integers(0, 5, ROWS)
WORDS = np.array(["", "ä", "longer word"])[RNG.integers(0, 3, ROWS)]
LABELS = RNG.integers(0, 2, ROWS)

COLUMNS = (
    ColumnSchema(name="amount", kind=ColumnKind.NUMBER),
    ColumnSchema(name="count", kind=ColumnKind.INTEGER),
    ColumnSchema(name="word", kind=ColumnKind.STRING),
)
INPUTS = (
    NetworkInput(name="amount", shape=(1,), dtype="float32"),
    NetworkInput(name="word", shape=(), dtype="string"),
    NetworkInput(name="count", shape=(1,), dtype="int32"),
)


@pytest.fixture
def snapshot() -> Snapshot:
    return snapshot_of(COLUMNS, ("0", "1"), "y", weight="w")


def table(**changes: Any) -> pa.Table:
    columns = {
        ROW_ID: [f"row {n}" for n in range(ROWS)],
        "amount": AMOUNT,
        "count": COUNT,
        "word": pa.array([word or None for word in WORDS]),
        "y": LABELS,
        "w": np.ones(ROWS),
        "unread": ["x"] * ROWS,
    }
    return pa.table(columns | changes)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    pq.write_table(table(), tmp_path / "train.parquet")
    return tmp_path / "train.parquet"


def test_columns_become_arrays_of_the_inputs_types(part: Path, snapshot: Snapshot, tmp_path: Path) -> None:
    mapped = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    assert mapped.rows == ROWS
    batch = mapped.take(range(ROWS))
    assert np.array_equal(batch.inputs["amount"], AMOUNT.astype(np.float32)[:, None])
    assert np.array_equal(batch.inputs["count"], COUNT.astype(np.int32)[:, None])
    assert batch.inputs["count"].dtype == np.int32
    assert batch.inputs["word"].tolist() == [word.encode() for word in WORDS]
    assert np.array_equal(batch.labels, LABELS)
    assert batch.labels.dtype == np.int32
    assert batch.weights is not None
    assert batch.weights.dtype == np.float32
    assert mapped.row_ids[3] == "row 3"
    assert mapped.row_ids[1:3] == ["row 1", "row 2"]


@pytest.mark.parametrize("batch_size", [1, 7, ROWS, 2 * ROWS])
def test_batches_cover_every_row_once(part: Path, snapshot: Snapshot, tmp_path: Path, batch_size: int) -> None:
    mapped = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    for seed in (None, 5):
        rows = np.concatenate([batch.rows for batch in mapped.batches(batch_size, seed=seed)])
        assert np.array_equal(np.sort(rows), np.arange(ROWS))
        assert np.array_equal(rows, np.arange(ROWS)) is (seed is None)


def test_shuffled_batches_keep_rows_whole_and_repeat_with_the_seed(
    part: Path, snapshot: Snapshot, tmp_path: Path
) -> None:
    mapped = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    first, again, other = (next(mapped.batches(64, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(first.rows, again.rows)
    assert not np.array_equal(first.rows, other.rows)
    assert np.array_equal(first.inputs["amount"][:, 0], AMOUNT.astype(np.float32)[first.rows])
    assert np.array_equal(first.labels, LABELS[first.rows])


def test_limit_stops_early(part: Path, snapshot: Snapshot, tmp_path: Path) -> None:
    mapped = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    assert [len(batch.rows) for batch in mapped.batches(64, seed=1, limit=100)] == [64, 36]


def test_missing_numbers_are_nan_and_an_error_for_whole_number_inputs(tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "train.parquet"
    gap = [None, *AMOUNT[1:]]
    pq.write_table(table(amount=gap), path)
    mapped = map_split(path, snapshot, INPUTS, tmp_path / "cache", Reporter())
    assert np.isnan(mapped.inputs["amount"][0, 0])
    pq.write_table(table(count=pa.array([1, None, *COUNT[2:]])), path)
    with pytest.raises(DataError, match=r"Row row 1: column 'count' holds no value.*int32"):
        map_split(path, snapshot, INPUTS, tmp_path / "cache", Reporter())


def test_unknown_labels_name_their_row(tmp_path: Path, snapshot: Snapshot) -> None:
    path = tmp_path / "test.parquet"
    pq.write_table(table(y=[0, 1, 7, *LABELS[3:]]), path)
    with pytest.raises(DataError, match=r"Row row 2: label '7'"):
        map_split(path, snapshot, INPUTS, tmp_path / "cache", Reporter())


def test_inputs_without_columns_are_refused(part: Path, snapshot: Snapshot, tmp_path: Path) -> None:
    inputs = (NetworkInput(name="Amount", shape=(1,), dtype="float32"),)
    with pytest.raises(BindingError, match="'Amount' and 'amount'"):
        map_split(part, snapshot, inputs, tmp_path / "cache", Reporter())


def test_a_vector_input_takes_columns_side_by_side(part: Path, tmp_path: Path) -> None:
    snapshot = snapshot_of(COLUMNS[:2], (), "amount")
    inputs = (NetworkInput(name="vector", shape=(2,), dtype="float32"),)
    mapped = map_split(part, snapshot, inputs, tmp_path / "cache", Reporter())
    assert np.array_equal(mapped.inputs["vector"], np.stack([AMOUNT, COUNT], axis=1).astype(np.float32))
    assert mapped.labels.dtype == np.float32


@pytest.mark.parametrize("encoded", [True, False])
def test_images_are_kept_as_bytes_and_cast_in_batches(tmp_path: Path, *, encoded: bool) -> None:
    pixels = RNG.integers(0, 256, (20, 4, 5, 3), dtype=np.uint8)
    flat = pa.FixedSizeListArray.from_arrays(pa.array(pixels.reshape(-1)), 60)
    images = pa.array([png(image) for image in pixels]) if encoded else flat
    path = tmp_path / "train.parquet"
    pq.write_table(pa.table({ROW_ID: [str(n) for n in range(20)], "image": images, "y": [0, 1] * 10}), path)
    snapshot = snapshot_of([ColumnSchema(name="image", kind=ColumnKind.IMAGE, shape=(4, 5, 3))], ("0", "1"), "y")
    inputs = (NetworkInput(name="input_layer", shape=(4, 5, 3), dtype="float32"),)
    mapped = map_split(path, snapshot, inputs, tmp_path / "cache", Reporter())
    assert mapped.inputs["input_layer"].dtype == np.uint8
    batch = mapped.take([7, 3])
    assert batch.inputs["input_layer"].dtype == np.float32
    assert np.array_equal(batch.inputs["input_layer"], pixels[[7, 3]])


def test_decoding_happens_once(part: Path, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    monkeypatch.setattr(decoding, "_decode_all", pytest.fail)
    again = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    assert np.array_equal(first.labels, again.labels)


class _Killed(BaseException):
    pass


class _DyingReporter(Reporter):
    """Ends the work after some batches, as a kill would."""

    def track(self, title: str, total: float | None = None) -> Any:
        reporter = super().track(title, total)

        class Dying(Tracker):
            done = 0.0

            def advance(self, amount: float = 1, note: str = "") -> None:
                Dying.done += amount
                if Dying.done > ROWS / 2:
                    raise _Killed

        class Context:
            def __enter__(self) -> Tracker:
                reporter.__enter__()
                return Dying()

            def __exit__(self, *error: object) -> None:
                reporter.__exit__(None, None, None)

        return Context()


def test_a_killed_decoding_goes_on_where_it_was(
    part: Path, snapshot: Snapshot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "rows_per_batch", lambda row_bytes: 50)
    monkeypatch.setattr(decoding, "_SAVE_EVERY_SECONDS", 0.0)
    with pytest.raises(_Killed):
        map_split(part, snapshot, INPUTS, tmp_path / "cache", _DyingReporter())
    decoded: list[int] = []
    original = StoredArray.__init__

    def counting(self: StoredArray, name: str, dtype: Any, row_shape: Any, decode: Any) -> None:
        def counted(batch: pa.RecordBatch) -> Any:
            if name == "labels":
                decoded.append(batch.num_rows)
            return decode(batch)

        original(self, name, dtype, row_shape, counted)

    monkeypatch.setattr(StoredArray, "__init__", counting)
    mapped = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    assert 0 < sum(decoded) < ROWS / 2
    batch = mapped.take(range(ROWS))
    assert np.array_equal(batch.inputs["amount"][:, 0], AMOUNT.astype(np.float32))
    assert np.array_equal(batch.labels, LABELS)


def _map_in_process(part: Path, cache: Path) -> None:
    map_split(part, snapshot_of(COLUMNS, ("0", "1"), "y", weight="w"), INPUTS, cache, Reporter())


@pytest.fixture
def processes() -> Iterator[list[Any]]:
    started: list[Any] = []
    yield started
    for process in started:
        process.kill()


def test_processes_share_one_decoding(part: Path, snapshot: Snapshot, tmp_path: Path, processes: list[Any]) -> None:
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        processes.append(context.Process(target=_map_in_process, args=(part, tmp_path / "cache")))
        processes[-1].start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    mapped = map_split(part, snapshot, INPUTS, tmp_path / "cache", Reporter())
    assert np.array_equal(mapped.labels, LABELS)


def test_read_columns_reads_what_was_asked_for(part: Path) -> None:
    found = read_columns(part, ["word", ROW_ID])
    assert found.column_names == ["word", ROW_ID]
    with pytest.raises(DataError, match=r"train\.parquet has no column 'sex'"):
        read_columns(part, ["sex"])


def test_a_gap_in_an_array_is_named_where_numbers_are_whole() -> None:
    rows = [[1, 2], [3, None]]
    with pytest.raises(DataError, match=r"row 1: the array in column 'x' has a gap"):
        flat_values(pa.array(rows, pa.list_(pa.int64(), 2)), "x", "row {}".format)
    assert np.isnan(flat_values(pa.array(rows, pa.list_(pa.float32(), 2)), "x", "row {}".format)[3])
