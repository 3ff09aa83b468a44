"""Importance-driven and cost-aware: groups that matter much for what they cost keep more of their channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from darwin_core.synthesis.generators.base import Generator, Situation
from darwin_core.synthesis.generators.registry import register_generator

_WIDEST_RATIO = 4.0


@register_generator
class ImportanceGenerator(Generator):
    """Claims channels by importance per cost, tempered.

    For a group g let i_g be its share of the network's importance and e_g the elasticity of the network's size in its
    width. Filling up widths w to maximise sum a_g log w_g at a given cost gives each group a share a_g of it; a_g = e_g
    is uniform narrowing and a_g = i_g follows importance alone. In between,

        claim_g = (i_g / e_g) ** strength

    because importance is measured on a network several times as large and says less about the offspring the smaller
    that is. Claims are centred and kept within a factor of 4, so that no group starves.

    Args:
        strength: 0 is uniform narrowing, 1 is importance alone.
        spread: Standard deviation of the logarithm of a random factor on each claim: offspring of one size differ.
    """

    name = "importance"

    def __init__(self, strength: float = 0.5, spread: float = 0.1) -> None:
        self._strength, self._spread = strength, spread

    def appetite(self, situation: Situation, rng: np.random.Generator) -> Mapping[str, float]:
        """Claims by importance per cost."""
        names = list(situation.allocator.channels)
        if not names:
            return {}
        mass = {item.group: sum(item.importance) for item in situation.insights.groups}
        elasticity = situation.allocator.elasticities()
        importance = np.asarray([max(mass.get(name, 0.0), 1e-30) for name in names])
        cost = np.asarray([elasticity[name] for name in names])
        claims = self._strength * (np.log(importance / importance.sum()) - np.log(cost / cost.sum()))
        claims = claims - np.average(claims, weights=cost)
        claims = np.clip(claims, -np.log(_WIDEST_RATIO), np.log(_WIDEST_RATIO))
        claims = claims + rng.normal(0.0, self._spread, size=len(names))
        return dict(zip(names, np.exp(claims).tolist(), strict=True))
