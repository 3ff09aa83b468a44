"""Ids of channel positions, and which of them go together.

Every position of every tensor's channel axis has an integer id. Ids that must be kept or removed together are coupled
(union-find). Two more facts are kept of an id: whether it is frozen (and why), and what it is computed from, so that
it disappears with the network inputs it depends on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class _Block:
    """Ids made at once. Alive while any source is: of all positions (``whole``), or position by position."""

    ids: Ids
    sources: tuple[Ids, ...]
    whole: bool


@dataclass(frozen=True)
class _Pair:
    """Two arrays of coupled ids. Where one disappears as a whole, an ``optional`` pair lets the other stay."""

    first: Ids
    second: Ids
    optional: bool


@dataclass
class IdSpace:
    """Makes, couples and freezes ids while a network is traced."""

    _parents: list[int] = field(default_factory=list)
    _blocks: list[_Block] = field(default_factory=list)
    _frozen: list[tuple[Ids, str]] = field(default_factory=list)
    _pairs: list[_Pair] = field(default_factory=list)

    def new(self, count: int, sources: Sequence[Ids]) -> Ids:
        """Ids of channels that are computed from all of ``sources`` (a Dense layer's units, say)."""
        return self._add(count, tuple(sources), whole=True)

    def merged(self, sources: Sequence[Ids]) -> Ids:
        """Ids of channels computed position by position from ``sources`` (an Add, say), coupled with them.

        A source of a single position is broadcast: it feeds every channel and is coupled with none.
        """
        count = max(len(source) for source in sources)
        spread = tuple(np.broadcast_to(source, (count,)) for source in sources)
        ids = self._add(count, spread, whole=False)
        for source in sources:
            if len(source) == count:
                self.couple(ids, source, optional=True)
        return ids

    def couple(self, first: Ids, second: Ids, *, optional: bool = False) -> None:
        """Positions of the two arrays (of equal length) go together from now on.

        ``optional``: one of the arrays may disappear as a whole, with the network inputs it depends on.
        """
        self._pairs.append(_Pair(first, second, optional))
        for a, b in zip(first.tolist(), second.tolist(), strict=True):
            root_a, root_b = self._root(a), self._root(b)
            if root_a != root_b:
                self._parents[max(root_a, root_b)] = min(root_a, root_b)

    def couple_rows(self, rows: Ids) -> None:
        """All rows of a matrix of ids go together, position by position."""
        for row in rows[1:]:
            self.couple(rows[0], row)

    def freeze(self, ids: Ids, reason: str) -> None:
        """These positions always stay."""
        self._frozen.append((ids, reason))

    def settle(self) -> SettledIds:
        """The outcome, once everything is traced."""
        roots = np.asarray(self._parents, dtype=np.int64)
        while not np.array_equal(roots, roots[roots]):
            roots = roots[roots]
        return SettledIds(
            roots=roots, blocks=tuple(self._blocks), freezes=tuple(self._frozen), pairs=tuple(self._pairs)
        )

    def _add(self, count: int, sources: tuple[Ids, ...], *, whole: bool) -> Ids:
        start = len(self._parents)
        ids = np.arange(start, start + count, dtype=np.int64)
        self._parents.extend(range(start, start + count))
        self._blocks.append(_Block(ids, sources, whole))
        return ids

    def _root(self, item: int) -> int:
        parents = self._parents
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item


@dataclass(frozen=True)
class SettledIds:
    """All ids of a traced network. ``roots`` maps an id to the representative of the ids it is coupled with."""

    roots: Ids
    blocks: tuple[_Block, ...]
    freezes: tuple[tuple[Ids, str], ...]
    pairs: tuple[_Pair, ...]

    @cached_property
    def frozen_because(self) -> dict[int, str]:
        """Root -> the first reason for which it is frozen."""
        reasons: dict[int, str] = {}
        for ids, reason in self.freezes:
            for root in np.unique(self.roots[ids]).tolist():
                reasons.setdefault(root, reason)
        return reasons

    @cached_property
    def frozen(self) -> Mask:
        """For every id whether it always stays."""
        mask = np.zeros(len(self.roots), dtype=bool)
        mask[list(self.frozen_because)] = True
        return mask[self.roots]

    def alive(self, dead: Iterable[Ids] = ()) -> Mask:
        """For every id whether anything it is computed from is left once ``dead`` (ids of network inputs) is gone."""
        alive = np.zeros(len(self.roots), dtype=bool)
        gone = np.concatenate([*dead, np.zeros(0, dtype=np.int64)])
        for block in self.blocks:
            if not block.sources:
                alive[block.ids] = ~np.isin(block.ids, gone)
            elif block.whole:
                alive[block.ids] = any(bool(alive[source].any()) for source in block.sources)
            else:
                alive[block.ids] = np.any([alive[source] for source in block.sources], axis=0)
        return alive

    def consistent(self, alive: Mask) -> bool:
        """Whether coupled positions are still alive together, so that shapes still fit."""
        for pair in self.pairs:
            first, second = alive[pair.first], alive[pair.second]
            gone = pair.optional and not (first.any() and second.any())
            if not gone and not np.array_equal(first, second):
                return False
        return True
