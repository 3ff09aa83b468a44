"""The front holds exactly what nothing dominates."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from darwin_core.contracts import CandidateRecord, CandidateStage, Genome, NetworkCost, QualityMetrics, Task
from darwin_core.synthesis.pareto import dominates, pareto_front


def record(name: str, parameters: int, macs: int, accuracy: float | None) -> CandidateRecord:
    return CandidateRecord(
        candidate_id=name,
        generation=1,
        parents=(),
        strategy="test",
        genome=Genome(widths={}),
        cost=NetworkCost(parameters=parameters, macs=macs, weight_bytes=0, input_features=1),
        quality=None if accuracy is None else QualityMetrics(loss=0.0, accuracy=accuracy),
        stage=CandidateStage.RACED,
        samples=0,
        seconds=0.0,
    )


def test_dominated_equal_and_unjudged_candidates_stay_out() -> None:
    records = [
        record("small", 10, 10, 0.8),
        record("good", 100, 100, 0.9),
        record("bad", 100, 110, 0.9),
        record("twin", 10, 10, 0.8),
        record("unjudged", 1, 1, None),
        record("few parameters", 5, 500, 0.8),
    ]
    assert pareto_front(records, Task.MULTICLASS) == ("few parameters", "small", "good")


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 5), st.integers(0, 5)), min_size=1, max_size=12))
def test_the_front_covers_everything_and_nothing_in_it_dominates_another(points: list[tuple[int, int, int]]) -> None:
    records = [record(str(index), p, m, a / 5) for index, (p, m, a) in enumerate(points)]
    front = {name: points[int(name)] for name in pareto_front(records, Task.MULTICLASS)}
    as_small = {name: (p, m, -a) for name, (p, m, a) in front.items()}
    assert not any(dominates(one, other) for one in as_small.values() for other in as_small.values())
    for p, m, a in points:
        point = (p, m, -a)
        assert any(own == point or dominates(own, point) for own in as_small.values())
