from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from darwin_core.contracts import (
    ArtifactRef,
    ColumnKind,
    ColumnSchema,
    DataRoles,
    Snapshot,
    SplitConfig,
    SplitPart,
    SplitProfile,
)
from darwin_core.data import ROW_ID
from darwin_core.explanation.checks import Fingerprints, Sketches, loading
from darwin_core.explanation.checks.loading import CheckSources, load_checked_data
from darwin_core.progress import Reporter

NOWHERE = ArtifactRef(uri="nowhere", sha256="0" * 64, size_bytes=0)
ROWS = {"train": 9000, "validation": 1000}


def write_part(path: Path, start: int, rows: int) -> Path:
    number = np.arange(start, start + rows)
    table = pa.table(
        {
            ROW_ID: [f"row-{index}" for index in number],
            "label": (number % 4 == 0).astype(np.int64),
            "amount": pa.array(number * 1.0, mask=number % 10 == 3),
            "city": pa.array([f"city-{index % 7}" if index % 5 else None for index in number]),
            "when": pa.array(number * 1_000_000, pa.timestamp("us")),
        }
    )
    pq.write_table(table, path, row_group_size=2500)
    return path


def write_fingerprints(path: Path, prefix: str, hashes: np.ndarray, entities: list[str | None]) -> Path:
    columns = {
        "row_id": [f"{prefix}-{index}" for index in range(len(hashes))],
        "row_hash": [f"{value:016x}" for value in hashes],
        "entity_hash": pa.array(entities, pa.string()),
    }
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture
def snapshot() -> Snapshot:
    kinds = {"amount": ColumnKind.NUMBER, "city": ColumnKind.STRING, "when": ColumnKind.TIME}
    parts = {name: SplitPart(data=NOWHERE, rows=rows, label_counts={}) for name, rows in ROWS.items()}
    return Snapshot(
        roles=DataRoles(label="label"),
        split=SplitConfig(),
        columns=tuple(ColumnSchema(name=name, kind=kind) for name, kind in kinds.items()),
        classes=("0", "1"),
        reference=NOWHERE,
        test=parts["train"],
        train_profile=NOWHERE,
        test_profile=NOWHERE,
        sources={},
        split_rule="by hand",
        **parts,
    )


@pytest.fixture
def sources(tmp_path: Path) -> CheckSources:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 10_000, dtype=np.uint64)
    entities: list[str | None] = [f"{index % 50:016x}" if index % 3 else None for index in range(10_000)]
    names = tmp_path / "train_fingerprints.parquet"
    write_fingerprints(names, "row", hashes, entities)
    test = np.concatenate([hashes[:20], rng.integers(0, 2**64, 980, dtype=np.uint64)])
    other: list[str | None] = [f"{index + 49:016x}" for index in range(1000)]
    profile = SplitProfile(rows=10, columns=(), fingerprints=NOWHERE)
    return CheckSources(
        parts=(
            write_part(tmp_path / "train.parquet", 0, ROWS["train"]),
            write_part(tmp_path / "validation.parquet", ROWS["train"], ROWS["validation"]),
        ),
        train_profile=profile,
        test_profile=profile,
        train_fingerprints=names,
        test_fingerprints=write_fingerprints(tmp_path / "test_fingerprints.parquet", "test", test, other),
    )


def test_everything_is_read_where_it_fits(snapshot: Snapshot, sources: CheckSources) -> None:
    data = load_checked_data(snapshot, sources, Reporter(), seed=0)
    assert data.rows == data.train_rows == 10_000
    assert not data.is_sampled
    assert data.basis == "all 10,000 training rows"
    np.testing.assert_array_equal(data.labels, np.arange(10_000) % 4 == 0)
    amount, city, when = (data.columns[name] for name in ("amount", "city", "when"))
    np.testing.assert_array_equal(amount.missing, np.arange(10_000) % 10 == 3)
    assert amount.shown(8) == "8"
    assert city.is_text
    assert city.shown(8) == "city-1"
    assert city.shown(5) == "missing"
    assert when.kind is ColumnKind.TIME
    assert when.numbers[7] == 7.0


def test_a_sample_is_drawn_from_both_parts_and_reproducible(snapshot: Snapshot, sources: CheckSources) -> None:
    first, again, other = (
        load_checked_data(snapshot, sources, Reporter(), seed=seed, max_cells=20_000) for seed in (1, 1, 2)
    )
    assert first.rows == loading.MIN_SAMPLE_ROWS
    assert first.basis == "5,000 of 10,000 training rows, drawn at random"
    assert list(first.row_ids) == list(again.row_ids)
    assert list(first.row_ids) != list(other.row_ids)
    drawn = np.array([int(name.split("-")[1]) for name in first.row_ids])
    assert 400 < (drawn >= ROWS["train"]).sum() < 600
    np.testing.assert_array_equal(first.labels, drawn % 4 == 0)
    known = ~first.columns["amount"].missing
    np.testing.assert_array_equal(first.columns["amount"].numbers[known], drawn[known])


def test_streams_pass_all_rows_once(snapshot: Snapshot, sources: CheckSources) -> None:
    data = load_checked_data(snapshot, sources, Reporter(), seed=0, max_cells=20_000)
    chunks = list(data.stream(["when"]))
    assert len(chunks) > 1
    np.testing.assert_array_equal(np.concatenate([chunk["when"].numbers for chunk in chunks]), np.arange(10_000.0))


def test_hashes_are_joined_and_matched_with_labels(snapshot: Snapshot, sources: CheckSources) -> None:
    data = load_checked_data(snapshot, sources, Reporter(), seed=0)
    prints = data.fingerprints
    assert prints is not None
    np.testing.assert_array_equal(np.flatnonzero(np.isin(prints.test, prints.train)), np.arange(20))
    assert data.train_labels is not None
    np.testing.assert_array_equal(data.train_labels, np.arange(10_000) % 4 == 0)
    assert prints.train_entities is not None
    assert prints.test_entities is not None
    np.testing.assert_array_equal(prints.train_entities < 0, np.arange(10_000) % 3 == 0)
    shared = np.isin(prints.test_entities, prints.train_entities)
    np.testing.assert_array_equal(np.flatnonzero(shared), [0])


def test_very_many_hashes_are_sampled_alike_on_both_sides(
    snapshot: Snapshot, sources: CheckSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "MAX_FINGERPRINTS", 5_500)
    data = load_checked_data(snapshot, sources, Reporter(), seed=0)
    prints = data.fingerprints
    assert prints is not None
    assert prints.share == 0.5
    assert len(prints.train) + len(prints.test) == pytest.approx(5_500, rel=0.05)
    kept = {name.split("-")[1] for name in prints.train_ids}
    copies = {name.split("-")[1] for name in prints.test_ids if int(name.split("-")[1]) < 20}
    assert {str(row) for row in range(20)} & kept == copies
    assert data.train_labels is not None
    assert len(data.train_labels) == len(prints.train)


def test_sketches_stand_beside_their_rows(
    snapshot: Snapshot, sources: CheckSources, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (sources.train_fingerprints, sources.test_fingerprints):
        table = pq.read_table(path)
        marks = np.arange(table.num_rows, dtype=np.uint64)
        marks = np.stack([marks, marks * 2], axis=1)
        pq.write_table(table.append_column("sketch", pa.array([mark.tobytes() for mark in marks], pa.binary())), path)

    def loaded() -> tuple[Fingerprints, Sketches]:
        prints = load_checked_data(snapshot, sources, Reporter(), seed=0).fingerprints
        assert prints is not None
        assert prints.sketches is not None
        return prints, prints.sketches

    prints, sketches = loaded()
    assert not sketches.pictures
    np.testing.assert_array_equal(sketches.train[:, 0], np.arange(10_000))
    np.testing.assert_array_equal(sketches.test_rows, np.arange(1000))
    monkeypatch.setattr(loading, "MAX_FINGERPRINTS", 5_500)
    monkeypatch.setattr(loading, "MAX_SKETCHES", 2_750)
    prints, sketches = loaded()
    assert sketches.share == pytest.approx(0.25, rel=0.05)
    assert len(sketches.train) == pytest.approx(2_500, rel=0.1)
    for ids, rows, found in (
        (prints.train_ids, sketches.train_rows, sketches.train),
        (prints.test_ids, sketches.test_rows, sketches.test),
    ):
        np.testing.assert_array_equal([int(ids[row].split("-")[1]) for row in rows], found[:, 0])
