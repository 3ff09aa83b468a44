"""Views: label-safe variations of the training rows, so fixed that the teacher's outputs on them can be cached.

A view is a pure function of the row number. Every offspring of every generation and run sees the same variations, and
the teacher looks at each of them once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

Inputs = dict[str, npt.NDArray[np.generic]]
Rows = npt.NDArray[np.int64]


class View(ABC):
    """A deterministic variation of rows. ``name`` must change whenever the variation does: caches are keyed by it."""

    name: str

    @abstractmethod
    def apply(self, inputs: Mapping[str, npt.NDArray[np.generic]], rows: Rows) -> Inputs:
        """The varied inputs.

        Args:
            inputs: Input name -> values, batch axis first.
            rows: Row number of each row of the batch within the split.
        """


class PlainView(View):
    """The rows as they are."""

    name = "plain"

    def apply(self, inputs: Mapping[str, npt.NDArray[np.generic]], rows: Rows) -> Inputs:
        """The same inputs."""
        return dict(inputs)


PLAIN = PlainView()


class ShiftView(View):
    """Images moved by a few pixels and made a little brighter or darker; never mirrored or turned.

    Args:
        index: Which of the endlessly many such views.
        rows: Number of rows in the split.
        pixels: Largest shift along each axis; the border is repeated.
        brightness: Largest relative change of brightness.
    """

    def __init__(self, index: int, rows: int, pixels: int = 2, brightness: float = 0.15) -> None:
        self.name = f"shift-{pixels}-{brightness:g}-{index}"
        rng = np.random.default_rng((20_190_411, index, pixels))
        self._shifts = rng.integers(-pixels, pixels + 1, size=(rows, 2))
        self._gains = rng.uniform(1 - brightness, 1 + brightness, size=rows).astype(np.float32)

    def apply(self, inputs: Mapping[str, npt.NDArray[np.generic]], rows: Rows) -> Inputs:
        """The images (inputs of rank 4), varied; other inputs as they are."""
        return {name: self._vary(values, rows) if values.ndim == 4 else values for name, values in inputs.items()}

    def _vary(self, images: npt.NDArray[np.generic], rows: Rows) -> npt.NDArray[np.generic]:
        height, width = images.shape[1:3]
        down = np.clip(np.arange(height)[None, :] + self._shifts[rows, 0][:, None], 0, height - 1)
        right = np.clip(np.arange(width)[None, :] + self._shifts[rows, 1][:, None], 0, width - 1)
        moved = images[np.arange(len(images))[:, None, None], down[:, :, None], right[:, None, :]]
        varied = moved.astype(np.float32) * self._gains[rows][:, None, None, None]
        if np.issubdtype(images.dtype, np.integer):
            limit = np.iinfo(images.dtype).max
            return np.clip(np.rint(varied), 0, limit).astype(images.dtype)
        return varied.astype(images.dtype)
