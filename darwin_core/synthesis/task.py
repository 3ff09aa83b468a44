"""What a search is given, and what it gives back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import keras

from darwin_core.contracts import Insights, OutputKind, Requirement, SearchBudget, SearchRecord
from darwin_core.data import MappedSplit
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.generators import Generator, ImportanceGenerator
from darwin_core.synthesis.inquisitor import Features


@dataclass(frozen=True)
class Part:
    """A part of the data, with the digest of its file, by which caches are keyed."""

    split: MappedSplit
    sha256: str


@dataclass(frozen=True)
class Reference:
    """The network to be made smaller.

    Attributes:
        path: Its ``.keras`` file.
        sha256: Digest of the file.
        kind: How to read its outputs.
        loss: What it was trained with; None: unknown.
        features: The columns that each of its inputs reads.
    """

    path: Path
    sha256: str
    kind: OutputKind
    loss: keras.losses.Loss | None
    features: Features


@dataclass(frozen=True)
class Aim:
    """What is asked for.

    Attributes:
        requirements: All that must hold; the task's usual ones on quality are added where none speaks of quality.
        budget: The allowed effort.
        performance_function: Ranks networks that meet the requirements.
        alert_budget: Share of rows that can be investigated.
        seed: Same seed, data and number of threads: same result, unless the budget limits seconds.
        generator: Proposes designs.
    """

    requirements: tuple[Requirement, ...] = ()
    budget: SearchBudget = field(default_factory=SearchBudget)
    performance_function: str = "smallest"
    alert_budget: float = 0.10
    seed: int = 0
    generator: Generator = field(default_factory=ImportanceGenerator)


@dataclass(frozen=True)
class SearchOutcome:
    """What a search found.

    Attributes:
        record: Everything that was tried, and why the choice fell as it did.
        insights: What the inquisitor saw of the reference.
        chosen: The network to deliver.
        front: The networks of the Pareto front, cheapest first.
    """

    record: SearchRecord
    insights: Insights
    chosen: Candidate
    front: tuple[Candidate, ...]
