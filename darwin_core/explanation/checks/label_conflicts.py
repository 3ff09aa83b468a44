"""Training rows that agree in every feature and disagree in the label."""

from __future__ import annotations

import numpy as np

from darwin_core.contracts import Finding, FindingKind, Severity
from darwin_core.explanation.checks.base import MAX_AFFECTED_IDS, CheckedData, DataCheck, label_codes, register_check
from darwin_core.explanation.checks.coincidence import beyond_chance, chance_of_equal_rows
from darwin_core.explanation.checks.columns import Bools, Ints
from darwin_core.explanation.checks.statistics import share_interval
from darwin_core.wording import counted, percent


@register_check
class LabelConflicts(DataCheck):
    """Finds rows that no network can get right.

    A coarse table (a few columns of a few values) has equal rows with different outcomes by nature. The check speaks
    only where features tell rows apart (``identifying`` share of different rows) and where more rows agree than
    independent columns would make by chance. Severity goes by the lower bound of the unavoidable error.
    """

    name = "label conflicts"
    of_rows = FindingKind.LABEL_CONFLICT
    identifying = 0.8
    grave, notable = 0.01, 0.001

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding for all conflicts."""
        prints, labels = data.fingerprints, data.train_labels
        if prints is None or labels is None or not data.classes or not prints.train.size:
            return []
        rows = prints.train.size
        group = np.unique(prints.train, return_inverse=True)[1]
        if (group.max() + 1) / rows < self.identifying:
            return []
        conflicting, unavoidable, pairs = _conflicts(group.astype(np.int64), label_codes(labels))
        expected = chance_of_equal_rows(data) * rows * (rows - 1) / 2
        if not beyond_chance(pairs, expected):
            return []
        return [self._finding(data, group[conflicting], np.flatnonzero(conflicting), unavoidable, rows)]

    def training_rows(self, data: CheckedData) -> tuple[str, ...]:
        """Every row of a group that disagrees."""
        prints, labels = data.fingerprints, data.train_labels
        if prints is None or labels is None or not data.classes or not prints.train.size:
            return ()
        conflicting, _, _ = _conflicts(np.unique(prints.train, return_inverse=True)[1], labels.astype(np.int64))
        return tuple(str(prints.train_ids[int(row)]) for row in np.flatnonzero(conflicting))

    def _finding(self, data: CheckedData, groups: Ints, members: Ints, unavoidable: int, rows: int) -> Finding:
        assert data.fingerprints is not None
        error = share_interval(unavoidable, rows)
        severity = Severity.LOW
        if error.low >= self.notable:
            severity = Severity.HIGH if error.low >= self.grave else Severity.MEDIUM
        in_order = members[np.argsort(groups, kind="stable")][:MAX_AFFECTED_IDS]
        basis = "" if data.fingerprints.share >= 1 else f" (a sample of {percent(data.fingerprints.share)} by hash)"
        return Finding(
            kind=FindingKind.LABEL_CONFLICT,
            severity=severity,
            title=f"{counted(members.size, 'training row')} with contradicting labels",
            description=(
                f"{counted(members.size, 'training row')} of {rows:,}{basis} form "
                f"{counted(np.unique(groups).size, 'group')} that agree in every feature and disagree in "
                f"{data.label_title}. Whatever a network says, at least {counted(unavoidable, 'row')} "
                f"({percent(error.value)}, 95 % interval {percent(error.low)} to {percent(error.high)}) must come "
                "out wrong."
            ),
            effect=error.value,
            low=error.low,
            high=error.high,
            affected_rows=int(members.size),
            affected_ids=tuple(str(data.fingerprints.train_ids[row]) for row in in_order),
            suggestion="Look at these rows (they stand next to each other): correct the labels, or add the column "
            "that tells them apart.",
        )


def _conflicts(group: Ints, labels: Ints) -> tuple[Bools, int, int]:
    """Rows in conflicting groups, rows that must come out wrong, and pairs of rows that contradict each other."""
    classes = int(labels.max()) + 1
    cells, counts = np.unique(group * classes + labels, return_counts=True)
    owners = cells // classes
    sizes = np.bincount(owners, weights=counts)
    largest = np.zeros_like(sizes)
    np.maximum.at(largest, owners, counts)
    squares = np.bincount(owners, weights=counts.astype(np.float64) ** 2)
    pairs = int(((sizes**2 - squares) / 2).sum())
    return (sizes > largest)[group], int((sizes - largest).sum()), pairs
