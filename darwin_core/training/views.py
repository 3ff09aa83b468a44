"""Views: label-safe variations of the training rows.

A view is a pure function of the row number, so every offspring of every generation and run sees the same variations,
and a reference's outputs on them could be cached like those on the rows as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from darwin_core.contracts import Variation
from darwin_core.data import MappedSplit
from darwin_core.data.permutation import mix64

Inputs = dict[str, npt.NDArray[Any]]
Rows = npt.NDArray[np.int64]

_VARIATIONS = 64


class View(ABC):
    """A deterministic variation of rows that leaves their labels true."""

    name: str
    """Must change whenever the variation does: caches are keyed by it."""

    @abstractmethod
    def inputs(self, split: MappedSplit, rows: Rows) -> Inputs:
        """Input name -> varied values of these rows, batch axis first."""


class PlainView(View):
    """The rows as they are."""

    name = "plain"

    def inputs(self, split: MappedSplit, rows: Rows) -> Inputs:
        """The rows' own inputs."""
        return split.take(rows).inputs


PLAIN = PlainView()


class MirrorView(View):
    """Every picture mirrored, left to right."""

    name = "mirrored"

    def inputs(self, split: MappedSplit, rows: Rows) -> Inputs:
        """The pictures (inputs of rank 4), mirrored; other inputs as they are."""
        plain = split.take(rows).inputs
        return {name: values[:, :, ::-1] if values.ndim == 4 else values for name, values in plain.items()}


MIRRORED = MirrorView()


class WarpView(View):
    """Pictures moved, turned, scaled and lit a little otherwise; mirrored only where that is allowed.

    Positions between pixels are interpolated linearly, and the border is repeated.

    Args:
        index: Which of the endlessly many such views.
        shift: Largest shift along each axis, as a share of it.
        turn: Largest turn, in degrees.
        zoom: Largest natural logarithm of the scale; the two axes may differ by a third of it.
        brightness: Largest relative change of all values.
        contrast: Largest relative change of each value's distance from the picture's mean.
        strength: All of these are multiplied by it.
        mirror: Whether every other picture is mirrored, left to right.
    """

    def __init__(
        self,
        index: int,
        shift: float = 0.1,
        turn: float = 10.0,
        zoom: float = 0.15,
        brightness: float = 0.3,
        contrast: float = 0.3,
        *,
        strength: float = 1.0,
        mirror: bool = False,
    ) -> None:
        sizes = [strength * size for size in (shift, turn, zoom, brightness, contrast)]
        self._shift, turned, self._zoom, self._brightness, self._contrast = sizes
        self._index, self._turn, self._mirror = index, np.deg2rad(turned), mirror
        self.name = "-".join(["warp", *(f"{size:g}" for size in sizes), str(index), *["mirror"] * mirror])

    def inputs(self, split: MappedSplit, rows: Rows) -> Inputs:
        """The pictures (inputs of rank 4), varied; other inputs as they are."""
        plain = split.take(rows).inputs
        return {name: self._vary(values, rows) if values.ndim == 4 else values for name, values in plain.items()}

    def _vary(self, images: npt.NDArray[Any], rows: Rows) -> npt.NDArray[Any]:
        right, down, turn, zoom, stretch, gain, spread, side = 2 * _uniform(rows, self._index, tuple(range(8))).T - 1
        facing = np.sign(side) if self._mirror else np.ones(len(rows))
        transforms = self._transforms(images.shape[1:3], right, down, turn, zoom, stretch, facing)
        warped = tf.raw_ops.ImageProjectiveTransformV3(
            images=images.astype(np.float32),
            transforms=transforms,
            output_shape=images.shape[1:3],
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="NEAREST",
        ).numpy()
        mean = warped.mean(axis=(1, 2, 3), keepdims=True)
        varied = (mean + (warped - mean) * _factors(self._contrast * spread)) * _factors(self._brightness * gain)
        if images.dtype.kind in "iu":
            varied = np.clip(np.rint(varied), 0, np.iinfo(images.dtype).max)
        return np.asarray(varied.astype(images.dtype))

    def _transforms(self, size: tuple[int, ...], *numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """For each picture the map from a place in the view to one in the picture, (rows, 8) as TensorFlow takes it.

        A place relative to the middle is moved, scaled and turned, and then mirrored.
        """
        right, down, turn, zoom, stretch, facing = numbers
        height, width = size
        middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
        scale_x = np.exp(-self._zoom * (zoom + stretch / 6))
        scale_y = np.exp(-self._zoom * (zoom - stretch / 6))
        cosine, sine = np.cos(self._turn * turn), np.sin(self._turn * turn)
        a, b, c, d = facing * scale_x * cosine, -facing * scale_x * sine, scale_y * sine, scale_y * cosine
        from_x, from_y = middle_x + self._shift * width * right, middle_y + self._shift * height * down
        nothing = np.zeros_like(turn)
        rows = (a, b, middle_x - a * from_x - b * from_y, c, d, middle_y - c * from_x - d * from_y, nothing, nothing)
        return np.stack(rows, axis=1).astype(np.float32)


def _factors(changes: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """One plus a change per picture, to be multiplied with (rows, height, width, channels)."""
    return (1 + changes).astype(np.float32)[:, None, None, None]


def teaching_views(variation: Variation) -> tuple[View, ...]:
    """The views of the training rows, in the order in which epochs use them.

    Pictures that are varied are hardly seen twice in the same form, and the reference's outputs on a picture as it is
    stand for all of its forms, so the reference need not look at them.

    Args:
        variation: How far pictures may be varied.
    """
    if variation.strength == 0.0 and not variation.mirrored:
        return (PLAIN,)
    return tuple(
        WarpView(index, strength=variation.strength, mirror=variation.mirrored) for index in range(_VARIATIONS)
    )


def _uniform(rows: Rows, index: int, streams: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1) that depend on row, view and stream alone, shape (rows, streams)."""
    keys = np.asarray(streams, np.uint64)[None, :] + np.uint64((index + 1) << 20)
    mixed = mix64(mix64(rows.astype(np.uint64)[:, None]) ^ keys)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2**53)
