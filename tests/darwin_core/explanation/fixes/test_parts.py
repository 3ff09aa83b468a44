"""Rows as fixes leave them, in memory and as files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from darwin_core.contracts import ColumnKind, ColumnSchema, DataRoles, NetworkInput, SliceSpec
from darwin_core.data import ROW_ID, BoundInput, MappedSplit
from darwin_core.explanation.fixes import Part
from darwin_core.explanation.fixes.writing import write_part

ROLES = DataRoles(label="fraud", row_id="id")
BOUND = tuple(
    BoundInput(NetworkInput(name=name, shape=(1,), dtype=dtype), (ColumnSchema(name=name, kind=kind),))
    for name, dtype, kind in (
        ("amount", "float32", ColumnKind.NUMBER),
        ("browser", "string", ColumnKind.STRING),
    )
)


def split(weights: np.ndarray | None = None) -> MappedSplit:
    inputs = {
        "amount": np.arange(6, dtype=np.float32)[:, None],
        "browser": np.array([b"a", b"b", b"", b"a", b"b", b"a"])[:, None],
    }
    types = {name: values.dtype for name, values in inputs.items()}
    return MappedSplit(inputs, types, np.array([0, 1, 0, 1, 0, 1], np.int32), weights, [f"r{row}" for row in range(6)])


def write(
    folder: Path, part: Part, roles: DataRoles = ROLES, seed: int = 0, named: list[int] | None = None
) -> pa.Table:
    table = pa.table(
        {
            ROW_ID: [f"r{row}" for row in range(6)],
            "amount": pa.array(np.arange(6.0)),
            "browser": pa.array(["a", "b", None, "a", "b", "a"]),
            "fraud": [0, 1, 0, 1, 0, 1],
        }
    )
    if named is not None:
        table = table.append_column("id", pa.array(named))
    pq.write_table(table, folder / "source.parquet")
    write_part(folder / "source.parquet", folder / "part.parquet", part, BOUND, roles, np.random.default_rng(seed))
    return pq.read_table(folder / "part.parquet")


def batch_of(part: Part, rows: list[int]):
    return part.batch(part.split.take(np.array(rows)))


def test_weights_of_a_fix_multiply_those_of_the_rows() -> None:
    own = np.array([1, 2, 3, 4, 5, 6], np.float32)
    changed = batch_of(Part(split(own), weights=np.array([2.0, 0.5, 1.0, 0.0, 1.0, 3.0])), [5, 3, 1, 0])
    np.testing.assert_array_equal(changed.rows, [5, 1, 0])
    np.testing.assert_allclose(changed.weights, [18.0, 1.0, 2.0])
    np.testing.assert_array_equal(changed.labels, [1, 1, 0])
    np.testing.assert_array_equal(changed.inputs["amount"][:, 0], [5, 1, 0])


def test_a_part_that_only_weights_keeps_its_own_weights_of_one() -> None:
    assert batch_of(Part(split()), [0, 1]).weights is None
    np.testing.assert_allclose(batch_of(Part(split(), weights=np.full(6, 0.25)), [0, 1]).weights, 0.25)


def test_longer_text_finds_room_and_other_inputs_stay() -> None:
    part = Part(split(), np.array([1, 4]), {"browser": np.array([[b"firefox"], [b"opera"]])})
    inputs = batch_of(part, [4, 0, 1]).inputs
    np.testing.assert_array_equal(inputs["browser"][:, 0], [b"opera", b"a", b"firefox"])
    np.testing.assert_array_equal(inputs["amount"][:, 0], [4, 0, 1])
    assert part.split.inputs["browser"].dtype == "S1", "the part itself is as it was"
    assert part.changed_rows == 2


def test_augmenting_comes_last_and_sees_what_is_left() -> None:
    seen = []

    def augment(inputs):
        seen.append(inputs["amount"][:, 0].tolist())
        return {**inputs, "amount": inputs["amount"] + 10}

    part = Part(split(), weights=np.array([1.0, 0, 1, 0, 0, 0]), augment=augment)
    np.testing.assert_array_equal(batch_of(part, [0, 1, 2]).inputs["amount"][:, 0], [10, 12])
    assert len(batch_of(part, [3, 4]).rows) == 0
    assert seen == [[0, 2]]


def test_a_file_holds_rows_as_often_as_they_count_under_names_of_their_own(tmp_path: Path) -> None:
    table = write(tmp_path, Part(split(), weights=np.array([0.0, 1.0, 3.0, 1.0, 0.0, 1.0])))
    assert table["id"].to_pylist() == ["r1", "r2", "r2#2", "r2#3", "r3", "r5"]
    assert table["browser"].to_pylist() == ["b", None, None, None, "a", "a"]


def test_copies_have_names_of_their_own_also_where_the_snapshot_keeps_the_column_of_names(tmp_path: Path) -> None:
    part = Part(split(), weights=np.array([2.0, 1.0, 0.0, 0.0, 0.0, 0.0]))
    written = write(tmp_path, part, named=[7, 8, 9, 10, 11, 12])
    assert written.column_names == ["amount", "browser", "fraud", "id"]
    assert written["id"].to_pylist() == [7, -1, 8]
    assert write(tmp_path, Part(split()), named=[7, 8, 9, 10, 11, 12])["id"].to_pylist() == [7, 8, 9, 10, 11, 12]


def test_part_of_a_row_is_drawn(tmp_path: Path) -> None:
    part = Part(split(), weights=np.full(6, 1.5))
    sizes = [write(tmp_path, part, seed=seed).num_rows for seed in range(40)]
    assert 6 <= min(sizes) < max(sizes) <= 12
    assert 8.2 < np.mean(sizes) < 9.8


def test_a_dropped_column_goes_unless_it_has_another_part(tmp_path: Path) -> None:
    part = Part(split(), dropped=("browser",))
    assert write(tmp_path, part).column_names == ["id", "amount", "fraud"]
    sliced = ROLES.model_copy(update={"slices": (SliceSpec(column="browser"),)})
    assert write(tmp_path, part, sliced).column_names == ["id", "amount", "browser", "fraud"]
    assert part.changed_rows == 6


def test_changed_text_and_numbers_are_written(tmp_path: Path) -> None:
    inputs = {"browser": np.array([[b""], [b"opera"]]), "amount": np.array([[7.5], [np.nan]], np.float32)}
    table = write(tmp_path, Part(split(), np.array([0, 4]), inputs))
    assert table["browser"].to_pylist() == [None, "b", None, "a", "opera", "a"]
    assert table["amount"].to_pylist() == [7.5, 1, 2, 3, None, 5]
