"""Impact Score, deletion and insertion curves, and Coverage, all at a fixed area.

Impact Score (Lin et al., "Do Explanations Reflect Decisions?", 2019): the share of cases in which removing the critical
region changes the decision or at least halves its confidence. Published figures leave the size of the region to each
method; a larger region has more impact whatever the method, so here the area is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.attribution.neutral import Pictures, strongest
from darwin_core.explanation.judging.removal import Masks, Remover

Probabilities = Callable[[Pictures], Floats]
"""(rows, height, width, channels) -> (rows, classes)."""


@dataclass(frozen=True)
class Decisions:
    """What a network decides about pictures: (rows,) class and its confidence."""

    classes: NDArray[np.int64]
    confidence: Floats

    @classmethod
    def of(cls, probabilities: Floats) -> Decisions:
        """Decisions from probabilities (rows, classes)."""
        return cls(np.argmax(probabilities, axis=1).astype(np.int64), probabilities.max(axis=1))

    def impacted(self, probabilities: Floats) -> NDArray[np.bool_]:
        """(rows,) where other probabilities mean another class, or at most half of the confidence."""
        own = np.take_along_axis(probabilities, self.classes[:, None], axis=1)[:, 0]
        return np.asarray((np.argmax(probabilities, axis=1) != self.classes) | (own <= self.confidence / 2))


class Judge:
    """Judges maps of the same pictures by what the network does without their critical regions.

    Args:
        network: The network.
        pictures: (rows, height, width, channels).
    """

    def __init__(self, network: Probabilities, pictures: NDArray[Any]) -> None:
        self._network = network
        self._pictures = pictures.astype(np.float32)
        self.decisions = Decisions.of(network(self._pictures))

    def impact(self, maps: Floats, area: float, remover: Remover) -> NDArray[np.bool_]:
        """(rows,) whether removing the ``area`` with the highest attribution has an impact; the mean is the score."""
        return self.decisions.impacted(self._network(remover(self._pictures, strongest(maps, area))))

    def deletion(self, maps: Floats, areas: Sequence[float], remover: Remover) -> Floats:
        """(rows, areas) probability of the decision after the strongest ``areas`` were removed; lower is better."""
        return self._curve([strongest(maps, area) for area in areas], remover)

    def insertion(self, maps: Floats, areas: Sequence[float], remover: Remover) -> Floats:
        """(rows, areas) probability of the decision with nothing but the strongest ``areas``; higher is better."""
        return self._curve([~strongest(maps, area) for area in areas], remover)

    def _curve(self, masks: Sequence[Masks], remover: Remover) -> Floats:
        rows = np.arange(len(self._pictures))
        found = [self._network(remover(self._pictures, mask))[rows, self.decisions.classes] for mask in masks]
        return np.stack(found, axis=1)


@dataclass(frozen=True)
class Planted:
    """Pictures with a patch of another picture that changed the decision.

    Attributes:
        rows: (cases,) positions of the pictures they were made from.
        pictures: (cases, height, width, channels).
        masks: (cases, height, width) where the patch is.
    """

    rows: NDArray[np.int64]
    pictures: Pictures
    masks: Masks


def planted_patches(
    network: Probabilities, pictures: NDArray[Any], donors: NDArray[Any], side: float = 0.4, seed: int = 0
) -> Planted:
    """Paste the middle of a donor picture somewhere; keep the cases in which the decision changes.

    There the truth is known: what changed the decision lies in the patch.

    Args:
        network: The network.
        pictures: (rows, height, width, channels).
        donors: Pictures of the same shape, one for each row.
        side: Side of the patch as a share of the picture's.
        seed: Seed of the places.
    """
    values, height, width = pictures.astype(np.float32), *pictures.shape[1:3]
    tall, wide = max(1, round(side * height)), max(1, round(side * width))
    rng = np.random.default_rng(seed)
    changed, masks = values.copy(), np.zeros(values.shape[:3], bool)
    from_top, from_left = (height - tall) // 2, (width - wide) // 2
    for row in range(len(values)):
        top, left = rng.integers(height - tall + 1), rng.integers(width - wide + 1)
        place = np.s_[row, top : top + tall, left : left + wide]
        changed[place] = donors[row, from_top : from_top + tall, from_left : from_left + wide]
        masks[place] = True
    kept = np.flatnonzero(network(changed).argmax(axis=1) != network(values).argmax(axis=1))
    return Planted(kept, changed[kept], masks[kept])


def coverage(maps: Floats, masks: Masks) -> Floats:
    """(rows,) intersection over union of the strongest pixels, as many as are masked, with the masks."""
    found = np.concatenate([strongest(maps[row : row + 1], masks[row].mean()) for row in range(len(masks))])
    both = (found & masks).sum(axis=(1, 2))
    return np.asarray(both / (found | masks).sum(axis=(1, 2)))
