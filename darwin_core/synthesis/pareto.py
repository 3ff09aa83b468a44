"""The Pareto front: candidates that no other beats in parameters, MACs and quality at once."""

from __future__ import annotations

from collections.abc import Sequence

from darwin_core.contracts import CandidateRecord, Task
from darwin_core.synthesis.performance import primary_quality


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    """Whether ``one`` is nowhere larger than ``other`` and somewhere smaller; all coordinates are to be small."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and one != other


def pareto_front(records: Sequence[CandidateRecord], task: Task) -> tuple[str, ...]:
    """Ids of the candidates that none dominates, cheapest first; of equal candidates the first one.

    Candidates that were never judged have no place on the front.
    """
    points: dict[str, tuple[float, float, float]] = {}
    for record in records:
        if record.quality is None:
            continue
        point = (float(record.cost.parameters), float(record.cost.macs), -primary_quality(task, record.quality))
        if point not in points.values():
            points[record.candidate_id] = point
    front = [name for name, point in points.items() if not any(dominates(other, point) for other in points.values())]
    return tuple(sorted(front, key=lambda name: points[name]))
