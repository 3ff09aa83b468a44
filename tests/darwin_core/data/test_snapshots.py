from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.data import BINARY, REGRESSION, multiclass, numbers, opened, part_column, png, prepared

from darwin_core.contracts import ColumnKind, DataRoles, NetworkInput, SliceSpec, SplitConfig
from darwin_core.data import snapshots
from darwin_core.data.parts import Part
from darwin_core.data.snapshots import content_digest
from darwin_core.data.sources import RowSource
from darwin_core.errors import BindingError, DataError

ROWS = 400
RNG = np.random.default_rng(0)
NETWORK = (numbers("amount", "age"), BINARY)
ROLES = DataRoles(label="y")


def columns(**changes: Any) -> dict[str, Any]:
    found = {
        "customer": [f"c{n}" for n in range(ROWS)],
        "amount": RNG.normal(size=ROWS),
        "age": RNG.integers(20, 60, ROWS),
        "sex": ["m", "f"] * (ROWS // 2),
        "note": ["free text"] * ROWS,
        "day": np.arange(ROWS) // 4,
        "y": (np.arange(ROWS) % 4 == 0).astype(int),
    } | changes
    return {name: values for name, values in found.items() if values is not None}


def source(folder: Path, name: str = "rows", **changes: Any) -> RowSource:
    pq.write_table(pa.table(columns(**changes)), folder / f"{name}.parquet")
    return opened(folder / f"{name}.parquet")


def test_rows_go_to_exactly_one_part_in_their_order(tmp_path: Path) -> None:
    found = prepared(tmp_path / "a", source(tmp_path), ROLES, NETWORK)
    ids = {part: part_column(found, part.name.lower(), "__row_id__") for part in Part}
    assert sorted(name for names in ids.values() for name in names) == sorted(f"train:{n}" for n in range(ROWS))
    for part in Part:
        assert ids[part] == sorted(ids[part], key=lambda name: int(name.split(":")[1]))
        assert found.written.rows[part] == len(ids[part])
    assert found.written.rows == {Part.TRAIN: 255, Part.VALIDATION: 45, Part.TEST: 100}
    assert found.written.label_counts[Part.TEST] == {"0": 75, "1": 25}
    assert found.classes == ("0", "1")


def test_only_named_columns_and_those_the_network_reads_are_kept(tmp_path: Path) -> None:
    roles = DataRoles(
        label="y", row_id="customer", exclude=("note", "sex"), slices=(SliceSpec(column="sex"),), time="day"
    )
    found = prepared(tmp_path / "a", source(tmp_path), roles, NETWORK)
    assert pq.read_schema(found.folder / "train.parquet").names == [
        *("__row_id__", "customer", "amount", "age", "sex", "day", "y")
    ]
    assert [column.name for column in found.written.columns] == ["amount", "age"]
    assert part_column(found, "test", "__row_id__")[0].startswith("c")
    assert min(part_column(found, "test", "day")) > max(part_column(found, "validation", "day"))
    assert found.notes == ()
    plain = prepared(tmp_path / "b", source(tmp_path), ROLES, NETWORK)
    assert any("'note'" in note and "'sex'" in note for note in plain.notes)


def test_given_parts_are_taken_as_they_are(tmp_path: Path) -> None:
    train, other = source(tmp_path, "train"), source(tmp_path, "other")
    found = prepared(tmp_path / "a", train, ROLES, NETWORK, test=other)
    assert found.written.rows == {Part.TRAIN: 340, Part.VALIDATION: 60, Part.TEST: ROWS}
    assert part_column(found, "test", "__row_id__")[0] == "test:0"
    assert "test rows as given" in found.split_rule
    found = prepared(tmp_path / "b", train, ROLES, NETWORK, test=other, validation=other)
    assert found.written.rows == {Part.TRAIN: ROWS, Part.VALIDATION: ROWS, Part.TEST: ROWS}


def test_equal_inputs_give_equal_bytes_and_names(tmp_path: Path) -> None:
    first = prepared(tmp_path / "a", source(tmp_path), ROLES, NETWORK)
    again = prepared(tmp_path / "b", opened(tmp_path / "rows.parquet"), ROLES, NETWORK)
    for name in ("train.parquet", "validation.parquet", "test.parquet", "train_fingerprints.parquet"):
        assert (first.folder / name).read_bytes() == (again.folder / name).read_bytes()
    digests = {"train.parquet": "a"}
    assert content_digest(first, SplitConfig(), digests) == content_digest(again, SplitConfig(), digests)
    assert content_digest(first, SplitConfig(), digests) != content_digest(first, SplitConfig(), {"train.parquet": "b"})
    other = prepared(tmp_path / "c", opened(tmp_path / "rows.parquet"), ROLES, NETWORK, split=SplitConfig(seed=1))
    assert part_column(first, "test", "__row_id__") != part_column(other, "test", "__row_id__")


def test_profiles_hold_no_label(tmp_path: Path) -> None:
    found = prepared(tmp_path / "a", source(tmp_path), DataRoles(label="y", slices=(SliceSpec(column="sex"),)), NETWORK)
    assert [column.name for column in found.written.profiles["test"]] == ["amount", "age"]
    for side in ("train", "test"):
        prints = pq.read_table(found.folder / f"{side}_fingerprints.parquet")
        assert prints.column_names == ["row_id", "row_hash", "entity_hash", "sketch"]
    train, test = found.written.profiles["train"][0], found.written.profiles["test"][0]
    assert train.edges == test.edges
    assert (sum(train.counts), sum(test.counts)) == (300, 100)


def test_a_test_row_that_occurs_in_train_has_the_same_fingerprint(tmp_path: Path) -> None:
    train = source(tmp_path, "train", age=np.arange(ROWS).astype(np.int8))
    values = columns(age=np.arange(ROWS) % 128 + 1000)
    values["amount"] = pq.read_table(tmp_path / "train.parquet")["amount"].to_numpy().copy()
    values["age"][7] = 7  # wider integers than in train; the value is what counts
    pq.write_table(pa.table(values), tmp_path / "test.parquet")
    found = prepared(tmp_path / "a", train, ROLES, NETWORK, test=opened(tmp_path / "test.parquet"))
    prints = {
        side: pq.read_table(found.folder / f"{side}_fingerprints.parquet").to_pydict() for side in ("train", "test")
    }
    shared = set(prints["train"]["row_hash"]) & set(prints["test"]["row_hash"])
    assert len(shared) == 1
    assert prints["test"]["row_id"][prints["test"]["row_hash"].index(shared.pop())] == "test:7"


def test_entities_stay_on_one_side_and_are_fingerprinted(tmp_path: Path) -> None:
    found = prepared(
        tmp_path / "a", source(tmp_path, day=np.arange(ROWS) // 4), DataRoles(label="y", entity="day"), NETWORK
    )
    sides = [set(part_column(found, part.name.lower(), "day")) for part in Part]
    assert sum(len(side) for side in sides) == len(set.union(*sides)) == 100
    prints = {side: pq.read_table(found.folder / f"{side}_fingerprints.parquet") for side in ("train", "test")}
    hashes = {side: set(table["entity_hash"].to_pylist()) for side, table in prints.items()}
    assert not hashes["train"] & hashes["test"]


def test_a_vector_network_reads_the_features_in_the_order_asked_for(tmp_path: Path) -> None:
    network = ((NetworkInput(name="x", shape=(2,), dtype="float32"),), BINARY)
    roles = DataRoles(label="y", features=("age", "amount"))
    assert [column.name for column in prepared(tmp_path / "a", source(tmp_path), roles, network).plan.features] == [
        *("age", "amount")
    ]
    with pytest.raises(BindingError, match="exclude"):
        prepared(tmp_path / "b", source(tmp_path), ROLES, network)


def test_regression_has_no_classes(tmp_path: Path) -> None:
    found = prepared(tmp_path / "a", source(tmp_path, y=RNG.normal(size=ROWS)), ROLES, (NETWORK[0], REGRESSION))
    assert found.classes == ()
    assert found.written.label_counts[Part.TRAIN] == {}
    assert found.written.rows[Part.VALIDATION] == 45


def test_a_class_without_rows_in_a_part_is_noted(tmp_path: Path) -> None:
    labels = [0, 1] * (ROWS // 2)
    labels[7] = 2
    found = prepared(tmp_path / "a", source(tmp_path, y=labels), ROLES, (NETWORK[0], multiclass(3)))
    assert any("test part has no row of 1 of the classes: '2'" in note for note in found.notes)


def pictures(count: int, size: int = 4) -> list[bytes]:
    return [png(RNG.integers(0, 256, (size, size, 3), dtype=np.uint8)) for _ in range(count)]


IMAGE_NETWORK = ((NetworkInput(name="input_layer", shape=(4, 4, 3), dtype="float32"),), BINARY)


def test_images_stay_encoded_and_are_profiled_by_factors(tmp_path: Path) -> None:
    images = pictures(40)
    pq.write_table(pa.table({"image": images, "y": [0, 1] * 20}), tmp_path / "rows.parquet")
    found = prepared(tmp_path / "a", opened(tmp_path / "rows.parquet"), ROLES, IMAGE_NETWORK)
    assert set(part_column(found, "train", "image")) < set(images)
    assert found.written.columns[0].kind is ColumnKind.IMAGE
    assert found.written.columns[0].shape == (4, 4, 3)
    assert [profile.name for profile in found.written.profiles["test"]] == [
        *("brightness", "contrast", "sharpness", "red", "green", "blue")
    ]


def test_equal_pixels_in_another_encoding_have_equal_fingerprints(tmp_path: Path) -> None:
    pixels = [RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8) for _ in range(20)]
    for name, form in (("train", "PNG"), ("test", "WEBP")):
        images = [png(image, form) for image in pixels]
        pq.write_table(pa.table({"image": images, "y": [0, 1] * 10}), tmp_path / f"{name}.parquet")
    found = prepared(
        tmp_path / "a",
        opened(tmp_path / "train.parquet"),
        ROLES,
        IMAGE_NETWORK,
        test=opened(tmp_path / "test.parquet"),
    )
    prints = [pq.read_table(found.folder / f"{side}_fingerprints.parquet")["row_hash"] for side in ("train", "test")]
    assert prints[0].to_pylist() == prints[1].to_pylist()


@pytest.mark.parametrize(
    ("changes", "roles", "words"),
    [
        ({"y": None}, {}, ["'y'", "'amount'"]),
        ({"y": None, "Y": [0, 1] * 200}, {}, ["Did you mean 'Y'?"]),
        ({"y": [None, *[0, 1] * 199, 1]}, {}, ["rows.parquet row 0", "label", "'y'", "missing"]),
        ({"y": ["a", "b", "c", "d"] * 100}, {}, ["2 classes", "have 4"]),
        ({"y": [1] * 399 + [3]}, {"positive_label": "0"}, ["'0'", "'1', '3'"]),
        ({"y": pa.array([[1]] * ROWS)}, {}, ["'y'", "arrays"]),
        ({}, {"time": "sex"}, ["'sex'", "text"]),
        ({}, {"weight": "sex"}, ["'sex'", "no numbers"]),
        ({"day": [None, *range(399)]}, {"time": "day"}, ["rows.parquet row 0", "'day'", "a time"]),
        ({"day": [1] * ROWS}, {"time": "day"}, ["validation part has no rows", "latest rows by day"]),
        ({"day": [1.0, -1.0] * 200}, {"weight": "day"}, ["rows.parquet row 1", "weight", "-1.0"]),
        ({"customer": ["x"] * ROWS}, {"row_id": "customer"}, ["'x'", "'customer'", "more than one train row"]),
        ({"customer": ["x", None] * 200}, {"row_id": "customer"}, ["rows.parquet row 1", "'customer'", "missing"]),
        ({}, {"slices": (SliceSpec(column="region"),)}, ["'region'"]),
        ({}, {"features": ("amount", "y")}, ["label 'y' is among the features"]),
        ({"note": pa.array([{"a": 1}] * ROWS)}, {"entity": "note"}, ["'note'", "cannot be read", "struct"]),
        ({"__row_id__": ["a"] * ROWS}, {}, ["reserved"]),
    ],
)
def test_columns_that_cannot_play_their_part_are_refused(
    tmp_path: Path, changes: dict[str, Any], roles: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        prepared(tmp_path / "a", source(tmp_path, **changes), DataRoles(**({"label": "y"} | roles)), NETWORK)
    for word in words:
        assert word in str(caught.value)
    assert not [path for path in (tmp_path / "a").glob("*") if path.name in ("train.parquet", "test.parquet")]


def test_a_label_that_only_the_test_rows_have_names_its_row(tmp_path: Path) -> None:
    labels = [0, 1] * (ROWS // 2)
    test = source(tmp_path, "test", y=[*labels[:-1], 5])
    with pytest.raises(DataError, match=r"test\.parquet row 399: label '5' does not occur in the training rows"):
        prepared(tmp_path / "a", source(tmp_path, "train", y=labels), ROLES, NETWORK, test=test)


def test_a_column_that_one_source_lacks_names_that_source(tmp_path: Path) -> None:
    train, test = source(tmp_path, "train", y=None), source(tmp_path, "test")
    with pytest.raises(DataError, match=r"column 'y', which \S*train\.parquet does not have, though others do"):
        prepared(tmp_path / "a", train, ROLES, NETWORK, test=test)


def test_a_gap_in_a_column_read_as_whole_numbers_names_its_row(tmp_path: Path) -> None:
    network = ((NetworkInput(name="age", shape=(1,), dtype="int64"),), BINARY)
    with pytest.raises(DataError, match=r"rows\.parquet row 3.*int64.*'age'"):
        prepared(tmp_path / "a", source(tmp_path, age=[1, 2, 3, None, *range(396)]), ROLES, network)


@pytest.mark.parametrize(
    ("bad", "words"),
    [(b"\x89PNG\r\n\x1a\nbroken", ["do not decode"]), (pictures(1, 5)[0], ["4x4", "5x5"]), (None, ["missing"])],
)
def test_images_that_cannot_be_used_name_file_and_row(tmp_path: Path, bad: bytes | None, words: list[str]) -> None:
    images = pictures(40)
    pq.write_table(pa.table({"image": [*images[:33], bad, *images[34:]], "y": [0, 1] * 20}), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"rows\.parquet row 33") as caught:
        prepared(tmp_path / "a", opened(tmp_path / "rows.parquet"), ROLES, IMAGE_NETWORK)
    for word in words:
        assert word in str(caught.value)
    assert not list((tmp_path / "a").glob("*.parquet"))


def test_conditions_that_let_nothing_through_are_refused(tmp_path: Path) -> None:
    source(tmp_path)
    with pytest.raises(DataError, match=r"rows\.parquet#sex=x has no rows"):
        prepared(tmp_path / "a", opened(tmp_path / "rows.parquet", "#sex=x"), ROLES, NETWORK)


def test_a_killed_preparation_does_not_read_the_source_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = source(tmp_path)
    with monkeypatch.context() as killed:
        killed.setattr(snapshots, "split_keys", _die)
        with pytest.raises(KeyboardInterrupt):
            prepared(tmp_path / "a", rows, ROLES, NETWORK)
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["staged-train.parquet"]
    monkeypatch.setattr(RowSource, "batches", _die)
    assert prepared(tmp_path / "a", rows, ROLES, NETWORK).written.rows[Part.TEST] == 100


def _die(*arguments: Any, **options: Any) -> Any:
    raise KeyboardInterrupt
