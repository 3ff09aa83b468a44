"""Traces of JPEG compression."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.factors.base import (
    Bools,
    FactorSpace,
    Floats,
    PictureFactor,
    Pictures,
    coarse_thumbnails,
    luminance,
    register_factor,
)
from darwin_core.explanation.factors.matching import nearest_version

_BLOCK = 8
_QUALITIES = (70, 30, 15, 6)
_MODES = {1: "L", 3: "RGB"}


@register_factor
class Blockiness(PictureFactor):
    """Steps at the borders of blocks of eight by eight pixels against steps inside them; moved by compressing again.

    It cannot be taken away, only given: a picture that is blockier than its donor stays as it is.
    """

    name = "compression"

    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:
        """One factor, where the pictures hold at least two blocks each way and JPEG knows their channels."""
        if space.picture is None or min(space.shape[:2]) < 2 * _BLOCK or space.shape[-1] not in _MODES:
            return ()
        return (cls(space),)

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) logarithm of the mean step at block borders over the mean step elsewhere."""
        grey = luminance(pictures)
        down, across = np.abs(np.diff(grey, axis=1)), np.abs(np.diff(grey, axis=2))
        at = np.zeros(len(pictures))
        inside = np.zeros(len(pictures))
        for steps, axis in ((down, 1), (across, 2)):
            is_border = np.arange(steps.shape[axis]) % _BLOCK == _BLOCK - 1
            at += np.compress(is_border, steps, axis=axis).mean(axis=(1, 2))
            inside += np.compress(~is_border, steps, axis=axis).mean(axis=(1, 2))
        return np.log((at + 1e-3) / (inside + 1e-3))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures, compressed to be about as blocky as the donors."""
        versions = [pictures, *(_compressed(pictures, quality) for quality in _QUALITIES)]
        return nearest_version(self.describe_pictures, versions, donors)

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:  # noqa: ARG002 - the same for all
        """What does not depend on fine detail."""
        return coarse_thumbnails(self._to_unit(samples[self._input]))


def _compressed(pictures: Pictures, quality: int) -> Pictures:
    result = np.empty_like(pictures)
    mode = _MODES[pictures.shape[-1]]
    for row, picture in enumerate(np.clip(255 * pictures, 0, 255).astype(np.uint8)):
        buffer = io.BytesIO()
        Image.fromarray(picture.squeeze(), mode).save(buffer, "JPEG", quality=quality)
        result[row] = np.asarray(Image.open(buffer), np.float32).reshape(picture.shape) / 255
    return result
