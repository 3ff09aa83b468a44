"""Candidates: networks under trial, with everything that is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from darwin_core.contracts import CandidateRecord, CandidateStage, RequirementMetric


@dataclass(frozen=True)
class Candidate:
    """A built, trained and judged network.

    Attributes:
        record: What the search record will say of it.
        path: Its ``.keras`` file.
        size: Geometric mean of relative parameters and MACs; the reference has 1.
        shortfall: Total distance to the requirements, as measured; 0 where all are met.
        cautious_shortfall: The same after the allowance for the noise of the validation rows.
        expected_shortfall: Distance to the requirements on quality, after the allowance, that is expected to be left
            after the long finish.
        lineage_samples: Training rows seen since the reference, those of its ancestors included.
        allowance: Quality metric -> what was allowed for the noise of the validation rows.
    """

    record: CandidateRecord
    path: Path
    size: float
    shortfall: float
    cautious_shortfall: float
    expected_shortfall: float
    lineage_samples: int
    allowance: Mapping[RequirementMetric, float] = field(default_factory=dict)

    @property
    def candidate_id(self) -> str:
        """Its name in the search."""
        return self.record.candidate_id

    @property
    def finished(self) -> bool:
        """Whether it has had the long finish."""
        return self.record.stage is CandidateStage.FINISHED

    @property
    def safe(self) -> bool:
        """Whether it meets every requirement even after the allowance for noise."""
        return self.cautious_shortfall <= 0.0

    @property
    def promising(self) -> bool:
        """Whether it is expected to meet the requirements on quality in the end, whatever it costs."""
        return self.expected_shortfall <= 0.0

    @property
    def performance(self) -> float:
        """Value of the performance function; minus infinity where it was never judged."""
        return float("-inf") if self.record.performance is None else self.record.performance
