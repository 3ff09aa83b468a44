"""Rows with several labels: each label on its own, all of them pooled, and what a reader has to know of the figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import GateConfig, SliceMetrics, Task
from darwin_core.evaluation.cases import Answers
from darwin_core.evaluation.comparison import compare
from darwin_core.evaluation.holdout import Holdout
from darwin_core.evaluation.metrics import DECISION_THRESHOLD
from darwin_core.evaluation.ranking import Floats
from darwin_core.evaluation.statistics import Pair
from darwin_core.progress import Tracker

COLUMN = "label"
"""Labels stand among the slices under this column's name."""

_FIGURES = ("pr_auc", "roc_auc", "accuracy", "ece", "brier")


def compare_label(holdout: Holdout, pair: Pair, index: int, gate: GateConfig, tracker: Tracker) -> SliceMetrics:
    """Both networks on one of several labels, as on a binary task of its own.

    Args:
        holdout: The sealed rows; labels of shape (n, labels).
        pair: Answers of both networks.
        index: Which label.
        gate: Confidence and rounds.
        tracker: Told the bootstrap rounds done.
    """
    name = holdout.labels[index]
    cases = replace(holdout.cases, labels=np.asarray(holdout.cases.labels)[:, index])
    reference, candidate = (Answers(one.scores[:, index], one.predicted[:, index]) for one in pair)
    found = compare(
        Task.BINARY, cases, (reference, candidate), gate, advance=lambda rounds: tracker.advance(rounds, name)
    )
    return SliceMetrics(
        column=COLUMN,
        value=name,
        rows=cases.rows,
        positives=int(cases.positive.sum()),
        estimates=tuple(found.estimates[figure] for figure in _FIGURES if figure in found.estimates),
    )


def label_notes(holdout: Holdout) -> tuple[str, ...]:
    """How the figures of several labels are to be read, as sentences; empty where there is one label."""
    if not holdout.labels:
        return ()
    having = (np.asarray(holdout.cases.labels) != 0).any(axis=0)
    absent = [name for name, is_there in zip(holdout.labels, having, strict=True) if not is_there]
    note = (
        f"PR-AUC, ROC-AUC and calibration error are means over the {len(holdout.labels)} labels. F1 counts all rows "
        f"and labels together; a network says that a row has a label from a probability of {DECISION_THRESHOLD:g} on. "
        "Accuracy is the share of rows with every label right. The curves are drawn over all rows and labels together."
    )
    missing = f"No row of the hold-out has the label(s) {', '.join(absent)}: the mean PR-AUC leaves them out."
    return (note, missing) if absent else (note,)


def pooled(
    labels: NDArray[Any], weights: Floats | None, answers: Mapping[str, Answers]
) -> tuple[NDArray[Any], Floats | None, dict[str, Answers]]:
    """Every pair of row and label as a row of its own: labels, weights and answers of shape (n * labels,).

    Args:
        labels: Zeros and ones, shape (n, labels).
        weights: Row weights, shape (n,), or None.
        answers: Network -> its answers.
    """
    repeated = None if weights is None else np.repeat(weights, labels.shape[1])
    return (
        labels.ravel(),
        repeated,
        {name: Answers(one.scores.ravel(), one.predicted.ravel()) for name, one in answers.items()},
    )
