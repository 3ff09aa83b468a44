"""Views: label-safe variations of the training rows.

A view is a pure function of the row number, so every offspring of every generation and run sees the same variations,
and a reference's outputs on them could be cached like those on the rows as they are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from darwin_core.contracts import Task
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


class ShiftView(View):
    """Images moved a little and made brighter or darker; never mirrored or turned, which makes another sign of many.

    Args:
        index: Which of the endlessly many such views.
        shift: Largest shift along each axis as a share of it; the border is repeated.
        brightness: Largest relative change of brightness.
    """

    def __init__(self, index: int, shift: float = 0.1, brightness: float = 0.3) -> None:
        self.name = f"shift-{shift:g}-{brightness:g}-{index}"
        self._index, self._shift, self._brightness = index, shift, brightness

    def inputs(self, split: MappedSplit, rows: Rows) -> Inputs:
        """The images (inputs of rank 4), varied; other inputs as they are."""
        plain = split.take(rows).inputs
        return {name: self._vary(values, rows) if values.ndim == 4 else values for name, values in plain.items()}

    def _vary(self, images: npt.NDArray[Any], rows: Rows) -> npt.NDArray[Any]:
        height, width = images.shape[1:3]
        most = np.rint(self._shift * np.asarray([height, width]))
        shift = (_uniform(rows, self._index, (0, 1)) * (2 * most + 1)).astype(np.int64) - most.astype(np.int64)
        gain = 1 + self._brightness * (2 * _uniform(rows, self._index, (2,)) - 1)
        down = np.clip(np.arange(height)[None, :] + shift[:, :1], 0, height - 1)
        right = np.clip(np.arange(width)[None, :] + shift[:, 1:], 0, width - 1)
        moved = images[np.arange(len(images))[:, None, None], down[:, :, None], right[:, None, :]]
        varied = moved * gain.astype(np.float32)[:, :, None, None]
        if images.dtype.kind in "iu":
            varied = np.clip(np.rint(varied), 0, np.iinfo(images.dtype).max)
        return np.asarray(varied.astype(images.dtype))


def teaching_views(task: Task, *, images: bool) -> tuple[View, ...]:
    """The views of the training rows, in the order in which epochs use them.

    Pictures of classes are varied: a row is hardly seen twice in the same form, and the reference's outputs on the row
    as it is stand for all of its forms, so the reference need not look at them. A number to be predicted may depend on
    place or brightness, and tables have no variation that is true of every column.
    """
    if images and task is not Task.REGRESSION:
        return tuple(ShiftView(index) for index in range(_VARIATIONS))
    return (PLAIN,)


def _uniform(rows: Rows, index: int, streams: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Numbers in [0, 1) that depend on row, view and stream alone, shape (rows, streams)."""
    keys = np.asarray(streams, np.uint64)[None, :] + np.uint64((index + 1) << 20)
    mixed = mix64(mix64(rows.astype(np.uint64)[:, None]) ^ keys)
    return np.asarray((mixed >> np.uint64(11)).astype(np.float64) / 2**53)
