"""Rows that are nearly copies of others: frames of one film, pictures coded anew, rows with one value changed.

Works on sketches made where the rows were read (`darwin_core.data.sketches`): the sealed rows stay sealed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Finding, FindingKind, Severity
from darwin_core.data.sketches import COLUMN_GROUPS
from darwin_core.explanation.checks.base import (
    MAX_AFFECTED_IDS,
    CheckedData,
    DataCheck,
    Fingerprints,
    label_codes,
    register_check,
)
from darwin_core.explanation.checks.coincidence import beyond_chance
from darwin_core.explanation.checks.near_pictures import Asked, NearPictures, find_near, query_count
from darwin_core.explanation.checks.near_rows import natural_rate, near_in, near_of_another_label
from darwin_core.explanation.checks.statistics import Interval, share_interval
from darwin_core.wording import counted, percent

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

_MARGIN = 2.0
"""Near pairs of table rows come in clumps; so many times as many as explained must be there."""


@dataclass(frozen=True)
class _Found:
    """Near copies: the rows asked about, those of them that are, and how both compare with what is natural.

    Attributes:
        asked: Positions in the fingerprints of the rows asked about.
        drawn: Whether they are a sample of those that could be asked about.
        near: (asked,) which are near copies.
        share: Their share.
        excess: Share that the data do not explain, at least.
        likeness: What a near copy is, as the end of a sentence.
        natural: How many there would be anyway, as a sentence.
    """

    asked: Ints
    drawn: bool
    near: Bools
    share: Interval
    excess: float
    likeness: str
    natural: str


@register_check
class NearDuplicates(DataCheck):
    """Finds test rows that are nearly copies of training rows, beyond what rows of their own have in common.

    Exact copies are left to the check of the overlap, groups of hundreds of pictures to the naming of an entity.
    """

    name = "near copies between training and test rows"
    grave, notable = 0.01, 0.001

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding for all near copies."""
        prints = data.fingerprints
        if prints is None or prints.sketches is None:
            return []
        sketches = prints.sketches
        own = ~np.isin(prints.test[sketches.test_rows], prints.train)
        places = np.flatnonzero(own)
        if not places.size or not sketches.train_rows.size:
            return []
        found = _near_pictures(data, places) if sketches.pictures else _near_rows(data, places)
        if found is None:
            return []
        near, severity = int(found.near.sum()), Severity.LOW
        if found.excess >= self.notable:
            severity = Severity.HIGH if found.excess >= self.grave else Severity.MEDIUM
        return [
            Finding(
                kind=FindingKind.NEAR_DUPLICATE,
                severity=severity,
                title=f"{counted(near, 'test row')} nearly copied from the training rows",
                description=(
                    f"{counted(near, 'test row')} of {found.asked.size:,}{_sampled(prints, found)} "
                    f"({percent(found.share.value)}, 95 % interval {percent(found.share.low)} to "
                    f"{percent(found.share.high)}) {found.likeness} {found.natural} A network that learns its training "
                    "rows by heart gets near copies right, so the measured quality is too good."
                ),
                effect=found.share.value,
                low=found.share.low,
                high=found.share.high,
                affected_rows=near,
                affected_ids=tuple(str(prints.test_ids[row]) for row in found.asked[found.near][:MAX_AFFECTED_IDS]),
                suggestion="Find out what the rows have in common (frames of one film, one customer, copies made by "
                "augmentation), and split so that whatever belongs together stands on one side: name it as `entity`.",
            )
        ]


@register_check
class NearLabelConflicts(DataCheck):
    """Finds training rows that are nearly copies of rows with another label.

    Two near copies may differ in just what decides, so this is never graded high.
    """

    name = "near copies with contradicting labels"
    notable = 0.001

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding for all near copies across labels."""
        prints, labels = data.fingerprints, data.train_labels
        if prints is None or prints.sketches is None or labels is None or not data.classes:
            return []
        if not prints.sketches.train_rows.size:
            return []
        classes = label_codes(labels[prints.sketches.train_rows])
        across = _pictures_across if prints.sketches.pictures else _rows_across
        found = across(data, prints, classes)
        if found is None:
            return []
        near = int(found.near.sum())
        return [
            Finding(
                kind=FindingKind.NEAR_DUPLICATE,
                severity=Severity.MEDIUM if found.excess >= self.notable else Severity.LOW,
                title=f"{counted(near, 'training row')} nearly copied under another label",
                description=(
                    f"{counted(near, 'training row')} of {found.asked.size:,}{_sampled(prints, found)} "
                    f"({percent(found.share.value)}, 95 % interval "
                    f"{percent(found.share.low)} to {percent(found.share.high)}) {found.likeness} {found.natural} "
                    f"Either {data.roles.label} is wrong in one of each pair, or the little that differs decides."
                ),
                effect=found.share.value,
                low=found.share.low,
                high=found.share.high,
                affected_rows=near,
                affected_ids=tuple(str(prints.train_ids[row]) for row in found.asked[found.near][:MAX_AFFECTED_IDS]),
                suggestion="Look at these rows next to those they resemble, and correct the labels that are wrong.",
            )
        ]


def _near_pictures(data: CheckedData, places: Ints) -> _Found | None:
    assert data.fingerprints is not None
    assert data.fingerprints.sketches is not None
    sketches, rng = data.fingerprints.sketches, data.rng(NearDuplicates.name)
    asked = _drawn(places, sketches.train_rows.size, rng)
    near = find_near(
        Asked(sketches.test[asked].astype(np.int8, copy=False)), sketches.train.astype(np.int8, copy=False), None, rng
    )
    drawn = asked.size < places.size
    return None if near is None else _told(near, sketches.test_rows[asked], drawn, "a training picture")


def _pictures_across(data: CheckedData, prints: Fingerprints, labels: Ints) -> _Found | None:
    assert prints.sketches is not None
    sketches, rng = prints.sketches, data.rng(NearLabelConflicts.name)
    places = np.flatnonzero(_single(prints.train)[sketches.train_rows])
    asked = _drawn(places, sketches.train_rows.size, rng)
    looks = sketches.train.astype(np.int8, copy=False)
    near = find_near(Asked(looks[asked], asked), looks, labels, rng)
    drawn = asked.size < places.size
    return None if near is None else _told(near, sketches.train_rows[asked], drawn, "a picture with another label")


def _told(near: NearPictures, rows: Ints, drawn: bool, what: str) -> _Found:
    """What was found among pictures, the nearest first."""
    nearest_first = np.argsort(near.ratios, kind="stable")
    return _Found(
        rows[nearest_first],
        drawn,
        near.near[nearest_first],
        share_interval(int(near.near.sum()), rows.size),
        near.excess,
        f"have {what} less than {percent(near.threshold)} as far away as their neighbourhood usually is (coarse look, "
        "whatever brightness and contrast).",
        f"Pictures of their own would be that near in at most {percent(near.usual)} of the cases.",
    )


def _near_rows(data: CheckedData, places: Ints) -> _Found | None:
    assert data.fingerprints is not None
    assert data.fingerprints.sketches is not None
    sketches = data.fingerprints.sketches
    train, test = sketches.train.astype(np.uint64, copy=False), sketches.test.astype(np.uint64, copy=False)
    near = near_in(test[places], train)
    return _beyond_nature(
        data, sketches.test_rows[places], near, len(train), "agree with a training row in all but one column"
    )


def _rows_across(data: CheckedData, prints: Fingerprints, labels: Ints) -> _Found | None:
    assert prints.sketches is not None
    sketches = prints.sketches
    single = _single(prints.train)[sketches.train_rows]
    near = near_of_another_label(sketches.train.astype(np.uint64, copy=False)[single], labels[single])
    return _beyond_nature(
        data,
        sketches.train_rows[single],
        near,
        int(single.sum()),
        "agree with a row of another label in all but one column",
    )


def _beyond_nature(data: CheckedData, asked: Ints, near: Bools, rows: int, likeness: str) -> _Found | None:
    """What was found among table rows; None where it is no more than rows of their own would have in common."""
    rate = natural_rate(data) if near.any() else None
    if rate is None:
        return None
    expected, hits = _MARGIN * rate * asked.size * rows, int(near.sum())
    if not beyond_chance(hits, expected):
        return None
    share = share_interval(hits, asked.size)
    group = -(-len(data.columns) // COLUMN_GROUPS)
    return _Found(
        asked,
        False,
        near,
        share,
        share.low - expected / asked.size,
        f"{likeness}{'' if group == 1 else f' (or {group} that stand side by side)'}, numbers to three digits.",
        f"By what training rows have in common, at most {expected:,.1f} such pairs would be there anyway.",
    )


def _drawn(places: Ints, rows: int, rng: np.random.Generator) -> Ints:
    return np.sort(rng.permutation(places)[: query_count(places.size, rows)])


def _single(codes: Ints) -> Bools:
    """(rows,) rows without an exact copy."""
    _, cells, counts = np.unique(codes, return_inverse=True, return_counts=True)
    return np.asarray(counts[cells] == 1)


def _sampled(prints: Fingerprints, found: _Found) -> str:
    assert prints.sketches is not None
    kept = prints.sketches.share
    drawn = " drawn at random" if found.drawn else ""
    return drawn + ("" if kept >= 1 else f" (looked for among {percent(kept)} of all rows)")
