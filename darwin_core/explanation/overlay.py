"""Pictures for the report: small PNG data URIs, with attributions drawn over the picture."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

_SIDE = 96
_FOR = np.array([230, 97, 1], np.float32)
_AGAINST = np.array([33, 102, 215], np.float32)
"""Orange and blue: told apart with every common colour blindness, and from a grey picture."""

_COLOURS = 96
_SMOOTHING = 0.045
_WEAK = 0.2
"""Evidence below this share of the strongest is not drawn; it would cover the picture with noise."""


def to_pixels(pictures: NDArray[Any]) -> NDArray[np.uint8]:
    """(rows, height, width, channels) pictures of any value range as uint8 RGB.

    Bytes and values in 0..255 are kept, 0..1 is scaled, other ranges are stretched to what occurs.
    """
    values = pictures.astype(np.float32)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if pictures.dtype != np.uint8 and not (low >= 0 and 1.5 < high <= 255):
        low, high = (0.0, 1.0) if low >= 0 and high <= 1.5 else (low, high)
        values = 255 * (values - low) / max(high - low, 1e-6)
    if values.shape[-1] not in (3, 4):
        values = np.repeat(values[..., :1], 3, axis=-1)
    return np.clip(np.nan_to_num(values[..., :3]), 0, 255).astype(np.uint8)


def picture_uri(pixels: NDArray[np.uint8]) -> str:
    """A (height, width, 3) picture as a PNG data URI."""
    return _data_uri(_resized(pixels))


def overlay_uri(pixels: NDArray[np.uint8], attribution: NDArray[np.float64]) -> str:
    """An attribution drawn over its picture: orange speaks for the prediction, blue against it.

    The picture is reduced to grey so that colours mean attribution only. Strength is relative to the 99th percentile
    of the map; its root is shown, since small areas of weak evidence are seen better so.

    Args:
        pixels: (height, width, 3) picture.
        attribution: (height, width) signed contributions.
    """
    smoothed = gaussian_filter(attribution, _SMOOTHING * max(attribution.shape))
    scale = float(np.quantile(np.abs(smoothed), 0.995))
    relative = np.abs(smoothed) / scale if scale > 0 else np.zeros_like(smoothed)
    strength = np.clip((relative - _WEAK) / (1 - _WEAK), 0, 1)
    grey = _resized(pixels).astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    ground = np.repeat((64 + 0.7 * grey)[..., None], 3, axis=-1)
    alpha = 0.85 * _resized_map(strength.astype(np.float32), grey.shape)[..., None]
    positive = _resized_map((smoothed > 0).astype(np.float32), grey.shape)[..., None]
    colour = positive * _FOR + (1 - positive) * _AGAINST
    drawn = (1 - alpha) * ground + alpha * colour
    return _data_uri(np.clip(drawn, 0, 255).astype(np.uint8))


def _size(shape: tuple[int, ...]) -> tuple[int, int]:
    height, width = shape[:2]
    factor = _SIDE / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _resized(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(pixels).resize(_size(pixels.shape), Image.Resampling.BICUBIC))


def _resized_map(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    resized = Image.fromarray(values).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)
    return np.clip(np.asarray(resized, np.float32), 0, 1)


def _data_uri(pixels: NDArray[np.uint8]) -> str:
    image = Image.fromarray(pixels).quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
