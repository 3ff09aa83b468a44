"""Depthwise-separable convolutions wherever they save something, and widths."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from darwin_core.contracts import BlockOperator, Genome
from darwin_core.synthesis.generators.base import Generator, Situation
from darwin_core.synthesis.generators.importance import ImportanceGenerator
from darwin_core.synthesis.generators.registry import register_generator


@register_generator
class SeparableGenerator(Generator):
    """Splits every convolution that costs much into a depthwise and a pointwise one, then allocates widths.

    What is saved goes into channels. This is the design of MobileNet (Howard et al., arXiv 1704.04861), with weights
    inherited from the reference.

    Args:
        widths: Allocates widths; None: by importance.
    """

    name = "separable"

    def __init__(self, widths: Generator | None = None) -> None:
        self._widths = widths or ImportanceGenerator()

    def appetite(self, situation: Situation, rng: np.random.Generator) -> Mapping[str, float]:
        """As the generator of widths has it."""
        return self._widths.appetite(situation, rng)

    def propose(self, situation: Situation, rng: np.random.Generator) -> Genome:
        """The design of one offspring."""
        blocks = situation.everywhere(BlockOperator.DEPTHWISE_SEPARABLE)
        return self._widths.propose(situation.rewritten(blocks), rng)
