"""Images described by a few numbers, so that two sets of images can be compared without looking at any."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

FACTORS = ("brightness", "contrast", "sharpness")
COLOURS = ("red", "green", "blue")


def factor_names(shape: tuple[int, ...]) -> tuple[str, ...]:
    """The factors of images of this shape."""
    return FACTORS + (COLOURS if len(shape) == 3 and shape[-1] in (3, 4) else ())


def image_factors(pixels: npt.NDArray[Any]) -> dict[str, npt.NDArray[np.float64]]:
    """Factors per image.

    Args:
        pixels: (rows, height, width) or (rows, height, width, channels). Bytes are scaled to 0..1, other numbers
            are taken as they are.

    Returns:
        brightness: mean of all pixels; contrast: their standard deviation; sharpness: mean absolute difference of
        horizontal neighbours; red, green, blue: mean of the channel.
    """
    values = pixels.astype(np.float32)
    if pixels.dtype == np.uint8:
        values /= 255.0
    rows = len(values)
    flat = values.reshape(rows, -1)
    found = {
        "brightness": flat.mean(axis=1, dtype=np.float64),
        "contrast": flat.std(axis=1, dtype=np.float64),
        "sharpness": np.abs(np.diff(values, axis=2)).reshape(rows, -1).mean(axis=1, dtype=np.float64)
        if values.shape[2] > 1
        else np.zeros(rows),
    }
    if len(COLOURS) + len(FACTORS) == len(factor_names(pixels.shape[1:])):
        for channel, colour in enumerate(COLOURS):
            found[colour] = values[..., channel].reshape(rows, -1).mean(axis=1, dtype=np.float64)
    return found
