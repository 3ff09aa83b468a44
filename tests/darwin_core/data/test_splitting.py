import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darwin_core.contracts import DataRoles
from darwin_core.data import splitting
from darwin_core.data.columns import ROW_ID
from darwin_core.data.hashing import hash_column, hash_rows
from darwin_core.data.splitting import SplitKeys, first_repeated, split_keys
from darwin_core.data.staging import ENTITY_HASH, ROW_HASH, Staged
from darwin_core.data.writing import PartWriter

SHARES = st.floats(0.05, 0.8)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that is cut at a million rows in earnest is cut at 64 here, so that the seams are tested too."""
    monkeypatch.setattr(splitting, "_CHUNK", 64)


@pytest.fixture(autouse=True, scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Examples make folders of their own, which go with pytest's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("scratch")))
        yield


def staged(folder: Path, table: pa.Table, entity: str | None = None) -> Staged:
    """Rows as the first pass leaves them; features are all columns named f..."""
    rows = table.num_rows
    columns = {name: hash_column(table[name].combine_chunks()) for name in table.column_names if name[0] == "f"}
    entities = pa.nulls(rows, pa.uint64())
    if entity is not None:
        entities = pa.array(hash_column(table[entity].combine_chunks().cast(pa.string())))
    full = table.append_column(ROW_HASH, pa.array(hash_rows(columns, rows))).append_column(ENTITY_HASH, entities)
    if ROW_ID not in full.column_names:
        full = full.append_column(ROW_ID, pa.array([str(n) for n in range(rows)]))
    path = folder / "staged.parquet"
    with PartWriter(path, full.schema) as writer:
        for batch in full.to_batches():
            writer.write(batch)
    return Staged(path, rows)


def keys_of(table: pa.Table, roles: DataRoles, classes: tuple[str, ...] = ()) -> SplitKeys:
    folder = Path(tempfile.mkdtemp())
    return split_keys(staged(folder, table, roles.entity), roles, classes, folder)


def chosen(keys: SplitKeys, share: float, salt: int = 0) -> npt.NDArray[np.bool_]:
    return keys.chosen(share, salt, np.ones(len(keys.keys), bool))


def labelled(labels: list[int], **columns: object) -> pa.Table:
    return pa.table({"f": np.arange(len(labels)) * 1.5, "y": labels, **columns})


@settings(max_examples=40, deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=2, max_size=300), share=SHARES, seed=st.integers(0, 2**32))
def test_every_class_gives_its_share_exactly(labels: list[int], share: float, seed: int) -> None:
    keys = keys_of(labelled(labels), DataRoles(label="y"), ("0", "1", "2", "3"))
    taken = chosen(keys, share, seed)
    for label in set(labels):
        members = np.array(labels) == label
        expected = int(np.rint(share * members.sum()))
        assert taken[members].sum() == np.clip(expected, min(1, members.sum() - 1), members.sum() - 1)


@settings(max_examples=25, deadline=None)
@given(labels=st.lists(st.integers(0, 1), min_size=20, max_size=200), order=st.randoms(), share=SHARES)
def test_the_order_of_the_rows_does_not_matter(labels: list[int], order: object, share: float) -> None:
    table = labelled(labels)
    shuffled = list(range(len(labels)))
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    roles, classes = DataRoles(label="y"), ("0", "1")
    taken = chosen(keys_of(table, roles, classes), share)
    again = chosen(keys_of(table.take(shuffled), roles, classes), share)
    assert np.array_equal(taken[shuffled], again)


def test_seeds_choose_differently_and_reproducibly() -> None:
    keys = keys_of(labelled([0, 1] * 200), DataRoles(label="y"), ("0", "1"))
    assert np.array_equal(chosen(keys, 0.3, 1), chosen(keys, 0.3, 1))
    assert not np.array_equal(chosen(keys, 0.3, 1), chosen(keys, 0.3, 2))


def test_a_row_with_an_id_keeps_its_side_when_others_arrive() -> None:
    labels = [0, 1] * 500
    ids = pa.array([f"customer {n}" for n in range(1000)])
    roles, classes = DataRoles(label="y", row_id="ids"), ("0", "1")
    early = labelled(labels[:900]).append_column(ROW_ID, ids[:900])
    late = labelled(labels).append_column(ROW_ID, ids)
    before, after = chosen(keys_of(early, roles, classes), 0.2), chosen(keys_of(late, roles, classes), 0.2)
    assert (before == after[:900]).mean() > 0.97


@settings(max_examples=25, deadline=None)
@given(kinds=st.lists(st.integers(0, 9), min_size=2, max_size=200), share=SHARES)
def test_rows_with_equal_contents_stay_together(kinds: list[int], share: float) -> None:
    table = pa.table({"f": kinds, "y": [0] * len(kinds)})
    taken = chosen(keys_of(table, DataRoles(label="y"), ("0", "1")), share)
    for kind in set(kinds):
        assert len(set(taken[np.array(kinds) == kind])) == 1


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 25), st.integers(0, 1)), min_size=5, max_size=400),
    share=SHARES,
    seed=st.integers(0, 1000),
)
def test_entities_are_never_cut(rows: list[tuple[int, int]], share: float, seed: int) -> None:
    entities, labels = (np.array(values) for values in zip(*rows, strict=True))
    table = labelled(labels.tolist(), e=entities)
    taken = chosen(keys_of(table, DataRoles(label="y", entity="e"), ("0", "1")), share, seed)
    assert not set(entities[taken]) & set(entities[~taken])


def test_entities_are_stratified_by_their_highest_class() -> None:
    rng = np.random.default_rng(0)
    entities = np.repeat(np.arange(400), 5)
    risky = rng.permutation(400)[:40]
    labels = (np.isin(entities, risky) & (np.arange(2000) % 5 == 0)).astype(int)
    table = labelled(labels.tolist(), e=entities)
    taken = chosen(keys_of(table, DataRoles(label="y", entity="e"), ("0", "1")), 0.25)
    assert len(set(entities[taken & (labels == 1)])) == 10
    assert taken.sum() == 500


def test_a_row_without_an_entity_is_one_of_its_own() -> None:
    folder = Path(tempfile.mkdtemp())
    table = labelled([0, 1] * 50)
    keys = split_keys(staged(folder, table), DataRoles(label="y", entity="e"), ("0", "1"), folder)
    assert chosen(keys, 0.5).sum() == 50


@pytest.mark.parametrize(
    "times",
    [
        pa.array([3, -7, 10**12, 0, 5]),
        pa.array([0.5, -7.5, 1e12, -0.0, 5.25]),
        pa.array([3, -7, 10**12, 0, 5], pa.timestamp("us")),
    ],
)
def test_the_latest_rows_are_taken(times: pa.Array) -> None:
    table = labelled([0] * 5).append_column("t", times)
    taken = chosen(keys_of(table, DataRoles(label="y", time="t"), ("0", "1")), 0.4)
    assert np.flatnonzero(taken).tolist() == [2, 4]


@settings(max_examples=40, deadline=None)
@given(times=st.lists(st.integers(-20, 20), min_size=2, max_size=200), share=SHARES)
def test_no_taken_row_is_older_than_one_that_stays(times: list[int], share: float) -> None:
    taken = chosen(keys_of(labelled([0] * len(times), t=times), DataRoles(label="y", time="t")), share)
    values = np.array(times)
    if taken.any():
        assert values[taken].min() > values[~taken].max()
    else:
        assert len(set(times)) == 1


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 15), st.integers(0, 100)), min_size=5, max_size=200), share=SHARES)
def test_entities_with_the_latest_times_are_taken_whole(rows: list[tuple[int, int]], share: float) -> None:
    entities, times = (np.array(values) for values in zip(*rows, strict=True))
    table = labelled([0] * len(rows), e=entities, t=times)
    taken = chosen(keys_of(table, DataRoles(label="y", entity="e", time="t")), share)
    assert not set(entities[taken]) & set(entities[~taken])
    latest = {entity: times[entities == entity].max() for entity in set(entities)}
    if taken.any():
        assert min(latest[e] for e in set(entities[taken])) > max(latest[e] for e in set(entities[~taken]))


def test_only_eligible_rows_are_chosen() -> None:
    keys = keys_of(labelled([0, 1] * 100), DataRoles(label="y"), ("0", "1"))
    eligible = np.arange(200) < 120
    taken = keys.chosen(0.25, 0, eligible)
    assert taken.sum() == 30
    assert not taken[~eligible].any()


def test_rules_are_said_in_words() -> None:
    table = labelled([0, 1] * 5, e=np.arange(10), t=np.arange(10))
    rules = {
        keys_of(table, DataRoles(label="y", **columns), classes).rule
        for columns, classes in (
            ({}, ("0", "1")),
            ({}, ()),
            ({"entity": "e"}, ("0", "1")),
            ({"time": "t"}, ("0", "1")),
            ({"time": "t", "entity": "e"}, ("0", "1")),
        )
    }
    assert rules == {
        "hash of the row's contents, stratified by label",
        "hash of the row's contents",
        "whole entities by e, stratified by label",
        "latest rows by t",
        "whole entities by e, those with the latest t",
    }


@given(st.lists(st.text(max_size=3), min_size=1, max_size=200))
@settings(max_examples=40, deadline=None)
def test_a_repeated_id_is_found(ids: list[str]) -> None:
    folder = Path(tempfile.mkdtemp())
    table = labelled([0] * len(ids)).append_column(ROW_ID, pa.array(ids, pa.string()))
    repeated = first_repeated(staged(folder, table), ROW_ID, folder)
    assert (repeated is None) == (len(set(ids)) == len(ids))
    if repeated is not None:
        assert ids.count(repeated) > 1
