"""How wide an object is for its height."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from darwin_core.explanation.factors.base import Floats, PictureFactor, Pictures, register_factor
from darwin_core.explanation.factors.border import frame_of
from darwin_core.explanation.factors.matching import nearest_version

_STRETCHES = (0.5, 0.65, 0.8, 0.9, 1.1, 1.25, 1.55, 2.0)


@register_factor
class Aspect(PictureFactor):
    """Width over height of what differs from the border's colour; moved by stretching the picture, its area kept.

    Pictures of one size do not tell how an object was cut out and squeezed into them. Its extent along either axis is
    the standard deviation of the places of its pixels, each weighted by its squared distance from the border's median
    colour.
    """

    name = "aspect"
    is_graded = True

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) logarithm of width over height; 0 for a picture of one colour."""
        ground = np.median(pictures[:, frame_of(pictures)], axis=1)
        weights = ((pictures - ground[:, None, None]) ** 2).sum(axis=-1).astype(np.float64)
        down, across = (_spread(weights.sum(axis=axis)) for axis in (2, 1))
        return np.asarray(0.5 * np.log((across + 1e-3) / (down + 1e-3)))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures, stretched about their middle to about the aspect of the donors."""
        versions = [pictures, *(_stretched(pictures, ratio) for ratio in _STRETCHES)]
        return nearest_version(self.describe_pictures, versions, donors)

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """Wider or narrower, and by how much."""
        return (
            f"an object that is {'wider' if level[0] > usual[0] else 'narrower'} for its height than in other pictures "
            f"(ratio {np.exp(level[0]):.2f}, elsewhere {np.exp(usual[0]):.2f})"
        )


def _spread(weights: Floats) -> Floats:
    """(rows,) variances of places, in pixels, from (rows, pixels) weights."""
    places = np.arange(weights.shape[1])
    shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
    middle = shares @ places
    return np.asarray((shares * (places - middle[:, None]) ** 2).sum(axis=1))


def _stretched(pictures: Pictures, ratio: float) -> Pictures:
    """The pictures, as much wider as they become lower, so that width over height grows by the ratio."""
    scale = np.array([1, ratio**0.5, ratio**-0.5, 1])
    middle = (np.array(pictures.shape) - 1) / 2
    return np.asarray(affine_transform(pictures, scale, middle - scale * middle, order=1, mode="nearest"), np.float32)
