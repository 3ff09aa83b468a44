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

_LEVELS = 32
_STARTS = 2
"""So many regions in more than two dimensions grow from rows of the class that are alike in one dimension, which is cut
into so many levels: the neighbours of a centre are alike in everything, in what stands beside a small mark as well."""

_FEWEST_ROWS = 12
"""A class with fewer rows in a half is not looked at."""

_GRADUAL = 2.0
_REFINEMENTS = 3

_SOFTENING = 0.02
_QUARTILES_APART = 1.35
"""Standard deviations between the quartiles of a bell curve: a few rows that are alike by chance move them little."""

_AXES_KEPT = (1.0, 0.5, 0.2)
_MIDDLE = (0.1, 0.9)
"""Shares of the axes that a region may look at: those on which the fewest others lie between these quantiles of its own
rows. How alike its rows are would not do: a border that is black in most pictures of every class tells nothing."""

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
        levels = None if measured.shape[1] <= _FLAT else _levels(choosing)
        for target in self.targets if targets is None else targets:
            mine = self._labels == target
            region = _best_region(choosing, levels, mine[self.chooses], factor.aversion, self._rng)
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
    """The region after some rounds of weighting the axes by how they tell its rows from others, and its excess."""
    spread = measured[~mine].var(axis=0)
    for _ in range(_REFINEMENTS):
        seeds = measured[best.holds(measured) & mine]
        if len(seeds) < _FEWEST_ROWS:
            break
        region, new_gain = _weighted(seeds, measured, spread, mine, aversion)
        if new_gain <= gain:
            break
        best, gain = region, new_gain
    return best, gain


def _weighted(seeds: Floats, measured: Floats, spread: Floats, mine: Bools, aversion: float) -> tuple[Region, float]:
    """The best region about the middle of some rows with axes weighted by how alike these are, and its excess."""
    own = (np.subtract(*np.quantile(seeds, [0.75, 0.25], axis=0)) / _QUARTILES_APART) ** 2
    softened = own + _SOFTENING * spread + 1e-12
    if measured.shape[1] <= _FLAT:
        tried = [spread / softened]
    else:
        # Columns are measured by rank and so alike; the axes of pictures are not.
        (low, high), others = np.quantile(seeds, _MIDDLE, axis=0), measured[~mine]
        shared = ((low <= others) & (others <= high)).mean(axis=0)
        tried = [np.where(shared <= np.quantile(shared, kept), 1 / softened, 0.0) for kept in _AXES_KEPT]
    centre = np.median(seeds, axis=0)
    fitted = [_fitted(centre, weights, measured, mine, aversion) for weights in tried]
    return max(fitted, key=lambda each: each[1])


def _halves(labels: Ints, rng: np.random.Generator) -> Bools:
    """(rows,) True for one half of each class."""
    order = rng.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    halves = np.zeros(len(labels), bool)
    halves[order[::2]] = True
    return halves


def _levels(measured: Floats) -> Ints:
    """(rows, dimensions) the values by their rank, in steps of equally many rows."""
    edges = np.quantile(measured, np.arange(1, _LEVELS) / _LEVELS, axis=0)
    return np.stack([np.searchsorted(e, column) for e, column in zip(edges.T, measured.T, strict=True)], axis=1)


def _own_levels(levels: Ints, mine: Bools, aversion: float) -> list[Bools]:
    """Rows of the class in one interval of one dimension, for the few dimensions that part it best from the others."""
    dimensions = levels.shape[1]
    flat = levels + _LEVELS * np.arange(dimensions)
    counts = [
        np.bincount(flat[rows].ravel(), minlength=_LEVELS * dimensions).reshape(dimensions, _LEVELS).cumsum(axis=1)
        for rows in (mine, ~mine)
    ]
    share, elsewhere = (np.pad(each, ((0, 0), (1, 0))) / each[0, -1] for each in counts)
    gains = (share[:, None, :] - share[:, :, None]) - aversion * (elsewhere[:, None, :] - elsewhere[:, :, None])
    # An interval goes up.
    gains = np.where(np.tri(_LEVELS + 1, k=0, dtype=bool), -np.inf, gains)
    found = []
    best = gains.reshape(dimensions, -1).argmax(axis=1)
    for dimension in np.argsort(-gains.reshape(dimensions, -1).max(axis=1), kind="stable")[:_STARTS]:
        first, last = divmod(int(best[dimension]), _LEVELS + 1)
        found.append(mine & (levels[:, dimension] >= first) & (levels[:, dimension] < last))
    return found


def _best_region(
    measured: Floats, levels: Ints | None, mine: Bools, aversion: float, rng: np.random.Generator
) -> Region | None:
    """A region that holds more of the class than of the others; levels: of what has more than two dimensions."""
    centres = measured[rng.permutation(np.flatnonzero(mine))[: _ANCHORS if levels is None else _ANCHORS_IN_SPACE]]
    radii, gains = _best_radii(cdist(centres, measured), mine, aversion)
    order = np.argsort(-gains, kind="stable")
    axes = np.ones(measured.shape[1])
    found = [(Region(centres[i], axes, float(radii[i])), float(gains[i])) for i in order if gains[i] > 0]
    if levels is not None:
        spread = measured[~mine].var(axis=0)
        starts = [each for each in found[:_REWEIGHTED] if each[1] > _PROMISING]
        starts += [
            _weighted(measured[seeds], measured, spread, mine, aversion)
            for seeds in _own_levels(levels, mine, aversion)
            if seeds.sum() >= _FEWEST_ROWS
        ]
        found = [*found[:1], *(_reweighted(*start, measured, mine, aversion) for start in starts)]
    return max(found, key=lambda each: each[1])[0] if found else None


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
