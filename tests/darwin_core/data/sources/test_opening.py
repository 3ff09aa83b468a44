import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.data import opened, rows_of

from darwin_core.contracts import DataSource
from darwin_core.data.sources import LocalFile, RowSource, align, is_data_file, open_source
from darwin_core.errors import DataError


def files(*paths: Path) -> list[LocalFile]:
    return [LocalFile(path, path.name) for path in paths]


def part(path: Path, **columns: object) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def source(text: str, *paths: Path) -> RowSource:
    return open_source(DataSource.parse(text), files(*paths))


def test_the_first_bytes_decide_where_the_name_does_not(tmp_path: Path) -> None:
    known = {"rows.parquet": part(tmp_path / "a.parquet", a=[1]), "rows.npz": tmp_path / "a.npz"}
    np.savez(known["rows.npz"], a=np.array([1]))
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    for path in [*known.values(), tmp_path / "a.csv"]:
        bare = tmp_path / "bare"
        shutil.copy(path, bare)
        assert rows_of(opened(bare))[0]["a"] == 1


def test_files_of_no_known_format_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_bytes(bytes(100))
    with pytest.raises(DataError, match=r"notes is neither Parquet, CSV, TFRecord nor NPZ"):
        opened(path)


def test_nothing_there_is_refused() -> None:
    with pytest.raises(DataError, match="Nothing lies at here"):
        source("here")


def test_parts_are_read_in_name_order_and_rows_counted_through(tmp_path: Path) -> None:
    second = part(tmp_path / "part-2.parquet", a=[2, 3], b=["x", "y"])
    first = part(tmp_path / "part-1.parquet", a=[0, 1], b=["y", "x"])
    found = source("parts#b=x", second, first)
    batches = list(found.batches(pa.schema([found.fields["a"]])))
    assert [row["a"] for batch in batches for row in batch.columns.to_pylist()] == [1, 2]
    assert [number for batch in batches for number in batch.numbers] == [1, 2]
    assert [batch.row_name(0) for batch in batches] == ["part-1.parquet row 1", "part-2.parquet row 0"]
    assert found.rows == 4


def test_conditions_compare_values_as_text(tmp_path: Path) -> None:
    path = part(tmp_path / "a.parquet", a=[1, 2, 3], f=[1.0, 2.5, 1.0], flag=[True, False, None])
    assert [row["a"] for row in rows_of(source("x#a=1|3", path))] == [1, 3]
    assert [row["a"] for row in rows_of(source("x#f=2.5", path))] == [2]
    assert [row["a"] for row in rows_of(source("x#flag=1&a=1|2", path))] == [1]


def test_conditions_on_unknown_columns_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'day'.*'a'"):
        source("x#day=1", part(tmp_path / "a.parquet", a=[1]))


def test_files_of_one_source_widen_to_a_common_type(tmp_path: Path) -> None:
    paths = [
        part(tmp_path / "1.parquet", a=pa.array([1]), b=pa.nulls(1)),
        part(tmp_path / "2.parquet", a=pa.array([2.5]), b=pa.array(["x"])),
    ]
    assert rows_of(source("x", *paths)) == [{"a": 1.0, "b": None}, {"a": 2.5, "b": "x"}]


def test_files_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    first, second = part(tmp_path / "1.parquet", a=[1]), part(tmp_path / "2.parquet", a=["x"])
    with pytest.raises(DataError, match=r"Column 'a' holds integer in one and string in the other of 1\.parquet"):
        source("x", first, second)
    with pytest.raises(DataError, match=r"2\.parquet has no column 'a'"):
        source("x", first, part(tmp_path / "2.parquet", b=[1]))


def test_sources_keep_the_columns_they_share(tmp_path: Path) -> None:
    train = source("train", part(tmp_path / "1.parquet", a=[1], only_here=[1], b=[1]))
    test = source("test", part(tmp_path / "2.parquet", b=[0.5], a=[2]))
    assert {name: field.type for name, field in align(train, test).items()} == {"a": pa.int64(), "b": pa.float64()}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/part-0.parquet", True),
        ("a/_SUCCESS", False),
        ("a/.part-0.crc", False),
        ("rows.csv", True),
        (".ipynb_checkpoints/a.parquet", False),
        ("_delta_log/0.json", False),
        ("day=1/a.parquet", True),
    ],
)
def test_markers_are_no_data(name: str, *, expected: bool) -> None:
    assert is_data_file(*name.split("/")) is expected
