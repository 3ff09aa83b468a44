"""Rows whose label is probably wrong, told from the candidate's scores.

The candidate is asked, not the reference: a network of some thousand parameters can hardly learn single wrong labels by
heart, so that it ranks even the rows that it was trained on. How many labels are wrong is told best by the validation
rows, which neither network has learned from; where they have wrong labels, as large a share of the training rows is
listed, the most improbable labels first.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Finding, FindingExample, FindingKind, Severity, Task
from darwin_core.data import MappedSplit
from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.checks.base import FALSE_ALARM_RATE, MAX_AFFECTED_IDS
from darwin_core.explanation.finder.findings import FindingWithRows
from darwin_core.explanation.label_noise import WrongLabels, find_wrong_labels, most_probable, rows_to_list
from darwin_core.explanation.overlay import picture_uri, to_pixels
from darwin_core.explanation.subject import ScoredRows, Subject, has_score
from darwin_core.progress import Reporter
from darwin_core.wording import counted, listed, percent

NAME = "wrong labels"
"""How the report calls what is looked for here."""

MAX_TRAINING_ROWS = 50_000
_BATCH_ROWS = 512
_EXAMPLES = 6
_PAIRS = 3
_PARTS = 2

# Well-known benchmarks have 3.3 % of wrong labels on average (Northcutt, Athalye, Mueller, "Pervasive label errors in
# test sets destabilize machine learning benchmarks", NeurIPS 2021).
_GRAVE, _NOTABLE = 0.03, 0.01


@dataclass(frozen=True)
class _Part:
    """Rows that are looked at.

    Attributes:
        name: ``training`` or ``validation``.
        split: Where they come from.
        rows: Positions there.
        labels: (rows,) class index.
        scores: The candidate's scores of them.
    """

    name: str
    split: MappedSplit
    rows: NDArray[np.int64]
    labels: NDArray[np.int64]
    scores: Floats

    @property
    def basis(self) -> str:
        """Which rows a figure rests on."""
        if len(self.rows) == self.split.rows:
            return f"{self.split.rows:,} {self.name} rows"
        return f"{len(self.rows):,} of {self.split.rows:,} {self.name} rows, drawn at random,"


def look_for_label_errors(subject: Subject, scored: ScoredRows, reporter: Reporter) -> tuple[FindingWithRows, ...]:
    """Look at training and validation rows, each for itself; empty where a row has no one class.

    Args:
        subject: Networks and data.
        scored: Validation rows with scores.
        reporter: Where progress goes.

    Returns:
        At most one finding for either part: a list of rows to go through, and which classes were mixed up most.
    """
    if subject.kind.task not in (Task.BINARY, Task.MULTICLASS):
        return ()
    validation = _Part("validation", subject.validation, scored.rows, scored.labels.astype(np.int64), scored.candidate)
    training = _training_part(subject, reporter)
    by_training, by_validation = (
        find_wrong_labels(part.scores, part.labels, subject.rng(12), alpha=FALSE_ALARM_RATE / _PARTS)
        for part in (training, validation)
    )
    found = []
    if by_training is not None or by_validation is not None:
        listed_rows = rows_to_list(training.scores, training.labels, by_training, by_validation)
        found += [_as_finding(subject, training, listed_rows, by_training, by_validation)] if len(listed_rows) else []
    if by_validation is not None:
        found.append(_as_finding(subject, validation, by_validation.found, by_validation))
    return tuple(found)


def _training_part(subject: Subject, reporter: Reporter) -> _Part:
    total = subject.train.rows
    rows = np.arange(total)
    if total > MAX_TRAINING_ROWS:
        rows = np.sort(subject.rng(13).choice(total, MAX_TRAINING_ROWS, replace=False))
    labels, scores = [], []
    with reporter.track("Scoring training rows", total=len(rows)) as tracker:
        for start in range(0, len(rows), _BATCH_ROWS):
            batch = subject.train.take(rows[start : start + _BATCH_ROWS])
            labels.append(batch.labels.astype(np.int64))
            scores.append(subject.candidate.scores(batch.inputs))
            tracker.advance(len(batch.labels))
    every = np.concatenate(scores)
    usable = has_score(every)
    return _Part("training", subject.train, rows[usable], np.concatenate(labels)[usable], every[usable])


def _as_finding(
    subject: Subject,
    part: _Part,
    found: NDArray[np.int64],
    own: WrongLabels | None,
    validation: WrongLabels | None = None,
) -> FindingWithRows:
    evidence = own or validation
    assert evidence is not None
    share, label = evidence.share, subject.snapshot.roles.label
    severity = Severity.LOW
    if share.low >= _NOTABLE:
        severity = Severity.HIGH if share.low >= _GRAVE else Severity.MEDIUM
    ids = tuple(part.split.row_ids[int(row)] for row in part.rows[found])
    pairs = _pairs(subject, part, found)
    mixed = [f"{label} = {given} that look like {probable} ({count:,})" for (given, probable), count in pairs]
    finding = Finding(
        kind=FindingKind.LABEL_ERROR,
        severity=severity,
        title=f"{counted(len(ids), f'{part.name} row')} with a label that is probably wrong",
        description=f"{_evidence(part, own, validation)} Listed most often: {listed(mixed, _PAIRS)}.",
        effect=share.value,
        low=share.low,
        high=share.high,
        affected_rows=len(ids),
        affected_ids=ids[:MAX_AFFECTED_IDS],
        suggestion="Look at these rows, the most certain come first. Correct the labels or leave the rows out, and "
        "retrain; ask how the labels came about if the same classes are mixed up again and again.",
        classes=tuple(dict.fromkeys(given for (given, _), _ in pairs)),
        examples=_examples(subject, part, found[:_EXAMPLES]),
    )
    return FindingWithRows(finding, ids)


def _evidence(part: _Part, own: WrongLabels | None, validation: WrongLabels | None) -> str:
    if own is None:
        assert validation is not None
        low = percent(validation.share.low)
        return (
            f"At least {low} of the validation rows have a wrong label. If {part.basis} were labelled in the same way, "
            f"as large a share of them does; these are the rows whose label the candidate finds most improbable."
        )
    share = own.share
    return (
        f"Of {part.basis} {percent(share.value)} (95 % interval {percent(share.low)} to {percent(share.high)}) have a "
        f"label that the candidate's doubt does not account for (p = {own.p_value:.1g}): "
        f"{counted(len(own.found), 'row')} with a label of next to no probability, where doubt foretells "
        f"{own.foretold:.1f}."
    )


def _pairs(subject: Subject, part: _Part, found: NDArray[np.int64]) -> list[tuple[tuple[str, str], int]]:
    """(label, what the candidate says) of the rows found with their numbers, the most frequent first."""
    names = subject.snapshot.classes
    said = most_probable(part.scores[found])
    counts = Counter((names[given], names[probable]) for given, probable in zip(part.labels[found], said, strict=True))
    return counts.most_common(_PAIRS)


def _examples(subject: Subject, part: _Part, found: NDArray[np.int64]) -> tuple[FindingExample, ...]:
    names = subject.snapshot.classes
    pictures = _pictures(subject, part, part.rows[found]) if subject.is_pictures else [None] * len(found)
    examples = []
    for row, picture in zip(found, pictures, strict=True):
        score = part.scores[row]
        said = int(most_probable(part.scores[row : row + 1])[0])
        sure = float(score[said]) if score.ndim else float(score if said else 1 - score)
        examples.append(
            FindingExample(
                row_id=part.split.row_ids[int(part.rows[row])],
                label=names[int(part.labels[row])],
                before=picture,
                predicted_before=f"{names[said]} ({sure:.2f})",
            )
        )
    return tuple(examples)


def _pictures(subject: Subject, part: _Part, rows: NDArray[Any]) -> list[str]:
    return [picture_uri(each) for each in to_pixels(part.split.inputs[subject.bound[0].input.name][rows])]
