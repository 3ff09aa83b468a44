"""How sharp a picture is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, laplace

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.factors.base import (
    Bools,
    Floats,
    PictureFactor,
    Pictures,
    coarse_thumbnails,
    luminance,
    register_factor,
)
from darwin_core.explanation.factors.matching import nearest_version

_BLURS = (0.4, 0.7, 1.0, 1.4, 2.0, 3.0)
_SHARPENINGS = (0.6, 1.5, 3.0)


@register_factor
class Sharpness(PictureFactor):
    """Fine detail against coarse; moved by blurring, or by unsharp masking."""

    name = "sharpness"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) logarithm of the mean absolute Laplacian over the standard deviation."""
        grey = luminance(pictures)
        detail = np.abs(laplace(grey, axes=(1, 2), mode="nearest")).mean(axis=(1, 2))
        return np.asarray(np.log((detail + 1e-4) / (grey.std(axis=(1, 2)) + 1e-3)))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures, blurred or sharpened to be about as sharp as the donors."""
        smooth = [gaussian_filter(pictures, (0, sigma, sigma, 0), mode="nearest") for sigma in _BLURS]
        sharper = [np.clip(pictures + amount * (pictures - smooth[2]), 0, 1) for amount in _SHARPENINGS]
        return nearest_version(self.describe_pictures, [pictures, *smooth, *sharper], donors)

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:
        """What a strong blur leaves of the pictures, all made as soft before as the softer of them are.

        Those with the factor or those without. A strong blur alone does not hide that a weaker one came first: where an
        object reaches the edge of the picture, that one has moved it.
        """
        pictures = self._to_unit(samples[self._input])
        level = self.describe_pictures(pictures)
        softest = min((has_factor, ~has_factor), key=lambda rows: float(np.median(level[rows])))
        own = np.flatnonzero(softest)
        donor = own[np.argsort(level[own])[len(own) // 2]]
        return coarse_thumbnails(self.transfer_pictures(pictures, np.repeat(pictures[[donor]], len(pictures), axis=0)))

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """Blurred or sharp."""
        return f"{'blur: less' if level[0] < usual[0] else 'more'} fine detail than in other pictures"
