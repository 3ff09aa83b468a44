"""Which rows are worth showing to a person."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.explanation.attribution.base import Floats
from darwin_core.explanation.decisions import DecisionRule

Rows = NDArray[np.int64]


def telling_rows(rule: DecisionRule, candidate: Floats, reference: Floats, *, each: int = 3) -> Rows:
    """Rows with the highest scores, rows next to the decision border, and rows on which both networks differ most.

    Args:
        rule: How scores become decisions.
        candidate: The candidate's scores, (rows,) or (rows, classes).
        reference: The reference's scores.
        each: Rows of each kind.

    Returns:
        Different row positions in that order; fewer where kinds coincide.
    """
    highest = candidate if candidate.ndim == 1 else candidate.max(axis=1)
    difference = np.abs(candidate - reference)
    kinds = [-highest, *_border(rule, candidate), -(difference if difference.ndim == 1 else difference.max(axis=1))]
    return _first_of_each(kinds, each)


def telling_pictures(
    candidate: NDArray[np.int64], reference: NDArray[np.int64], labels: NDArray[np.int64], confidence: Floats, most: int
) -> Rows:
    """Pictures that the candidate gets wrong (the surest first), that only one network gets right, and sure hits.

    A third each where there are enough; sure hits come from different classes.

    Args:
        candidate: (rows,) class predicted by the candidate.
        reference: (rows,) class predicted by the reference.
        labels: (rows,) true class.
        confidence: (rows,) the candidate's probability of its prediction.
        most: Number of pictures at most.
    """
    sure = np.argsort(-confidence, kind="stable")
    wrong = [row for row in sure if candidate[row] != labels[row]]
    parted = [row for row in sure if candidate[row] != reference[row] and candidate[row] == labels[row]]
    hits: dict[int, int] = {}
    for row in sure:
        if candidate[row] == labels[row]:
            hits.setdefault(int(labels[row]), int(row))
    share = max(most // 3, 1)
    chosen = list(dict.fromkeys([*wrong[:share], *parted[:share]]))
    rest = [row for row in [*hits.values(), *wrong[share:], *parted[share:]] if row not in chosen]
    return np.array([*chosen, *rest][:most], np.int64)


def _border(rule: DecisionRule, scores: Floats) -> Iterable[Floats]:
    if rule.task is Task.REGRESSION:
        return ()
    if scores.ndim == 1:
        return (np.abs(scores - rule.threshold),)
    if rule.task is Task.MULTILABEL:
        return (np.abs(scores - rule.threshold).min(axis=1),)
    ordered = np.sort(scores, axis=1)
    return (ordered[:, -1] - ordered[:, -2],)


def _first_of_each(kinds: Iterable[Floats], each: int) -> Rows:
    chosen: list[int] = []
    for order in kinds:
        fresh = [int(row) for row in np.argsort(order, kind="stable") if row not in chosen]
        chosen.extend(fresh[:each])
    return np.array(chosen, np.int64)
