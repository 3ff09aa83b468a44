"""Snapshots for networks with several labels, and for those with a class at every pixel."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from support.data import BINARY, multiclass, multilabel, numbers, opened, part_column, png, prepared

from darwin_core.contracts import DataRoles, NetworkInput, OutputKind, Task
from darwin_core.data.parts import Part
from darwin_core.data.sources import RowSource
from darwin_core.errors import DataError

ROWS = 400
RNG = np.random.default_rng(0)
INPUTS = numbers("amount", "age")
ROLES = DataRoles(label="y")


def columns(**changes: Any) -> dict[str, Any]:
    found = {
        "amount": RNG.normal(size=ROWS),
        "age": RNG.integers(20, 60, ROWS),
        "y": (np.arange(ROWS) % 4 == 0).astype(int),
    }
    return found | changes


def source(folder: Path, **changes: Any) -> RowSource:
    pq.write_table(pa.table(columns(**changes)), folder / "rows.parquet")
    return opened(folder / "rows.parquet")


TAGS = DataRoles(label="y", more_labels=("rare",))
RARE = (np.arange(ROWS) % 40 == 0).astype(int)


def test_several_labels_are_counted_and_split_by_the_rarest(tmp_path: Path) -> None:
    network = (INPUTS, multilabel(2))
    found = prepared(tmp_path / "a", source(tmp_path, rare=RARE), TAGS, network)
    assert found.classes == ("y", "rare")
    assert found.split_rule == "hash of the row's contents, stratified by the rarest label of a row"
    # 10 rows have both labels (their stratum is the rare one), 90 only y, 300 none.
    assert found.written.label_counts[Part.TEST] == {"y": 24, "rare": 2}
    assert sum(counts["rare"] for counts in found.written.label_counts.values()) == 10
    assert sum(part_column(found, "test", "rare")) == 2
    assert found.written.rows == {Part.TRAIN: 256, Part.VALIDATION: 45, Part.TEST: 99}


def test_a_part_without_a_label_is_noted(tmp_path: Path) -> None:
    once = (np.arange(ROWS) == 7).astype(int)
    found = prepared(tmp_path / "a", source(tmp_path, rare=once), TAGS, (INPUTS, multilabel(2)))
    assert "The test part has no row of 1 of the labels: 'rare'." in found.notes


@pytest.mark.parametrize(
    ("changes", "roles", "output", "words"),
    [
        ({}, {}, multilabel(3), ["predicts 3 labels", "names 2 label column(s): 'y', 'rare'"]),
        ({}, {"more_labels": ()}, multilabel(2), ["predicts 2 labels", "names 1 label column(s): 'y'"]),
        ({}, {}, BINARY, ["predicts one label", "binary", "'y', 'rare'"]),
        ({}, {}, multiclass(2), ["predicts one label", "multiclass"]),
        ({}, {"positive_label": "1"}, multilabel(2), ["positive label", "'1'"]),
        ({"rare": [2, *[0] * (ROWS - 1)]}, {}, multilabel(2), ["rows.parquet row 0", "'rare'", "got 2"]),
        ({"rare": [0, None, *[0] * (ROWS - 2)]}, {}, multilabel(2), ["rows.parquet row 1", "'rare'", "missing"]),
        ({}, {"more_labels": ("wind",)}, multilabel(2), ["'wind'", "do not have"]),
        ({}, {"features": ("amount", "rare")}, multilabel(2), ["label 'rare' is among the features"]),
    ],
)
def test_labels_that_do_not_fit_the_network_are_refused(
    tmp_path: Path, changes: dict[str, Any], roles: dict[str, Any], output: OutputKind, words: list[str]
) -> None:
    rows = source(tmp_path, **({"rare": RARE} | changes))
    with pytest.raises(DataError) as caught:
        prepared(tmp_path / "a", rows, DataRoles(**(TAGS.model_dump() | roles)), (INPUTS, output))
    for word in words:
        assert word in str(caught.value)


def test_a_label_column_is_named_once() -> None:
    with pytest.raises(ValidationError, match="'y' is named twice"):
        DataRoles(label="y", more_labels=("x", "y"))


def test_several_labels_may_stand_in_one_array(tmp_path: Path) -> None:
    network = (INPUTS, multilabel(2))
    flags = np.stack([columns()["y"], RARE], axis=1)
    np.savez(tmp_path / "rows.npz", y=flags.astype(np.float32), amount=RNG.normal(size=ROWS), age=np.arange(ROWS))
    found = prepared(tmp_path / "a", opened(tmp_path / "rows.npz"), ROLES, network)
    assert found.plan.roles.labels == found.classes == ("y[0]", "y[1]")
    assert found.written.label_counts[Part.TEST] == {"y[0]": 24, "y[1]": 2}
    kept = [int(name.split(":")[1]) for name in part_column(found, "train", "__row_id__")]
    assert part_column(found, "train", "y[1]") == RARE[kept].tolist()
    assert part_column(found, "train", "age") == kept
    pq.write_table(pa.table(columns(y=pa.array(flags.tolist()))), tmp_path / "lists.parquet")
    listed = prepared(tmp_path / "b", opened(tmp_path / "lists.parquet"), ROLES, network)
    assert listed.classes == found.classes
    with pytest.raises(DataError, match=r"predicts 3 labels.*'y'.*shape \(2,\)"):
        prepared(tmp_path / "c", opened(tmp_path / "rows.npz"), ROLES, (INPUTS, multilabel(3)))


def maps(classes: int, *shape: int) -> OutputKind:
    return OutputKind(task=Task.SEGMENTATION, units=classes, positions=shape, from_logits=True)


def pictured(folder: Path, masks: np.ndarray[Any, Any], *, encoded: bool = False) -> RowSource:
    pictures = pa.array([png(RNG.integers(0, 255, (4, 6, 3), dtype=np.uint8)) for _ in masks], pa.binary())
    label = pa.array([png(mask) for mask in masks], pa.binary()) if encoded else pa.array(masks.tolist())
    pq.write_table(pa.table({"image": pictures, "mask": label}), folder / "masks.parquet")
    return opened(folder / "masks.parquet")


SEEN = (NetworkInput(name="image", shape=(4, 6, 3), dtype="float32"),)


@pytest.mark.parametrize("encoded", [False, True])
def test_masks_are_arrays_or_grey_pictures(tmp_path: Path, encoded: bool) -> None:
    masks = np.zeros((40, 4, 6), np.uint8)
    masks[:10, 0] = 2
    rows = pictured(tmp_path, masks, encoded=encoded)
    found = prepared(tmp_path / "a", rows, DataRoles(label="mask"), (SEEN, maps(3, 4, 6)))
    assert found.classes == ("0", "1", "2")
    counts = [found.written.label_counts[part] for part in Part]
    assert sum(each["0"] for each in counts) == 40
    assert sum(each.get("2", 0) for each in counts) == 10
    assert found.split_rule == "hash of the row's contents"


@pytest.mark.parametrize(
    ("output", "value", "words"),
    [
        (maps(3, 4, 6), 3, ["masks.parquet row 5", "class indices 0 to 2", "got 3"]),
        (maps(3, 8, 8), 0, ["map of shape (8, 8)", "'mask'", "shape (4, 6)"]),
        (multiclass(3), 0, ["'mask' holds arrays"]),
    ],
)
def test_masks_that_do_not_fit_are_refused(tmp_path: Path, output: OutputKind, value: int, words: list[str]) -> None:
    masks = np.zeros((40, 4, 6), np.uint8)
    masks[5, 1, 1] = value
    with pytest.raises(DataError) as caught:
        prepared(tmp_path / "a", pictured(tmp_path, masks), DataRoles(label="mask"), (SEEN, output))
    for word in words:
        assert word in str(caught.value)


def test_a_label_of_single_values_is_no_mask(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"map of shape .*'y' holds integer values"):
        prepared(tmp_path / "a", source(tmp_path), ROLES, (INPUTS, maps(3, 4, 6)))
