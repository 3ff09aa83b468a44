"""Lessons: training rows in the order in which a stint needs them, ready for the part of a network that is trained."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from darwin_core.data import MappedSplit
from darwin_core.data.permutation import Permutation
from darwin_core.training.front import Tensors, TrainedPart
from darwin_core.training.plan import TrainingPlan
from darwin_core.training.runtime import stable_seed
from darwin_core.training.views import PLAIN, View

Lesson = tuple[Tensors, Any, Any, Any]
"""Inputs by name, labels, sample weights and teacher outputs of the same rows."""

_CHUNK_ROWS, _LARGER_CHUNK_ROWS = 4_096, 16_384
"""Rows of a chunk as it is read, and where all rows are ready and a step takes no longer than reading its rows."""

_CHUNK_BYTES = 24 << 20
_PREPARED_BYTES = 96 << 20
_RECALIBRATION_BATCH, _RECALIBRATION_ROWS = 256, 4_096


@dataclass(frozen=True)
class DistillationData:
    """Training rows beside the teacher's outputs on each of their views.

    Attributes:
        split: The training rows.
        views: Views in the order in which the epochs use them, each with the teacher's outputs, shape (rows, units).
    """

    split: MappedSplit
    views: tuple[tuple[View, npt.NDArray[np.float32]], ...]

    @cached_property
    def weight_scale(self) -> float:
        """What sample weights are multiplied by to be 1 in the mean."""
        mean = 1.0 if self.split.weights is None else float(np.mean(self.split.weights))
        return 1.0 / max(mean, 1e-12)

    def take(self, start: int, count: int, seed: int) -> Lesson:
        """Rows ``start`` to ``start + count`` of the endless shuffled sequence that ``seed`` determines.

        Returns:
            Inputs, labels, sample weights and teacher outputs, ``count`` rows each.
        """
        pieces = []
        while count > 0:
            epoch, offset = divmod(start, self.split.rows)
            length = min(count, self.split.rows - offset)
            pieces.append(self._piece(epoch, offset, length, seed))
            start, count = start + length, count - length
        if len(pieces) == 1:
            return pieces[0]
        inputs = {name: np.concatenate([piece[0][name] for piece in pieces]) for name in pieces[0][0]}
        labels, weights, outputs = (np.concatenate([piece[part] for piece in pieces]) for part in (1, 2, 3))
        return inputs, labels, weights, outputs

    def _piece(self, epoch: int, offset: int, length: int, seed: int) -> Lesson:
        order = Permutation(self.split.rows, stable_seed(seed, "epoch", epoch))
        rows = order(np.arange(offset, offset + length, dtype=np.int64))
        view, outputs = self.views[epoch % len(self.views)]
        batch = self.split.take(rows)
        inputs = batch.inputs if view is PLAIN else view.inputs(self.split, rows)
        weights = np.ones(length, np.float32) if batch.weights is None else batch.weights
        return inputs, batch.labels, weights, np.asarray(outputs[rows])


class Lessons:
    """What a stint reads.

    A table's front is run once for all rows where what it makes of them is small enough to be kept and every row is
    needed: reading dozens of columns takes longer than learning from them.

    Args:
        data: Training rows and teacher outputs.
        part: What is trained.
        plan: How many rows are needed.
        seed: Determines their order.
    """

    def __init__(self, data: DistillationData, part: TrainedPart, plan: TrainingPlan, seed: int) -> None:
        ready = _is_worth_preparing(data, part, plan)
        self._data, self.part = _prepared(data, part) if ready else (data, part)
        self._chunk_rows = _LARGER_CHUNK_ROWS if ready else _CHUNK_ROWS
        self._plan, self._seed = plan, seed

    def first(self, rows: int) -> Lesson:
        """So many rows from the beginning."""
        return self._lesson(0, rows)

    def chunks(self, done: int) -> Generator[tuple[int, Lesson]]:
        """What is left of the stint after so many steps, in pieces; the next is read while one is used.

        All pieces have as many rows, the last one too, though it has fewer steps: a program is compiled for one size.

        Yields:
            A number of steps, and their rows.
        """
        size, batch = self._chunk_steps(), self._plan.batch_size

        def read(start: int) -> tuple[int, Lesson]:
            return min(size, self._plan.steps - start), self._lesson(start * batch, size * batch)

        starts = range(done, self._plan.steps, size)
        with ThreadPoolExecutor(max_workers=1) as pool:
            coming = [pool.submit(read, start) for start in starts[:1]]
            for start in starts[1:]:
                ready = coming.pop().result()
                coming.append(pool.submit(read, start))
                yield ready
            yield from (last.result() for last in coming)

    def plain_batches(self) -> Iterator[Tensors]:
        """Batches of training rows as they are, on which statistics are measured."""
        return plain_batches(self._data.split)

    def _chunk_steps(self) -> int:
        row = sum(values[:1].nbytes for values in self._data.split.take([0]).inputs.values())
        rows = min(self._chunk_rows, _CHUNK_BYTES // max(row, 1))
        return min(max(1, rows // self._plan.batch_size), self._plan.steps)

    def _lesson(self, start: int, count: int) -> Lesson:
        inputs, labels, weights, outputs = self._data.take(start, count, self._seed)
        scaled = weights * np.float32(self._data.weight_scale)
        tensors = dict(self.part.prepare({name: tf.constant(values) for name, values in inputs.items()}))
        return tensors, tf.constant(labels), tf.constant(scaled), tf.constant(outputs)


def plain_batches(split: MappedSplit) -> Iterator[Tensors]:
    """The first few thousand rows of a shuffled split, batch by batch."""
    return (batch.inputs for batch in split.batches(_RECALIBRATION_BATCH, seed=0, limit=_RECALIBRATION_ROWS))


def _is_worth_preparing(data: DistillationData, part: TrainedPart, plan: TrainingPlan) -> bool:
    small = part.is_split and part.row_bytes * data.split.rows <= _PREPARED_BYTES
    return small and plan.samples >= data.split.rows and all(view is PLAIN for view, _ in data.views)


def _prepared(data: DistillationData, part: TrainedPart) -> tuple[DistillationData, TrainedPart]:
    """All rows behind the front, and what is trained without it."""
    inputs: dict[str, npt.NDArray[Any]] = {}
    for batch in data.split.batches(_CHUNK_ROWS):
        for name, values in part.prepare({name: tf.constant(each) for name, each in batch.inputs.items()}).items():
            piece = values.numpy()
            if name not in inputs:
                inputs[name] = np.empty((data.split.rows, *piece.shape[1:]), piece.dtype)
            inputs[name][batch.rows] = piece
    types = {name: values.dtype for name, values in inputs.items()}
    return replace(data, split=replace(data.split, inputs=inputs, input_types=types)), part.without_front()
