"""What a fix is, which ones a finding is offered, and the registry through which users add their own.

A fix of one's own takes a few lines::

    @register_fix
    class Halve(Fix):
        kind = FixKind.REBALANCE
        place = 15

        @classmethod
        def offer(cls, finding, means):
            return "Let the affected rows count for half." if finding.factor else None

        def treat(self, case):
            weights = np.ones(case.train.rows)
            weights[case.flaw.rows(case.train)] = 0.5
            return Part(case.train, weights=weights)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

import keras
import numpy as np

from darwin_core.contracts import Finding, FindingKind, FixKind, Severity, Snapshot, SuggestedFix
from darwin_core.data import MappedSplit
from darwin_core.errors import RequestError
from darwin_core.explanation.fixes.flaws import Flaw
from darwin_core.explanation.fixes.parts import Part


@dataclass(frozen=True)
class Means:
    """What a run has that fixes need.

    Attributes:
        class_rows: Class -> training rows; empty for regression.
        droppable: Columns that the reference can do without, one at a time.
    """

    class_rows: Mapping[str, int]
    droppable: frozenset[str] = frozenset()

    @classmethod
    def of(cls, snapshot: Snapshot, droppable: frozenset[str]) -> Self:
        """What a run has, given the columns that its reference can do without."""
        return cls(snapshot.train.label_counts if snapshot.classes else {}, droppable)


@dataclass(frozen=True)
class Case:
    """A finding that is being fixed.

    Attributes:
        finding: The finding.
        flaw: What is wrong.
        train: The training rows.
        rng: Draws whatever is drawn.
    """

    finding: Finding
    flaw: Flaw
    train: MappedSplit
    rng: np.random.Generator

    def refusal(self, expected: str, came: str) -> RequestError:
        """The error of a fix that cannot be applied; it names the other fixes of the finding."""
        return RequestError(
            f"{self.finding.title}: expected {expected}, got {came}.",
            hint=f"Fixes of this finding: {', '.join(fix.kind for fix in self.finding.fixes)}; choose with `--kind`.",
        )


class Fix(ABC):
    """One way to rid the training rows of a flaw, or the network of what it learned by it."""

    kind: ClassVar[FixKind]
    """How it is asked for; of several of one kind that suit a finding, the first counts."""

    place: ClassVar[int]
    """Place in the order in which fixes are offered, the lowest first; see ``tests/benchmarks/FIXES.md``."""

    @classmethod
    @abstractmethod
    def offer(cls, finding: Finding, means: Means) -> str | None:
        """What it would do about a finding, as a sentence; None where it makes no sense."""

    @abstractmethod
    def treat(self, case: Case) -> Part:
        """The training rows as the reference is trained on with.

        Raises:
            RequestError: It cannot be done with these rows.
        """

    def adapt(self, reference: keras.Model, case: Case) -> keras.Model:  # noqa: ARG002 - most fixes need no other
        """The network that is trained on: the reference itself, or one made of it."""
        return reference


_FIXES: dict[str, type[Fix]] = {}
_FixT = TypeVar("_FixT", bound=type[Fix])


def register_fix(fix: _FixT) -> _FixT:
    """Class decorator: offer this fix from now on. A later one of the same name replaces it."""
    _FIXES[fix.__name__] = fix
    return fix


def _suitable(finding: Finding, means: Means) -> dict[FixKind, tuple[type[Fix], str]]:
    """Kind -> fix and what it would do, the best first."""
    found: dict[FixKind, tuple[type[Fix], str]] = {}
    for fix in sorted(_FIXES.values(), key=lambda each: each.place):
        text = fix.offer(finding, means) if means.class_rows else None
        if text is not None:
            found.setdefault(fix.kind, (fix, text))
    return found


def with_fixes(findings: Sequence[Finding], means: Means) -> tuple[Finding, ...]:
    """The findings with the fixes that suit them, the best first."""
    return tuple(
        finding.model_copy(
            update={
                "fixes": tuple(
                    SuggestedFix(kind=kind, text=text) for kind, (_, text) in _suitable(finding, means).items()
                )
            }
        )
        for finding in findings
    )


def choose_fix(finding: Finding, kind: FixKind | None, means: Means) -> tuple[Fix, SuggestedFix]:
    """The fix of a finding that was asked for, or the best.

    Args:
        finding: The finding.
        kind: Which fix; None for the best.
        means: What the run has.

    Raises:
        RequestError: The finding has no such fix.
    """
    found = _suitable(finding, means)
    for offered, (fix, text) in found.items():
        if kind in (None, offered):
            return fix(), SuggestedFix(kind=offered, text=text)
    raise RequestError(
        f"{finding.title}: expected one of its fixes ({', '.join(found) or 'it has none'}), got {kind or 'no kind'}.",
        hint="Leave `--kind` out for the first of them." if found else "Choose another finding.",
    )


def is_leaking_column(finding: Finding) -> bool:
    """Whether single columns leak; many strong ones are an easy task, which is told with low severity."""
    return finding.kind is FindingKind.LEAKING_COLUMN and finding.severity is not Severity.LOW
