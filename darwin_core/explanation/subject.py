"""What is explained: both networks, the rows they are explained on, and the training rows they are held against."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import OutputKind, Snapshot, Task
from darwin_core.data import BoundInput, MappedSplit
from darwin_core.errors import NetworkError
from darwin_core.evaluation.ranking import alert_capacity
from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.progress import Reporter

MAX_SCORED_ROWS = 20_000
MAX_SCORED_PICTURES = 2_000
_BATCH_ROWS = 512


@dataclass(frozen=True)
class Subject:
    """Everything an explanation needs.

    Attributes:
        snapshot: Roles, columns, classes.
        kind: How to read the outputs of both networks.
        reference: The reference.
        candidate: The candidate; reads the same inputs or fewer.
        bound: The reference's inputs with their columns.
        train: Training rows, as the networks read them.
        validation: Validation rows, the ones that are explained.
        alert_budget: Share of rows that become alerts, for two classes.
        seed: Seed of everything random.
        actionable: Columns that counterfactuals may change; empty: any.
    """

    snapshot: Snapshot
    kind: OutputKind
    reference: NetworkScorer
    candidate: NetworkScorer
    bound: tuple[BoundInput, ...]
    train: MappedSplit
    validation: MappedSplit
    alert_budget: float
    seed: int
    actionable: tuple[str, ...] = ()

    def rng(self, purpose: int) -> np.random.Generator:
        """Random numbers for one purpose."""
        return np.random.default_rng([self.seed, purpose])

    @property
    def is_pictures(self) -> bool:
        """Whether both networks read one picture and nothing else."""
        return len(self.bound) == 1 and len(self.bound[0].input.shape) == 3


@dataclass(frozen=True)
class ScoredRows:
    """Validation rows with both networks' scores.

    Attributes:
        rows: Positions in the validation part, ascending.
        labels: (rows,) class index or value; (rows, labels) zeros and ones where a row can have several labels.
        reference: Scores, (rows,) or (rows, classes or labels).
        candidate: Scores.
        without_score: Rows left out because a network gave no finite score for them.
    """

    rows: NDArray[np.int64]
    labels: NDArray[Any]
    reference: Floats
    candidate: Floats
    without_score: int = 0

    @property
    def note(self) -> str:
        """What to say about rows left out; empty where there are none."""
        if not self.without_score:
            return ""
        return f"; {self.without_score:,} rows for which a network gave no finite score were left out"


def has_score(*scores: Floats) -> NDArray[np.bool_]:
    """(rows,) where all networks gave finite scores."""
    usable = np.ones(len(scores[0]), bool)
    for each in scores:
        usable &= np.isfinite(each.reshape(len(each), -1)).all(axis=1)
    return usable


def score_rows(subject: Subject, reporter: Reporter) -> ScoredRows:
    """Score the validation rows, or a sample of them where they are many, with both networks.

    Raises:
        NetworkError: No row gets a finite score from both networks.
    """
    total = subject.validation.rows
    rows = np.arange(total)
    most = MAX_SCORED_PICTURES if subject.is_pictures else MAX_SCORED_ROWS
    if total > most:
        rows = np.sort(subject.rng(1).choice(total, most, replace=False))
    labels, reference, candidate = [], [], []
    with reporter.track("Scoring validation rows", total=len(rows)) as tracker:
        for start in range(0, len(rows), _BATCH_ROWS):
            batch = subject.validation.take(rows[start : start + _BATCH_ROWS])
            labels.append(batch.labels)
            reference.append(subject.reference.scores(batch.inputs))
            candidate.append(subject.candidate.scores(batch.inputs))
            tracker.advance(len(batch.labels))
    found = ScoredRows(rows, np.concatenate(labels), np.concatenate(reference), np.concatenate(candidate))
    usable = has_score(found.reference, found.candidate)
    if not usable.any():
        raise NetworkError(
            f"None of {len(rows):,} validation rows gets a finite score from both networks.",
            hint="Look for missing values that the network does not handle, or weights that are not finite.",
        )
    return ScoredRows(
        rows=rows[usable],
        labels=found.labels[usable],
        reference=found.reference[usable],
        candidate=found.candidate[usable],
        without_score=int((~usable).sum()),
    )


def decision_rule(subject: Subject, scores: Floats) -> DecisionRule:
    """The rule that turns a network's scores into decisions.

    With two classes the threshold fits the alert budget on these rows. It lies midway between the last alert and the
    next lower score, so that the last digit of a float decides nothing.
    """
    rule = DecisionRule(subject.kind.task, subject.snapshot.classes, subject.snapshot.roles.label)
    if subject.kind.task is not Task.BINARY:
        return rule
    return replace(rule, threshold=alert_threshold(scores, subject.alert_budget))


def alert_threshold(scores: Floats, alert_budget: float) -> float:
    """From this score on, rows are alerts, as many as the budget pays for; ties with the last alert are alerts too."""
    last_alert = float(np.sort(scores)[-alert_capacity(len(scores), alert_budget)])
    below = scores[scores < last_alert]
    return (last_alert + float(below.max())) / 2 if below.size else last_alert
