"""A run's configuration, and those of searches side by side."""

from typing import Any

import pytest

from darwin_core.contracts import CompactionConfig, DataRoles
from darwin_core.errors import RequestError

WHOLE = CompactionConfig(line="s3://bucket/line", reference="m.keras", train="t.parquet", roles=DataRoles(label="y"))


def test_a_search_differs_where_it_may() -> None:
    found = WHOLE.for_search("b1", {"seed": 1.0, "generator": "separable", "budget": {"offspring": 4}})
    assert (found.seed, found.generator, found.budget.offspring) == (1, "separable", 4)
    kept = {"seed", "generator", "budget"}
    assert found.model_dump(exclude=kept) == WHOLE.model_dump(exclude=kept)
    assert WHOLE.for_search("b2", {}) == WHOLE


@pytest.mark.parametrize(
    "changes", [{"requirements": []}, {"gate": {}, "seed": 1}, {"performance_function": "balanced"}]
)
def test_what_searches_are_compared_by_is_the_same_for_all(changes: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="Expected search b1 to differ in any of budget, generator, seed, got"):
        WHOLE.for_search("b1", changes)


def test_a_value_that_is_not_allowed_names_its_field() -> None:
    with pytest.raises(RequestError, match=r"search b1 are not valid: budget\.generations"):
        WHOLE.for_search("b1", {"budget": {"generations": -1}})
