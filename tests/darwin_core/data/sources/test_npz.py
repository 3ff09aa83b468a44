from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.data import opened, rows_of

from darwin_core.contracts import ColumnKind
from darwin_core.data import parquet
from darwin_core.data.columns import column_schema
from darwin_core.data.sources import align
from darwin_core.errors import DataError

RNG = np.random.default_rng(0)


def write(folder: Path, *, compressed: bool = False, **members: Any) -> Path:
    path = folder / "arrays.npz"
    (np.savez_compressed if compressed else np.savez)(path, **members)
    return path


@pytest.mark.parametrize("compressed", [False, True])
def test_members_are_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, compressed: bool) -> None:
    monkeypatch.setattr(parquet, "BATCH_BYTES", 20 * (8 * 8 * 3 + 40))  # several chunks
    x = RNG.integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
    path = write(
        tmp_path, compressed=compressed, x=x, y=np.arange(50), v=RNG.normal(size=(50, 4)), s=np.array(["ä", "b"] * 25)
    )
    source = opened(path)
    found = {name: (column_schema(field).kind, column_schema(field).shape) for name, field in align(source).items()}
    assert found == {
        "x": (ColumnKind.IMAGE, (8, 8, 3)),
        "y": (ColumnKind.INTEGER, ()),
        "v": (ColumnKind.TENSOR, (4,)),
        "s": (ColumnKind.STRING, ()),
    }
    rows = rows_of(source)
    assert [row["y"] for row in rows] == list(range(50))
    assert np.array_equal(np.array([row["x"] for row in rows], np.uint8).reshape(x.shape), x)
    assert rows[0]["s"] == "ä"


def test_train_and_test_members_become_a_split_column(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        x_train=np.zeros((3, 4, 4), np.uint8),
        y_train=np.arange(3),
        x_test=np.ones((2, 4, 4), np.uint8),
        y_test=np.arange(2) + 10,
    )
    assert [row["y"] for row in rows_of(opened(path, "#split=test"))] == [10, 11]
    assert [row["y"] for row in rows_of(opened(path))] == [0, 1, 2, 10, 11]


def test_types_that_are_no_numbers_are_unusable(tmp_path: Path) -> None:
    source = opened(write(tmp_path, x=np.zeros(3), z=np.zeros(3, complex)))
    assert list(source.fields) == ["x"]
    assert list(source.unusable) == ["z"]


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, ["'x' has 3 rows", "'y' has 4"]),
        ({"x": np.array([{}, {}], object)}, ["'x'", "pickled"]),
        ({"x": np.asfortranarray(np.zeros((3, 4)))}, ["'x'", "column order"]),
        ({"x": np.float64(1)}, ["'x'", "single value"]),
        ({"x_train": np.zeros((2, 3), np.uint8), "x_test": np.zeros((2, 3))}, ["'x'", "uint8", "float64", "'test'"]),
        ({"x_train": np.zeros((2, 3, 1)), "x_test": np.zeros((2, 1, 3))}, ["'x'", "(3, 1)", "(1, 3)"]),
        ({"x_train": np.zeros(2), "y_train": np.zeros(2), "x_test": np.zeros(2)}, ["'y'", "nothing in part 'test'"]),
    ],
)
def test_members_that_cannot_be_rows_are_refused(tmp_path: Path, members: dict[str, Any], words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        opened(write(tmp_path, **members))
    for word in ["arrays.npz", *words]:
        assert word in str(caught.value)


def test_truncated_archives_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, x=np.zeros((100, 100)))
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=r"arrays\.npz cannot be read as NPZ"):
        opened(path)


def test_damaged_members_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, compressed=True, x=RNG.normal(size=(1000, 10)))
    data = bytearray(path.read_bytes())
    data[5000:5100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"arrays\.npz cannot be read as NPZ"):
        rows_of(opened(path))
