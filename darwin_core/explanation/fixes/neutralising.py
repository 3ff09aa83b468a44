"""Rows without a factor, and the factor where it tells nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.data import MappedSplit
from darwin_core.explanation.attribution.base import Inputs
from darwin_core.explanation.attribution.features import take
from darwin_core.explanation.finder.experiments import Trial
from darwin_core.explanation.finder.findings import affected_rows
from darwin_core.explanation.finder.pool import Pool
from darwin_core.explanation.fixes.parts import Part, with_rows


def neutralise(trial: Trial, split: MappedSplit, pool: Pool, rng: np.random.Generator) -> Part:
    """Give the affected rows of a part the factor of rows that lack it.

    Args:
        trial: The factor, the class and the region.
        split: The part.
        pool: Where the donors come from.
        rng: Draws them.
    """
    rows = affected_rows(trial, split)
    donors = rng.choice(np.flatnonzero(~trial.inside), len(rows))
    if not len(rows):
        return Part(split)
    return Part(split, rows, trial.factor.transfer(split.take(rows).inputs, pool.take(donors)))


@dataclass(frozen=True)
class Planting:
    """Gives rows of all classes, drawn at random, the factor that one class had.

    A network that never sees the factor again keeps what it has learned about it; one that sees it anywhere, as often
    as before, unlearns it.

    Attributes:
        trial: The factor, the class and the region.
        pool: Where the donors come from.
        share: Of the rows that get it.
        rng: Draws rows and donors.
    """

    trial: Trial
    pool: Pool
    share: float
    rng: np.random.Generator

    def __call__(self, inputs: Inputs) -> dict[str, NDArray[Any]]:
        """Some inputs with the factor here and there."""
        count = len(next(iter(inputs.values())))
        places = np.flatnonzero(self.rng.random(count) < self.share)
        if not len(places):
            return dict(inputs)
        donors = self.rng.choice(np.flatnonzero(self.trial.inside), len(places))
        planted = self.trial.factor.transfer(take(inputs, places), self.pool.take(donors))
        return with_rows(inputs, places, planted)
