"""Examining a trained network: its cost, its outputs on the validation rows, for finalists its latency."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from darwin_core.contracts import Latency, NetworkCost
from darwin_core.data import MappedSplit
from darwin_core.networks import Predictor, measure_cost
from darwin_core.synthesis.judgement import Judge, Judgement

_ROWS = 2048


def predict_split(network: keras.Model | Predictor, split: MappedSplit) -> npt.NDArray[np.float32]:
    """Raw outputs on all rows of a split, shape (rows, units); a predictor saves who asks again the tracing."""
    predictor = network if isinstance(network, Predictor) else Predictor(network)
    return np.concatenate([predictor(batch.inputs) for batch in split.batches(_ROWS)]).astype(np.float32)


class Examiner:
    """Examines candidates, all in the same way.

    Args:
        judge: Holds them against the requirements.
        validation: The rows on which it does so.
        latency: Measures the latency of a network file; None where no requirement speaks of latency.
    """

    def __init__(self, judge: Judge, validation: MappedSplit, latency: Callable[[Path], Latency] | None = None) -> None:
        self.judge = judge
        self._validation, self._latency = validation, latency

    def examine(
        self, network: keras.Model, path: Path, *, finalist: bool, remaining: float
    ) -> tuple[NetworkCost, Judgement]:
        """Cost and judgement of a network.

        Args:
            network: The network.
            path: Its file.
            finalist: Whether its latency is worth a measurement, which takes a process of its own.
            remaining: The share of its disadvantage that is expected to be left after the long finish.
        """
        cost = measure_cost(network)
        if finalist and self._latency is not None:
            cost = cost.model_copy(update={"latency": self._latency(path)})
        return cost, self.judge.judge(cost, predict_split(network, self._validation), remaining)
