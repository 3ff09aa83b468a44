"""Integrated Gradients: gradients along the straight path from one neutral picture (Sundararajan et al., ICML 2017)."""

from __future__ import annotations

import numpy as np

from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.attribution.neutral import blended, blurred_copies
from darwin_core.explanation.attribution.path import Explained, GradientAttributor


class IntegratedGradients(GradientAttributor):
    """Attributions to pixels against a blurred copy of the picture, additive up to the error of the integral.

    Args:
        steps: Points on the path (midpoint rule).
    """

    def __init__(self, *, steps: int = 20) -> None:
        self._steps = steps

    @property
    def method(self) -> str:
        """What it does, in a few words for the report."""
        return f"Integrated Gradients ({self._steps} steps) from a blurred copy of the picture"

    def _explain(self, explained: Explained) -> tuple[Floats, Floats]:
        pictures = explained.pictures
        neutral = blurred_copies(pictures)
        total = np.zeros(pictures.shape[:3])
        for share in (np.arange(self._steps) + 0.5) / self._steps:
            point = blended(pictures, neutral, np.full((len(pictures), 1, 1), share))
            total += explained.towards(point, neutral)
        return total / self._steps, explained.scores(neutral)
