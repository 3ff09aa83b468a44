"""Going on from a point of an earlier front that a person picked: what it still lacks, and a record that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from darwin_core.contracts import CandidateRecord, CandidateStage, Insights, NetworkCost, Pick, SearchRecord
from darwin_core.synthesis.candidates import Candidate
from darwin_core.synthesis.choice import missed, subject
from darwin_core.synthesis.performance import relative_size


@dataclass(frozen=True)
class PickedPoint:
    """What a person picked, and the search that it came from.

    Attributes:
        pick: Run and candidate.
        search: The record of that run's search.
        insights: What the inquisitor saw in it.
        networks: Files of the networks on its front, by candidate.
    """

    pick: Pick
    search: SearchRecord
    insights: Insights
    networks: Mapping[str, Path]

    def population(self, reference_cost: NetworkCost) -> list[Candidate]:
        """All candidates of that search as they stood at its end, in the order of their birth.

        How far they are from the requirements is not in the record; whoever needs it judges them again.
        """
        return [
            Candidate(
                record=record,
                path=self.networks.get(record.candidate_id, Path()),
                size=relative_size(record.cost, reference_cost),
                shortfall=0.0,
                cautious_shortfall=0.0,
                expected_shortfall=0.0,
                lineage_samples=lineage_samples(self.search, record),
            )
            for record in self.search.candidates
        ]


def lineage_samples(search: SearchRecord, record: CandidateRecord) -> int:
    """Training rows that a candidate and its ancestors saw; from their own rows where its record does not say."""
    if record.lineage_samples is not None:
        return record.lineage_samples
    known = {item.candidate_id: item for item in search.candidates}
    total, at, passed = 0, record, set[str]()
    while at.candidate_id not in passed:
        total += at.samples
        passed.add(at.candidate_id)
        at = known.get(at.parents[0], at) if at.parents else at
    return total


def pick_reason(point: PickedPoint, chosen: Candidate) -> str:
    """Why this candidate: because somebody wanted it; and how it stands to the requirements."""
    record = point.search
    instead = (
        "which had been chosen there, too" if record.chosen == chosen.candidate_id else f"instead of {record.chosen}"
    )
    before = next(item for item in record.candidates if item.candidate_id == chosen.candidate_id)
    finish = "" if before.stage is CandidateStage.FINISHED else " It got the long finish now."
    if not chosen.record.feasible:
        standing = f"It misses {missed(chosen)}."
    elif not chosen.safe:
        standing = "It meets every requirement on the validation rows, though by less than their noise."
    else:
        standing = "It meets every requirement on the validation rows with room for their noise."
    return f"A person picked {subject(chosen)} from the front of run {point.pick.run_id}, {instead}.{finish} {standing}"
