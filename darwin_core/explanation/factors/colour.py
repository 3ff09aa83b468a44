"""What tint a picture has as a whole, and how colourful it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.factors.base import (
    Bools,
    FactorSpace,
    Floats,
    PictureFactor,
    Pictures,
    broadcast,
    luminance,
    register_factor,
    thumbnails,
)

_MOST_GAIN = 5.0
_CHANNELS = ("red", "green", "blue")


class _ColourFactor(PictureFactor):
    @classmethod
    def of(cls, space: FactorSpace) -> Sequence[Self]:
        """One factor, where the samples are pictures in colour."""
        return super().of(space) if space.picture is not None and space.shape[-1] >= 3 else ()

    def remainder(self, samples: Inputs, has_factor: Bools) -> Floats:  # noqa: ARG002 - the same for all
        """Thumbnails of the luminance: colours that were moved to be all alike keep traces where they were cut off."""
        return thumbnails(luminance(self._to_unit(samples[self._input]))[..., None])


@register_factor
class ColourCast(_ColourFactor):
    """Mean of each channel against the mean of all; moved by adding to the channels, so that the luminance stays."""

    name = "colour cast"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows, 3) red, green and blue minus their mean."""
        means = pictures[..., :3].mean(axis=(1, 2))
        return np.asarray(means - means.mean(axis=1, keepdims=True))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the tint of the donors."""
        missing = self.describe_pictures(donors) - self.describe_pictures(pictures)
        changed = pictures.copy()
        changed[..., :3] += missing[:, None, None, :].astype(np.float32)
        return changed

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """Which channels are stronger and weaker than usual."""
        difference = level - usual
        more, less = (_CHANNELS[int(pick(difference))] for pick in (np.argmax, np.argmin))
        return f"a colour cast: more {more} ({difference.max():+.2f}), less {less} ({difference.min():+.2f}) than usual"


@register_factor
class Saturation(_ColourFactor):
    """Mean distance of the colours from grey; moved by stretching the colours around it."""

    name = "saturation"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) mean absolute difference of the channels from the luminance."""
        return np.asarray(np.abs(pictures[..., :3] - luminance(pictures)[..., None]).mean(axis=(1, 2, 3)))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures, as colourful as the donors."""
        gain = self.describe_pictures(donors) / np.maximum(self.describe_pictures(pictures), 1e-3)
        grey = luminance(pictures)[..., None]
        changed = pictures.copy()
        changed[..., :3] = grey + (pictures[..., :3] - grey) * broadcast(np.clip(gain, 0, _MOST_GAIN))
        return changed
