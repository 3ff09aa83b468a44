"""Re-balance: rows count for more or less, until the factor says nothing about the class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Finding, FixKind
from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.finder.findings import rows_with_factor
from darwin_core.explanation.fixes.base import Case, Fix, Means, register_fix
from darwin_core.explanation.fixes.drop_rows import REMEMBERS, has_other_rows
from darwin_core.explanation.fixes.flaws import ShortcutFlaw
from darwin_core.explanation.fixes.parts import Part

Bools = NDArray[np.bool_]

_HEAVIEST = 10.0


@register_fix
class Rebalance(Fix):
    """Weights rows so that factor and class are independent in what is trained on."""

    kind = FixKind.REBALANCE
    place = 30

    @classmethod
    def offer(cls, finding: Finding, means: Means) -> str | None:
        """For shortcuts of which the class has rows without the factor."""
        if finding.factor is None or not has_other_rows(finding, means):
            return None
        return (
            f"Let rows of {finding.classes[0]} without it count for more and those with it for less, so that "
            f"{finding.factor} says nothing about the class. {REMEMBERS}"
        )

    def treat(self, case: Case) -> Part:
        """See the base class."""
        assert isinstance(case.flaw, ShortcutFlaw)
        trial = case.flaw.trial
        inside = rows_with_factor(trial, case.train)
        mine = np.asarray(case.train.labels) == trial.target
        if not (mine & ~inside).any():
            raise case.refusal("rows of the class without the factor", f"{int(mine.sum()):,} rows that all have it")
        own = np.ones(len(mine)) if case.train.weights is None else np.asarray(case.train.weights, np.float64)
        return Part(case.train, weights=balancing_weights(inside, mine, own))


def balancing_weights(inside: Bools, mine: Bools, own: Floats, heaviest: float = _HEAVIEST) -> Floats:
    """Weights that make a factor and a class independent.

    Kamiran and Calders (Knowledge and Information Systems 33, 2012) weight a row by ``P(factor) P(class) /
    P(factor, class)``. No row may weigh more than ``heaviest``, so the factor is taken to be rarer or more frequent
    than it is, as far as that helps; where no other class has it, its rows count for nothing. If even that leaves a row
    too heavy, all rows of its class weigh less. Independence is exact in any case.

    Args:
        inside: (rows,) which rows have the factor.
        mine: (rows,) which rows belong to the class; it needs rows without the factor.
        own: (rows,) weights that the rows have anyway; the new ones come on top.
        heaviest: Largest weight.

    Returns:
        (rows,) weights, 1 on average unless a class weighs less.
    """
    sides = (mine, ~mine)
    shares = [float(own[side & inside].sum() / max(own[side].sum(), 1e-300)) for side in sides]
    frequency = float(own[inside].sum() / own.sum())
    frequency = min(max(frequency, 1 - heaviest * (1 - max(shares))), heaviest * min(shares))
    weights = np.ones(len(inside))
    for side, share in zip(sides, shares, strict=True):
        here = frequency / share if share else 0.0
        elsewhere = (1 - frequency) / (1 - share) if share < 1 else 0.0
        light = min(1.0, heaviest / max(here, elsewhere, 1.0))
        weights[side & inside], weights[side & ~inside] = light * here, light * elsewhere
    return weights
