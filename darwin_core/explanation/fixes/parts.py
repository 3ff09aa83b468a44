"""Rows as a fix leaves them: some with other inputs, some counting for more, less or nothing, some columns gone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.data import Batch, MappedSplit
from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.attribution.features import take
from darwin_core.explanation.finder.pool import Ints, ScoresRows

SCORED_ROWS = 4_096
"""So many rows at most are scored for a figure."""


@dataclass(frozen=True)
class Part:
    """A part of the data, changed. What is not given stays as it is.

    Attributes:
        split: The part as it was.
        rows: Positions of rows with other inputs, ascending.
        inputs: Those inputs; inputs that are not named stay as they are.
        weights: (rows of the part,) how much each row counts beside its own weight; rows that count for nothing are
            left out.
        dropped: Columns that nothing reads any more.
        augment: Changes the inputs of a batch anew each time it is trained on.
    """

    split: MappedSplit
    rows: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    inputs: Inputs = field(default_factory=dict)
    weights: Floats | None = None
    dropped: tuple[str, ...] = ()
    augment: Callable[[Inputs], Inputs] | None = None

    @property
    def changed_rows(self) -> int:
        """How many rows are not what they were."""
        if self.dropped:
            return self.split.rows
        other = np.zeros(self.split.rows, bool) if self.weights is None else self.weights != 1
        other[self.rows] = True
        return int(other.sum())

    @property
    def kept(self) -> Ints:
        """Positions of the rows that are not left out, ascending."""
        return np.arange(self.split.rows) if self.weights is None else np.flatnonzero(self.weights > 0)

    def take(self, rows: Ints) -> Inputs:
        """Inputs of some rows."""
        return self._changed(self.split.take(rows)).inputs

    def batch(self, batch: Batch) -> Batch:
        """A batch of the part as it was, made what is trained on; may be empty."""
        changed = self._weighted(self._changed(batch))
        if self.augment is None or not len(changed.rows):
            return changed
        return Batch(dict(self.augment(changed.inputs)), changed.labels, changed.weights, changed.rows)

    def sample(self, rng: np.random.Generator) -> Ints:
        """Positions of the rows kept, or of some of them where they are many."""
        return np.sort(rng.permutation(self.kept)[:SCORED_ROWS])

    def scores(self, network: ScoresRows, rows: Ints) -> Floats:
        """A network's scores of some rows."""
        return network.scores(self.take(rows))

    def drawn(self, rng: np.random.Generator) -> Ints:
        """Positions in which each row stands as often as it counts, by chance where that is no whole number."""
        if self.weights is None:
            return np.arange(self.split.rows)
        whole = np.floor(self.weights)
        return np.repeat(
            np.arange(self.split.rows), (whole + (rng.random(len(whole)) < self.weights - whole)).astype(int)
        )

    def _changed(self, batch: Batch) -> Batch:
        if not len(self.rows):
            return batch
        hit = np.flatnonzero(np.isin(batch.rows, self.rows))
        changed = take(self.inputs, np.searchsorted(self.rows, batch.rows[hit]))
        return Batch(with_rows(batch.inputs, hit, changed), batch.labels, batch.weights, batch.rows)

    def _weighted(self, batch: Batch) -> Batch:
        if self.weights is None:
            return batch
        counts = self.weights[batch.rows]
        left = counts > 0
        own = np.ones(len(counts), np.float32) if batch.weights is None else batch.weights
        weights = (own * counts).astype(np.float32)
        return Batch(take(batch.inputs, left), batch.labels[left], weights[left], batch.rows[left])


def with_rows(inputs: Inputs, places: Ints, changed: Inputs) -> dict[str, NDArray[Any]]:
    """A copy of some inputs with other values at some places, where they have any; text gets the room it needs."""
    taken = dict(inputs)
    for name, values in changed.items():
        room = np.promote_types(inputs[name].dtype, values.dtype) if values.dtype.kind == "S" else inputs[name].dtype
        taken[name] = np.array(inputs[name], dtype=room)
        taken[name][places] = values
    return taken
