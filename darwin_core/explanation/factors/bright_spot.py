"""A spot of light that stands out on all sides, like a low sun."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
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
    register_factor,
    thumbnails,
)
from darwin_core.explanation.factors.windows import place_of

_RADII = (0.04, 0.08, 0.13)
"""Standard deviations of the spots that are looked for, as shares of the shorter side."""

_RING = 2.5
"""How many standard deviations away the surroundings begin."""

_DIRECTIONS = 8
_SEEN = 0.76
"""Share of a Gaussian spot's peak that is left after smoothing, less what is left of it at the ring."""

_CLEARANCE = 3.5

_AREA = 0.375
_ROWS = (("top", 0.0), ("", 0.3125), ("bottom", 0.625))
_COLUMNS = (("left", 0.0), ("", 0.3125), ("right", 0.625))
"""Beside the picture as a whole, areas along its border are looked at, each so high and wide: in words, and where they
begin. The most prominent spot of all is often the object itself, a yellow sign beside a sun."""

_TOO_LIGHT = 0.8
"""Where a place is lighter than this, a spot of light there makes no difference that could be seen."""


@dataclass(frozen=True)
class _Spots:
    """The most prominent spot of each picture: place and radius in pixels, and what it adds to each channel."""

    rows: Floats
    columns: Floats
    radii: Floats
    strength: Floats
    excess: NDArray[np.float32]

    def light(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """(rows, height, width, channels) what the spots add to their pictures."""
        y, x = np.arange(shape[1])[None, :, None], np.arange(shape[2])[None, None, :]
        squares = (y - self.rows[:, None, None]) ** 2 + (x - self.columns[:, None, None]) ** 2
        profile = np.exp(-squares / (2 * self.radii[:, None, None] ** 2)).astype(np.float32)
        return profile[..., None] * self.excess[:, None, None, :]


@register_factor
class BrightSpot(PictureFactor):
    """Place and strength of an area's most prominent spot; moved by taking its light and adding that of the donor's.

    Args:
        space: The data set.
        area: Rows and columns of pixels that are looked at.
        place: The area in words; none for the whole picture.
    """

    def __init__(self, space: FactorSpace, area: tuple[slice, slice], place: str = "") -> None:
        super().__init__(space)
        self.name = f"bright spot ({place})" if place else "bright spot"
        self._area = area

    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:
        """The whole picture's and one for each area along its border, where the samples are pictures."""
        if space.picture is None:
            return ()
        height, width, _ = space.shape
        whole = cls(space, (slice(0, height), slice(0, width)))
        areas = [
            cls(space, (_part(top, height), _part(left, width)), f"{down} {across}".strip())
            for (down, top), (across, left) in itertools.product(_ROWS, _COLUMNS)
            if down or across
        ]
        return [whole, *areas]

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows, 3) place as shares of height and width, and how far the spot outshines its surroundings."""
        spots, (height, width) = self._find(pictures), pictures.shape[1:3]
        return np.stack([spots.rows / height, spots.columns / width, spots.strength], axis=1)

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the spots of the donors instead of their own."""
        own, other = self._find(pictures), self._find(donors)
        return np.asarray(np.clip(pictures - own.light(pictures.shape), 0, 1) + other.light(pictures.shape))

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:
        """Thumbnails without the place where the spots of those with the factor are."""
        pictures = self._to_unit(samples[self._input]).copy()
        row, column, radius = _usual(self._find(pictures), has_factor)
        y, x = np.arange(pictures.shape[1])[:, None], np.arange(pictures.shape[2])[None, :]
        pictures[:, (y - row) ** 2 + (x - column) ** 2 <= (_CLEARANCE * radius) ** 2] = 0
        return thumbnails(pictures)

    def hides(self, samples: Inputs, has_factor: Bools) -> Bools:
        """Pictures that are light around the place of the spots, or there without a spot: a low sun in a white sky."""
        pictures = self._to_unit(samples[self._input])
        row, column, radius = _usual(self._find(pictures), has_factor)
        smooth = gaussian_filter(luminance(pictures), (0, radius / 2, radius / 2), mode="nearest")
        y, x = np.mgrid[: smooth.shape[1], : smooth.shape[2]]
        around = np.abs(np.hypot(y - row, x - column) - _RING * radius) <= 1
        here = smooth[:, round(row), round(column)] > _TOO_LIGHT
        return np.asarray((here & ~has_factor) | (smooth[:, around].mean(axis=1) > _TOO_LIGHT))

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """Where it is and how strong."""
        return (
            f"a bright spot ({place_of(level[0], level[1])}) that outshines its surroundings by {level[2]:.2f}, "
            f"elsewhere by {usual[2]:.2f}"
        )

    def _find(self, pictures: Pictures) -> _Spots:
        return _most_prominent(pictures, *self._area)


def _part(start: float, size: int) -> slice:
    first = round(start * size)
    return slice(first, first + max(1, round(_AREA * size)))


def _usual(spots: _Spots, rows: Bools) -> tuple[float, float, float]:
    """Row, column and radius in pixels: medians over some rows."""
    row, column, radius = (float(np.median(values[rows])) for values in (spots.rows, spots.columns, spots.radii))
    return row, column, radius


def _most_prominent(pictures: Pictures, rows: slice, columns: slice) -> _Spots:
    """The most prominent spot of each picture in these rows and columns of pixels."""
    grey = luminance(pictures)
    side = min(grey.shape[1:])
    responses = np.stack([_prominence(grey, share * side)[:, rows, columns] for share in _RADII])
    scales, count, height, width = responses.shape
    best = np.argmax(responses.transpose(1, 0, 2, 3).reshape(count, -1), axis=1)
    scale, down, right = np.unravel_index(best, (scales, height, width))
    strength = np.maximum(responses[scale, np.arange(count), down, right], 0).astype(np.float64)
    down, right = down + rows.start, right + columns.start
    centre = pictures[np.arange(count), down, right]
    tint = centre / np.maximum(centre.max(axis=1, keepdims=True), 1e-3)
    return _Spots(
        rows=down.astype(np.float64),
        columns=right.astype(np.float64),
        radii=np.array(_RADII)[scale] * side,
        strength=strength,
        excess=(tint * (strength / _SEEN)[:, None]).astype(np.float32),
    )


def _prominence(grey: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """(rows, height, width) light at a place minus the lightest of its surroundings; beyond the picture it is dark."""
    smooth = gaussian_filter(grey, (0, radius / 2, radius / 2), mode="nearest")
    reach = max(1, round(_RING * radius))
    padded = np.pad(smooth, ((0, 0), (reach, reach), (reach, reach)))
    height, width = grey.shape[1:]
    surroundings = np.zeros_like(smooth)
    for angle in 2 * np.pi * np.arange(_DIRECTIONS) / _DIRECTIONS:
        down, right = reach + round(reach * np.sin(angle)), reach + round(reach * np.cos(angle))
        np.maximum(surroundings, padded[:, down : down + height, right : right + width], out=surroundings)
    return np.asarray(smooth - surroundings)
