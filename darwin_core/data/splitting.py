"""Deterministic splits, in memory that does not grow with the data.

Every row gets a 64-bit key and a stratum. Within each stratum the rows with the smallest keys are taken out, as many as
the share asks for. What differs between the rules is only the key:

* stratified by label: a hash of the row's id, or of its contents where rows have no id. So the order of the rows does
  not matter, a row keeps its side when others arrive, and rows with the same contents stay together.
* of several label columns, the stratum is the rarest label that the row has.
* by entity: a hash of the entity; the stratum is the highest class among the entity's rows.
* by time: the time itself, latest first. With an entity too: the latest time of the entity.

Rows with equal keys are never separated, so a part can be a few rows larger or smaller than asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darwin_core.contracts import DataRoles
from darwin_core.data.columns import ROW_ID
from darwin_core.data.hashing import hash_column
from darwin_core.data.labels import class_indices, label_flags
from darwin_core.data.permutation import mix64
from darwin_core.data.staging import ENTITY_HASH, ROW_HASH, Staged

_CHUNK = 1 << 20
_DIGIT_BITS = 12
_DIGITS = range(60, -1, -_DIGIT_BITS)

Keys = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class SplitKeys:
    """Keys and strata of all rows, memory-mapped.

    Attributes:
        keys: uint64 per row.
        strata: int32 per row.
        by_time: Take the largest keys instead of hashed ones.
        rule: The rule in words.
    """

    keys: Keys
    strata: npt.NDArray[np.int32]
    by_time: bool
    rule: str

    def chosen(self, share: float, salt: int, eligible: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Mark the rows that go to the smaller side.

        Args:
            share: Share of the eligible rows of each stratum.
            salt: Another salt gives another choice; times take no notice of it.
            eligible: Rows that may be chosen.
        """
        mixed = np.uint64(mix64(np.array([salt & 0xFFFFFFFFFFFFFFFF], np.uint64))[0])
        order: Callable[[Keys], Keys] = (lambda keys: ~keys) if self.by_time else (lambda keys: mix64(keys ^ mixed))
        limits, inclusive = _limits(self.keys, self.strata, eligible, order, share)
        chosen = np.zeros(len(self.keys), bool)
        for part in _chunks(len(self.keys)):
            ordered, strata = order(self.keys[part]), self.strata[part]
            below = (ordered < limits[strata]) | ((ordered == limits[strata]) & inclusive[strata])
            chosen[part] = below & eligible[part]
        return chosen


def split_keys(staged: Staged, roles: DataRoles, classes: Sequence[str], folder: Path) -> SplitKeys:
    """Work out keys and strata of staged rows.

    Args:
        staged: The rows.
        roles: Label, row id, entity and time columns.
        classes: Label values, or the label columns where there are several; empty for regression.
        folder: Where the keys are kept while the split is made.
    """
    keys = _scratch(folder / "keys", np.uint64, staged.rows)
    strata = _scratch(folder / "strata", np.int32, staged.rows)
    entities = _scratch(folder / "entities", np.uint64, staged.rows)
    columns = {ROW_ID, ROW_HASH, ENTITY_HASH, *(roles.labels if classes else ())} | (
        {roles.time} if roles.time else set()
    )
    stratum = _strata(staged, roles, classes)
    start = 0
    for batch in staged.read(sorted(columns)):
        part = slice(start, start + batch.num_rows)
        keys[part] = _row_keys(batch, roles)
        if classes and roles.time is None:
            strata[part] = stratum(batch)
        entities[part] = _entities(batch)
        start += batch.num_rows
    if roles.entity is not None:
        _spread_maximum(entities, keys if roles.time else strata)
    return SplitKeys(
        keys=entities if roles.entity is not None and roles.time is None else keys,
        strata=strata,
        by_time=roles.time is not None,
        rule=_rule(roles, classes),
    )


def _strata(
    staged: Staged, roles: DataRoles, classes: Sequence[str]
) -> Callable[[pa.RecordBatch], npt.NDArray[np.int32]]:
    """What tells the stratum of each row of a batch: its class, or the rarest of its labels (0: it has none)."""

    def row_name(position: int) -> str:
        return f"row {position}"

    if len(roles.labels) == 1:
        return lambda batch: class_indices(batch[roles.label], classes, row_name)
    counts = staged.flag_counts(roles.labels)
    frequent_first = sorted(roles.labels, key=counts.__getitem__, reverse=True)
    ranks = np.arange(1, len(frequent_first) + 1, dtype=np.int32)
    return lambda batch: np.asarray(
        (label_flags([batch[name] for name in frequent_first], frequent_first, row_name) * ranks).max(axis=1), np.int32
    )


def first_repeated(staged: Staged, column: str, folder: Path) -> str | None:
    """A value that occurs twice in a text column; None where all differ."""
    hashes = _scratch(folder / "ids", np.uint64, staged.rows)
    start = 0
    for batch in staged.read([column]):
        hashes[start : start + batch.num_rows] = hash_column(batch[column])
        start += batch.num_rows
    for members in _buckets(hashes):
        distinct, counts = np.unique(hashes[members], return_counts=True)
        if (counts > 1).any():
            return _value_with_hash(staged, column, distinct[counts > 1][0])
    return None


def _value_with_hash(staged: Staged, column: str, wanted: np.uint64) -> str:
    for batch in staged.read([column]):
        found = np.flatnonzero(hash_column(batch[column]) == wanted)
        if found.size:
            return str(batch[column][int(found[0])].as_py())
    raise AssertionError("the hash was taken from this column")


def _rule(roles: DataRoles, classes: Sequence[str]) -> str:
    if roles.time is not None:
        if roles.entity is not None:
            return f"whole entities by {roles.entity}, those with the latest {roles.time}"
        return f"latest rows by {roles.time}"
    stratified = ", stratified by label" if classes else ""
    if len(roles.labels) > 1:
        stratified = ", stratified by the rarest label of a row"
    if roles.entity is not None:
        return f"whole entities by {roles.entity}{stratified}"
    by = f"hash of {roles.row_id}" if roles.row_id else "hash of the row's contents"
    return f"{by}{stratified}"


def _row_keys(batch: pa.RecordBatch, roles: DataRoles) -> Keys:
    if roles.time is not None:
        return _ascending(batch[roles.time])
    if roles.row_id is not None:
        return hash_column(batch[ROW_ID])
    return np.asarray(batch[ROW_HASH].to_numpy(zero_copy_only=False), np.uint64)


def _ascending(times: pa.Array) -> Keys:
    """Times as unsigned integers in the same order."""
    sign = np.uint64(1 << 63)
    if pa.types.is_floating(times.type):
        bits = (times.cast(pa.float64()).to_numpy(zero_copy_only=False) + 0.0).view(np.uint64)
        return np.asarray(np.where(bits & sign, ~bits, bits | sign), np.uint64)
    return np.asarray(times.cast(pa.int64()).to_numpy(zero_copy_only=False).view(np.uint64) ^ sign)


def _entities(batch: pa.RecordBatch) -> Keys:
    """Entity hashes; a row without an entity is one of its own."""
    column = batch[ENTITY_HASH]
    own = batch[ROW_HASH].to_numpy(zero_copy_only=False)
    missing = column.is_null().to_numpy(zero_copy_only=False)
    return np.asarray(np.where(missing, own, column.fill_null(0).to_numpy(zero_copy_only=False)), np.uint64)


def _spread_maximum(entities: Keys, values: npt.NDArray[Any]) -> None:
    """Replace every value by the maximum over the rows of the same entity, in place."""
    for members in _buckets(entities):
        _, inverse = np.unique(entities[members], return_inverse=True)
        found = values[members]
        highest = np.full(int(inverse.max()) + 1, np.iinfo(values.dtype).min, values.dtype)
        np.maximum.at(highest, inverse, found)
        values[members] = highest[inverse]


def _buckets(hashes: Keys) -> Iterator[npt.NDArray[np.int64]]:
    """Positions of the rows, in groups of about a million that never separate equal hashes."""
    count = max(1, len(hashes) // _CHUNK)
    for bucket in range(count):
        found = [
            part.start + np.flatnonzero(mix64(hashes[part]) % np.uint64(count) == np.uint64(bucket))
            for part in _chunks(len(hashes))
        ]
        members = np.concatenate(found)
        if members.size:
            yield members


def _limits(
    keys: Keys,
    strata: npt.NDArray[np.int32],
    eligible: npt.NDArray[np.bool_],
    order: Callable[[Keys], Keys],
    share: float,
) -> tuple[Keys, npt.NDArray[np.bool_]]:
    """Per stratum, the key up to which rows are chosen, and whether rows with exactly this key are.

    The k-th smallest key is found digit by digit, from the highest: count the keys by their next 12 bits, go on
    inside the digit that holds the k-th. Six passes, a table of 4,096 counts per stratum.
    """
    groups = int(strata.max()) + 1
    sizes = np.zeros(groups, np.int64)
    for part in _chunks(len(keys)):
        sizes += np.bincount(strata[part][eligible[part]], minlength=groups)
    wanted = np.clip(np.rint(share * sizes).astype(np.int64), np.minimum(sizes - 1, 1).clip(0), (sizes - 1).clip(0))
    limit = np.zeros(groups, np.uint64)
    below = np.zeros(groups, np.int64)
    equal = sizes.copy()
    for shift in _DIGITS:
        counts = _digit_counts(keys, strata, eligible, order, limit, shift)
        ends = below[:, None] + counts.cumsum(axis=1)
        digit = (ends < np.maximum(wanted, 1)[:, None]).sum(axis=1).clip(max=(1 << _DIGIT_BITS) - 1)
        rows = np.arange(groups)
        equal = counts[rows, digit]
        below = ends[rows, digit] - equal
        limit |= digit.astype(np.uint64) << np.uint64(shift)
    with_equal = below + equal
    nearer = (with_equal - wanted) <= (wanted - below)
    inclusive = (wanted > 0) & (with_equal < sizes) & (nearer | (below == 0))
    limit[wanted == 0] = 0
    return limit, inclusive


def _digit_counts(
    keys: Keys,
    strata: npt.NDArray[np.int32],
    eligible: npt.NDArray[np.bool_],
    order: Callable[[Keys], Keys],
    prefix: Keys,
    shift: int,
) -> npt.NDArray[np.int64]:
    """Eligible rows per stratum and next digit, among those that agree with the digits found so far."""
    groups, base = len(prefix), 1 << _DIGIT_BITS
    above = np.uint64(min(shift + _DIGIT_BITS, 63))
    counts = np.zeros(groups * base, np.int64)
    for part in _chunks(len(keys)):
        mask = np.asarray(eligible[part])
        ordered, groups_here = order(keys[part])[mask], strata[part][mask].astype(np.int64)
        if shift + _DIGIT_BITS < 64:
            agreeing = (ordered >> above) == (prefix[groups_here] >> above)
            ordered, groups_here = ordered[agreeing], groups_here[agreeing]
        digits = ((ordered >> np.uint64(shift)) & np.uint64(base - 1)).astype(np.int64)
        counts += np.bincount(groups_here * base + digits, minlength=groups * base)
    return counts.reshape(groups, base)


def _chunks(length: int) -> Iterator[slice]:
    for start in range(0, length, _CHUNK):
        yield slice(start, min(start + _CHUNK, length))


def _scratch(path: Path, dtype: Any, rows: int) -> npt.NDArray[Any]:
    return np.memmap(path, dtype, "w+", shape=(rows,))
