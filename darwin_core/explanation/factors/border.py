"""The outermost pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.factors.base import Floats, PictureFactor, Pictures, register_factor


@register_factor
class Border(PictureFactor):
    """A frame around the picture; moved by copying the donor's frame."""

    name = "border"

    def describe_pictures(self, pictures: Pictures) -> NDArray[Any]:
        """(rows, 2 * channels) mean and standard deviation of the frame's pixels by channel."""
        frame = pictures[:, frame_of(pictures)]
        return np.concatenate([frame.mean(axis=1), frame.std(axis=1)], axis=1)

    def transfer_pictures(self, pictures: Pictures, donors: Pictures) -> NDArray[Any]:
        """The pictures with the frames of the donors."""
        frame = frame_of(pictures)
        changed = pictures.copy()
        changed[:, frame] = donors[:, frame]
        return changed

    def tell_levels(self, level: Floats, usual: Floats) -> str:
        """That it is the frame."""
        half = len(level) // 2
        return f"alike pixels along the border (level {level[:half].mean():.2f}, elsewhere {usual[:half].mean():.2f})"


def frame_of(pictures: Pictures) -> NDArray[np.bool_]:
    """(height, width) which pixels are the outermost."""
    height, width = pictures.shape[1:3]
    wide = max(1, min(height, width) // 16)
    frame = np.ones((height, width), bool)
    frame[wide:-wide, wide:-wide] = False
    return frame
