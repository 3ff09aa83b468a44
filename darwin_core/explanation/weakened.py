"""Groups of rows that compaction serves worse than the rest: where the candidate errs and the reference did not.

A group is named by one column's value or range; for pictures by the class, or by a range of one of the finder's
factors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from darwin_core.contracts import ColumnKind, Finding, FindingKind, Severity, Task
from darwin_core.evaluation.multiplicity import holm
from darwin_core.explanation.attribution.features import FeatureMap
from darwin_core.explanation.checks.base import FALSE_ALARM_RATE, MAX_AFFECTED_IDS
from darwin_core.explanation.checks.statistics import Interval
from darwin_core.explanation.factors import PictureFactor, factors_of
from darwin_core.explanation.finder.findings import FindingWithRows
from darwin_core.explanation.finder.subject import factor_space
from darwin_core.explanation.reasons import show_value
from darwin_core.explanation.subject import ScoredRows, Subject, decision_rule
from darwin_core.progress import Reporter
from darwin_core.wording import counted, percent

NAME = "groups that compaction serves worse"
"""How the report calls what is looked for here."""

MIN_ROWS = 50
_MOST_CATEGORIES = 20
_FEW_NUMBERS = 12
_BANDS = (0.2, 0.4, 0.6, 0.8)
_SPACE_ROWS = 512
_BATCH_ROWS = 256
_SAME_ROWS = 0.5
_GRAVE, _NOTABLE = 0.05, 0.01

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Group:
    """Rows that have something in common.

    Attributes:
        title: In words, e.g. ``AGE from 60``.
        members: (rows,) which rows belong to it.
        column: The column that tells them; None for pictures.
    """

    title: str
    members: Bools
    column: str | None = None


@dataclass(frozen=True)
class Weakened:
    """A group that the candidate serves worse.

    Attributes:
        group: The group.
        lost: (rows,) members that the reference decides rightly and the candidate wrongly.
        change: Share of the members by which wrong decisions became more, with its 95 % interval.
        elsewhere: The same share among all other rows.
    """

    group: Group
    lost: Bools
    change: Interval
    elsewhere: float


def find_weakened(groups: Sequence[Group], reference_wrong: Bools, candidate_wrong: Bools) -> list[Weakened]:
    """Groups in which compaction made more decisions wrong than right, and more than chance leaves to a group.

    Two questions are put to each group, and the higher p-value counts: do newly wrong decisions outnumber newly right
    ones (McNemar's exact test, one-sided), and are the newly wrong ones of all rows gathered here (hypergeometric)?
    Holm's correction bounds the chance of any false alarm by FALSE_ALARM_RATE. Of groups that share most of their newly
    wrong rows, the clearest is kept.

    Args:
        groups: Groups of the same rows; those with fewer than MIN_ROWS members are not tested.
        reference_wrong: (rows,) where the reference decides wrongly.
        candidate_wrong: (rows,) where the candidate does.
    """
    lost, gained = candidate_wrong & ~reference_wrong, reference_wrong & ~candidate_wrong
    tested = [group for group in groups if MIN_ROWS <= group.members.sum() < len(lost)]
    p_values = [_p_value(group.members, lost, gained) for group in tested]
    adjusted = holm(p_values)
    found: list[Weakened] = []
    explained = np.zeros(len(lost), bool)
    for index in np.argsort(p_values, kind="stable"):
        group = tested[int(index)]
        own = group.members & lost
        if adjusted[index] >= FALSE_ALARM_RATE or (own & explained).sum() > _SAME_ROWS * own.sum():
            continue
        explained |= own
        others = ~group.members
        elsewhere = float((lost[others].sum() - gained[others].sum()) / others.sum())
        found.append(Weakened(group, own, _change(own.sum(), (group.members & gained).sum(), group), elsewhere))
    return found


def look_for_weakened(subject: Subject, scored: ScoredRows, reporter: Reporter) -> tuple[FindingWithRows, ...]:
    """Look at the validation rows; empty for regression, where nothing is decided."""
    if subject.kind.task is Task.REGRESSION:
        return ()
    wrong = [
        _is_wrong(decision_rule(subject, scores).decided(scores), scored.labels)
        for scores in (scored.reference, scored.candidate)
    ]
    found = _picture_groups(subject, scored, reporter) if subject.is_pictures else _table_groups(subject, scored)
    return tuple(_as_finding(each, subject, scored) for each in find_weakened(list(found), *wrong))


def _is_wrong(decided: NDArray[np.int64], labels: NDArray[Any]) -> Bools:
    """(rows,) where the decision is not the label; of several labels, where any is wrong."""
    wrong = decided != labels.astype(np.int64)
    return wrong if wrong.ndim == 1 else np.asarray(wrong.any(axis=1))


def _p_value(members: Bools, lost: Bools, gained: Bools) -> float:
    own, won = int((members & lost).sum()), int((members & gained).sum())
    if own <= won:
        return 1.0
    outnumbered = stats.binom.sf(own - 1, own + won, 0.5)
    gathered = stats.hypergeom.sf(own - 1, len(members), int(members.sum()), int(lost.sum()))
    return float(max(outnumbered, gathered))


def _change(lost: int, gained: int, group: Group) -> Interval:
    """Difference of paired shares with Wald's interval."""
    rows = int(group.members.sum())
    value = (lost - gained) / rows
    margin = float(stats.norm.isf(0.025)) * np.sqrt(max(lost + gained - rows * value**2, 0.0)) / rows
    return Interval(value, value - margin, value + margin)


def _table_groups(subject: Subject, scored: ScoredRows) -> Iterator[Group]:
    features = FeatureMap.of(subject.bound)
    inputs = subject.validation.take(scored.rows).inputs
    for feature in features.features:
        values = features.values(inputs, feature)
        if values.ndim == 1:
            yield from column_groups(feature.name, feature.kind, values)


def column_groups(name: str, kind: ColumnKind, values: NDArray[np.generic]) -> Iterator[Group]:
    """A column's frequent values; for numbers with many values five ranges, and the missing ones."""
    if values.dtype.kind not in "fiub":
        distinct, counts = np.unique(values, return_counts=True)
        frequent = distinct[np.argsort(-counts, kind="stable")[:_MOST_CATEGORIES]]
        yield from (Group(f"{name} = {show_value(value, kind)}", values == value, name) for value in frequent)
        return
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    yield Group(f"{name} missing", missing, name)
    distinct = np.unique(numbers[~missing])
    if len(distinct) <= _FEW_NUMBERS:
        yield from (Group(f"{name} = {show_value(value, kind)}", numbers == value, name) for value in distinct)
        return
    for title, members in _ranges(name, numbers, kind):
        yield Group(title, members, name)


def _ranges(name: str, numbers: NDArray[np.float64], kind: ColumnKind) -> Iterator[tuple[str, Bools]]:
    edges = np.unique(np.nanquantile(numbers, _BANDS, method="inverted_cdf"))
    yield f"{name} below {show_value(edges[0], kind)}", numbers < edges[0]
    for low, high in pairwise(edges):
        yield f"{name} from {show_value(low, kind)} to {show_value(high, kind)}", (numbers >= low) & (numbers < high)
    yield f"{name} from {show_value(edges[-1], kind)}", numbers >= edges[-1]


def _picture_groups(subject: Subject, scored: ScoredRows, reporter: Reporter) -> Iterator[Group]:
    label = subject.snapshot.roles.label
    for index, name in enumerate(subject.snapshot.classes):
        if subject.kind.task is Task.MULTILABEL:
            yield Group(f"label {name}", scored.labels[:, index] != 0)
        else:
            yield Group(f"{label} = {name}", scored.labels == index)
    space = factor_space(subject, subject.validation.take(scored.rows[:_SPACE_ROWS]).inputs)
    factors = [factor for factor in factors_of(space) if isinstance(factor, PictureFactor)]
    starts = range(0, len(scored.rows), _BATCH_ROWS)
    measured = []
    with reporter.track("Measuring factors of the validation pictures", total=len(starts)) as tracker:
        for start in starts:
            batch = subject.validation.take(scored.rows[start : start + _BATCH_ROWS]).inputs
            measured.append([factor.measure(batch) for factor in factors])
            tracker.advance(1)
    for factor, parts in zip(factors, zip(*measured, strict=True), strict=True):
        values = np.concatenate(parts)
        if values.shape[1] == 1 and np.ptp(values) > 0:
            yield from (Group(*each) for each in _ranges(factor.name, values[:, 0], ColumnKind.NUMBER))


def _as_finding(weakened: Weakened, subject: Subject, scored: ScoredRows) -> FindingWithRows:
    group, change = weakened.group, weakened.change
    severity = Severity.LOW
    if change.low >= _NOTABLE:
        severity = Severity.HIGH if change.low >= _GRAVE else Severity.MEDIUM
    members, lost = int(group.members.sum()), int(weakened.lost.sum())
    ids = tuple(subject.validation.row_ids[int(row)] for row in scored.rows[weakened.lost])
    name_it = (
        f"Name {group.column} as a slice, so that the gate holds the candidate to it"
        if group.column
        else "Let the search train longer or allow it a larger network"
    )
    finding = Finding(
        kind=FindingKind.WEAKENED_GROUP,
        severity=severity,
        title=f"The compact network serves {group.title} worse",
        description=(
            f"Of {counted(members, 'validation row')} with {group.title}, the reference decides {lost:,} rightly that "
            f"the candidate decides wrongly; wrong decisions become more by {percent(change.value)} of the rows "
            f"(95 % interval {percent(max(change.low, 0.0))} to {percent(change.high)}), in all other rows by "
            f"{_signed(weakened.elsewhere)}."
        ),
        columns=(group.column,) if group.column else (),
        effect=change.value,
        low=change.low,
        high=change.high,
        affected_rows=lost,
        affected_ids=ids[:MAX_AFFECTED_IDS],
        suggestion=f"{name_it}, or give both networks more training rows of this kind.",
    )
    return FindingWithRows(finding, ids)


def _signed(share: float) -> str:
    return f"{'-' if share < 0 else ''}{percent(abs(share))}"
