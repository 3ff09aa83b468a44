"""Which regions of a factor belong to one class: found on one half of the rows, judged on the other.

A region is a ball around a row of the class: an interval of a number, one category, pictures that are alike in a
window. Its *excess* is ``share of the class inside - aversion * share of all other rows inside``. Shares of classes do
not depend on how frequent a class is, so neither class imbalance nor the number of classes moves them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist

from darwin_core.explanation.factors.base import Factor, Floats

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_ANCHORS = 24
_ANCHORS_IN_SPACE = 12
"""Centres that are tried per class, in one or two dimensions and in more: of a class of which 30 % have a factor, the
chance that none of its rows is among them is 0.02 % and 1.4 %."""

_FLAT = 2
_PROMISING = 0.05
_REWEIGHTED = 2
"""So many of the centres in more than two dimensions are tried with weighted axes, too: a patch that fills half a
window is only seen once the other half counts for less."""

_FEWEST_ROWS = 12
"""A class with fewer rows in a half is not looked at."""

_GRADUAL = 2.0
_REFINEMENTS = 3
_SOFTENING = 0.02
_LEAST_SHARE = 0.05
"""A region must hold at least this share of its class."""


@dataclass(frozen=True)
class Region:
    """A ball in the space of a factor, whose axes may be weighted."""

    centre: Floats
    weights: Floats
    radius: float

    def distances(self, measured: Floats) -> Floats:
        """(rows,) of the (rows, dimensions) measured samples from the centre."""
        return np.sqrt(((measured - self.centre) ** 2) @ self.weights)

    def holds(self, measured: Floats) -> Bools:
        """(rows,) which of the (rows, dimensions) measured samples lie inside."""
        return self.distances(measured) <= self.radius


@dataclass(frozen=True)
class Association:
    """A region of a factor that one class occupies more than the others.

    Attributes:
        factor: The factor.
        target: Index of the class.
        region: The region.
        share: Share of the class's rows inside, on rows that the region was not chosen by.
        elsewhere: Share of all other rows inside.
        low: Lower bound (95 %, one-sided) of the excess.
        p_value: Chance of so uneven shares if class and region were independent (Fisher's exact test), adjusted for
            everything tried.
    """

    factor: Factor
    target: int
    region: Region
    share: float
    elsewhere: float
    low: float
    p_value: float


@dataclass(frozen=True)
class _Count:
    """How many rows of a class, and of the others, a region holds."""

    factor: Factor
    target: int
    region: Region
    hits: int
    members: int
    others: int
    rest: int


class AssociationScan:
    """Tries every factor with every class; the statistics come at the end, corrected for all that was tried.

    Args:
        labels: (rows,) class index.
        classes: Number of classes.
        rng: Draws the halves and the centres that are tried.
    """

    def __init__(self, labels: Ints, classes: int, rng: np.random.Generator) -> None:
        self._labels = labels
        self._rng = rng
        self.chooses = _halves(labels, rng)
        """(rows,) the half by which regions are chosen; what is tried may be chosen by it, too."""
        enough = [
            min(np.bincount(labels[half], minlength=classes)[target] for half in (self.chooses, ~self.chooses))
            for target in range(classes)
        ]
        self.targets = [target for target in range(classes) if enough[target] >= _FEWEST_ROWS]
        """The classes that have enough rows."""
        self._counts: list[_Count] = []

    def add(self, factor: Factor, measured: Floats, targets: Sequence[int] | None = None) -> None:
        """Try a factor.

        Args:
            factor: The factor.
            measured: (rows, dimensions) what it measures.
            targets: Classes that it was proposed for; None: all.
        """
        choosing, judging = measured[self.chooses], measured[~self.chooses]
        for target in self.targets if targets is None else targets:
            mine = self._labels == target
            region = _best_region(choosing, mine[self.chooses], factor.aversion, self._rng)
            if region is None:
                continue
            inside, members = region.holds(judging), mine[~self.chooses]
            hits, all_hits = int((inside & members).sum()), int(inside.sum())
            count = int(members.sum())
            self._counts.append(_Count(factor, target, region, hits, count, all_hits - hits, len(members) - count))

    def found(self, *, rate: float, least_excess: float) -> list[Association]:
        """The associations that are neither chance nor small, strongest first.

        Args:
            rate: Accepted rate of false discoveries, under any dependence (Benjamini, Yekutieli, The Annals of
                Statistics 29, 2001).
            least_excess: The excess must be larger than this, with a confidence of 95 %.
        """
        if not self._counts:
            return []
        hits, members, others, rest = (
            np.array([getattr(count, name) for count in self._counts]) for name in ("hits", "members", "others", "rest")
        )
        p_values = stats.hypergeom.sf(hits - 1, members + rest, hits + others, members)
        adjusted = stats.false_discovery_control(p_values, method="by")
        elsewhere = others / np.maximum(rest, 1)
        aversion = np.array([count.factor.aversion for count in self._counts])
        low = np.where(hits, stats.beta.ppf(0.05, np.maximum(hits, 1), members - hits + 1), 0.0) - aversion * elsewhere
        order = np.argsort(-low, kind="stable")
        return [
            Association(
                factor=self._counts[i].factor,
                target=self._counts[i].target,
                region=self._counts[i].region,
                share=float(hits[i] / members[i]),
                elsewhere=float(elsewhere[i]),
                low=float(low[i]),
                p_value=float(adjusted[i]),
            )
            for i in order
            if adjusted[i] < rate and low[i] >= least_excess
        ]


def refined(association: Association, measured: Floats, labels: Ints) -> Region:
    """The region fitted to all rows: axes along which its rows are alike and others are not count for more.

    A patch that fills half a window is then seen by that half, whatever stands beside it.
    """
    mine = labels == association.target
    best = association.region
    fitted = _fitted(best.centre, best.weights, measured, mine, association.factor.aversion)
    return _reweighted(*fitted, measured, mine, association.factor.aversion)[0]


def has_sharp_border(region: Region, measured: Floats, mine: Bools, *, most: float = _GRADUAL) -> bool:
    """Whether the class is at most so many times as frequent as the others just outside the region.

    An honest number (an amount, an age) speaks for a class by degrees: beside the values that occur with it only lie
    values that occur with it mostly. What was written into some rows of the class ends where it ends.
    """
    distances = region.distances(measured)
    outside = distances > region.radius
    own = np.sort(distances[mine & outside])
    if not own.size:
        return True
    band = max(_FEWEST_ROWS, int((mine & ~outside).sum()) // 4)
    near = outside & (distances <= own[min(band, own.size) - 1])
    share, elsewhere = (near & mine).sum() / mine.sum(), (near & ~mine).sum() / max(int((~mine).sum()), 1)
    return bool(share <= most * elsewhere)


def _fitted(centre: Floats, weights: Floats, measured: Floats, mine: Bools, aversion: float) -> tuple[Region, float]:
    distances = Region(centre, weights, 0.0).distances(measured)
    radius, gain = _best_radii(distances[None], mine, aversion)
    return Region(centre, weights, float(radius[0])), float(gain[0])


def _reweighted(best: Region, gain: float, measured: Floats, mine: Bools, aversion: float) -> tuple[Region, float]:
    """The region after some rounds of weighting the axes by how alike its rows are, and its excess."""
    spread = measured[~mine].var(axis=0)
    for _ in range(_REFINEMENTS):
        seeds = measured[best.holds(measured) & mine]
        if len(seeds) < _FEWEST_ROWS:
            break
        centre, own = np.median(seeds, axis=0), seeds.var(axis=0)
        softened = own + _SOFTENING * spread + 1e-12
        # Columns are measured by rank and so alike; the axes of pictures are not.
        weights = spread / softened if measured.shape[1] <= _FLAT else 1 / softened
        tried = [weights]
        if measured.shape[1] > _FLAT:
            likeness = own / (spread + 1e-12)
            tried.append(np.where(likeness <= np.median(likeness), weights, 0.0))
        fitted = [_fitted(centre, each, measured, mine, aversion) for each in tried]
        region, new_gain = max(fitted, key=lambda each: each[1])
        if new_gain <= gain:
            break
        best, gain = region, new_gain
    return best, gain


def _halves(labels: Ints, rng: np.random.Generator) -> Bools:
    """(rows,) True for one half of each class."""
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    halves = np.zeros(len(labels), bool)
    halves[order[::2]] = True
    return halves


def _best_region(measured: Floats, mine: Bools, aversion: float, rng: np.random.Generator) -> Region | None:
    tried = _ANCHORS if measured.shape[1] <= _FLAT else _ANCHORS_IN_SPACE
    centres = measured[rng.permutation(np.flatnonzero(mine))[:tried]]
    radii, gains = _best_radii(cdist(centres, measured), mine, aversion)
    order = np.argsort(-gains, kind="stable")
    order = order[gains[order] > 0]
    if not len(order):
        return None
    plain = [(Region(centres[i], np.ones(measured.shape[1]), float(radii[i])), float(gains[i])) for i in order]
    if measured.shape[1] <= _FLAT:
        return plain[0][0]
    improved = [_reweighted(*each, measured, mine, aversion) for each in plain[:_REWEIGHTED] if each[1] > _PROMISING]
    return max([plain[0], *improved], key=lambda each: each[1])[0]


def _best_radii(distances: Floats, mine: Bools, aversion: float) -> tuple[Floats, Floats]:
    """For each row of (centres, rows) distances the radius with the largest excess, and that excess."""
    order = np.argsort(distances, axis=1)
    ranked = np.take_along_axis(distances, order, axis=1)
    inside = np.cumsum(mine[order], axis=1)
    share = inside / mine.sum()
    elsewhere = (np.arange(1, len(mine) + 1) - inside) / max(int((~mine).sum()), 1)
    gains = np.where(share >= _LEAST_SHARE, share - aversion * elsewhere, -np.inf)
    # Equally distant rows lie inside together or not at all.
    gains[:, :-1][ranked[:, :-1] == ranked[:, 1:]] = -np.inf
    best = np.argmax(gains, axis=1)
    rows = np.arange(len(distances))
    following = ranked[rows, np.minimum(best + 1, len(mine) - 1)]
    return (ranked[rows, best] + following) / 2, gains[rows, best]
