"""Drop, for rows: the rows concerned are left out."""

from __future__ import annotations

import numpy as np

from darwin_core.contracts import Finding, FixKind
from darwin_core.explanation.checks import consists_of_rows
from darwin_core.explanation.fixes.base import Case, Fix, Means, register_fix
from darwin_core.explanation.fixes.parts import Part

REMEMBERS = "What the reference has learned by them it may remember until it is trained anew."
"""Said of fixes after which a network may never see the factor or the rows again: see ``tests/benchmarks/FIXES.md``."""


@register_fix
class DropRows(Fix):
    """Trains on without the rows concerned."""

    kind = FixKind.DROP
    place = 40

    @classmethod
    def offer(cls, finding: Finding, means: Means) -> str | None:
        """For shortcuts of which the class has other rows, and for findings that consist of rows."""
        if consists_of_rows(finding):
            return f"Leave the training rows concerned out. {REMEMBERS}"
        if finding.factor is None or not has_other_rows(finding, means):
            return None
        return f"Leave the affected rows out of the training rows. {REMEMBERS}"

    def treat(self, case: Case) -> Part:
        """See the base class."""
        weights = np.ones(case.train.rows)
        weights[case.flaw.rows(case.train)] = 0.0
        for index in np.unique(np.asarray(case.train.labels)):
            if not weights[np.asarray(case.train.labels) == index].any():
                raise case.refusal("rows of each class that can stay", "a class all of whose rows are affected")
        return Part(case.train, weights=weights)


def has_other_rows(finding: Finding, means: Means) -> bool:
    """Whether the class of a shortcut has rows without the factor."""
    total = sum(means.class_rows.get(name, 0) for name in finding.classes)
    return finding.affected_rows is None or finding.affected_rows < total
