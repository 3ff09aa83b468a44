"""The inquisitor's attribution: what this picture asks of the network's channels, projected back to its pixels.

The method is ours. The inquisitor learns how much the rows of a data set need each channel of a dependency group from
the Taylor response ``a * dL/da`` (see ``darwin_core.synthesis.inquisitor``); the generator follows these demands when
it changes the network. Here one picture is questioned. Its demand on a group is the response to the change of
activations from a neutral picture, ``sum over channels of (a - a') * dS/da``. To first order that sum is the same at
every cut through the network, the input included, so the demand of all channels, projected back, is
``(x - x') * dS/dx``: one gradient.

A single question is answered by whatever happens to matter first; evidence that stands in for other evidence stays
silent. So it asks in rounds::

    round 1: the whole picture is shown    -> which pixels carry the demand?       map 1
    round 2: the strongest 3 % are covered -> what does the network turn to now?   map 1 + map 2
    round 3: the strongest 6 % are covered -> ...

Covered pixels keep being asked: one that no longer matters once others are gone loses its place, so the region is
searched for, not only grown. Gradients on a straight path answer for a picture that fades as a whole; these answer for
one that lacks its evidence, which is what a region is judged by. Weighing channels by their share of the demand was
measured, made maps worse, and was left out.
"""

from __future__ import annotations

import numpy as np

from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.attribution.neutral import blended, blurred_copies, smoothed, strongest
from darwin_core.explanation.attribution.path import Explained, GradientAttributor

_COVERED = (0.0, 0.03, 0.06, 0.1, 0.15)
"""Shares of the picture that are covered, round by round; the sizes but the first come round again."""

_SEARCH_SMOOTHING = 0.03
_EDGE_SMOOTHING = 0.022
"""Standard deviations as shares of the picture's height: regions are patches rather than dots, with soft edges."""


class InquisitorAttribution(GradientAttributor):
    """Attributions to pixels from a picture that is covered more and more. Signed, not additive.

    Args:
        rounds: Questions per picture; each costs one gradient.
    """

    def __init__(self, *, rounds: int = 12) -> None:
        self._rounds = rounds

    @property
    def method(self) -> str:
        """What it does, in a few words for the report."""
        return (
            f"the inquisitor's attribution: {self._rounds} questions, each with the strongest pixels so far covered by "
            "a blurred copy"
        )

    def _explain(self, explained: Explained) -> tuple[Floats, Floats]:
        pictures = explained.pictures
        neutral = blurred_copies(pictures)
        height = pictures.shape[1]
        total: Floats = np.zeros(pictures.shape[:3])
        for share in self._shares():
            removed = np.zeros(pictures.shape[:3])
            if share:
                region = strongest(smoothed(total, _SEARCH_SMOOTHING * height), share)
                removed = np.clip(smoothed(region, _EDGE_SMOOTHING * height), 0, 1)
            total += explained.towards(blended(pictures, neutral, removed), neutral)
        found = smoothed(total, _EDGE_SMOOTHING * height) / self._rounds
        return found, explained.scores(neutral)

    def _shares(self) -> list[float]:
        again = len(_COVERED) - 1
        return [_COVERED[step] if step < len(_COVERED) else _COVERED[1 + step % again] for step in range(self._rounds)]
