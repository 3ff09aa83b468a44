"""Occlusion: cover a patch, look how far the score falls (Zeiler and Fergus, ECCV 2014). Needs no gradients."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Attribution, Attributor, Floats, Inputs, Scorer, Targets
from darwin_core.explanation.attribution.neutral import blurred_copies
from darwin_core.progress import Tracker

_BATCH = 256


class Occlusion(Attributor):
    """Attributions to patches of pixels, by covering each patch with a blurred copy of the picture.

    A pixel gets the mean fall of the score over the patches that cover it. Not additive: two patches that stand in for
    each other both seem harmless. Pictures are covered at the same place together, a batch at a time.

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
        values, base, scores = np.empty(pictures.shape[:3]), np.empty(len(pictures)), scorer({name: pictures}, targets)
        for start in range(0, len(pictures), _BATCH):
            part = slice(start, start + _BATCH)
            batch, chosen = pictures[part], None if targets is None else targets[part]
            neutral = blurred_copies(batch).astype(batch.dtype)
            values[part] = self._falls(scorer, name, batch, neutral, scores[part], chosen)
            base[part] = scorer({name: neutral}, chosen)
            tracker.advance(len(batch))
        return Attribution(values, base, scores)

    def _falls(
        self,
        scorer: Scorer,
        name: str,
        pictures: NDArray[np.generic],
        neutral: NDArray[np.generic],
        scores: Floats,
        targets: Targets | None,
    ) -> Floats:
        total: Floats = np.zeros(pictures.shape[:3])
        covers = np.zeros(pictures.shape[1:3])
        for top, left, size in self._windows(*pictures.shape[1:3]):
            area = np.s_[:, top : top + size, left : left + size]
            covered = pictures.copy()
            covered[area] = neutral[area]
            total[area] += (scores - scorer({name: covered}, targets))[:, None, None]
            covers[area[1:]] += 1
        return total / covers

    def _windows(self, height: int, width: int) -> list[tuple[int, int, int]]:
        size = max(1, round(self._patch * min(height, width)))
        stride = max(1, size // 2)
        tops = sorted({*range(0, height - size + 1, stride), height - size})
        lefts = sorted({*range(0, width - size + 1, stride), width - size})
        return [(top, left, size) for top in tops for left in lefts]
