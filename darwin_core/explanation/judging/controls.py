"""Maps that know nothing of the network. A method that is no better than these explains nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.attribution.neutral import smoothed

_SCALE = 0.06
"""Standard deviation of the smoothing as a share of the height: connected regions, like those of the methods."""


def random_maps(pictures: NDArray[Any], seed: int = 0) -> Floats:
    """(rows, height, width) smooth noise: its strongest pixels form random regions."""
    noise = np.random.default_rng(seed).normal(size=pictures.shape[:3])
    return smoothed(noise, _SCALE * pictures.shape[1])


def edge_maps(pictures: NDArray[Any]) -> Floats:
    """(rows, height, width) strength of the smoothed brightness gradient."""
    grey = pictures.astype(np.float64).mean(axis=-1)
    strength = np.hypot(np.gradient(grey, axis=1), np.gradient(grey, axis=2))
    return smoothed(strength, 0.03 * pictures.shape[1])
