"""Factors that nobody listed: marks that the network looks at in some pictures of a class and not in others.

After SpRAy (Lapuschkin et al., Nature Communications 10, 2019), which clusters a class's attribution maps. Whole maps
were clustered first, and the clusters followed the object: what a network makes of a small mark is lost beside it,
above all where the mark stands now here, now there. So it goes place by place: the pictures of a class that look most
at an area say what may be there, all pictures of the class are compared with it, and where these likenesses fall
clearly into two clusters, the upper one hardly found in other classes, what it has is proposed as a factor. That is
then held against labels and networks like every other one. Proposals come from one half of the rows and are judged on
the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.explanation.attribution import IntegratedGradients
from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.attribution.neutral import smoothed
from darwin_core.explanation.factors.base import FactorSpace
from darwin_core.explanation.factors.mark import (
    Mark,
    Template,
    boxes_at,
    coarse_step,
    likenesses,
    margin_of,
    relief,
    shape_of,
)
from darwin_core.explanation.finder.pool import Bools, Ints, Pool, ScoresRows
from darwin_core.explanation.log_odds import LogOdds
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.progress import Reporter, Tracker

_STEPS = 3
"""Gradients per map."""

_MOST_ROWS = 80
"""Pictures per class that are asked about."""

_BOX = 0.28
"""Side of the box that is compared, as a share of the picture's shorter side: thin drawings have room in it."""

_REACH = 0.125
"""How far from the middle of an area a box may stand, as a share of the shorter side."""

_AREAS = 5
"""Areas along each side."""

_EXEMPLARS = 4
_ROUNDS = 5
_WIDER = 2
"""By so many coarse pixels the area grows in each round about where the drawing was seen."""

_MOST_PER_CLASS = 2
_OTHERS = 400
_PARTS = 8
_MOST_ELSEWHERE = 0.02
_LEAST_CLUSTER = 8
_PROMISING_GAP = 3.0
_LEAST_GAP = 4.0
"""Difference of two clusters' means in standard deviations (Ashman's D). A bell curve cut in two has 2.7."""

_Area = tuple[tuple[int, int], tuple[int, int]]
"""First and last row, first and last column at which boxes begin."""


@dataclass(frozen=True)
class Proposal:
    """A mark, and the class that seems to have it."""

    mark: Mark
    target: int


def proposed_marks(
    pool: Pool, space: FactorSpace, network: ScoresRows, targets: Sequence[int], usable: Bools, reporter: Reporter
) -> list[Proposal]:
    """Marks that some rows of a class are recognised by; none where the network cannot be differentiated by pixels.

    Args:
        pool: Rows.
        space: What they are made of.
        network: The network that is asked where it looks.
        targets: Classes.
        usable: (rows of the pool,) which may be looked at.
        reporter: Where progress goes.
    """
    if space.picture is None or not targets:
        return []
    if not isinstance(network, NetworkScorer) or not network.is_differentiable:
        return []
    seeker = _Seeker(pool, space, network, targets, usable, reporter)
    return [Proposal(Mark(space, template), target) for target, template in seeker.templates(reporter)]


@dataclass(frozen=True)
class _Fit:
    """A drawing held against one class: how far its likenesses fall apart and where, who has it."""

    template: Template
    gap: float
    level: float
    share: float
    elsewhere: float

    @property
    def is_rare(self) -> bool:
        """Whether hardly any picture of other classes has it."""
        return self.elsewhere <= _MOST_ELSEWHERE

    @property
    def is_clear(self) -> bool:
        """Whether it parts the class clearly, and only that class."""
        return self.is_rare and self.gap >= _LEAST_GAP


class _Seeker:
    def __init__(
        self,
        pool: Pool,
        space: FactorSpace,
        network: NetworkScorer,
        targets: Sequence[int],
        usable: Bools,
        reporter: Reporter,
    ) -> None:
        assert space.picture is not None
        self._name, self._step, self._targets = space.picture, coarse_step(space.shape[:2]), targets
        rows = [np.flatnonzero(usable & (pool.labels == target))[:_MOST_ROWS] for target in targets]
        self._labels = np.repeat(np.asarray(targets, np.int64), [len(each) for each in rows])
        some = np.random.default_rng(0).permutation(np.flatnonzero(usable))[:_OTHERS]
        self._some_labels = pool.labels[some]
        pictures = pool.inputs[space.picture][np.concatenate(rows)]
        low, high = space.value_range
        self._reliefs, self._some = (
            relief((values.astype(np.float32) - low) / (high - low))
            for values in (pictures, pool.inputs[space.picture][some])
        )
        shape = np.array(self._reliefs.shape[1:3])
        self._margin = margin_of(space.shape[:2])
        self._side, self._reach = (max(1, round(share * (shape.min() - 2 * self._margin))) for share in (_BOX, _REACH))
        self._last = shape - self._side
        with reporter.track("Asking what speaks for each class", total=len(pictures)) as tracker:
            self._looks = _sums(self._maps(network, pictures, tracker), self._side)

    def templates(self, reporter: Reporter) -> list[tuple[int, Template]]:
        """Class and drawing of everything that splits a class clearly, at most a few of each."""
        promising: dict[int, list[_Fit]] = {target: [] for target in self._targets}
        middles = [np.linspace(0, last, _AREAS).round().astype(int) for last in self._last]
        with reporter.track("Clustering what it is", total=_AREAS**2 + len(self._targets)) as tracker:
            for down in middles[0]:
                for across in middles[1]:
                    self._try_area(self._around(np.array([[down, across]]), self._reach), promising)
                    tracker.advance(1)
            found = []
            for target, fits in promising.items():
                fits.sort(key=lambda fit: -fit.gap)
                refined = [self._refined(target, fit) for fit in fits[:_MOST_PER_CLASS]]
                found += [(target, fit.template) for fit in refined if fit.is_clear]
                tracker.advance(1)
        return found

    def _try_area(self, area: _Area, promising: dict[int, list[_Fit]]) -> None:
        """Add the best drawing for each class that is promising in this area."""
        (top, bottom), (left, right) = area
        looks = self._looks[:, top : bottom + 1, left : right + 1].reshape(len(self._looks), -1)
        peaks, across = np.argmax(looks, axis=1), right + 1 - left
        places = np.stack([top + peaks // across, left + peaks % across], axis=1)
        order = np.argsort(-looks.max(axis=1), kind="stable")
        chosen = np.concatenate([order[self._labels[order] == target][:_EXEMPLARS] for target in self._targets])
        seeds = shape_of(boxes_at(self._reliefs[chosen], places[chosen], self._side))
        # Some at a time: a few drawings per class have likenesses at every place.
        some = np.array_split(self._some, _PARTS)
        others = np.concatenate([likenesses(part, seeds, area).max(axis=1) for part in some])
        for target in self._targets:
            own, mine = self._labels == target, np.flatnonzero(self._labels[chosen] == target)
            alike = likenesses(self._reliefs[own], seeds[mine], area).max(axis=1)
            fits = [
                self._fit(target, Template(seeds[index], *area), alike[:, place], others[:, index])
                for place, index in enumerate(mine)
            ]
            best = max(fits, key=lambda fit: fit.gap * fit.is_rare)
            if best.is_rare and best.gap >= _PROMISING_GAP:
                promising[target].append(best)

    def _refined(self, target: int, best: _Fit) -> _Fit:
        """Drawing and area fitted to the pictures that have it: until it parts them clearly, then for more of them."""
        own = np.flatnonzero(self._labels == target)
        for _ in range(_ROUNDS):
            likeness, places = best.template.find(self._reliefs[own])
            has = likeness >= best.level
            boxes = boxes_at(self._reliefs[own[has]], places[has], self._side)
            template = Template(shape_of(np.concatenate(boxes, axis=1)), *self._around(places[has], _WIDER))
            alike, others = (template.find(reliefs)[0] for reliefs in (self._reliefs[own], self._some))
            fit = self._fit(target, template, alike, others)
            if not (fit.is_clear and fit.share > best.share if best.is_clear else fit.is_rare and fit.gap > best.gap):
                break
            best = fit
        return best

    def _fit(self, target: int, template: Template, own: Floats, others: Floats) -> _Fit:
        gap, level = two_clusters(np.sort(own))
        elsewhere = others[self._some_labels != target] >= level
        return _Fit(template, gap, level, float((own >= level).mean()), float(elsewhere.mean()))

    def _around(self, places: Ints, reach: int) -> _Area:
        low, high = np.maximum(places.min(axis=0) - reach, 0), np.minimum(places.max(axis=0) + reach, self._last)
        return (int(low[0]), int(high[0])), (int(low[1]), int(high[1]))

    def _maps(self, network: NetworkScorer, pictures: NDArray[np.generic], tracker: Tracker) -> Floats:
        """(rows, height, width) shares of what speaks for the class, pixel by pixel of the reliefs."""
        attributor = IntegratedGradients(steps=_STEPS)
        maps = attributor.attribute(LogOdds(network), {self._name: pictures}, self._labels, tracker).values
        if network.kind.task is Task.BINARY:
            # The one output speaks for the second class.
            maps = np.where(self._labels[:, None, None] == 1, maps, -maps)
        maps = np.maximum(smoothed(maps, 0.5 * self._step), 0)
        height, width = (size - 2 * self._margin for size in self._reliefs.shape[1:3])
        maps = maps[:, : height * self._step, : width * self._step]
        maps = maps.reshape(len(maps), height, self._step, width, self._step).sum(axis=(2, 4))
        shares = maps / np.maximum(maps.sum(axis=(1, 2), keepdims=True), 1e-12)
        return np.pad(shares, ((0, 0), (self._margin, self._margin), (self._margin, self._margin)))


def two_clusters(values: Floats) -> tuple[float, float]:
    """How clearly numbers fall into two clusters (Otsu's threshold: the smallest variance within).

    Args:
        values: (rows,) ascending.

    Returns:
        Difference of the means over the mean standard deviation within (Ashman's D; 0 where a cluster would be too
        small), and the middle between the clusters.
    """
    count = np.arange(1, len(values))
    if len(values) < 2 * _LEAST_CLUSTER:
        return 0.0, np.inf
    total, squares = values.cumsum(), (values**2).cumsum()
    below, above = total[:-1] / count, (total[-1] - total[:-1]) / (len(values) - count)
    spread_below = squares[:-1] / count - below**2
    spread_above = (squares[-1] - squares[:-1]) / (len(values) - count) - above**2
    within = (count * spread_below + (len(values) - count) * spread_above)[_LEAST_CLUSTER - 1 : 1 - _LEAST_CLUSTER]
    best = int(np.argmin(within)) + _LEAST_CLUSTER - 1
    spread = np.sqrt(max(float(spread_below[best] + spread_above[best]) / 2, 1e-9))
    return float((above[best] - below[best]) / spread), float(values[best] + values[best + 1]) / 2


def _sums(maps: Floats, side: int) -> Floats:
    """(rows, ...) sums over the boxes that begin at each place."""
    total = np.pad(maps.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
    upper, lower = total[:, :-side], total[:, side:]
    return np.asarray(lower[:, :, side:] - upper[:, :, side:] - lower[:, :, :-side] + upper[:, :, :-side])
