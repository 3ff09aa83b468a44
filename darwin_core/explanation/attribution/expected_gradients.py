"""Expected Gradients: gradients between the picture and training pictures (Erion et al., Nature MI 3, 2021)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.attribution.neutral import blended
from darwin_core.explanation.attribution.path import Explained, GradientAttributor


class ExpectedGradients(GradientAttributor):
    """Attributions to pixels against training pictures, additive up to sampling error.

    Each sample takes a training picture and a point on the way to it. The points are spread evenly, one in each of
    ``samples`` sections of the way, which lowers the error of plain sampling at no cost.

    Args:
        background: (n, height, width, channels) training pictures.
        samples: Gradients per picture.
        seed: Seed of the choice; that of one picture does not depend on the others.
    """

    def __init__(self, background: NDArray[Any], *, samples: int = 40, seed: int = 0) -> None:
        self._background = background
        self._samples = samples
        self._seed = seed

    @property
    def method(self) -> str:
        """What it does, in a few words for the report."""
        return f"Expected Gradients ({self._samples} samples) against {len(self._background)} training pictures"

    def _explain(self, explained: Explained) -> tuple[Floats, Floats]:
        pictures, samples = explained.pictures, self._samples
        rng = np.random.default_rng(self._seed)
        sections = rng.permutation(samples)
        shares = (sections + rng.random(samples)) / samples
        order = np.resize(rng.permutation(len(self._background)), samples)
        total, base = np.zeros(pictures.shape[:3]), np.zeros(len(pictures))
        seen: dict[int, Floats] = {}
        for share, index in zip(shares, order.tolist(), strict=True):
            neutral = np.broadcast_to(self._background[index].astype(np.float32), pictures.shape)
            point = blended(pictures, neutral, np.full((len(pictures), 1, 1), share))
            total += explained.towards(point, neutral)
            if index not in seen:
                seen[index] = explained.scores(neutral)
            base += seen[index]
        return total / samples, base / samples
