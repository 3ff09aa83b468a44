"""The finder: which factors did a class teach the network, though they should decide nothing?

Association first, over every factor and class; then whether the rest of a sample foretells the factor, which belongs
to the object in that case; then experiments on the networks for what remains. What the reference does not react to is
reported only of pictures, where the mark is plain and surely no part of the object: the next training may learn it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from darwin_core.explanation.checks.statistics import Interval
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors.base import Factor, FactorSpace, Floats, factors_of
from darwin_core.explanation.finder.association import Association, AssociationScan, has_sharp_border, refined
from darwin_core.explanation.finder.experiments import Laboratory, Reaction, Trial
from darwin_core.explanation.finder.independence import FEWEST_ROWS, foretold
from darwin_core.explanation.finder.looks import proposed_marks, two_clusters
from darwin_core.explanation.finder.pool import Bools, Pool, ScoresRows
from darwin_core.progress import Reporter

FALSE_DISCOVERY_RATE = 0.01
LEAST_EXCESS = 0.10
LEAST_EFFECT = 0.05
LEAST_RISE = 0.5
"""Least rise of the log-odds by a column that counts as learned: the odds by two thirds."""

LEAST_PICTURE_RISE = 1.5
"""The same for pictures. What belongs to the object raises the odds a little, too: in clean pictures up to e."""

MOST_FORETOLD = 0.62
MOST_FORETOLD_AT_ALL = 0.66
PLAIN_EXCESS = 0.25
_PLAIN_BORDER = 1.0
_USUAL = 0.7
_LEAST_PARTED = 3.2
"""A mark of pictures is plain, and surely no part of the object, if the interval of how well the rest foretells it ends
below the first, its excess is at least the second, and it ends where it ends: in what lies just outside its region the
class is no more frequent than others. A region that holds more of its class than the fourth figure may be the upper end
of what all of the class has to some degree: its rows must fall clearly into two clusters, near the centre and far off
(see `looks.two_clusters`; a bell curve has 2.7). Then the network's reaction is weighed as that to a column."""

LEAST_GAP = 3.6
_GAP_PER_FORETOLD = 8.0
"""What the finder made up itself is only looked into where it parts its class clearly (see `looks.two_clusters`), the
more clearly the better the rest foretells it: by the first, and by the second times what that is above chance. And
hardly any other picture may have it. In seven clean samples of road signs the nearest part fell 0.6 short of it."""

FEWEST_MARKED = 30
"""Of fewer pictures neither of the two can be told well enough: in a class of some fifty, a part of the sign passed."""

HARDLY_ELSEWHERE = 0.02
"""A plain mark that hardly any other picture has needs no reaction: the next training may learn it."""

MAX_SUSPICIONS = 600
MAX_EXAMINED = 24
_MAX_PER_CLASS = 6
_CHANCE = 0.5
_SAME_ROWS = 0.5
_CLEARLY_MORE = 0.15
_ALL = 0.8
_HARDLY_ANY = 0.05


@dataclass(frozen=True)
class Shortcut:
    """A factor that stands for a class.

    Attributes:
        trial: The factor, the class, and the rows that have it.
        association: The evidence from the rows.
        foretold: How well the rest of a sample tells which rows of the class have it; None where all or none have it.
        is_plain: Whether it marks pictures of the class and is surely no part of the object.
        reactions: Network name -> what experiments showed.
        also: Other factors that the same rows stand out by.
    """

    trial: Trial
    association: Association
    foretold: Interval | None
    is_plain: bool
    reactions: Mapping[str, Reaction]
    also: tuple[str, ...] = ()

    def owners(self, pool: Pool) -> Bools:
        """(rows of the pool,) rows of the class that have the factor."""
        return np.asarray(self.trial.inside & (pool.labels == self.trial.target))

    @property
    def is_used(self) -> bool:
        """Whether planting it changes the reference's decisions."""
        return self.reactions["reference"].effect.low >= LEAST_EFFECT

    @property
    def is_learned(self) -> bool:
        """Whether planting it raises what the reference gives the class, decision or not.

        Where all rows of a class have it, it may as well belong to the object; then only decisions count.
        """
        least = LEAST_RISE if self.trial.factor.columns or self.is_plain else LEAST_PICTURE_RISE
        return self.foretold is not None and self.reactions["reference"].rise.low >= least

    @property
    def is_flaw(self) -> bool:
        """Whether it is a flaw of the data, learned or not: a plain mark that hardly any other picture has."""
        return self.is_plain and self.association.elsewhere <= HARDLY_ELSEWHERE

    def marks_clearly_more_than(self, other: Shortcut) -> bool:
        """Whether the finder made this one up, not the other, and it holds clearly more of its class."""
        is_unlisted = self.trial.factor.is_proposed and not other.trial.factor.is_proposed
        return is_unlisted and self.association.low >= other.association.low + _CLEARLY_MORE

    @property
    def strength(self) -> float:
        """By what findings are ranked: what it does to decisions first, then how far it marks the class."""
        return self.reactions["reference"].effect.value + self.association.low


def find_shortcuts(
    pool: Pool,
    space: FactorSpace,
    networks: Mapping[str, ScoresRows],
    rules: Mapping[str, DecisionRule],
    classes: int,
    reporter: Reporter,
    *,
    seed: int = 0,
) -> tuple[Shortcut, ...]:
    """Look for factors that stand for classes.

    Args:
        pool: Rows to work with.
        space: What they are made of.
        networks: ``reference`` and ``candidate``.
        rules: How their scores become decisions.
        classes: Number of classes.
        reporter: Where progress goes.
        seed: Seed of everything random.

    Returns:
        The strongest first; of factors that the same rows stand out by, only one: the strongest of the list, unless one
        that the finder proposed itself marks clearly more of the class.
    """
    rng = np.random.default_rng([seed, 77])
    scan = AssociationScan(pool.labels, classes, rng)
    factors: dict[Factor, tuple[int, ...] | None] = dict.fromkeys(factors_of(space))
    for proposal in proposed_marks(pool, space, networks["candidate"], scan.targets, scan.chooses, reporter):
        factors[proposal.mark] = (proposal.target,)
    suspicions = _suspicions(pool, factors, scan, rng, reporter)
    if not suspicions:
        return ()
    laboratory = Laboratory(pool, networks, rules, rng)
    alpha = 0.05 / len(suspicions)
    found: list[Shortcut] = []
    with reporter.track("Planting and neutralising suspicious factors", total=len(suspicions)) as tracker:
        for suspicion in suspicions:
            reactions = laboratory.examine(suspicion.trial, alpha)
            found.append(Shortcut(**vars(suspicion), reactions=reactions))
            tracker.advance(1, suspicion.trial.factor.name)
    certain = [each for each in found if each.is_used or each.is_learned or each.is_flaw]
    return _distinct(certain if classes > 2 else _one_sided(certain), pool)


@dataclass(frozen=True)
class _Suspicion:
    trial: Trial
    association: Association
    foretold: Interval | None
    is_plain: bool


def _suspicions(
    pool: Pool,
    factors: Mapping[Factor, tuple[int, ...] | None],
    scan: AssociationScan,
    rng: np.random.Generator,
    reporter: Reporter,
) -> list[_Suspicion]:
    """Associations that nothing else in the samples foretells, the plain ones first and of others few per class.

    Args:
        pool: Rows.
        factors: What to try, each with the classes that it was proposed for, None for all.
        scan: Tries them.
        rng: Draws rows.
        reporter: Where progress goes.
    """
    measured: dict[int, Floats] = {}
    with reporter.track("Holding factors against labels", total=len(factors)) as tracker:
        for factor, targets in factors.items():
            measured[id(factor)] = factor.measure(pool.inputs)
            scan.add(factor, measured[id(factor)], targets)
            tracker.advance(1, factor.name)
    kept: list[_Suspicion] = []
    per_class: dict[int, int] = {}
    found = scan.found(rate=FALSE_DISCOVERY_RATE, least_excess=LEAST_EXCESS)[:MAX_SUSPICIONS]
    with reporter.track("Asking whether anything foretells them", total=len(found)) as tracker:
        for association in found:
            tracker.advance(1, association.factor.name)
            trial = _trial(pool, association, measured[id(association.factor)])
            own, values = pool.labels == trial.target, measured[id(association.factor)]
            if association.factor.is_graded and not has_sharp_border(trial.region, values, own):
                continue
            rest = _foretold(pool, trial, rng)
            is_plain = _is_plain(trial, values, own, rest)
            if not is_plain:
                # Every part of an object that nothing foretells is one.
                others = per_class.get(association.target, 0)
                if others >= _MAX_PER_CLASS or trial.factor.is_proposed or not _may_be_flaw(association, rest):
                    continue
                per_class[association.target] = others + 1
            kept.append(_Suspicion(trial, association, rest, is_plain))
    kept.sort(key=lambda each: not (each.trial.factor.columns or each.is_plain))
    return kept[:MAX_EXAMINED]


def _may_be_flaw(association: Association, rest: Interval | None) -> bool:
    return _marks_all(association) if rest is None else not _is_foretold(rest, association.factor)


def _is_plain(trial: Trial, values: Floats, own: Bools, rest: Interval | None) -> bool:
    excess = trial.inside[own].mean() - trial.factor.aversion * trial.inside[~own].mean()
    if trial.factor.columns or rest is None or excess < PLAIN_EXCESS:
        return False
    if trial.factor.is_proposed:
        is_rare = trial.inside[~own].mean() <= HARDLY_ELSEWHERE
        if not is_rare or trial.inside[own].sum() < FEWEST_MARKED:
            return False
        gap, _ = two_clusters(np.sort(values[own, 0]))
        return bool(gap >= LEAST_GAP + _GAP_PER_FORETOLD * max(rest.value - _CHANCE, 0))
    if rest.high > MOST_FORETOLD_AT_ALL or not has_sharp_border(trial.region, values, own, most=_PLAIN_BORDER):
        return False
    is_usual = trial.inside[own].mean() > _USUAL
    return not is_usual or two_clusters(np.sort(-trial.region.distances(values[own])))[0] >= _LEAST_PARTED


def _is_foretold(rest: Interval, factor: Factor) -> bool:
    """A class has few pictures, so the figure is rough: there it must be beyond doubt."""
    return (rest.value if factor.columns else rest.low) > MOST_FORETOLD


def _marks_all(association: Association) -> bool:
    return association.share >= _ALL and association.elsewhere <= _HARDLY_ANY


def _trial(pool: Pool, found: Association, measured: Floats) -> Trial:
    region = refined(found, measured, pool.labels)
    return Trial(found.factor, found.target, region, region.holds(measured))


def _foretold(pool: Pool, trial: Trial, rng: np.random.Generator) -> Interval | None:
    own = np.flatnonzero(pool.labels == trial.target)
    samples, inside = pool.take(own), trial.inside[own]
    if not inside.any():
        return None
    told = ~trial.factor.hides(samples, inside)
    if min((told & inside).sum(), (told & ~inside).sum()) < FEWEST_ROWS:
        told[:] = True
    return foretold(trial.factor.remainder(samples, inside)[told], inside[told], rng)


def _one_sided(found: Sequence[Shortcut]) -> list[Shortcut]:
    """Of two classes: what marks one class is missing from the other, so a column counts once, for its rarer values."""
    rarest = {}
    for each in sorted(found, key=lambda shortcut: -int(shortcut.trial.inside.sum())):
        rarest[each.trial.factor.columns or each.trial.factor.name] = each
    return list(rarest.values())


def _distinct(found: Sequence[Shortcut], pool: Pool) -> tuple[Shortcut, ...]:
    """Of shortcuts of one class that share most of their rows, the strongest; the strongest of all come first.

    What the list of factors describes is told in its words, unless what the finder made up marks clearly more of its
    class.
    """
    kept: list[Shortcut] = []
    also: list[list[str]] = []
    for each in sorted(found, key=lambda shortcut: (shortcut.trial.factor.is_proposed, -shortcut.strength)):
        mine = each.owners(pool)
        for place, other in enumerate(kept):
            theirs = other.owners(pool)
            if (mine & theirs).sum() >= _SAME_ROWS * min(mine.sum(), theirs.sum()):
                left_out = each
                if each.marks_clearly_more_than(other):
                    kept[place], left_out = each, other
                also[place].append(left_out.trial.factor.name)
                break
        else:
            kept.append(each)
            also.append([])
    told = [replace(shortcut, also=tuple(names)) for shortcut, names in zip(kept, also, strict=True)]
    return tuple(sorted(told, key=lambda shortcut: -shortcut.strength))
