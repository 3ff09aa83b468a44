"""How light a picture is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.factors.base import Floats, PictureFactor, Pictures, broadcast, register_factor


@register_factor
class Brightness(PictureFactor):
    """Mean of all pixels; moved by adding the same to every pixel."""

    name = "brightness"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows,) mean, from 0 to 1."""
        return np.asarray(pictures.mean(axis=(1, 2, 3)))

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures, as light as the donors."""
        return pictures + broadcast(self.describe_pictures(donors) - self.describe_pictures(pictures))


@register_factor
class LightDirection(PictureFactor):
    """From where the light seems to come: the halves of the picture against each other; moved by adding a slope."""

    name = "direction of light"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows, 2) right minus left half, lower minus upper half."""
        height, width = pictures.shape[1:3]
        right, left = pictures[:, :, width // 2 :], pictures[:, :, : width // 2]
        lower, upper = pictures[:, height // 2 :], pictures[:, : height // 2]
        means = [half.mean(axis=(1, 2, 3)) for half in (right, left, lower, upper)]
        return np.stack([means[0] - means[1], means[2] - means[3]], axis=1)

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures, lit like the donors; their brightness stays."""
        missing = self.describe_pictures(donors) - self.describe_pictures(pictures)
        height, width = pictures.shape[1:3]
        # A slope from -1 to 1 has halves that differ by 1 in the mean.
        across = np.linspace(-1, 1, width, dtype=np.float32)[None, None, :, None]
        down = np.linspace(-1, 1, height, dtype=np.float32)[None, :, None, None]
        return np.asarray(pictures + broadcast(missing[:, 0]) * across + broadcast(missing[:, 1]) * down)

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """The direction in words."""
        across, down = level - usual
        sides = [("right" if across > 0 else "left", abs(across)), ("below" if down > 0 else "above", abs(down))]
        strongest = max(size for _, size in sides)
        return "light from " + " and ".join(side for side, size in sides if size > 0.5 * strongest)
