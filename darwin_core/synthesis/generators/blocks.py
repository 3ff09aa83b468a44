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

_WORTH_REWRITING = 0.01
"""Share of the network that an operator must save in a block to be applied everywhere."""

_PLANS = ("widths", "some blocks", "everywhere")


@dataclass(frozen=True)
class _Ticket:
    """Something that can be drawn, the share of the network that it saves, and how likely it is in proportion.

    ``layer`` is None for early downsampling.
    """

    layer: str | None
    operator: BlockOperator
    saved: float
    chance: float


@register_generator
class BlocksGenerator(Generator):
    """Decides what is rewritten, then allocates widths on the rewritten network.

    An offspring is, each as likely, of pure widths, has some blocks rewritten, or one operator applied everywhere it
    saves at least a hundredth of the network. (A residual network for traffic signs, narrowed to a twentieth of its
    MACs and taught with 25,000 samples, was wrong on 12 % of unseen pictures where it was depthwise-separable
    everywhere, on 28 % where it was plain, and on no fewer where a single block was rewritten. Two runs of the
    former, one of the last.) An operator o is drawn for block b with a probability in proportion to

        saved(b, o) * h(o) * (typical sensitivity / sensitivity(b)) ** 0.5

    where saved is the mean of the shares of MACs and of parameters that it saves, h is lower for operators that hand
    less of the weights on, the sensitivity is importance per MAC as the inquisitor saw it, and its ratio is kept within
    a factor of 4. Early downsampling is one more such draw. What is applied everywhere is drawn in proportion to its
    sum over blocks; layers are never dropped everywhere.

    Args:
        most: Most blocks that are rewritten in one generation where only some are; those of earlier generations stay.
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
        plan = _PLANS[int(rng.integers(len(_PLANS)))]
        if plan == "widths":
            return {}, False
        tickets = _tickets(situation)
        return _everywhere(tickets, rng) if plan == "everywhere" else self._some(tickets, rng)

    def _some(self, tickets: list[_Ticket], rng: np.random.Generator) -> tuple[dict[str, BlockOperator], bool]:
        drawn: dict[str | None, BlockOperator] = {}
        for _ in range(int(rng.integers(1, self._most + 1))):
            tickets = [ticket for ticket in tickets if ticket.layer not in drawn]
            if not tickets:
                break
            ticket = tickets[_draw([ticket.chance for ticket in tickets], rng)]
            drawn[ticket.layer] = ticket.operator
        return {layer: operator for layer, operator in drawn.items() if layer is not None}, None in drawn


def _everywhere(tickets: list[_Ticket], rng: np.random.Generator) -> tuple[dict[str, BlockOperator], bool]:
    """One operator for every block in which it saves much."""
    blocks: dict[BlockOperator, list[_Ticket]] = {}
    for ticket in tickets:
        if ticket.layer is not None and ticket.saved >= _WORTH_REWRITING and ticket.operator is not BlockOperator.DROP:
            blocks.setdefault(ticket.operator, []).append(ticket)
    if not blocks:
        return {}, False
    operator = list(blocks)[_draw([sum(ticket.chance for ticket in found) for found in blocks.values()], rng)]
    return {ticket.layer: operator for ticket in blocks[operator] if ticket.layer is not None}, False


def _draw(chances: list[float], rng: np.random.Generator) -> int:
    """A number below the length of ``chances``, in proportion to them."""
    return int(rng.choice(len(chances), p=np.asarray(chances) / sum(chances)))


def _tickets(situation: Situation) -> list[_Ticket]:
    """All that saves something."""
    available = situation.offers
    whole = situation.allocator.cost({})
    macs, parameters = max(whole.macs, 1), max(whole.parameters, 1)
    sensitivity = {item.group: item.sensitivity for item in situation.insights.groups if item.sensitivity > 0}
    typical = float(np.median(list(sensitivity.values()))) if sensitivity else 1.0
    found = []
    for offer in available.blocks:
        ratio = (typical / sensitivity.get(offer.layer, typical)) ** 0.5
        tolerance = float(np.clip(ratio, 1 / _WIDEST_RATIO, _WIDEST_RATIO))
        saved = (offer.saved_macs / macs + offer.saved_parameters / parameters) / 2
        found.append(_Ticket(offer.layer, offer.operator, saved, saved * _INHERITED[offer.operator] * tolerance))
    early = (available.early_downsampling_saves or 0) / macs / 2
    found.append(_Ticket(None, BlockOperator.KEEP, early, early * _EARLY_INHERITED))
    return [ticket for ticket in found if ticket.chance > 0]
