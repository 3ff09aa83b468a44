"""Metrics of a ranking (PR-AUC, ROC-AUC, recall at an alert budget) for many weightings of the same rows at once.

A bootstrap asks for the same metric a thousand times, each time with other row weights. Scores never change between
rounds, so they are sorted once; a round then costs one gather and one cumulative sum. Everything that the three
metrics need is known per positive row i:

    A_start, A_end    weight of all rows ranked strictly above i's tie group, and down to the group's end
    T_start, T_end    the same, positive rows only

    average precision     sum_i w_i * T_end / A_end                      / P
    ROC-AUC               sum_i w_i * (N - (F_start + F_end) / 2)        / (P * N)     with F = A - T
    recall at capacity C  sum_i w_i * clip((C - A_start) / (A_end - A_start), 0, 1) / P

with P and N the weight of positives and negatives. Rows with equal scores form one tie group: average precision treats
them as one threshold (Davis and Goadrich 2006; scikit-learn's ``average_precision_score``), ROC-AUC counts half of a
tied pair (Mann-Whitney), and recall takes the expected share when the capacity ends inside a group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from darwin_core.errors import DataError

Floats = NDArray[np.float64]
Weights = NDArray[Any]
"""Row weights, shape (rounds, rows): integers where they are counts, floats where rows carry sample weights."""


@dataclass(frozen=True)
class RankMetrics:
    """One value per weighting; NaN where the weighting leaves no positive (or, for ROC-AUC, no negative) row."""

    pr_auc: Floats
    roc_auc: Floats
    recall_at_budget: Floats


class Ranking:
    """Rows sorted once by descending score, ready to be weighted.

    Args:
        labels: Binary labels, shape (n,); everything except 0 is positive.
        scores: Finite scores, shape (n,); higher means more likely positive.

    Raises:
        DataError: Lengths differ, there are no rows, or a score is not finite.
    """

    def __init__(self, labels: ArrayLike, scores: ArrayLike) -> None:
        positive, values = np.asarray(labels) != 0, np.asarray(scores)
        if positive.ndim != 1 or positive.shape != values.shape or not len(values):
            raise DataError(
                f"Expected labels and scores of the same length with at least one row, got shapes "
                f"{positive.shape} and {values.shape}."
            )
        if not np.isfinite(values).all():
            raise DataError(f"Expected finite scores, got {int((~np.isfinite(values)).sum())} that are not.")
        self.rows = len(values)
        self._order = np.argsort(-values, kind="stable")
        ordered, positive = values[self._order], positive[self._order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        ends = np.r_[starts[1:], self.rows]
        self._positions = np.flatnonzero(positive)
        group = np.searchsorted(starts, self._positions, side="right") - 1
        self._group_start, self._group_end = starts[group], ends[group]
        # The same group borders, counted in positives instead of rows.
        self._positive_start = np.searchsorted(self._positions, self._group_start)
        self._positive_end = np.searchsorted(self._positions, self._group_end)

    def metrics(self, weights: Weights, *, alert_share: float) -> RankMetrics:
        """All three metrics under each weighting.

        Args:
            weights: Row weights, shape (rounds, n), in the rows' original order; counts of a resampling are weights.
            alert_share: Share of the total weight that can be alerted.
        """
        ordered = weights[:, self._order]
        own = ordered[:, self._positions].astype(np.float64)
        above = _cumulative(ordered)
        above_positive = _cumulative(own)
        a_start, a_end = above[:, self._group_start].astype(np.float64), above[:, self._group_end].astype(np.float64)
        t_start, t_end = above_positive[:, self._positive_start], above_positive[:, self._positive_end]
        total = above[:, -1].astype(np.float64)
        positives = above_positive[:, -1]
        negatives = total - positives
        capacity = (alert_share * total)[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            precision = np.where(own > 0, t_end / a_end, 0.0)
            caught = np.where(own > 0, np.clip((capacity - a_start) / (a_end - a_start), 0.0, 1.0), 0.0)
            outranked = negatives[:, None] - (a_start - t_start + a_end - t_end) / 2
            return RankMetrics(
                pr_auc=(own * precision).sum(axis=1) / positives,
                roc_auc=(own * outranked).sum(axis=1) / (positives * negatives),
                recall_at_budget=(own * caught).sum(axis=1) / positives,
            )


def alert_queue(scores: Floats, alert_budget: float) -> Floats:
    """How much of every row is on the queue of the k highest scores, shape (n,): 1, 0, or between.

    Rows tied at the queue's end share what is left of its capacity.
    """
    capacity = alert_capacity(len(scores), alert_budget)
    border = np.partition(scores, -capacity)[-capacity]
    above, tied = scores > border, scores == border
    share: Floats = above + tied * ((capacity - above.sum()) / tied.sum())
    return share


def alert_capacity(rows: int, alert_budget: float) -> int:
    """Rows that a budget pays for: the budget is a ceiling, so rounded down, but at least one.

    The tolerance keeps 0.29 * 100 = 28.999999999999996 from losing a row.
    """
    return max(1, int(np.floor(alert_budget * rows + 1e-9)))


def _cumulative(weights: NDArray[Any]) -> NDArray[Any]:
    """Cumulative sums along the rows with a leading zero: entry j is the weight of the first j rows."""
    sums = np.zeros((weights.shape[0], weights.shape[1] + 1), dtype=weights.dtype)
    np.cumsum(weights, axis=1, out=sums[:, 1:])
    return sums
