"""The hold-out as arrays: labels, answers of a network, and how rows belong together. Pure numpy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.evaluation.metrics import DECISION_THRESHOLD
from darwin_core.evaluation.ranking import Floats

_BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class Slice:
    """The rows whose column ``column`` holds ``value`` (or falls into the interval that ``value`` names)."""

    column: str
    value: str
    mask: NDArray[np.bool_]

    @property
    def name(self) -> str:
        """``column=value``."""
        return f"{self.column}={self.value}"


@dataclass(frozen=True)
class Cases:
    """Rows of the hold-out without any network's answers.

    Args:
        labels: Class index (binary: 1 is positive) or target, shape (n,); zeros and ones of shape (n, labels) where a
            row can have several labels; class indices of shape (n, height, width) for a segmentation.
        weights: Sample weights, shape (n,), or None.
        clusters: Index of the entity or day each row belongs to, shape (n,), or None where rows are independent.
        periods: Index of the alert period (day) of each row, shape (n,), or None: one alert queue for all rows.
    """

    labels: NDArray[Any]
    weights: Floats | None = None
    clusters: NDArray[np.int64] | None = None
    periods: NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.labels)

    @property
    def positive(self) -> NDArray[np.bool_]:
        """Which rows are positive, shape (n,); of several labels, those that have any."""
        marked = np.asarray(self.labels) != 0
        return marked if marked.ndim == 1 else np.asarray(marked.any(axis=1))

    def restricted(self, mask: NDArray[np.bool_]) -> Cases:
        """The rows of a slice."""
        return Cases(
            labels=self.labels[mask],
            weights=None if self.weights is None else self.weights[mask],
            clusters=_renumbered(self.clusters, mask),
            periods=_renumbered(self.periods, mask),
        )


@dataclass(frozen=True)
class Answers:
    """What one network said about every row.

    Args:
        scores: Probability of the positive class (binary), probability of the predicted class (multiclass), or the
            predicted value (regression), shape (n,); probability of each label, shape (n, labels). Segmentation: mean
            over the pixels of the predicted class's, shape (n,).
        predicted: Predicted class index, shape (n,); zeros for regression; zeros and ones of shape (n, labels); class
            indices of shape (n, height, width).
    """

    scores: Floats
    predicted: NDArray[np.int64]

    @classmethod
    def from_scores(cls, task: Task, scores: NDArray[Any]) -> Answers:
        """Read what ``to_scores`` gives: (n,) for binary and regression, (n, classes or labels) for the others.

        A score that is no number counts as the lowest possible answer, never as an alert.
        """
        if task in (Task.MULTICLASS, Task.SEGMENTATION):
            return _top_classes(scores)
        values = np.nan_to_num(np.asarray(scores, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
        decided = np.zeros(len(values)) if task is Task.REGRESSION else values >= DECISION_THRESHOLD
        return cls(values, decided.astype(np.int64))

    def restricted(self, mask: NDArray[np.bool_]) -> Answers:
        """The answers on the rows of a slice."""
        return Answers(self.scores[mask], self.predicted[mask])


def _renumbered(index: NDArray[np.int64] | None, mask: NDArray[np.bool_]) -> NDArray[np.int64] | None:
    return None if index is None else np.unique(index[mask], return_inverse=True)[1].astype(np.int64)


def _top_classes(scores: NDArray[Any]) -> Answers:
    """Block by block, because the scores of all classes may lie in a memory map larger than memory."""
    confidence, predicted = np.zeros(len(scores)), np.zeros(scores.shape[:-1], np.int64)
    step = max(1, _BLOCK_ROWS // max(int(np.prod(scores.shape[1:-1])), 1))
    for start in range(0, len(scores), step):
        block = np.nan_to_num(np.asarray(scores[start : start + step], np.float64), nan=0.0)
        rows = slice(start, start + len(block))
        predicted[rows] = block.argmax(axis=-1)
        confidence[rows] = block.max(axis=-1).reshape(len(block), -1).mean(axis=1)
    return Answers(confidence, predicted)
