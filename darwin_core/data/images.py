"""Encoded images (PNG, JPEG, WebP, whatever Pillow reads) to uint8 arrays of one fixed shape."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from darwin_core.errors import DataError

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_CHANNELS = {"1": 1, "L": 1, "LA": 4, "RGBA": 4, "PA": 4}
_DEEP_MODES = ("I", "F")
_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\x00", b"MM\x00*")

RowName = Callable[[int], str]
"""Position within the decoded sequence -> how an error message names that row."""


def looks_like_image(data: bytes) -> bool:
    """Whether the bytes start like an image file."""
    return data.startswith(_SIGNATURES) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP")


def image_shape(data: bytes, where: str) -> tuple[int, int, int]:
    """(height, width, channels) of an encoded image, from its header.

    Raises:
        DataError: The bytes are no image; ``where`` names the row.
    """
    with _opened(data, where) as image:
        return image.height, image.width, _CHANNELS.get(image.mode, 3)


def decode_images(encoded: Sequence[bytes | None], shape: tuple[int, ...], row_name: RowName) -> npt.NDArray[np.uint8]:
    """Decode a batch of images, in several threads.

    Args:
        encoded: One image file per row.
        shape: (height, width, channels) that every image must have. Grey, palette and alpha images are converted to
            the number of channels asked for; sizes are never changed.
        row_name: Names a row in error messages.

    Returns:
        uint8 array of shape (rows, height, width, channels).

    Raises:
        DataError: An image is missing, corrupt or of another size.
    """
    pixels = np.empty((len(encoded), *shape), np.uint8)

    def decode(position: int) -> None:
        pixels[position] = _decode(encoded[position], shape, row_name(position))

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        for _ in pool.map(decode, range(len(encoded)), chunksize=32):
            pass
    return pixels


def _decode(data: bytes | None, shape: tuple[int, ...], where: str) -> npt.NDArray[np.uint8]:
    if not data:
        raise DataError(f"{where}: the image is missing.", hint="Leave the row out, or supply the image.")
    height, width, channels = shape
    with _opened(data, where) as image:
        if (image.height, image.width) != (height, width):
            raise DataError(
                f"{where}: expected an image of {height}x{width} pixels, got {image.height}x{image.width}.",
                hint="Resize all images to the size that the network reads.",
            )
        if image.mode.startswith(_DEEP_MODES):
            raise DataError(
                f"{where}: expected 8 bits per channel, got an image of mode {image.mode}.",
                hint="Store the pixels as arrays, or convert the image to 8 bits.",
            )
        try:
            converted = image.convert(_MODES[channels])
        except (OSError, SyntaxError, ValueError) as error:
            raise _corrupt(where, error) from None
        return np.asarray(converted, np.uint8).reshape(shape)


def _opened(data: bytes, where: str) -> Image.Image:
    try:
        return Image.open(io.BytesIO(data))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise _corrupt(where, error) from None


def _corrupt(where: str, error: Any) -> DataError:
    return DataError(
        f"{where}: expected a PNG, JPEG or WebP image, got bytes that do not decode ({error}).",
        hint="Replace the image, or leave the row out.",
    )
