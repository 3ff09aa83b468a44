"""A small drawing that stands about one place, a little to and fro: a watermark, a stamp, a sticker."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

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

_MARGIN = 0.125
"""So much is added on each side, as a share of the shorter one: a drawing at the border need not fill its box."""

_SURROUNDINGS = 1.0
"""Standard deviation, in coarse pixels, of the neighbourhood that a pixel is held against."""

_COLOURFULNESS = 2.0
"""How much differences of colour count against those of luminance, of which pictures have more."""

_FAINT = 0.01
"""Root mean square of the relief below which a box counts as empty."""

_ROWS_AT_ONCE = 256

Places = NDArray[np.int64]
"""(rows, 2) upper and left ends of boxes, in pixels of reliefs."""


@dataclass(frozen=True)
class Template:
    """What to look for, and where.

    Attributes:
        drawing: (side, side) how far each pixel of a box stands out; sum of squares 1. Its sign means nothing.
        tops: The boxes begin at these rows of reliefs: first, last.
        lefts: And at these columns.
    """

    drawing: NDArray[np.float32]
    tops: tuple[int, int]
    lefts: tuple[int, int]

    def find(self, reliefs: NDArray[np.float32]) -> tuple[Floats, Places]:
        """Where in (rows, height, width, channels) reliefs the drawing is seen best.

        Returns:
            (rows,) likeness there, from 0 to 1, and the places.
        """
        parts = [
            likenesses(reliefs[start : start + _ROWS_AT_ONCE], self.drawing[None], (self.tops, self.lefts))[:, :, 0]
            for start in range(0, len(reliefs), _ROWS_AT_ONCE)
        ]
        likeness = np.concatenate(parts)
        best, across = np.argmax(likeness, axis=1), self.lefts[1] - self.lefts[0] + 1
        places = np.stack([self.tops[0] + best // across, self.lefts[0] + best % across], axis=1)
        return likeness[np.arange(len(reliefs)), best].astype(np.float64), places


def likenesses(
    reliefs: NDArray[np.float32], drawn: NDArray[np.float32], area: tuple[tuple[int, int], tuple[int, int]]
) -> NDArray[np.float32]:
    """Which share of what stands out in boxes has the shape of drawings, in whatever colours.

    A drawing is lighter than dark surroundings and darker than light ones, so each channel may follow it as far as it
    likes and with either sign: the adaptive coherence estimator (Kraut, Scharf and McWhorter, IEEE Transactions on
    Signal Processing 49, 2001) for a subspace of one drawing per channel.

    Args:
        reliefs: (rows, height, width, channels) as `relief` gives them.
        drawn: (drawings, side, side) as `shape_of` gives them.
        area: First and last row and first and last column at which boxes begin.

    Returns:
        (rows, places, drawings) square roots of the shares, from 0 to 1, row by row of the area.
    """
    side = drawn.shape[1]
    (top, bottom), (left, right) = area
    boxes = sliding_window_view(reliefs[:, top : bottom + side, left : right + side], (side, side), axis=(1, 2))
    flat = boxes.reshape(len(reliefs), -1, reliefs.shape[-1], side * side)
    along = flat @ drawn.reshape(len(drawn), -1).T
    energy = np.einsum("rpcs,rpcs->rp", flat, flat)
    shares = np.einsum("rpcd,rpcd->rpd", along, along) / np.maximum(energy, side * side * _FAINT**2)[..., None]
    return np.asarray(np.sqrt(shares), np.float32)


def relief(pictures: Pictures) -> NDArray[np.float32]:
    """How far each pixel of (rows, height, width, channels) pictures stands out from those around it.

    Nearly all of a natural picture's variance is smooth: without it thin drawings outweigh what they stand before.

    Returns:
        (rows, height, width, 1 or 3) luminance and, where there are colours, red against green and both against blue;
        averaged over squares of pixels where the pictures are large, with a margin all around.
    """
    step, grey = coarse_step(pictures.shape[1:3]), luminance(pictures)
    channels: list[NDArray[np.floating]] = [grey]
    if pictures.shape[-1] >= 3:
        red, green, blue = (pictures[..., index] for index in range(3))
        channels += [_COLOURFULNESS * (red - green), _COLOURFULNESS * ((red + green) / 2 - blue)]
    height, width = (size // step * step for size in grey.shape[1:])
    squares = np.stack(channels, axis=-1)[:, :height, :width]
    squares = squares.reshape(len(grey), height // step, step, width // step, step, len(channels))
    coarse = np.asarray(squares.mean(axis=(2, 4)), np.float32)
    standing_out = coarse - gaussian_filter(coarse, (0, _SURROUNDINGS, _SURROUNDINGS, 0), mode="nearest")
    margin = margin_of(pictures.shape[1:3])
    return np.pad(standing_out, ((0, 0), (margin, margin), (margin, margin), (0, 0)))


def coarse_step(shape: Sequence[int]) -> int:
    """Side of the squares of pixels that become one pixel of a relief."""
    return max(1, min(shape) // _COARSE_SIDE)


def margin_of(shape: Sequence[int]) -> int:
    """Pixels that reliefs of pictures of (height, width) have beyond them on each side."""
    return round(_MARGIN * (min(shape) // coarse_step(shape)))


def boxes_at(reliefs: NDArray[np.float32], places: Places, side: int) -> NDArray[np.float32]:
    """(rows, side * side, channels) boxes of reliefs, each with a sum of squares of 1 unless it is empty."""
    down, across = (places[:, axis, None] + np.arange(side) for axis in (0, 1))
    boxes = reliefs[np.arange(len(reliefs))[:, None, None], down[:, :, None], across[:, None, :]]
    flat = boxes.reshape(len(boxes), side * side, -1)
    energy = np.einsum("rsc,rsc->r", flat, flat)
    return np.asarray(flat / np.sqrt(np.maximum(energy, side * side * _FAINT**2))[:, None, None], np.float32)


def shape_of(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., side, side) what the columns of (..., side * side, columns) boxes have most in common.

    It is their first left singular vector: no other drawing has a larger share of the boxes' energy.
    """
    side = math.isqrt(boxes.shape[-2])
    first = np.linalg.svd(boxes, full_matrices=False)[0][..., 0]
    return np.asarray(first.reshape(*first.shape[:-1], side, side), np.float32)


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
        self._step, self._margin = coarse_step(space.shape[:2]), margin_of(space.shape[:2])
        # Where the drawing is in its box: beside a border it may lie at one side.
        weights, pixels = template.drawing**2, np.arange(len(template.drawing)) + 0.5
        centres = (float(np.average(pixels, weights=weights.sum(axis=axis))) for axis in (1, 0))
        middles = [
            (first + last) / 2 - self._margin + centre
            for (first, last), centre in zip((template.tops, template.lefts), centres, strict=True)
        ]
        shape = [size // self._step for size in space.shape[:2]]
        self.place = place_of(*(max(middle, 0) / size for middle, size in zip(middles, shape, strict=True)))
        """Where it lies, in words."""
        self.name = f"mark the network looks at ({self.place})"

    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:  # noqa: ARG003 - pictures alone do not say what is looked at
        """None: marks are proposed, see above."""
        return ()

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) likeness to the drawing where it is seen best, from 0 to 1."""
        return self.template.find(relief(pictures))[0]

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the donors' box; where the drawing was seen better before, its box is filled first."""
        (own, here), (others, there) = (self.template.find(relief(each)) for each in (pictures, donors))
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
            slice(max(0, start - margin) * self._step, max(0, start + side + margin) * self._step)
            for start in (int(at) - self._margin for at in place)
        )
        return rows, columns
