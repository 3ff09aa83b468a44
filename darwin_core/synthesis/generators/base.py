"""What every generator has in common: it turns a situation into the design of one offspring."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from darwin_core.contracts import Genome, HeadKind, Insights
from darwin_core.synthesis.allocation import Target, WidthAllocator


@dataclass(frozen=True)
class Situation:
    """What a generator knows when it proposes an offspring.

    Attributes:
        allocator: Costs and widths of the parent's groups.
        insights: What the inquisitor saw of the parent.
        target: What the offspring's cost must not exceed.
        head: The head that the offspring will have.
        dropped_inputs: The inputs that the offspring will not read.
    """

    allocator: WidthAllocator
    insights: Insights
    target: Target
    head: HeadKind = HeadKind.KEEP
    dropped_inputs: tuple[str, ...] = ()


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
        widths = situation.allocator.allocate(self.appetite(situation, rng), situation.target)
        return Genome(widths=widths, head=situation.head, dropped_inputs=situation.dropped_inputs)
