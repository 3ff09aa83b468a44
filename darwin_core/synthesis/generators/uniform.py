"""Uniform narrowing: every group keeps the same share of its channels. The control that a search has to beat."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from darwin_core.synthesis.generators.base import Generator, Situation
from darwin_core.synthesis.generators.registry import register_generator


@register_generator
class UniformGenerator(Generator):
    """Proposes the same share of channels everywhere, but for what ceilings on both parameters and MACs ask for."""

    name = "uniform"

    def appetite(self, situation: Situation, rng: np.random.Generator) -> Mapping[str, float]:  # noqa: ARG002
        """Equal claims."""
        return dict.fromkeys(situation.allocator.channels, 1.0)
