"""Decoded rows in memory-mapped arrays, from which training and evaluation draw batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from darwin_core.data.permutation import Permutation

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Batch:
    """Some rows, ready for the network.

    Attributes:
        inputs: Network input -> array with the batch axis first, in the dtype of the input; text as bytes.
        labels: int32 class index, or float32 for regression, shape (rows,); int8 zeros and ones of shape (rows, labels)
            where there are several labels.
        weights: float32 of shape (rows,), where the data have weights.
        rows: Position of each row in the part, int64.
    """

    inputs: dict[str, Array]
    labels: Array
    weights: Array | None
    rows: npt.NDArray[np.int64]


class RowIds(Sequence[str]):
    """Names of rows, kept as memory-mapped UTF-8."""

    def __init__(self, encoded: Array) -> None:
        self._encoded = encoded

    def __len__(self) -> int:
        return len(self._encoded)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [value.decode() for value in self._encoded[index].tolist()]
        return bytes(self._encoded[index]).decode()


@dataclass(frozen=True)
class MappedSplit:
    """One part of a split, decoded once and read from disk as needed; its size costs no memory.

    Attributes:
        inputs: Network input -> array of all rows. Images are kept as uint8; batches carry the input's own dtype.
        input_types: Network input -> dtype that the network wants.
        labels: int32 class index, or float32 for regression, or int8 zeros and ones of shape (rows, labels), or uint8
            class indices of shape (rows, height, width).
        weights: float32, where the data have weights.
        row_ids: Names of the rows.
    """

    inputs: Mapping[str, Array]
    input_types: Mapping[str, np.dtype[Any]]
    labels: Array
    weights: Array | None
    row_ids: Sequence[str]

    @property
    def rows(self) -> int:
        """How many rows the part has."""
        return len(self.labels)

    def take(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Batch:
        """The rows at these positions, in this order."""
        rows = np.asarray(indices, np.int64)
        return Batch(
            inputs={
                name: values.take(rows, axis=0).astype(self.input_types[name], copy=False)
                for name, values in self.inputs.items()
            },
            labels=self.labels.take(rows, axis=0),
            weights=None if self.weights is None else self.weights.take(rows),
            rows=rows,
        )

    def batches(self, batch_size: int, *, seed: int | None = None, limit: int | None = None) -> Iterator[Batch]:
        """All rows once, batch by batch; the last batch may be smaller.

        Args:
            batch_size: Rows per batch.
            seed: None keeps the order; a number shuffles reproducibly.
            limit: Stop after so many rows.
        """
        shuffled = None if seed is None else Permutation(self.rows, seed)
        end = self.rows if limit is None else min(limit, self.rows)
        for start in range(0, end, batch_size):
            positions = np.arange(start, min(start + batch_size, end), dtype=np.int64)
            yield self.take(positions if shuffled is None else shuffled(positions))
