"""fetch-data with a real network, real files and the file store."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.s3 import S3Server

from darwin_core.contracts import (
    ArtifactRef,
    DataRoles,
    DataSource,
    FetchDataRequest,
    FetchDataResult,
    SliceSpec,
    Snapshot,
    SplitProfile,
    StepName,
    StorageOptions,
)
from darwin_core.data import map_split
from darwin_core.errors import BindingError, DarwinError, DataError, ObjectNotFoundError, StepError
from darwin_core.networks import load_network, network_inputs
from darwin_core.progress import Reporter
from darwin_core.steps.context import StepContext
from darwin_core.steps.runner import run_step
from darwin_core.storage import file_digest, open_store

ROWS = 400


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network over two numbers and a word."""
    inputs = {
        "amount": keras.Input((1,), name="amount"),
        "age": keras.Input((1,), name="age"),
        "sex": keras.Input((1,), name="sex", dtype="string"),
    }
    sex = keras.layers.StringLookup(vocabulary=["f", "m"], output_mode="one_hot")(inputs["sex"])
    x = keras.layers.Concatenate()([inputs["amount"], inputs["age"], sex])
    output = keras.layers.Dense(1, activation="sigmoid")(keras.layers.Dense(4, activation="relu")(x))
    model = keras.Model(inputs, output)
    model.compile("adam", loss="binary_crossentropy")
    path = tmp_path_factory.mktemp("reference") / "reference.keras"
    model.save(path)
    return path


def columns(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "customer": [f"c{n}" for n in range(ROWS)],
        "amount": rng.normal(size=ROWS),
        "age": rng.integers(20, 60, ROWS),
        "sex": ["m", "f"] * (ROWS // 2),
        "region": ["n", "s", "e", "w"] * (ROWS // 4),
        "y": (np.arange(ROWS) % 4 == 0).astype(int),
    } | changes


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(columns()), path)
    return path


def request(tmp_path: Path, reference: Path | str, train: Path | str, **changes: Any) -> FetchDataRequest:
    fields = {
        "line": str(tmp_path / "line"),
        "run_id": "night-1",
        "reference": str(reference),
        "train": DataSource.parse(str(train)),
        "roles": DataRoles(label="y", row_id="customer", slices=(SliceSpec(column="region"),)),
    }
    return FetchDataRequest(**(fields | changes))


def fetched(asked: FetchDataRequest, tmp_path: Path) -> tuple[FetchDataResult, Snapshot]:
    result = run_step(StepName.FETCH_DATA, asked, reporter=Reporter(), work_root=tmp_path / "work")
    assert isinstance(result, FetchDataResult)
    return result, Snapshot.from_json(Path(result.snapshot.uri).read_bytes())


def stored(tmp_path: Path) -> list[Path]:
    return sorted(path for path in (tmp_path / "line").rglob("*") if path.is_file())


def test_a_snapshot_holds_everything_a_run_reads(tmp_path: Path, reference: Path, data: Path) -> None:
    result, snapshot = fetched(request(tmp_path, reference, data), tmp_path)
    assert (result.train_rows, result.validation_rows, result.test_rows) == (255, 45, 100)
    assert [column.name for column in snapshot.columns] == ["amount", "age", "sex"]
    assert snapshot.classes == ("0", "1")
    assert snapshot.train.label_counts == {"0": 191, "1": 64}
    assert snapshot.sources == {str(data): file_digest(data).sha256}
    parts = (snapshot.train, snapshot.validation, snapshot.test)
    refs = [part.data for part in parts] + [snapshot.reference, snapshot.train_profile, snapshot.test_profile]
    for ref in refs:
        found = file_digest(Path(ref.uri))
        assert (found.sha256, found.size_bytes) == (ref.sha256, ref.size_bytes)
    profile = SplitProfile.from_json(Path(snapshot.test_profile.uri).read_bytes())
    assert profile.rows == 100
    assert pq.read_metadata(profile.fingerprints.uri).num_rows == 100
    mapped = map_split(
        Path(snapshot.train.data.uri),
        snapshot,
        network_inputs(load_network(reference)),
        tmp_path / "cache",
        Reporter(),
    )
    assert mapped.rows == 255


@pytest.mark.parametrize("line", ["line", "line/sealed/nightly"])
def test_only_the_test_part_is_sealed(tmp_path: Path, reference: Path, data: Path, line: str) -> None:
    """Whatever the folders above it are called."""
    _, snapshot = fetched(request(tmp_path, reference, data, line=str(tmp_path / line)), tmp_path)
    sealed = [path for path in stored(tmp_path) if path.parent.name == "sealed"]
    assert [str(path) for path in sealed] == [snapshot.test.data.uri]

    def context(step: StepName) -> StepContext:
        store = open_store(str(tmp_path))
        return StepContext(step, str(tmp_path / line), "night-1", "k", store, tmp_path, tmp_path / "cache", Reporter())

    def fetch(step: StepName, ref: ArtifactRef) -> Path:
        return context(step).fetch(ref)

    with pytest.raises(StepError, match="sealed"):
        fetch(StepName.SYNTHESIZE, snapshot.test.data)
    assert fetch(StepName.SYNTHESIZE, snapshot.train.data).exists()
    assert fetch(StepName.EVALUATE, snapshot.test.data).exists()
    assert not list((tmp_path / "work").rglob("test*.parquet"))  # no copy stays behind outside the seal


def test_the_same_inputs_give_the_same_snapshot(tmp_path: Path, reference: Path, data: Path) -> None:
    first, _ = fetched(request(tmp_path, reference, data), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in stored(tmp_path) if "/snapshots/" in str(path)}
    copy = tmp_path / "copy.parquet"
    copy.write_bytes(data.read_bytes())
    second, _ = fetched(request(tmp_path, reference, copy, run_id="night-2"), tmp_path)
    assert second.snapshot == first.snapshot
    after = {path: path.stat().st_mtime_ns for path in stored(tmp_path) if "/snapshots/" in str(path)}
    assert after == before


def test_new_rows_or_another_split_give_another_snapshot(tmp_path: Path, reference: Path, data: Path) -> None:
    first, _ = fetched(request(tmp_path, reference, data), tmp_path)
    pq.write_table(pa.table(columns()).slice(0, 396), data)
    second, _ = fetched(request(tmp_path, reference, data), tmp_path)
    assert second.snapshot.uri != first.snapshot.uri


def test_a_snapshot_that_was_cut_off_is_completed(tmp_path: Path, reference: Path, data: Path) -> None:
    first, snapshot = fetched(request(tmp_path, reference, data), tmp_path)
    for uri in (first.snapshot.uri, snapshot.test.data.uri):
        Path(uri).unlink()
    again, _ = fetched(request(tmp_path, reference, data), tmp_path)
    assert again.snapshot == first.snapshot
    assert Path(snapshot.test.data.uri).exists()


def test_all_files_below_a_prefix_are_read(tmp_path: Path, reference: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    table = pa.table(columns())
    pq.write_table(table.slice(0, 150), folder / "part-0.parquet")
    pq.write_table(table.slice(150), folder / "part-1.parquet")
    (folder / "_SUCCESS").touch()
    result, snapshot = fetched(request(tmp_path, reference, folder), tmp_path)
    assert result.train_rows + result.validation_rows + result.test_rows == ROWS
    assert len(snapshot.sources) == 2


def test_one_file_may_hold_train_and_test(tmp_path: Path, reference: Path, data: Path) -> None:
    asked = request(tmp_path, reference, f"{data}#region=n|s|e", test=DataSource.parse(f"{data}#region=w"))
    result, snapshot = fetched(asked, tmp_path)
    assert (result.train_rows + result.validation_rows, result.test_rows) == (300, 100)
    assert set(pq.read_table(snapshot.test.data.uri, columns=["region"])["region"].to_pylist()) == {"w"}


def test_csv_and_parquet_give_the_same_rows(tmp_path: Path, reference: Path, data: Path) -> None:
    lines = [",".join(map(str, row)) for row in zip(*columns().values(), strict=True)]
    text = tmp_path / "rows.csv"
    text.write_text("\n".join([",".join(columns()), *lines]))
    _, from_parquet = fetched(request(tmp_path, reference, data), tmp_path)
    _, from_csv = fetched(request(tmp_path, reference, text, run_id="csv"), tmp_path)
    assert from_csv.train.data.sha256 == from_parquet.train.data.sha256
    assert from_csv.test.data.sha256 == from_parquet.test.data.sha256


@pytest.mark.parametrize(
    ("changes", "kind", "words"),
    [
        ({"Amount": columns()["amount"], "amount": None}, BindingError, ["'amount'", "'Amount'", "Near misses"]),
        ({"sex": np.arange(ROWS) * 0.5}, BindingError, ["'sex'", "string", "number"]),
        ({"y": None}, DataError, ["'y'"]),
        ({"y": [0, 1, 2, 3] * 100}, DataError, ["2 classes", "have 4"]),
    ],
)
def test_data_that_do_not_fit_leave_no_snapshot(
    tmp_path: Path, reference: Path, changes: dict[str, Any], kind: type[DarwinError], words: list[str]
) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({name: values for name, values in columns(**changes).items() if values is not None}), path)
    with pytest.raises(kind) as caught:
        fetched(request(tmp_path, reference, path), tmp_path)
    for word in words:
        assert word in str(caught.value)
    assert not [path for path in stored(tmp_path) if "/snapshots/" in str(path)]
    assert not [path for path in stored(tmp_path) if path.name == "result.json"]


@pytest.mark.parametrize("content", [b"", b"PAR1 but no more"])
def test_damaged_files_leave_no_snapshot(tmp_path: Path, reference: Path, content: bytes) -> None:
    path = tmp_path / "rows.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"rows\.parquet"):
        fetched(request(tmp_path, reference, path), tmp_path)
    assert not [path for path in stored(tmp_path) if "/snapshots/" in str(path)]


def test_an_unknown_label_in_the_test_rows_leaves_no_snapshot(tmp_path: Path, reference: Path, data: Path) -> None:
    test = tmp_path / "test.parquet"
    pq.write_table(pa.table(columns(y=[0, 1, 9, 0] * 100)), test)
    with pytest.raises(DataError, match=r"test\.parquet row 2: label '9'"):
        fetched(request(tmp_path, reference, data, test=DataSource(uri=str(test))), tmp_path)
    assert not [path for path in stored(tmp_path) if "/snapshots/" in str(path)]


def test_missing_objects_are_named(tmp_path: Path, reference: Path, data: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"nowhere\.keras"):
        fetched(request(tmp_path, tmp_path / "nowhere.keras", data), tmp_path)
    with pytest.raises(DataError, match=r"nowhere\.parquet"):
        fetched(request(tmp_path, reference, tmp_path / "nowhere.parquet"), tmp_path)


def test_everything_may_lie_in_a_bucket(
    tmp_path: Path, reference: Path, data: Path, s3_environment: S3Server, s3_bucket: str
) -> None:
    """Sources as a folder of parts in S3, the line in another folder of the bucket; twice the same snapshot."""
    options = StorageOptions(endpoint_url=s3_environment.endpoint, region="us-east-1", path_style=True)
    root = f"s3://{s3_bucket}"
    store = open_store(root, options)
    store.upload(data, f"{root}/rows/part-0.parquet")
    store.upload(reference, f"{root}/reference.keras")
    results = []
    for run_id in ("night-1", "night-2"):
        asked = request(
            tmp_path, f"{root}/reference.keras", f"{root}/rows", line=f"{root}/line", run_id=run_id, storage=options
        )
        results.append(run_step(StepName.FETCH_DATA, asked, reporter=Reporter(), work_root=tmp_path / "work"))
    first, second = (result for result in results if isinstance(result, FetchDataResult))
    assert first.snapshot == second.snapshot
    names = sorted(info.uri.rsplit("/snapshots/")[1].partition("/")[2] for info in store.list(f"{root}/line/snapshots"))
    assert names == [
        "reference.keras",
        "sealed/test.parquet",
        "snapshot.json",
        "test_fingerprints.parquet",
        "test_profile.json",
        "train.parquet",
        "train_fingerprints.parquet",
        "train_profile.json",
        "validation.parquet",
    ]
