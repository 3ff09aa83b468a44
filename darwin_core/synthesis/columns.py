"""Which columns of a table a network can do without, seen from its training rows and its answers; nothing is trained.

Two kinds are found. *Silent* columns say nothing that the others do not say: they never change, or they repeat another
column value by value. *Spare* columns say something that the network hardly listens to: with every value replaced by
the column's usual one it stays as good as is required.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from darwin_core.data import MappedSplit
from darwin_core.data.permutation import Permutation
from darwin_core.dependency import DependencyGraph
from darwin_core.networks import Predictor
from darwin_core.synthesis.examiner import predict_split
from darwin_core.synthesis.judgement import Judge, exaggerated

_SAMPLE = 4096
_BLOCK = 65_536

Array = npt.NDArray[Any]


def silent_columns(split: MappedSplit, names: Sequence[str]) -> tuple[str, ...]:
    """Columns that never change, and those that repeat an earlier one of ``names``.

    Args:
        split: The training rows; a few are compared first, and all of them only where those leave it open.
        names: Network inputs that read one column each, those to be kept first.
    """
    rows = _sample(split)
    found, kept = [], dict[str, list[str]]()
    for name in names:
        values = split.inputs[name]
        sample = values.take(rows, axis=0)
        if _same(sample[:1], sample) and all(_same(values[:1], block) for block in _blocks(values)):
            found.append(name)
            continue
        alike = kept.setdefault(hashlib.sha256(_raw(sample)).hexdigest() + str(values.dtype), [])
        if any(_repeats(values, split.inputs[other]) for other in alike):
            found.append(name)
        else:
            alike.append(name)
    return tuple(found)


def usual_values(split: MappedSplit, names: Iterable[str]) -> dict[str, Array]:
    """The most frequent value of columns of text, the median of others (missing where most are missing); one row each.

    Args:
        split: The rows, a sample of which is read.
        names: Which columns.
    """
    rows = _sample(split)
    return {name: _usual(split.inputs[name].take(rows, axis=0)) for name in names}


class ColumnSelector:
    """Finds the columns that a network can do without.

    Args:
        judge: Says whether a network is good enough.
        train: The training rows.
        validation: The rows by which the judge goes.
    """

    def __init__(self, judge: Judge, train: MappedSplit, validation: MappedSplit) -> None:
        self._judge, self._train, self._validation = judge, train, validation

    def removable(
        self, network: keras.Model, graph: DependencyGraph, use: Mapping[str, float], gone: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Columns to leave out: those that go anyway, silent ones, and spare ones, the least used of them.

        Args:
            network: Where it is not good enough itself, no column is spare.
            graph: Its dependency graph.
            use: Column -> share of its use, from the inquisitor.
            gone: Columns that go anyway.
        """
        names = sorted(
            (name for name in graph.droppable_inputs if name not in gone), key=lambda name: use.get(name, 0.0)
        )
        silent = _fitting(graph, gone, [*reversed(silent_columns(self._train, names[::-1]))])
        rest = _fitting(graph, [*gone, *silent], [name for name in names if name not in silent])
        spare = self._spare(network, gone, rest)
        return (*gone, *silent, *rest[:spare])

    def _spare(self, network: keras.Model, gone: Sequence[str], ranked: Sequence[str]) -> int:
        """How many of the ranked columns the network does not miss, found by bisection.

        Silent columns are read all the same: what their loss does to this very network, offspring make good at once.
        """
        usual = usual_values(self._train, [*gone, *ranked])
        predictor = Predictor(network)
        whole = self._judge.quality(predict_split(predictor, self._validation)) if ranked else None
        few, most = 0, len(ranked)
        while whole is not None and few < most:
            middle = (few + most + 1) // 2
            blind = _with(self._validation, {name: usual[name] for name in (*gone, *ranked[:middle])})
            quality = self._judge.quality(predict_split(predictor, blind))
            if self._judge.indicator.shortfall(None, exaggerated(whole, quality)) <= 0.0:
                few = middle
            else:
                most = middle - 1
        return few


def _fitting(graph: DependencyGraph, gone: Sequence[str], ranked: Sequence[str]) -> list[str]:
    """Those that can go with ``gone``, the first ones first."""
    if graph.can_drop([*gone, *ranked]):
        return list(ranked)
    found: list[str] = []
    for name in ranked:
        if graph.can_drop([*gone, *found, name]):
            found.append(name)
    return found


def _with(split: MappedSplit, values: Mapping[str, Array]) -> MappedSplit:
    """The rows with the same value in every row of some columns."""
    shown = {
        name: np.broadcast_to(values[name], known.shape) if name in values else known
        for name, known in split.inputs.items()
    }
    return replace(split, inputs=shown)


def _sample(split: MappedSplit) -> npt.NDArray[np.int64]:
    return np.asarray(Permutation(split.rows, 0)(np.arange(min(_SAMPLE, split.rows), dtype=np.int64)))


def _usual(values: Array) -> Array:
    if values.dtype.kind != "f":
        found, counts = np.unique(values, return_counts=True)
        middle = (
            np.argmax(counts) if values.dtype.kind in "SUO" else np.searchsorted(np.cumsum(counts), len(values) / 2)
        )
        return np.full((1, *values.shape[1:]), found[middle], values.dtype)
    known = np.sort(values[~np.isnan(values)])
    usual = np.nan if 2 * len(known) <= values.size else known[len(known) // 2]
    return np.full((1, *values.shape[1:]), usual, values.dtype)


def _repeats(one: Array, other: Array) -> bool:
    return one.shape == other.shape and all(_same(a, b) for a, b in zip(_blocks(one), _blocks(other), strict=True))


def _blocks(values: Array) -> Iterable[Array]:
    return (values[start : start + _BLOCK] for start in range(0, len(values), _BLOCK))


def _same(one: Array, other: Array) -> bool:
    """Whether all values are equal, a missing one to another; ``one`` may be a single row."""
    missing = (one != one) & (other != other)  # true of NaN alone
    return bool(np.all((one == other) | missing))


def _raw(values: Array) -> bytes:
    return np.ascontiguousarray(values).tobytes() if values.dtype.kind != "O" else repr(values.tolist()).encode()
