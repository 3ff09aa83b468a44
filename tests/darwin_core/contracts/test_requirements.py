import pytest
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.contracts import Comparator, Requirement, RequirementMetric, SynthesizeRequest
from darwin_core.errors import RequirementError


@pytest.mark.parametrize(
    ("text", "metric", "bound"),
    [
        ("parameters<=20000", "parameters", 20_000),
        ("macs <= 2e6", "macs", 2_000_000),
        ("accuracy_drop<=0.005", "accuracy_drop", 0.005),
        ("latency_p95_ms<=1.5", "latency_p95_ms", 1.5),
        ("input_features<=64", "input_features", 64),
        ("weight_bytes<=1_000", "weight_bytes", 1000),
    ],
)
def test_text_is_read(text: str, metric: str, bound: float) -> None:
    requirement = Requirement.parse(text)
    assert (requirement.metric, requirement.comparator, requirement.bound) == (metric, Comparator.AT_MOST, bound)


@pytest.mark.parametrize(
    "text", ["", "parameters", "parameters=3", "weights<=3", "macs<=abc", "macs<=nan", "macs<=inf"]
)
def test_rubbish_is_named(text: str) -> None:
    with pytest.raises(RequirementError, match=r"requirement|metric"):
        Requirement.parse(text)


@given(
    metric=st.sampled_from(RequirementMetric),
    comparator=st.sampled_from(Comparator),
    bound=st.integers(min_value=-(10**5), max_value=10**5),
)
def test_text_form_round_trips(metric: RequirementMetric, comparator: Comparator, bound: int) -> None:
    requirement = Requirement(metric=metric, comparator=comparator, bound=bound)
    assert Requirement.parse(str(requirement)) == requirement


@given(value=st.floats(-1e6, 1e6), bound=st.floats(-1e6, 1e6), comparator=st.sampled_from(Comparator))
def test_shortfall_is_zero_exactly_when_met(value: float, bound: float, comparator: Comparator) -> None:
    requirement = Requirement(metric=RequirementMetric.MACS, comparator=comparator, bound=bound)
    if requirement.is_met(value):
        assert requirement.shortfall(value) == 0
    else:
        assert requirement.shortfall(value) >= 0


def test_a_request_reads_requirements_as_text() -> None:
    snapshot = {"uri": "/s.json", "sha256": "0" * 64, "size_bytes": 1}
    request = SynthesizeRequest.model_validate(
        {"line": "/tmp/x", "run_id": "r", "snapshot": snapshot, "requirements": ["parameters<=100"]}
    )
    assert request.requirements == (Requirement.parse("parameters<=100"),)
