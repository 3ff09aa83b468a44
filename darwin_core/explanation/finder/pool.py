"""The rows that experiments are made with: a sample in memory, balanced over the classes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from darwin_core.data import MappedSplit
from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.attribution.features import concatenate, take

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

MAX_BYTES = 256 * 2**20
MAX_ROWS = 9_000
MAX_TABLE_ROWS = 20_000


class ScoresRows(Protocol):
    """A network that scores rows."""

    def scores(self, inputs: Inputs) -> Floats:
        """Scores of shape (rows,) for two classes, (rows, classes) for more."""
        ...


@dataclass(frozen=True)
class Pool:
    """Rows with labels.

    Attributes:
        inputs: Network input -> array.
        labels: (rows,) class index.
        row_ids: Their names.
        is_validation: (rows,) whether the networks were not fitted to the row.
    """

    inputs: Inputs
    labels: Ints
    row_ids: NDArray[np.object_]
    is_validation: Bools

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.labels)

    def take(self, rows: Ints) -> dict[str, NDArray[Any]]:
        """Inputs of these rows."""
        return take(self.inputs, rows)

    def only(self, rows: Bools) -> Pool:
        """The pool reduced to some rows."""
        return Pool(take(self.inputs, rows), self.labels[rows], self.row_ids[rows], self.is_validation[rows])


def draw_pool(train: MappedSplit, validation: MappedSplit, classes: int, rng: np.random.Generator) -> Pool:
    """A sample with as many rows of each class as there are and memory allows.

    Args:
        train: Training rows.
        validation: Validation rows; a third of the sample at most.
        classes: Number of classes.
        rng: Draws the rows.
    """
    row = train.take([0]).inputs
    is_table = all(array.size == 1 for array in row.values())
    most = MAX_TABLE_ROWS if is_table else MAX_ROWS
    most = max(200, min(most, MAX_BYTES // max(sum(array.nbytes for array in row.values()), 1)))
    parts = []
    for split, share, unseen in ((train, 2 / 3, False), (validation, 1 / 3, True)):
        labels = np.asarray(split.labels, np.int64)
        rows = np.sort(balanced(labels, classes, int(share * most), rng))
        names = np.array([split.row_ids[int(row)] for row in rows], object)
        parts.append(Pool(split.take(rows).inputs, labels[rows], names, np.full(len(rows), unseen)))
    return joined(parts)


def joined(parts: list[Pool]) -> Pool:
    """Several pools as one."""
    return replace(
        parts[0],
        inputs=concatenate([part.inputs for part in parts]),
        labels=np.concatenate([part.labels for part in parts]),
        row_ids=np.concatenate([part.row_ids for part in parts]),
        is_validation=np.concatenate([part.is_validation for part in parts]),
    )


def balanced(labels: Ints, classes: int, most: int, rng: np.random.Generator) -> Ints:
    """Positions of at most ``most`` rows; what rare classes do not fill, frequent ones get."""
    order = rng.permutation(len(labels))
    place = np.empty(len(labels), np.int64)
    for index in range(classes):
        members = order[labels[order] == index]
        place[members] = np.arange(len(members))
    return np.argsort(place, kind="stable")[:most]
