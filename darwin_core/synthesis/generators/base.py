"""What every generator has in common: it turns a situation into the design of one offspring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from darwin_core.contracts import BlockOperator, CandidateRecord, Genome, HeadKind, Insights
from darwin_core.rewriting import Offers
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.drafts import Drafts

_NOTHING = Offers((), {}, None)
_WORTH_REWRITING = 0.01
"""Share of the network's MACs that an operator must save in a block to be applied everywhere."""


@dataclass(frozen=True)
class Situation:
    """What a generator knows when it proposes an offspring.

    Attributes:
        allocator: Costs and widths of the parent's groups.
        insights: What the inquisitor saw of the parent.
        target: What the offspring's cost must not exceed.
        head: The head that the offspring will have.
        dropped_inputs: The inputs that the offspring will not read.
        blocks: What became of blocks of the reference on the way to the parent, or on the way from it (`rewritten`).
        early_downsampling: Whether the picture is halved early there.
        drafts: Rewrites the parent; None: it cannot be rewritten.
        history: The reference, then all that was tried before, as judged last; empty: not told.
    """

    allocator: WidthAllocator
    insights: Insights
    target: Target
    head: HeadKind = HeadKind.KEEP
    dropped_inputs: tuple[str, ...] = ()
    blocks: Mapping[str, BlockOperator] = field(default_factory=dict)
    early_downsampling: bool = False
    drafts: Drafts | None = None
    history: tuple[CandidateRecord, ...] = ()

    @property
    def offers(self) -> Offers:
        """What of the parent can be rewritten."""
        return _NOTHING if self.drafts is None else self.drafts.offers

    def everywhere(self, operator: BlockOperator) -> dict[str, BlockOperator]:
        """The blocks in which an operator saves enough, each with it."""
        enough = _WORTH_REWRITING * max(self.allocator.cost({}).macs, 1)
        return {
            offer.layer: operator
            for offer in self.offers.blocks
            if offer.operator is operator and offer.saved_macs >= enough
        }

    def rewritten(self, blocks: Mapping[str, BlockOperator], *, early_downsampling: bool = False) -> Situation:
        """The situation once these blocks of the parent are rewritten as well.

        Raises:
            NetworkError: An operator cannot be applied, with the reason.
        """
        if self.drafts is None or not (blocks or early_downsampling):
            return self
        new = replace(
            self,
            blocks={**self.blocks, **blocks},
            early_downsampling=self.early_downsampling or early_downsampling,
        )
        design = new.genome({})
        allocator = self.allocator.on(self.drafts.of(design).graph)
        return replace(new, allocator=allocator, insights=self.drafts.insights_of(design))

    def genome(self, widths: Mapping[str, int]) -> Genome:
        """The design of an offspring of these widths."""
        return Genome(
            widths=dict(widths),
            head=self.head,
            dropped_inputs=self.dropped_inputs,
            blocks=dict(self.blocks),
            early_downsampling=self.early_downsampling,
        )


class Generator(ABC):
    """Proposes designs. A generator holds no network and trains nothing.

    A strategy says how strongly each dependency group claims channels (:meth:`appetite`); the common part allocates
    them so that the target is reached. A strategy that designs more than widths overrides :meth:`propose`.
    """

    name: str
    """Stands in the search record as the candidate's strategy."""

    @abstractmethod
    def appetite(self, situation: Situation, rng: np.random.Generator) -> Mapping[str, float]:
        """Group -> relative claim on channels, positive; groups not named have 1.

        Args:
            situation: What is known.
            rng: The only source of randomness, so that a seed determines the whole search.
        """

    def propose(self, situation: Situation, rng: np.random.Generator) -> Genome:
        """The design of one offspring."""
        return situation.genome(situation.allocator.allocate(self.appetite(situation, rng), situation.target))
