"""What stands in for removed pixels. No single stand-in is neutral, so a judge asks with several.

A blurred copy keeps light and colours; inpainting keeps whatever the rest of the picture tells about the hole, and so
leaves the network the least to notice; the picture's mean colour and pixels of a training picture bring something of
their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.neutral import Pictures, blended, blurred_copies

Masks = NDArray[np.bool_]
Remover = Callable[[Pictures, Masks], Pictures]
"""(rows, height, width, channels), (rows, height, width) -> the pictures without what is masked."""

_ROUNDS = 120


def by_blur(pictures: Pictures, masks: Masks) -> Pictures:
    """Replace by a blurred copy of the picture."""
    return blended(pictures, blurred_copies(pictures), masks)


def by_mean_colour(pictures: Pictures, masks: Masks) -> Pictures:
    """Replace by the picture's mean colour."""
    mean = pictures.mean(axis=(1, 2), keepdims=True)
    return blended(pictures, np.broadcast_to(mean, pictures.shape), masks)


def by_inpainting(pictures: Pictures, masks: Masks) -> Pictures:
    """Replace by the smoothest continuation of what is around (Laplace's equation, by Jacobi's iteration)."""
    hole = masks[..., None]
    kept = np.where(hole, 0, pictures)
    mean = kept.sum(axis=(1, 2), keepdims=True) / np.maximum((~hole).sum(axis=(1, 2), keepdims=True), 1)
    filled = np.where(hole, mean, pictures)
    for _ in range(_ROUNDS):
        padded = np.pad(filled, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        around = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
        filled = np.where(hole, around / 4, pictures)
    return np.asarray(filled, np.float32)


def by_training_pictures(background: NDArray[Any], seed: int = 0) -> Remover:
    """Replace by the pixels of a training picture, another one for each row."""

    def remove(pictures: Pictures, masks: Masks) -> Pictures:
        drawn = np.random.default_rng(seed).integers(len(background), size=len(pictures))
        return blended(pictures, background[drawn].astype(np.float32), masks)

    return remove


REMOVERS: Mapping[str, Remover] = {"blur": by_blur, "inpainting": by_inpainting, "mean colour": by_mean_colour}
"""Removers that need nothing but the picture."""
