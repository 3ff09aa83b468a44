"""Drop, for rows: the rows concerned are left out."""

from __future__ import annotations

import numpy as np

from darwin_core.contracts import Finding, FixKind
from darwin_core.explanation.checks import consists_of_rows
from darwin_core.explanation.fixes.base import Case, Fix, Means, register_fix
from darwin_core.explanation.fixes.parts import Part


@register_fix
class DropRows(Fix):
    """Trains on without the rows concerned.

    What the reference has learned from them it may remember; only one that is trained anew has never seen them.
    """

    kind = FixKind.DROP
    place = 40

    @classmethod
    def offer(cls, finding: Finding, means: Means) -> str | None:
        """For shortcuts of which the class has other rows, and for findings that consist of rows."""
        if consists_of_rows(finding):
            return "Leave the training rows concerned out."
        if finding.factor is None or not has_other_rows(finding, means):
            return None
        return "Leave the affected rows out of the training rows."

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
