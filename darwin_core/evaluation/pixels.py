"""Masks of classes: counts per row, from which shares of right pixels and intersections over union follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.evaluation.ranking import Floats


@dataclass(frozen=True)
class PixelCounts:
    """How often each class was there, was predicted, and both, on each row.

    Args:
        both: Pixels, shape (n, classes).
        there: Pixels, shape (n, classes).
        predicted: Pixels, shape (n, classes).
    """

    both: NDArray[np.int64]
    there: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @classmethod
    def of(cls, labels: NDArray[Any], predicted: NDArray[Any], classes: int) -> PixelCounts:
        """Count masks of class indices, both of shape (n, height, width)."""
        right = labels == predicted
        found = [
            [
                ((labels == k) & right).sum(axis=(1, 2)),
                (labels == k).sum(axis=(1, 2)),
                (predicted == k).sum(axis=(1, 2)),
            ]
            for k in range(classes)
        ]
        both, there, guessed = (np.stack([each[part] for each in found], axis=1) for part in range(3))
        return cls(both, there, guessed)

    @property
    def right_share(self) -> Floats:
        """Share of each row's pixels that are right, shape (n,)."""
        share: Floats = self.both.sum(axis=1) / np.maximum(self.there.sum(axis=1), 1)
        return share


def mean_iou(both: Floats, there: Floats, predicted: Floats) -> Floats:
    """Mean over the classes of intersection over union, counted over all pixels of all rows together.

    Args:
        both: Pixels of each class that are predicted as it, classes on the last axis.
        there: Pixels of each class.
        predicted: Pixels predicted as each class.

    Returns:
        Without the last axis. Classes that neither are there nor are predicted do not count; NaN where none is.
    """
    union = there + predicted - both
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(union > 0, both / union, 0.0)
        mean: Floats = ratio.sum(axis=-1) / (union > 0).sum(axis=-1)
    return mean
