"""Whole blocks, and widths: cheaper layers in the place of some that cost much and matter little for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from darwin_core.contracts import BlockOperator, Genome
from darwin_core.errors import NetworkError
from darwin_core.synthesis.generators.base import Generator, Situation
from darwin_core.synthesis.generators.importance import ImportanceGenerator
from darwin_core.synthesis.generators.registry import register_generator

_INHERITED = {
    BlockOperator.LOW_RANK: 1.0,
    BlockOperator.DEPTHWISE_SEPARABLE: 0.5,
    BlockOperator.SMALLER_KERNEL: 0.5,
    BlockOperator.DROP: 0.25,
}
"""How much less often operators are proposed that hand less of the weights on."""

_EARLY_INHERITED = 0.5

_WIDEST_RATIO = 4.0


@dataclass(frozen=True)
class _Ticket:
    """Something that can be drawn, and how likely in proportion. ``layer`` is None for early downsampling."""

    layer: str | None
    operator: BlockOperator
    chance: float


@register_generator
class BlocksGenerator(Generator):
    """Draws some blocks to be rewritten, then allocates widths on the rewritten network.

    An operator o of block b is drawn with a probability in proportion to

        saved MACs(b, o) / MACs * h(o) * (typical sensitivity / sensitivity(b)) ** 0.5

    where h is lower for operators that hand less of the weights on, the sensitivity is importance per MAC as the
    inquisitor saw it, and its ratio is kept within a factor of 4. Early downsampling is one more such draw. Between 0
    and ``most`` draws are made, each number as likely, so that offspring of pure widths compete with the others.

    Args:
        most: Most blocks that are rewritten in one generation; those of earlier generations stay.
        widths: Allocates widths; None: by importance.
    """

    name = "blocks"

    def __init__(self, most: int = 2, widths: Generator | None = None) -> None:
        self._most, self._widths = most, widths or ImportanceGenerator()

    def appetite(self, situation: Situation, rng: np.random.Generator) -> Mapping[str, float]:
        """As the generator of widths has it."""
        return self._widths.appetite(situation, rng)

    def propose(self, situation: Situation, rng: np.random.Generator) -> Genome:
        """The design of one offspring."""
        blocks, early = self._drawn(situation, rng)
        try:
            rewritten = situation.rewritten(blocks, early_downsampling=early)
        except NetworkError:
            # Strides differ after early downsampling, and an operator that was offered before may not fit any more.
            rewritten = situation.rewritten(blocks)
        return self._widths.propose(rewritten, rng)

    def _drawn(self, situation: Situation, rng: np.random.Generator) -> tuple[dict[str, BlockOperator], bool]:
        draws = int(rng.integers(0, self._most + 1))
        tickets = _tickets(situation) if draws else []
        drawn: dict[str | None, BlockOperator] = {}
        for _ in range(draws):
            tickets = [ticket for ticket in tickets if ticket.layer not in drawn]
            total = sum(ticket.chance for ticket in tickets)
            if total <= 0:
                break
            ticket = tickets[int(rng.choice(len(tickets), p=[ticket.chance / total for ticket in tickets]))]
            drawn[ticket.layer] = ticket.operator
        return {layer: operator for layer, operator in drawn.items() if layer is not None}, None in drawn


def _tickets(situation: Situation) -> list[_Ticket]:
    available = situation.offers
    sensitivity = {item.group: item.sensitivity for item in situation.insights.groups if item.sensitivity > 0}
    typical = float(np.median(list(sensitivity.values()))) if sensitivity else 1.0
    found = []
    for offer in available.blocks:
        ratio = (typical / sensitivity.get(offer.layer, typical)) ** 0.5
        tolerance = float(np.clip(ratio, 1 / _WIDEST_RATIO, _WIDEST_RATIO))
        chance = max(offer.saved_macs, 0) * _INHERITED[offer.operator] * tolerance
        found.append(_Ticket(offer.layer, offer.operator, chance))
    if available.early_downsampling_saves is not None:
        found.append(_Ticket(None, BlockOperator.KEEP, float(available.early_downsampling_saves) * _EARLY_INHERITED))
    return found
