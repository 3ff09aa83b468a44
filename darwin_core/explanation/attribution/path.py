"""What the methods share that follow gradients from a neutral picture to the picture, many pictures at a time."""

from __future__ import annotations

from abc import abstractmethod

import numpy as np

from darwin_core.explanation.attribution.base import (
    Attribution,
    Attributor,
    DifferentiableScorer,
    Floats,
    Inputs,
    Scorer,
    Targets,
)
from darwin_core.explanation.attribution.neutral import Pictures
from darwin_core.progress import Tracker

_BATCH = 256
"""Pictures that are worked on at a time; every step is one call of the network's compiled gradient."""


class GradientAttributor(Attributor):
    """Attributions to pixels from gradients: batches of pictures, maps with channels summed, and their base."""

    def attribute(self, scorer: Scorer, inputs: Inputs, targets: Targets | None, tracker: Tracker) -> Attribution:
        """Attribute the scores of pictures; see the base class. Values have shape (rows, height, width).

        Raises:
            TypeError: The scorer offers no gradients.
        """
        if not isinstance(scorer, DifferentiableScorer):
            raise TypeError(f"{type(self).__name__} needs a scorer with gradients; use Occlusion instead")
        (name, pictures), *_ = inputs.items()
        values, base = np.empty(pictures.shape[:3]), np.empty(len(pictures))
        for start in range(0, len(pictures), _BATCH):
            part = slice(start, start + _BATCH)
            batch = pictures[part].astype(np.float32)
            chosen = None if targets is None else targets[part]
            values[part], base[part] = self._explain(Explained(scorer, name, batch, chosen))
            tracker.advance(len(batch))
        return Attribution(values, base, scorer({name: pictures}, targets))

    @abstractmethod
    def _explain(self, explained: Explained) -> tuple[Floats, Floats]:
        """Maps (rows, height, width) and bases (rows,) of a batch."""


class Explained:
    """A batch of pictures and the network that they are asked about."""

    def __init__(self, scorer: DifferentiableScorer, name: str, pictures: Pictures, targets: Targets | None) -> None:
        self._scorer, self._name, self._targets = scorer, name, targets
        self.pictures = pictures

    def scores(self, pictures: Pictures) -> Floats:
        """(rows,) scores of other pictures in the place of these."""
        return self._scorer({self._name: pictures}, self._targets)

    def towards(self, point: Pictures, neutral: Pictures) -> Floats:
        """(rows, height, width) what each pixel adds on its way from ``neutral`` at ``point``, to first order."""
        _, gradients = self._scorer.gradients(point, self._targets)
        return np.asarray((gradients * (self.pictures - neutral)).sum(axis=-1), np.float64)
