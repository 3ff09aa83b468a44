"""Neutral pictures: what stands in for pixels whose influence is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Pictures = NDArray[np.float32]
"""(rows, height, width, channels)"""

_BLUR_SHARE = 0.15
"""Standard deviation of the blur, as a share of the picture's height."""


def blurred_copies(pictures: NDArray[Any]) -> Pictures:
    """The pictures without their detail: what is where is gone, colours and light stay. One shape in, the same out."""
    sigma = _BLUR_SHARE * pictures.shape[1]
    values = pictures.astype(np.float32)
    return np.asarray(gaussian_filter(values, sigma=(0, sigma, sigma, 0), mode="nearest"), np.float32)


def blended(pictures: Pictures, neutral: Pictures, removed: NDArray[Any]) -> Pictures:
    """The pictures with a share of every pixel replaced by the neutral picture's.

    Args:
        pictures: (rows, height, width, channels).
        neutral: The same shape.
        removed: Shares in 0..1, (rows, height, width), or (rows, 1, 1) for a whole picture at once.
    """
    share = removed[..., None].astype(np.float32)
    return pictures + share * (neutral - pictures)


def strongest(maps: NDArray[Any], share: float) -> NDArray[np.bool_]:
    """(rows, height, width) masks of the ``share`` of pixels with the highest values; ties go to the first pixel."""
    flat = maps.reshape(len(maps), -1)
    count = max(1, round(share * flat.shape[1]))
    chosen = np.argsort(-flat, axis=1, kind="stable")[:, :count]
    mask = np.zeros(flat.shape, bool)
    np.put_along_axis(mask, chosen, values=True, axis=1)
    return mask.reshape(maps.shape)


def smoothed(maps: NDArray[Any], sigma: float) -> NDArray[np.float64]:
    """Maps (rows, height, width), each blurred by a Gaussian of ``sigma`` pixels."""
    return np.asarray(gaussian_filter(maps.astype(np.float64), sigma=(0, sigma, sigma), mode="nearest"))
