"""A small drawing that stands about one place, a little to and fro: a watermark, a stamp, a sticker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.factors.base import (
    Bools,
    FactorSpace,
    Floats,
    PictureFactor,
    Pictures,
    luminance,
    thumbnails,
)
from darwin_core.explanation.factors.windows import place_of

_COARSE_SIDE = 32
"""Pictures are compared at no fewer pixels along their shorter side than this, where they have as many."""

_FAINT = 0.03
"""Standard deviation of the luminance below which a box counts as empty."""

Places = NDArray[np.int64]
"""(rows, 2) upper and left ends of boxes, in pixels of coarse pictures."""


@dataclass(frozen=True)
class Template:
    """What to look for, and where.

    Attributes:
        drawing: (side, side) how light each pixel of a box is against the others; mean 0, sum of squares 1.
        tops: The boxes begin at these rows of coarse pictures: first, last.
        lefts: And at these columns.
    """

    drawing: NDArray[np.float32]
    tops: tuple[int, int]
    lefts: tuple[int, int]

    def find(self, coarse: NDArray[np.float32]) -> tuple[Floats, Places]:
        """Where in (rows, height, width) coarse pictures the drawing is seen best.

        Returns:
            (rows,) correlation there, from -1 to 1, and the places.
        """
        likeness = likenesses(coarse, self.drawing[None], (self.tops, self.lefts))[:, :, 0]
        best, across = np.argmax(likeness, axis=1), self.lefts[1] - self.lefts[0] + 1
        places = np.stack([self.tops[0] + best // across, self.lefts[0] + best % across], axis=1)
        return likeness[np.arange(len(coarse)), best].astype(np.float64), places


def likenesses(
    coarse: NDArray[np.float32], drawn: NDArray[np.float32], area: tuple[tuple[int, int], tuple[int, int]]
) -> NDArray[np.float32]:
    """How alike boxes are to drawings.

    Args:
        coarse: (rows, height, width) pictures.
        drawn: (drawings, side, side) as `drawings` gives them.
        area: First and last row and first and last column at which boxes begin.

    Returns:
        (rows, places, drawings) correlations, row by row of the area.
    """
    side = drawn.shape[1]
    (top, bottom), (left, right) = area
    boxes = sliding_window_view(coarse[:, top : bottom + side, left : right + side], (side, side), axis=(1, 2))
    flat = boxes.reshape(len(coarse), -1, side * side)
    return np.asarray((flat @ drawn.reshape(len(drawn), -1).T) / _norms(flat)[..., None])


def coarse_luminance(pictures: Pictures) -> NDArray[np.float32]:
    """(rows, height, width) luminance, averaged over squares of pixels where the pictures are large."""
    step = coarse_step(pictures.shape[1:3])
    grey = luminance(pictures)
    height, width = (size // step * step for size in grey.shape[1:])
    squares = grey[:, :height, :width].reshape(len(grey), height // step, step, width // step, step)
    return np.asarray(squares.mean(axis=(2, 4)), np.float32)


def coarse_step(shape: Sequence[int]) -> int:
    """Side of the squares of pixels that become one pixel of a coarse picture."""
    return max(1, min(shape) // _COARSE_SIDE)


def drawings(coarse: NDArray[np.float32], places: Places, side: int) -> NDArray[np.float32]:
    """(rows, side, side) boxes of coarse pictures: mean 0, and a sum of squares of 1 unless they are empty."""
    down, across = (places[:, axis, None] + np.arange(side) for axis in (0, 1))
    boxes = coarse[np.arange(len(coarse))[:, None, None], down[:, :, None], across[:, None, :]]
    flat = boxes.reshape(len(boxes), -1)
    centred = flat - flat.mean(axis=1, keepdims=True)
    return np.asarray((centred / _norms(flat)[:, None]).reshape(boxes.shape), np.float32)


def _norms(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(...) lengths of (..., pixels) boxes about their means."""
    pixels = boxes.shape[-1]
    squares = np.einsum("...p,...p->...", boxes, boxes) - pixels * boxes.mean(axis=-1) ** 2
    return np.asarray(np.sqrt(np.maximum(squares, pixels * _FAINT**2)))


class Mark(PictureFactor):
    """How alike to a drawing anything about a place is; moved by copying the box of the donor where it is.

    Not in the list of factors: the finder proposes marks from what the network looks at.

    Args:
        space: The data set.
        template: What to look for, and where.
    """

    is_proposed = True

    def __init__(self, space: FactorSpace, template: Template) -> None:
        super().__init__(space)
        self.template = template
        self._step = coarse_step(space.shape[:2])
        side, shape = len(template.drawing), [size // self._step for size in space.shape[:2]]
        middles = ((first + last + side) / 2 for first, last in (template.tops, template.lefts))
        self.place = place_of(*(middle / size for middle, size in zip(middles, shape, strict=True)))
        """Where it lies, in words."""
        self.name = f"mark the network looks at ({self.place})"

    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:  # noqa: ARG003 - pictures alone do not say what is looked at
        """None: marks are proposed, see above."""
        return ()

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) correlation with the drawing where it is seen best, from -1 to 1."""
        return self.template.find(coarse_luminance(pictures))[0]

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the donors' box; where the drawing was seen better before, its box is filled first."""
        (own, here), (others, there) = (self.template.find(coarse_luminance(each)) for each in (pictures, donors))
        changed = pictures.copy()
        for row in range(len(pictures)):
            for place in (here[row], there[row]) if own[row] > others[row] else (there[row],):
                box = (row, *self._box(place))
                changed[box] = donors[box]
        return changed

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:  # noqa: ARG002 - the area is fixed
        """Thumbnails of the pictures without the area in which the drawing may be, and half a box more."""
        pictures = self._to_unit(samples[self._input]).copy()
        first, last = ([axis[end] for axis in (self.template.tops, self.template.lefts)] for end in (0, 1))
        rows, columns = (
            slice(start.start, end.stop) for start, end in zip(self._box(first, 2), self._box(last, 2), strict=True)
        )
        pictures[:, rows, columns] = 0
        return thumbnails(pictures)

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """Where it is and how alike."""
        return (
            f"a mark ({self.place}) that the network looks at, as alike as {level[0]:.2f} (1: the same), "
            f"elsewhere {usual[0]:.2f}"
        )

    def _box(self, place: Sequence[int] | NDArray[np.int64], margins: int = 1) -> tuple[slice, slice]:
        """Rows and columns of full pictures with so many quarters of a box more on each side."""
        side = len(self.template.drawing)
        margin = margins * side // 4
        rows, columns = (
            slice(max(0, int(at) - margin) * self._step, (int(at) + side + margin) * self._step) for at in place
        )
        return rows, columns
