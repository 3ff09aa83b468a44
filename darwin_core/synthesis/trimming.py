"""Trimming the reference's lookup tables before the search: every offspring then inherits the smaller ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt

from darwin_core.contracts import TrimmedTable
from darwin_core.data import MappedSplit
from darwin_core.networks import Predictor
from darwin_core.networks.wiring import Wiring, read_wiring
from darwin_core.rewriting import Table, find_tables, table_rows, trim_tables
from darwin_core.rewriting.applying import flat_network
from darwin_core.synthesis.examiner import predict_split
from darwin_core.synthesis.judgement import Judge, exaggerated

_BATCH = 8192
Counts = Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True)
class _Entry:
    """An entry of a table, and about how much the network's indices miss where it is read as unknown."""

    table: str
    number: int
    effect: float


class TableTrimmer:
    """Finds the entries that a network can read as unknown.

    Entries whose row equals the unknown's go in any case: outputs stay the same for every input. Of the others, those
    go first that training rows never or rarely show and whose rows are near the unknown's, as many as the required
    quality on the validation rows admits, with room to spare.

    Args:
        judge: Says whether a network is good enough.
        train: The rows in which entries are counted.
        validation: The rows by which the judge goes.
    """

    def __init__(self, judge: Judge, train: MappedSplit, validation: MappedSplit) -> None:
        self._judge, self._train, self._validation = judge, train, validation

    def trim(self, network: keras.Model) -> tuple[keras.Model, tuple[TrimmedTable, ...]]:
        """The network with smaller tables, and which they are; the network itself where none became smaller."""
        flat = flat_network(network)
        wiring = read_wiring(flat)
        tables = find_tables(wiring)
        if not tables:
            return network, ()
        seen = {table.name: self._count(flat, wiring, table) for table in tables}
        ranked = sorted(
            (entry for table in tables for entry in _entries(wiring, table, seen[table.name])),
            key=lambda entry: entry.effect,
        )
        few, most = sum(entry.effect < 0.0 for entry in ranked), len(ranked)
        whole = self._judge.quality(predict_split(flat, self._validation))
        while few < most:
            middle = (few + most + 1) // 2
            trial = trim_tables(flat, _kept(tables, ranked[:middle]), seen)
            quality = self._judge.quality(predict_split(trial, self._validation))
            if self._judge.indicator.shortfall(None, exaggerated(whole, quality)) <= 0.0:
                few = middle
            else:
                most = middle - 1
        keep = _kept(tables, ranked[:few])
        found = tuple(
            TrimmedTable(layer=table.name, entries_before=table.entries, entries_after=max(len(keep[table.name]), 1))
            for table in tables
            if len(keep[table.name]) < table.entries > 1
        )
        return (trim_tables(flat, keep, seen), found) if found else (network, ())

    def _count(self, flat: keras.Model, wiring: Wiring, table: Table) -> npt.NDArray[np.int64]:
        """How often each index comes in the training rows."""
        predict = Predictor(keras.Model(flat.inputs, wiring.tensors[table.indices]))
        counts = np.zeros(table.reserved + table.entries, np.int64)
        for batch in self._train.batches(_BATCH):
            counts += np.bincount(np.ravel(predict(batch.inputs, _BATCH)).astype(np.int64), minlength=len(counts))
        return counts


def _entries(wiring: Wiring, table: Table, seen: npt.NDArray[np.int64]) -> list[_Entry]:
    """All entries with the effect of losing them; -1 where there is none whatever the input."""
    distance = np.zeros(table.entries)
    for rows in table_rows(wiring, table):
        entries = rows[table.reserved : table.reserved + table.entries]
        unknown = entries.mean(axis=0) if table.unknown is None else rows[table.unknown]
        distance += np.abs(entries - unknown).mean(axis=1) / max(float(np.abs(entries).mean()), 1e-12)
    effect = np.where(distance > 0.0, distance * seen[table.reserved :], -1.0)
    return [_Entry(table.name, number, float(value)) for number, value in enumerate(effect)]


def _kept(tables: Sequence[Table], gone: Sequence[_Entry]) -> dict[str, npt.NDArray[np.int64]]:
    lost: dict[str, list[int]] = {table.name: [] for table in tables}
    for entry in gone:
        lost[entry.table].append(entry.number)
    return {table.name: np.setdiff1d(np.arange(table.entries), lost[table.name]) for table in tables}
