"""How far light and dark are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.factors.base import PictureFactor, Pictures, broadcast, luminance, register_factor

_MOST_GAIN = 5.0


@register_factor
class Contrast(PictureFactor):
    """Standard deviation of the luminance; moved by stretching around the mean."""

    name = "contrast"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) standard deviation, from 0 to 0.5."""
        return np.asarray(luminance(pictures).std(axis=(1, 2)))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the contrast of the donors."""
        gain = self.describe_pictures(donors) / np.maximum(self.describe_pictures(pictures), 1e-3)
        mean = pictures.mean(axis=(1, 2), keepdims=True)
        return np.asarray(mean + (pictures - mean) * broadcast(np.clip(gain, 1 / _MOST_GAIN, _MOST_GAIN)))
