"""What an attribution is and what every method must offer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from darwin_core.progress import Tracker

Inputs = Mapping[str, NDArray[Any]]
"""Network input -> array with the batch axis first."""

Targets = NDArray[np.int64]
"""(rows,) class whose score is attributed."""

Floats = NDArray[np.float64]


class Scorer(Protocol):
    """A network reduced to one score per row."""

    def __call__(self, inputs: Inputs, targets: Targets | None) -> Floats:
        """Scores of shape (rows,): of class ``targets[i]`` where the network has several, else of its one output."""
        ...


@runtime_checkable
class DifferentiableScorer(Scorer, Protocol):
    """A scorer whose score can be differentiated by its one picture input."""

    def gradients(self, pictures: NDArray[Any], targets: Targets | None) -> tuple[Floats, NDArray[np.float32]]:
        """Scores of shape (rows,) and their gradients, shaped like the pictures."""
        ...


@dataclass(frozen=True)
class Attribution:
    """Contributions to the scores of some rows.

    Attributes:
        values: (rows, features), or (rows, height, width) for pictures; signed, in the unit of the score.
        base: (rows,) score of the neutral input, from which contributions count.
        scores: (rows,) score of the row itself. Additive methods give ``base + sum of values = scores``.
    """

    values: Floats
    base: Floats
    scores: Floats

    @property
    def gap(self) -> Floats:
        """(rows,) what is missing to additivity: ``scores - base - sum of values``."""
        return np.asarray(self.scores - self.base - self.values.reshape(len(self.values), -1).sum(axis=1))


class Attributor(ABC):
    """A method of attribution. Instances are deterministic: same rows and same network, same result."""

    @property
    @abstractmethod
    def method(self) -> str:
        """What it does, in a few words for the report."""

    @abstractmethod
    def attribute(self, scorer: Scorer, inputs: Inputs, targets: Targets | None, tracker: Tracker) -> Attribution:
        """Attribute the scores of rows.

        Args:
            scorer: The network.
            inputs: The rows.
            targets: (rows,) class whose score is attributed; None where the network has one output.
            tracker: Advanced by one per row.
        """
