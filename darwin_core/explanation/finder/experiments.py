"""Experiments: plant a factor in samples of other classes, neutralise it in its own, and ask the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.checks.statistics import Interval
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors.base import Factor
from darwin_core.explanation.finder.association import Region
from darwin_core.explanation.finder.pool import Bools, Ints, Pool, ScoresRows

FULL_ROWS = 160
_FEWEST_DONORS = 8
_TINY = 1e-7


@dataclass(frozen=True)
class Trial:
    """A suspicion to be tested.

    Attributes:
        factor: The factor.
        target: Class that it may stand for.
        region: Where in the factor's space.
        inside: (rows of the pool,) which rows have the factor as that class does.
    """

    factor: Factor
    target: int
    region: Region
    inside: Bools


@dataclass(frozen=True)
class Reaction:
    """How one network reacts.

    Attributes:
        planted: Share of other classes' samples that become the class once the factor is planted in them.
        control: The same with the factor of samples that lack it.
        effect: ``planted - control`` with its interval.
        rise: Mean rise of the class's log-odds by planting, beyond the control; sees what flips no decision yet.
        with_factor: Share of the class's samples with the factor that are recognised.
        neutralised: The same samples with the factor neutralised.
        loss: ``with_factor - neutralised`` with its interval, less what neutralising costs samples without the factor.
        worst_group: Lowest quality among: the class without the factor, and other classes with it.
    """

    planted: float
    control: float
    effect: Interval
    rise: Interval
    with_factor: float
    neutralised: float
    loss: Interval
    worst_group: float


class Laboratory:
    """Runs trials on both networks.

    Args:
        pool: Rows to work with.
        networks: Name -> network.
        rules: Name -> how the network's scores become decisions.
        rng: Draws recipients and donors.
    """

    def __init__(
        self,
        pool: Pool,
        networks: Mapping[str, ScoresRows],
        rules: Mapping[str, DecisionRule],
        rng: np.random.Generator,
    ) -> None:
        self._pool = pool
        self._networks = networks
        self._rules = rules
        self._rng = rng
        self.scores = {name: network.scores(pool.inputs) for name, network in networks.items()}
        """Name -> scores of the pool."""
        self.decided = {name: rules[name].decided(scores) for name, scores in self.scores.items()}
        """Name -> (rows,) decisions on the pool."""

    def examine(self, trial: Trial, alpha: float) -> dict[str, Reaction]:
        """Both networks' reactions to one trial.

        Args:
            trial: The suspicion.
            alpha: One minus the confidence of the intervals, two-sided.
        """
        others = self._draw(self._pool.labels != trial.target, FULL_ROWS)
        planted = self._transfer(trial, others, self._with(trial))
        control = self._transfer(trial, others, self._without(trial))
        owners = self._draw(trial.inside & (self._pool.labels == trial.target), FULL_ROWS)
        neutralised = self._transfer(trial, owners, self._without(trial))
        unaffected = self._unaffected(trial)
        touched = self._transfer(trial, unaffected, self._without(trial))
        reactions = {}
        for name in self._networks:
            decide = _Decider(self._networks[name], self._rules[name])
            after, by_chance = decide(planted), decide(control)
            before = self.decided[name]
            eligible = before[others] != trial.target
            flips = (after.classes == trial.target)[eligible], (by_chance.classes == trial.target)[eligible]
            kept, lost = before[owners] == trial.target, decide(neutralised).classes == trial.target
            own = self._pool.labels[unaffected]
            side_effect = (before[unaffected] == own).astype(float) - (decide(touched).classes == own)
            reactions[name] = Reaction(
                planted=_mean(flips[0]),
                control=_mean(flips[1]),
                effect=paired_difference(flips[0], flips[1], alpha),
                rise=mean_interval(
                    _log_odds(after.scores, trial.target) - _log_odds(by_chance.scores, trial.target), alpha
                ),
                with_factor=_mean(kept),
                neutralised=_mean(lost),
                loss=_less(paired_difference(kept, lost, alpha), side_effect, alpha),
                worst_group=min(
                    _mean(after.classes == self._pool.labels[others]),
                    self._quality_without(trial, name, _mean(lost)),
                ),
            )
        return reactions

    def _quality_without(self, trial: Trial, name: str, neutralised: float) -> float:
        """Recall of the class where the factor is absent: in its own rows, or neutralised where all have it."""
        rows = ~trial.inside & (self._pool.labels == trial.target)
        return _mean(self.decided[name][rows] == trial.target) if rows.sum() >= _FEWEST_DONORS else neutralised

    def _with(self, trial: Trial) -> Ints:
        return np.flatnonzero(trial.inside & (self._pool.labels == trial.target))

    def _without(self, trial: Trial) -> Ints:
        """Rows of the same class without the factor, so that only it differs; of all classes where there are none."""
        own = np.flatnonzero(~trial.inside & (self._pool.labels == trial.target))
        return own if len(own) >= _FEWEST_DONORS else np.flatnonzero(~trial.inside)

    def _unaffected(self, trial: Trial) -> Ints:
        own = ~trial.inside & (self._pool.labels == trial.target)
        return self._draw(own if own.sum() >= _FEWEST_DONORS else ~trial.inside, FULL_ROWS)

    def _draw(self, eligible: Bools, most: int) -> Ints:
        """Rows at random, unseen ones by preference where the networks know the training rows by heart."""
        rows = self._rng.permutation(np.flatnonzero(eligible))
        return np.asarray(rows[np.argsort(~self._pool.is_validation[rows], kind="stable")][:most])

    def _transfer(self, trial: Trial, recipients: Ints, donors: Ints) -> Inputs:
        drawn = self._rng.choice(donors, len(recipients))
        return trial.factor.transfer(self._pool.take(recipients), self._pool.take(drawn))


@dataclass(frozen=True)
class _Decided:
    scores: Floats
    classes: Ints


@dataclass(frozen=True)
class _Decider:
    network: ScoresRows
    rule: DecisionRule

    def __call__(self, inputs: Inputs) -> _Decided:
        scores = self.network.scores(inputs)
        return _Decided(scores, self.rule.decided(scores))


def paired_difference(first: Bools, second: Bools, alpha: float) -> Interval:
    """Difference of two shares of the same rows, with a two-sided interval.

    Bonett and Price's adjusted Wald interval, Journal of Educational and Behavioral Statistics 37 (2012).
    """
    n = len(first)
    if not n:
        return Interval(0.0, -1.0, 1.0)
    gained, lost = int((first & ~second).sum()), int((~first & second).sum())
    p_gained, p_lost = (gained + 1) / (n + 2), (lost + 1) / (n + 2)
    spread = np.sqrt((p_gained + p_lost - (p_gained - p_lost) ** 2) / (n + 2))
    margin = float(stats.norm.isf(alpha / 2) * spread)
    centre = p_gained - p_lost
    return Interval((gained - lost) / n, max(-1.0, centre - margin), min(1.0, centre + margin))


def mean_interval(values: Floats, alpha: float) -> Interval:
    """A mean with Student's two-sided interval."""
    if len(values) < 2:
        return Interval(0.0, -np.inf, np.inf)
    margin = float(stats.t.isf(alpha / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    mean = float(values.mean())
    return Interval(mean, mean - margin, mean + margin)


def _less(loss: Interval, side_effect: Floats, alpha: float) -> Interval:
    """A loss beyond what the operation costs rows that lack the factor."""
    if not len(side_effect):
        return loss
    mean = max(0.0, float(side_effect.mean()))
    margin = float(stats.norm.isf(alpha / 2) * np.sqrt((side_effect.var() + 1 / len(side_effect)) / len(side_effect)))
    low, high = loss.value - loss.low, loss.high - loss.value
    return Interval(
        loss.value - mean,
        loss.value - mean - float(np.hypot(low, margin)),
        loss.value - mean + float(np.hypot(high, margin)),
    )


def _log_odds(scores: Floats, target: int) -> Floats:
    """(rows,) log-odds of a class."""
    chance = scores[:, target] if scores.ndim == 2 else (scores if target == 1 else 1 - scores)
    chance = np.clip(chance, _TINY, 1 - _TINY)
    return np.asarray(np.log(chance) - np.log1p(-chance))


def _mean(values: NDArray[Any]) -> float:
    return float(np.mean(values)) if len(values) else 0.0
