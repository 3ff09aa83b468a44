"""The same questions for tables: does the decision need the columns that an attribution names?

Removing a column means giving it the value of a training row, several rows in turn, since no value is neutral. The area
is a number of columns.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.attribution.features import FeatureMap, count_rows, take

ScoreRows = Callable[[Inputs], Floats]
"""Inputs -> (rows,) probability of the positive class, or (rows, classes)."""


class RowJudge:
    """Judges attributions of the same rows.

    Args:
        features: The columns.
        background: Training rows.
        network: The network.
        inputs: The rows.
        threshold: Two classes: from this score on, a row is an alert.
        draws: Training rows that stand in, per row.
        seed: Seed of their choice.
    """

    def __init__(
        self,
        features: FeatureMap,
        background: Inputs,
        network: ScoreRows,
        inputs: Inputs,
        *,
        threshold: float = 0.5,
        draws: int = 16,
        seed: int = 0,
    ) -> None:
        self._features, self._network, self._threshold, self._draws = features, network, threshold, draws
        self._rows = count_rows(inputs)
        self._owner = np.repeat(np.arange(self._rows), draws)
        self._inputs = take(inputs, self._owner)
        drawn = np.random.default_rng(seed).integers(count_rows(background), size=self._rows * draws)
        self._stand_ins = take(background, drawn)
        raw = network(inputs)
        self._is_binary = raw.ndim == 1
        scores = self._probabilities(raw)
        self._decided = self._decisions(scores)
        self._confidence = np.take_along_axis(scores, self._decided[:, None], axis=1)[:, 0]

    def impact(self, values: Floats, columns: int) -> Floats:
        """(rows,) share of stand-ins with which removing the ``columns`` with the most support has an impact.

        An impact is another decision, or at most half of its confidence. The mean over rows is the Impact Score.

        Args:
            values: (rows, features) support of each column for the decision; the highest go first.
            columns: The area.
        """
        removed = self._removed(self._top(values, columns))
        own = np.take_along_axis(removed, self._decided[self._owner][:, None], axis=1)[:, 0]
        changed = self._decisions(removed) != self._decided[self._owner]
        impacted = changed | (own <= self._confidence[self._owner] / 2)
        return np.asarray(impacted.reshape(self._rows, self._draws).mean(axis=1))

    def fall(self, values: Floats, columns: int) -> Floats:
        """(rows,) mean fall of the decision's probability when the ``columns`` with the most support are removed."""
        removed = self._removed(self._top(values, columns))
        own = np.take_along_axis(removed, self._decided[self._owner][:, None], axis=1)[:, 0]
        return np.asarray(self._confidence - own.reshape(self._rows, self._draws).mean(axis=1))

    def support(self, values: Floats) -> Floats:
        """Attributions of a two-class score as support for each row's own decision."""
        return np.where(self._decided[:, None] == 1, values, -values) if self._is_binary else values

    def _top(self, values: Floats, columns: int) -> NDArray[np.bool_]:
        order = np.argsort(-values, axis=1, kind="stable")[:, :columns]
        mask = np.zeros(values.shape, bool)
        np.put_along_axis(mask, order, values=True, axis=1)
        return mask

    def _removed(self, masks: NDArray[np.bool_]) -> Floats:
        mixed = self._features.mix(self._stand_ins, self._inputs, masks[self._owner])
        return self._probabilities(self._network({**self._inputs, **mixed}))

    def _probabilities(self, scores: Floats) -> Floats:
        return np.stack([1 - scores, scores], axis=1) if self._is_binary else scores

    def _decisions(self, probabilities: Floats) -> NDArray[np.int64]:
        if self._is_binary:
            return np.asarray(probabilities[:, 1] >= self._threshold, np.int64)
        return np.asarray(np.argmax(probabilities, axis=1), np.int64)
