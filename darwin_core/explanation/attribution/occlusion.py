"""Occlusion: cover a patch, look how far the score falls (Zeiler and Fergus, ECCV 2014). Needs no gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Attribution, Attributor, Floats, Inputs, Scorer, Targets
from darwin_core.explanation.attribution.path_gradients import blurred_copy
from darwin_core.progress import Tracker


class Occlusion(Attributor):
    """Attributions to patches of pixels, by covering each patch with a blurred copy of the picture.

    A pixel gets the mean fall of the score over the patches that cover it. Not additive: two patches that stand in for
    each other both seem harmless.

    Args:
        patch: Side of the patch as a share of the picture's shorter side.
    """

    def __init__(self, *, patch: float = 0.2) -> None:
        self._patch = patch

    @property
    def method(self) -> str:
        """What it does, in a few words for the report."""
        return f"occlusion by blurred patches ({self._patch:.0%} of the picture's side)"

    def attribute(self, scorer: Scorer, inputs: Inputs, targets: Targets | None, tracker: Tracker) -> Attribution:
        """Attribute the scores of pictures; see the base class. Values have shape (rows, height, width)."""
        (name, pictures), *_ = inputs.items()
        scores = scorer({name: pictures}, targets)
        windows = self._windows(pictures.shape[1], pictures.shape[2])
        values, base = np.empty(pictures.shape[:3]), np.empty(len(pictures))
        for row, picture in enumerate(pictures):
            blurred = blurred_copy(picture.astype(np.float32))
            covered = np.repeat(picture[None], len(windows) + 1, axis=0)
            for position, (top, left, size) in enumerate(windows):
                area = np.s_[top : top + size, left : left + size]
                covered[position][area] = blurred[area].astype(picture.dtype)
            covered[-1] = blurred.astype(picture.dtype)
            found = scorer({name: covered}, None if targets is None else np.repeat(targets[row], len(covered)))
            values[row] = _spread(windows, scores[row] - found[:-1], picture.shape[:2])
            base[row] = found[-1]
            tracker.advance(1)
        return Attribution(values, base, scores)

    def _windows(self, height: int, width: int) -> list[tuple[int, int, int]]:
        size = max(1, round(self._patch * min(height, width)))
        stride = max(1, size // 2)
        tops = sorted({*range(0, height - size + 1, stride), height - size})
        lefts = sorted({*range(0, width - size + 1, stride), width - size})
        return [(top, left, size) for top in tops for left in lefts]


def _spread(windows: list[tuple[int, int, int]], falls: Floats, shape: tuple[int, ...]) -> Floats:
    total: NDArray[np.float64] = np.zeros(shape[:2])
    covers = np.zeros(shape[:2])
    for (top, left, size), fall in zip(windows, falls, strict=True):
        total[top : top + size, left : left + size] += fall
        covers[top : top + size, left : left + size] += 1
    return total / covers
