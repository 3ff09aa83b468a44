"""Sealed rows, or entities, that the training rows already contain. Works on hashes: the sealed rows stay sealed."""

from __future__ import annotations

import numpy as np

from darwin_core.contracts import Finding, FindingKind, Severity
from darwin_core.explanation.checks.base import MAX_AFFECTED_IDS, CheckedData, DataCheck, Fingerprints, register_check
from darwin_core.explanation.checks.coincidence import beyond_chance, chance_of_equal_rows
from darwin_core.explanation.checks.statistics import share_interval
from darwin_core.wording import counted, percent


@register_check
class TrainTestOverlap(DataCheck):
    """Finds test rows that are exact copies of training rows, where features tell rows apart."""

    name = "train/test overlap"
    of_rows = FindingKind.TRAIN_TEST_OVERLAP
    identifying = 0.8
    grave, notable = 0.01, 0.001

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding for all copies."""
        prints = data.fingerprints
        if prints is None or not prints.train.size or not prints.test.size:
            return []
        distinct = np.unique(prints.train)
        if distinct.size / prints.train.size < self.identifying:
            return []
        copies = np.isin(prints.test, distinct)
        expected = chance_of_equal_rows(data) * prints.train.size * prints.test.size
        if not beyond_chance(int(copies.sum()), expected):
            return []
        share = share_interval(int(copies.sum()), prints.test.size)
        severity = Severity.LOW
        if share.low >= self.notable:
            severity = Severity.HIGH if share.low >= self.grave else Severity.MEDIUM
        twins = int(np.isin(prints.train, prints.test).sum())
        return [
            Finding(
                kind=FindingKind.TRAIN_TEST_OVERLAP,
                severity=severity,
                title=f"{counted(int(copies.sum()), 'test row')} already in the training rows",
                description=(
                    f"{counted(int(copies.sum()), 'test row')} of {prints.test.size:,}{_sampled(prints)} "
                    f"({percent(share.value)}, 95 % interval {percent(share.low)} to {percent(share.high)}) agree in "
                    f"every feature with {counted(twins, 'training row')}. A network that learns by heart gets them "
                    "right, so the measured quality is too good by up to that share."
                ),
                effect=share.value,
                low=share.low,
                high=share.high,
                affected_rows=int(copies.sum()),
                affected_ids=_ids(prints, copies),
                suggestion="Remove these rows from the training data or from the test data, and evaluate again.",
            )
        ]

    def training_rows(self, data: CheckedData) -> tuple[str, ...]:
        """Every training row that a test row copies."""
        prints = data.fingerprints
        if prints is None:
            return ()
        return tuple(str(prints.train_ids[int(row)]) for row in np.flatnonzero(np.isin(prints.train, prints.test)))


@register_check
class EntityOverlap(DataCheck):
    """Finds entities (customers, devices, patients) that stand on both sides of the split."""

    name = "entity overlap"
    grave = 0.01

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding for all shared entities."""
        prints = data.fingerprints
        if prints is None or prints.train_entities is None or prints.test_entities is None:
            return []
        known = prints.test_entities >= 0
        shared = known & np.isin(prints.test_entities, prints.train_entities[prints.train_entities >= 0])
        if not shared.any():
            return []
        share = share_interval(int(shared.sum()), prints.test_entities.size)
        entities = np.unique(prints.test_entities[shared]).size
        return [
            Finding(
                kind=FindingKind.ENTITY_OVERLAP,
                severity=Severity.HIGH if share.value >= self.grave else Severity.MEDIUM,
                title=f"{counted(entities, 'entity', 'entities')} on both sides of the split",
                description=(
                    f"{counted(int(shared.sum()), 'test row')} of {prints.test_entities.size:,}{_sampled(prints)} "
                    f"({percent(share.value)}) belong to {counted(entities, 'value')} of {data.roles.entity} that the "
                    "training rows contain as well. The test then measures how well entities are remembered, not how "
                    "well new ones are judged."
                ),
                columns=(data.roles.entity,) if data.roles.entity else (),
                effect=share.value,
                low=share.low,
                high=share.high,
                affected_rows=int(shared.sum()),
                affected_ids=_ids(prints, shared),
                suggestion="Split by entity: all rows of one entity on one side.",
            )
        ]


def _sampled(prints: Fingerprints) -> str:
    return "" if prints.share >= 1 else f" (a sample of {percent(prints.share)} by hash)"


def _ids(prints: Fingerprints, rows: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[str, ...]:
    return tuple(str(prints.test_ids[row]) for row in np.flatnonzero(rows)[:MAX_AFFECTED_IDS])
