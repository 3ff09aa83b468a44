"""Gradients of a score along straight paths from neutral pictures to the picture.

One neutral picture gives Integrated Gradients (Sundararajan, Taly, Yan, ICML 2017), many drawn from the training data
give Expected Gradients (Erion et al., Nature Machine Intelligence 3, 2021). Both kinds are averaged here: a blurred
copy of the picture itself, and training pictures.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from darwin_core.explanation.attribution.base import (
    Attribution,
    Attributor,
    DifferentiableScorer,
    Floats,
    Inputs,
    Scorer,
    Targets,
)
from darwin_core.progress import Tracker

_BLUR_SHARE = 0.15
"""Standard deviation of the blur, as a share of the picture's height."""


class PathGradients(Attributor):
    """Attributions to pixels, additive up to the error of the numerical integral.

    Args:
        background: (n, height, width, channels) neutral pictures beside the blurred copy; may be empty.
        steps: Points per path (midpoint rule).
        per_picture: How many of the background pictures each explained picture is held against.
        seed: Seed of their choice.
    """

    def __init__(self, background: NDArray[Any], *, steps: int = 20, per_picture: int = 3, seed: int = 0) -> None:
        self._background = background
        self._steps = steps
        self._per_picture = min(per_picture, len(background))
        self._seed = seed

    @property
    def method(self) -> str:
        """What it does, in a few words for the report."""
        return (
            f"path gradients ({self._steps} steps) from a blurred copy of the picture and {self._per_picture} training "
            "pictures"
        )

    def attribute(self, scorer: Scorer, inputs: Inputs, targets: Targets | None, tracker: Tracker) -> Attribution:
        """Attribute the scores of pictures; see the base class.

        Values have shape (rows, height, width), channels summed.

        Raises:
            TypeError: The scorer offers no gradients.
        """
        if not isinstance(scorer, DifferentiableScorer):
            raise TypeError("PathGradients needs a scorer with gradients; use Occlusion instead")
        rng = np.random.default_rng(self._seed)
        (name, pictures), *_ = inputs.items()
        values, base = np.empty(pictures.shape[:3]), np.empty(len(pictures))
        for row, picture in enumerate(pictures.astype(np.float32)):
            target = None if targets is None else targets[row : row + 1]
            neutral = self._neutral_pictures(picture, rng)
            values[row] = self._integrate(scorer, picture, neutral, target)
            base[row] = scorer({name: neutral}, _repeat(target, len(neutral))).mean()
            tracker.advance(1)
        return Attribution(values, base, scorer({name: pictures}, targets))

    def _neutral_pictures(self, picture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
        blurred = blurred_copy(picture)
        drawn = rng.permutation(len(self._background))[: self._per_picture]
        return np.stack([blurred, *(self._background[index].astype(np.float32) for index in drawn)])

    def _integrate(
        self,
        scorer: DifferentiableScorer,
        picture: NDArray[np.float32],
        neutral: NDArray[np.float32],
        target: Targets | None,
    ) -> Floats:
        shares = ((np.arange(self._steps, dtype=np.float32) + 0.5) / self._steps)[:, None, None, None]
        total = np.zeros(picture.shape[:2])
        for start in neutral:
            path = start + shares * (picture - start)
            _, gradients = scorer.gradients(path, _repeat(target, len(path)))
            total += (gradients.mean(axis=0, dtype=np.float64) * (picture - start)).sum(axis=-1)
        return np.asarray(total / len(neutral))


def blurred_copy(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The (height, width, channels) picture without its detail: what is where is gone, colours and light stay."""
    sigma = _BLUR_SHARE * picture.shape[0]
    return np.asarray(gaussian_filter(picture, sigma=(sigma, sigma, 0), mode="nearest"), np.float32)


def _repeat(target: Targets | None, times: int) -> Targets | None:
    return None if target is None else np.repeat(target, times)
