"""From scores to decisions, and the words for both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Task
from darwin_core.explanation.attribution.base import Floats, Targets


@dataclass(frozen=True)
class DecisionRule:
    """How a network's scores become decisions.

    Attributes:
        task: What the network predicts.
        classes: Label values (of several labels: their names) in the order of the outputs; empty for regression.
        label: Name of the label column.
        threshold: Two classes: from this score on, a row is an alert. Several labels: from it on, a label is there.
    """

    task: Task
    classes: tuple[str, ...]
    label: str
    threshold: float = 0.5

    def targets(self, scores: Floats) -> Targets | None:
        """(rows,) the class whose score is attributed: the predicted one of several (likeliest label), else None."""
        return np.asarray(np.argmax(scores, axis=1), np.int64) if scores.ndim == 2 else None

    def decided(self, scores: Floats) -> NDArray[np.int64]:
        """(rows,) class index of the decision; zeros for regression, where nothing is decided.

        Several labels: (rows, labels), 1 where the label is said to be there.
        """
        if self.task is Task.MULTILABEL:
            return np.asarray(scores >= self.threshold, np.int64)
        if scores.ndim == 2:
            return np.asarray(np.argmax(scores, axis=1), np.int64)
        if self.task is Task.REGRESSION:
            return np.zeros(len(scores), np.int64)
        return np.asarray(scores >= self.threshold, np.int64)

    def shown(self, scores: Floats, row: int) -> str:
        """The decision about one row, as the report shows it."""
        if self.task is Task.REGRESSION:
            return show_effect(float(scores[row]))
        if self.task is Task.MULTILABEL:
            return self.named(self.decided(scores[row : row + 1])[0])
        return self.classes[int(self.decided(scores[row : row + 1])[0])]

    def named(self, flags: NDArray[Any]) -> str:
        """Several labels in words, from the (labels,) flags of a row."""
        return ", ".join(name for name, flag in zip(self.classes, flags, strict=True) if flag) or "no label"

    def score(self, scores: Floats, row: int) -> float:
        """The score behind ``shown``."""
        return float(scores[row].max() if scores.ndim == 2 else scores[row])

    def subject(self, target: int | None) -> str:
        """What is raised and lowered, e.g. ``the score``."""
        if self.task is Task.REGRESSION:
            return "the prediction"
        return "the score" if target is None else f"the probability of {self.classes[target]}"

    @property
    def scale(self) -> str:
        """What was attributed, for the report."""
        if self.task is Task.REGRESSION:
            return f"the predicted {self.label}"
        if self.task is Task.BINARY:
            return f"the probability of {self.label} = {self.classes[-1]}"
        if self.task is Task.MULTILABEL:
            return "the probability of the label that the candidate finds likeliest in the row"
        return "the probability of the class that the candidate predicts"


def show_effect(value: float) -> str:
    """A number with the digits that matter: two decimals, more below 0.1, fewer from 100 on."""
    size = abs(value)
    if size >= 100:
        return f"{value:,.0f}"
    if size >= 0.1 or value == 0:
        return f"{value:.2f}"
    return f"{value:.3f}" if size >= 0.001 else f"{value:.1g}"


def show_apart(values: Sequence[float]) -> list[str]:
    """Numbers with as few decimals, at least two, as it takes to tell different ones apart."""
    texts: list[str] = []
    for decimals in range(2, 10):
        texts = [f"{value:.{decimals}f}" for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts
