"""What a data check is, what it may look at, and the registry through which users add their own.

A check of one's own takes a few lines::

    @register_check
    class NegativeAmounts(DataCheck):
        name = "negative amounts"

        def run(self, data: CheckedData) -> list[Finding]:
            amount = data.columns["AMOUNT"].numbers
            ...
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import ColumnKind, DataRoles, Finding, FindingKind, Severity, SplitProfile
from darwin_core.explanation.checks.columns import Column
from darwin_core.progress import Reporter

FALSE_ALARM_RATE = 0.01
"""Chance that a check reports anything on data without a flaw, over all columns it looks at together."""

MAX_AFFECTED_IDS = 100


@dataclass(frozen=True)
class Sketches:
    """Sketches of rows, as `darwin_core.data.sketches` makes them: alike where rows are nearly copies.

    Attributes:
        pictures: Whether they sketch pictures; table rows otherwise.
        train_rows: (training sketches,) positions in ``Fingerprints.train``.
        train: (training sketches, 64) int8 for pictures, (training sketches, groups) uint64 for tables.
        test_rows: Same for the sealed rows.
        test: Same for the sealed rows.
        share: Share of all rows that these stand for; below 1 where a sample by hash was taken.
    """

    pictures: bool
    train_rows: NDArray[np.int64]
    train: NDArray[np.int8] | NDArray[np.uint64]
    test_rows: NDArray[np.int64]
    test: NDArray[np.int8] | NDArray[np.uint64]
    share: float = 1.0


@dataclass(frozen=True)
class Fingerprints:
    """Hashes of the feature values of whole rows, training and sealed rows on one numbering.

    Attributes:
        train_ids: Row ids of the training rows.
        train: (train rows,) equal numbers where all features are equal.
        test_ids: Row ids of the sealed rows.
        test: (test rows,) on the same numbering.
        train_entities: Same for the entity column; None where no entity was named.
        test_entities: Same for the sealed rows.
        share: Share of all rows that these stand for; below 1 where a sample by hash was taken.
        sketches: Sketches of the rows; None where there are none.
    """

    train_ids: Sequence[str]
    train: NDArray[np.int64]
    test_ids: Sequence[str]
    test: NDArray[np.int64]
    train_entities: NDArray[np.int64] | None = None
    test_entities: NDArray[np.int64] | None = None
    share: float = 1.0
    sketches: Sketches | None = None


@dataclass(frozen=True)
class ServingRows:
    """Rows as they come in production; they have no labels.

    Attributes:
        columns: Feature -> values, in the type that production has them in. Absent features and images have no entry.
        absent: Features that production does not have.
        row_ids: Row ids; None where there is no such column.
    """

    columns: Mapping[str, Column]
    absent: tuple[str, ...] = ()
    row_ids: Sequence[str] | None = None


@dataclass(frozen=True)
class CheckedData:
    """What checks may look at: a sample of the training rows, streams over all of them, and both profiles.

    Attributes:
        roles: Which column plays which part.
        classes: Label values by class index, or the names of several labels; empty for regression.
        columns: Feature -> sampled training values. Images have no entry.
        labels: (sample,) class index, or the value for regression; (sample, labels) zeros and ones of several labels.
        row_ids: Row ids of the sample.
        train_rows: Number of all training rows.
        stream: Called with column names, gives all training rows chunk by chunk as ``{name: Column}``.
        kinds: Feature -> kind, images included.
        train_profile: Distributions of the training rows.
        test_profile: Distributions of the sealed rows; holds no labels.
        fingerprints: Row hashes; None where they are not to be had.
        train_labels: (train rows,) or (train rows, labels), of ``fingerprints.train_ids``; None where they are not to
            be had.
        serving: A sample of rows as they come in production; None where none was given.
        seed: Seed of everything random.
    """

    roles: DataRoles
    classes: tuple[str, ...]
    columns: Mapping[str, Column]
    labels: NDArray[np.float64] | NDArray[np.int64]
    row_ids: Sequence[str]
    train_rows: int
    stream: Callable[[Sequence[str]], Iterator[Mapping[str, Column]]]
    kinds: Mapping[str, ColumnKind] = field(default_factory=dict)
    train_profile: SplitProfile | None = None
    test_profile: SplitProfile | None = None
    fingerprints: Fingerprints | None = None
    train_labels: NDArray[np.float64] | NDArray[np.int64] | None = None
    serving: ServingRows | None = None
    seed: int = 0

    @property
    def rows(self) -> int:
        """Number of sampled rows."""
        return len(self.labels)

    @property
    def has_several_labels(self) -> bool:
        """Whether a row can have several labels."""
        return self.labels.ndim == 2

    @property
    def label_title(self) -> str:
        """What is predicted, in words."""
        return "the labels" if self.has_several_labels else self.roles.label

    def members(self, index: int) -> NDArray[np.bool_]:
        """(sample,) which rows belong to a class, or have a label."""
        return np.asarray(self.labels[:, index] != 0 if self.has_several_labels else self.labels == index)

    def named(self, label: str) -> str:
        """A class or a label in words, e.g. ``fraud = 1``."""
        return f"label {label}" if self.has_several_labels else f"{self.roles.label} = {label}"

    @property
    def is_sampled(self) -> bool:
        """Whether the sample leaves training rows out."""
        return self.rows < self.train_rows

    @property
    def basis(self) -> str:
        """Which rows a figure rests on, for descriptions."""
        if self.is_sampled:
            return f"{self.rows:,} of {self.train_rows:,} training rows, drawn at random"
        return f"all {self.train_rows:,} training rows"

    def rng(self, name: str) -> np.random.Generator:
        """A generator of random numbers that depends on the seed and the check's name only."""
        return np.random.default_rng([self.seed, *name.encode()])


def label_codes(labels: NDArray[Any]) -> NDArray[np.int64]:
    """(rows,) equal numbers for rows with the same label, or with the same of several labels (rows, labels)."""
    if labels.ndim == 1:
        return np.asarray(labels, np.int64)
    return np.unique(labels, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


class DataCheck(ABC):
    """Looks for one kind of flaw.

    A check reports nothing where nothing is wrong: it bounds the chance of any false alarm on flawless data by
    ``FALSE_ALARM_RATE`` over all columns together, and reports effects with intervals.
    """

    name: ClassVar[str]
    """Shown in the report, also where nothing was found."""

    of_rows: ClassVar[FindingKind | None] = None
    """Kind of its findings where they consist of training rows, which can be left out."""

    def applies(self, data: CheckedData) -> bool:  # noqa: ARG002 - the usual check looks at whatever there is
        """Whether there is anything to look at; a check without is not reported as run."""
        return True

    @abstractmethod
    def run(self, data: CheckedData) -> list[Finding]:
        """All findings, the worst first. Must not change ``data``."""

    def training_rows(self, data: CheckedData) -> tuple[str, ...]:  # noqa: ARG002 - most findings have none
        """Ids of all training rows that its findings consist of; empty where there are none."""
        return ()


_CHECKS: dict[str, type[DataCheck]] = {}
_CheckT = TypeVar("_CheckT", bound=type[DataCheck])


def register_check(check: _CheckT) -> _CheckT:
    """Class decorator: run this check on every data set from now on. A later one of the same name replaces it."""
    _CHECKS[check.name] = check
    return check


def registered_checks() -> tuple[DataCheck, ...]:
    """One instance of every registered check, in the order of registration."""
    return tuple(check() for check in _CHECKS.values())


def consists_of_rows(finding: Finding) -> bool:
    """Whether a finding consists of training rows that can be left out."""
    return any(check.of_rows is finding.kind for check in registered_checks())


def rows_behind(finding: Finding, read: Callable[[], CheckedData]) -> tuple[str, ...] | None:
    """Ids of all training rows that a finding consists of; None where it is not of that kind.

    Args:
        finding: A finding of a check.
        read: Reads the data that the check looked at.
    """
    for check in registered_checks():
        if check.of_rows is finding.kind:
            return check.training_rows(read())
    return None


def run_checks(
    data: CheckedData, reporter: Reporter, checks: Sequence[DataCheck] | None = None
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Run checks on a data set.

    Returns:
        All findings, the most severe first, and the names of the checks that ran.
    """
    chosen = [check for check in (registered_checks() if checks is None else checks) if check.applies(data)]
    findings: list[Finding] = []
    with reporter.track("Checking the data", total=len(chosen)) as tracker:
        for check in chosen:
            findings.extend(check.run(data))
            tracker.advance(1, check.name)
    ranks = {Severity.HIGH: 0, Severity.MEDIUM: 1, Severity.LOW: 2}
    return tuple(sorted(findings, key=lambda finding: ranks[finding.severity])), tuple(c.name for c in chosen)
