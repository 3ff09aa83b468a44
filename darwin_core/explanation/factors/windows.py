"""Small windows of a picture: corners, edges and whatever always stands at the same place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.factors.base import (
    Bools,
    FactorSpace,
    Floats,
    PictureFactor,
    Pictures,
    register_factor,
    thumbnails,
)

_PER_SIDE = 6
_CELLS = 3
_ROWS = ("top", "upper part", "above the middle", "below the middle", "lower part", "bottom")
_COLUMNS = ("left", "left part", "left of the centre", "right of the centre", "right part", "right")


def grid(space: FactorSpace) -> list[tuple[int, int, int]]:
    """(top, left, side) of overlapping windows that cover the pictures, a fifth of the shorter side wide."""
    height, width, _ = space.shape
    side = max(3, round(min(height, width) / 5))
    tops, lefts = (np.unique(np.linspace(0, size - side, _PER_SIDE).round().astype(int)) for size in (height, width))
    return [(int(top), int(left), side) for top in tops for left in lefts]


def place_of(row: float, column: float) -> str:
    """Where something lies whose middle is at these shares of the height and width, in words."""
    down, across = (min(int(share * _PER_SIDE), _PER_SIDE - 1) for share in (row, column))
    if {down, across} <= {0, _PER_SIDE - 1}:
        return f"{_ROWS[down]} {_COLUMNS[across]} corner"
    return f"{_ROWS[down]}, {_COLUMNS[across]}"


@register_factor
class Window(PictureFactor):
    """What stands in one window; moved by copying the donor's pixels."""

    name = "patch"

    def __init__(self, space: FactorSpace, top: int, left: int, side: int) -> None:
        super().__init__(space)
        self.window = slice(top, top + side), slice(left, left + side)
        """Rows and columns of pixels that belong to it."""
        row, column = (top + side / 2) / space.shape[0], (left + side / 2) / space.shape[1]
        self.place = place_of(row, column)
        """Where it lies, in words."""
        self.name = f"patch ({self.place})"
        self._reach = (
            slice(max(0, top - side), top + 2 * side),
            slice(max(0, left - side), left + 2 * side),
        )

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:  # noqa: ARG002 - the place is fixed
        """Thumbnails of the pictures without the window and as much again on each side of it."""
        pictures = self._to_unit(samples[self._input]).copy()
        pictures[:, self._reach[0], self._reach[1]] = 0
        return thumbnails(pictures)

    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:
        """One factor per window."""
        return () if space.picture is None else [cls(space, *window) for window in grid(space)]

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows, 9 * (channels + 1)) by cell of a three by three grid inside the window: means, standard deviation."""
        inside = pictures[:, self.window[0], self.window[1]]
        cells = [
            cell for band in np.array_split(inside, _CELLS, axis=1) for cell in np.array_split(band, _CELLS, axis=2)
        ]
        means = [cell.mean(axis=(1, 2)) for cell in cells]
        return np.concatenate([*means, *(cell.std(axis=(1, 2)).mean(axis=1, keepdims=True) for cell in cells)], axis=1)

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the donors' pixels in the window."""
        changed = pictures.copy()
        changed[:, self.window[0], self.window[1]] = donors[:, self.window[0], self.window[1]]
        return changed

    def tell_levels(self, level: Floats, usual: Floats) -> str:  # noqa: ARG002 - the place says it
        """Where it is."""
        return f"alike pixels in a small window ({self.place})"
