"""Random widths: the control for the question whether the generator's insight is worth anything."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from darwin_core.synthesis.generators.base import Generator, Situation
from darwin_core.synthesis.generators.registry import register_generator


@register_generator
class RandomGenerator(Generator):
    """Proposes log-normal claims around uniform ones.

    Args:
        spread: Standard deviation of the logarithm of a claim.
    """

    name = "random"

    def __init__(self, spread: float = 0.5) -> None:
        self._spread = spread

    def appetite(self, situation: Situation, rng: np.random.Generator) -> Mapping[str, float]:
        """Random claims."""
        draws = rng.normal(0.0, self._spread, size=len(situation.allocator.channels))
        return dict(zip(situation.allocator.channels, np.exp(draws).tolist(), strict=True))
