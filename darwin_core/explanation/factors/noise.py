"""How grainy a picture is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.factors.base import (
    Bools,
    Floats,
    PictureFactor,
    Pictures,
    broadcast,
    coarse_thumbnails,
    luminance,
    register_factor,
)

_TO_DEVIATION = 1.4826 / 2
"""From the median absolute value of a - b - c + d to the standard deviation of independent Gaussian noise."""


@register_factor
class Noise(PictureFactor):
    """Standard deviation of pixel noise; moved by adding noise, or by a median filter of three by three pixels.

    The second difference along both axes removes slopes and straight edges (Immerkaer, Computer Vision and Image
    Understanding 64, 1996); its median is robust against texture.
    """

    name = "noise"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) estimated standard deviation."""
        grey = luminance(pictures)
        second = grey[:, :-1, :-1] - grey[:, 1:, :-1] - grey[:, :-1, 1:] + grey[:, 1:, 1:]
        return np.asarray(_TO_DEVIATION * np.median(np.abs(second), axis=(1, 2)))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures, as grainy as the donors."""
        own, wanted = self.describe_pictures(pictures), self.describe_pictures(donors)
        added = broadcast(np.sqrt(np.maximum(wanted**2 - own**2, 0)))
        grain = np.random.default_rng(0).standard_normal(pictures.shape, np.float32)
        kept = broadcast(np.clip(wanted / np.maximum(own, 1e-6), 0, 1))
        smooth = median_filter(pictures, size=(1, 3, 3, 1), mode="nearest")
        return np.asarray(smooth + kept * (pictures - smooth) + added * grain)

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:  # noqa: ARG002 - the same for all
        """What does not depend on fine detail."""
        return coarse_thumbnails(self._to_unit(samples[self._input]))
