import datetime
import decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.data import opened, png, rows_of

from darwin_core.contracts import ColumnKind
from darwin_core.data.columns import column_schema
from darwin_core.data.sources import align
from darwin_core.errors import DataError

PICTURE = png(np.zeros((4, 5, 3), np.uint8))


def write(folder: Path, **columns: pa.Array) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(pa.table(columns), path)
    return path


def test_every_scalar_type_becomes_one_of_five_kinds(tmp_path: Path) -> None:
    noon = datetime.datetime(2020, 1, 2, 12)
    path = write(
        tmp_path,
        small=pa.array([1], pa.int8()),
        unsigned=pa.array([2**40], pa.uint64()),
        half=pa.array([0.5], pa.float32()),
        money=pa.array([decimal.Decimal("1.25")]),
        flag=pa.array([True]),
        word=pa.array(["a"], pa.large_string()),
        category=pa.array(["b"]).dictionary_encode(),
        raw=pa.array([b"c"]),
        day=pa.array([noon.date()]),
        moment=pa.array([noon], pa.timestamp("ns")),
        zoned=pa.array([noon], pa.timestamp("s", tz="Europe/Berlin")),
        nothing=pa.nulls(1),
    )
    source = opened(path)
    assert rows_of(source) == [
        {
            "small": 1,
            "unsigned": 2**40,
            "half": 0.5,
            "money": 1.25,
            "flag": True,
            "word": "a",
            "category": "b",
            "raw": "c",
            "day": datetime.datetime(2020, 1, 2),
            "moment": noon,
            "zoned": noon,
            "nothing": None,
        }
    ]
    assert source.unusable == {}


@pytest.mark.parametrize(
    ("values", "kind", "shape"),
    [
        (pa.array([PICTURE]), ColumnKind.IMAGE, (4, 5, 3)),
        (pa.array([{"bytes": PICTURE, "path": "a.png"}]), ColumnKind.IMAGE, (4, 5, 3)),
        (pa.array([[1.0, 2.0]]), ColumnKind.TENSOR, (2,)),
        (pa.array([[[1.0], [2.0]]]), ColumnKind.IMAGE, (2, 1)),
        (pa.array([[1, 2]], pa.list_(pa.int32(), 2)), ColumnKind.TENSOR, (2,)),
        (
            pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 4, 4, 3), np.uint8)),
            ColumnKind.IMAGE,
            (4, 4, 3),
        ),
    ],
)
def test_images_and_arrays_are_recognised(
    tmp_path: Path, values: pa.Array, kind: ColumnKind, shape: tuple[int, ...]
) -> None:
    source = opened(write(tmp_path, x=values))
    found = column_schema(align(source)["x"])
    assert (found.kind, found.shape) == (kind, shape)
    assert len(rows_of(source)) == 1


def test_types_that_are_no_use_are_set_aside(tmp_path: Path) -> None:
    path = write(tmp_path, a=pa.array([1]), b=pa.array([{"c": 1}]), d=pa.array([b"\xff\xfe"]), e=pa.array([["x"]]))
    source = opened(path)
    assert list(source.fields) == ["a"]
    assert set(source.unusable) == {"b", "d", "e"}


def test_ragged_arrays_name_their_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.parquet row 1.*\(2,\).*'x'"):
        rows_of(opened(write(tmp_path, x=pa.array([[1.0, 2.0], [3.0]]))))


def test_integers_that_do_not_fit_name_their_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows\.parquet row 1: column 'x' holds 18446744073709551615"):
        rows_of(opened(write(tmp_path, x=pa.array([1, 2**64 - 1], pa.uint64()))))


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, x=pa.array(np.random.default_rng(0).normal(size=10_000)))
    data = path.read_bytes()
    for size in (len(data) - 1, len(data) // 2, 3):
        path.write_bytes(data[:size])
        with pytest.raises(DataError, match=r"rows\.parquet.*truncated"):
            opened(path)


def test_damaged_pages_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    table = pa.table({"x": np.random.default_rng(0).normal(size=10_000)})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    data[40_000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"rows\.parquet cannot be read"):
        rows_of(opened(path))
