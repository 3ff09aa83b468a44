"""Columns that serving computes otherwise are found, with the kind in words; equal pipelines are never suspected."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.checked_data import checked_data

from darwin_core.contracts import DataRoles, Finding, FindingKind, Severity
from darwin_core.data.columns import scalar_kind
from darwin_core.explanation.checks import CheckedData, Column, ServingRows, run_checks
from darwin_core.explanation.checks.skew import TrainServeSkew
from darwin_core.progress import Reporter

ROWS = 3000


def table(rng: np.random.Generator, rows: int = ROWS) -> dict[str, Any]:
    return {
        "amount": rng.lognormal(4, 1, rows).round(2),
        "visits": rng.poisson(3, rows),
        "income": np.where(rng.random(rows) < 0.12, np.nan, rng.normal(3000, 500, rows).round()),
        "city": rng.choice(["Oslo", "New York", "Berlin", "Rome"], rows, p=[0.5, 0.3, 0.15, 0.05]).tolist(),
        "when": (1_700_000_000 + rng.integers(0, 86_400, rows)).astype("datetime64[s]"),
        "score": rng.normal(size=rows),
    }


def arrow_column(name: str, values: Any) -> Column:
    array = pa.array(values, from_pandas=True)
    kind = scalar_kind(array.type)
    assert kind is not None
    return Column.from_arrow(name, kind, array)


def served(
    train: Mapping[str, Any], serving: Mapping[str, Any], *, ids: list[str] | None = None, seed: int = 0
) -> list[Finding]:
    """Findings of the check; with ``ids``, serving rows carry these."""
    rows = len(train["amount"])
    roles = DataRoles(label="label", row_id="id" if ids else None)
    data: CheckedData = checked_data(train, np.zeros(rows, np.int64), roles=roles, seed=seed)
    sample = ServingRows(
        columns={name: arrow_column(name, values) for name, values in serving.items()},
        absent=tuple(name for name in train if name not in serving),
        row_ids=ids,
    )
    found, _ = run_checks(dataclasses.replace(data, serving=sample), Reporter(), [TrainServeSkew()])
    assert {each.kind for each in found} <= {FindingKind.TRAIN_SERVE_SKEW}
    return list(found)


def skewed(rows: dict[str, Any], case: str) -> dict[str, Any]:
    rows = dict(rows)
    match case:
        case "cents":
            rows["amount"] = rows["amount"] * 100
        case "thousandth":
            rows["income"] = rows["income"] / 1000
        case "default":
            rows["income"] = np.where(np.isnan(rows["income"]), -1.0, rows["income"])
        case "spelling":
            rows["city"] = [city.upper().replace(" ", "_") for city in rows["city"]]
        case "clipped":
            rows["amount"] = np.minimum(rows["amount"], 150.0)
        case "time zone":
            rows["when"] = rows["when"] + np.timedelta64(2, "h")
        case "offset":
            rows["income"] = rows["income"] - 273.15
        case "text":
            rows["visits"] = [str(value) for value in rows["visits"]]
    return rows


EXPECTED = {
    "cents": ("amount", "100 times as large"),
    "thousandth": ("income", "1000 times as small"),
    "default": ("income", "another default for missing values"),
    "spelling": ("city", "is spelled differently"),
    "clipped": ("amount", "cut off at 150"),
    "time zone": ("when", "2 hours later"),
    "offset": ("income", "lower by"),
    "text": ("visits", "another type"),
}


@pytest.mark.parametrize("case", EXPECTED)
@pytest.mark.parametrize("matched", [True, False])
def test_the_kind_is_told(case: str, matched: bool) -> None:
    rng = np.random.default_rng(0)
    train = table(rng)
    if matched:
        other = skewed({name: values[:1000] for name, values in train.items()}, case)
        found = served(train, other, ids=[f"train-{row}" for row in range(1000)])
    else:
        found = served(train, skewed(table(rng, 2000), case))
    (finding,) = found
    column, words = EXPECTED[case]
    assert finding.columns == (column,)
    assert words in finding.title
    assert finding.severity is not Severity.LOW
    if case == "offset":
        assert "lower by 273.15 in" in finding.title if matched else "lower by about 2" in finding.title
    if matched:
        assert "of 1,000 rows with the same id" in finding.description


def test_rows_are_matched_whatever_their_order() -> None:
    rng = np.random.default_rng(0)
    train = table(rng)
    order = rng.permutation(ROWS)[:500]
    other: dict[str, Any] = {name: np.asarray(values)[order] for name, values in train.items()}
    ids = [f"train-{row}" for row in order]
    assert served(train, other, ids=ids) == []
    wrong = np.arange(500) < 485
    other["amount"] = np.where(wrong, other["amount"] * 100, other["amount"])
    (finding,) = served(train, other, ids=ids)
    assert finding.effect == pytest.approx(0.97)
    assert finding.affected_rows == 485
    assert "in 97 % of 500 rows with the same id" in finding.description.lower()
    assert "100 times as large in serving" in finding.description


def test_columns_that_serving_lacks_or_does_not_fill_are_named() -> None:
    rng = np.random.default_rng(0)
    other = table(rng, 1000)
    del other["score"]
    other["amount"] = np.full(1000, np.nan)
    found = {finding.columns: finding for finding in served(table(rng), other)}
    assert set(found) == {("score",), ("amount",)}
    assert found["score",].severity is Severity.HIGH
    assert "missing" in found["amount",].title


@pytest.mark.parametrize("rows", [60, 2000])
def test_equal_pipelines_raise_no_alarm(rows: int) -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        alarms += bool(served(table(rng, 2000), table(rng, rows), seed=seed))
    # Each draw is wrong in at most one of a hundred: more than three of forty have a chance below one in a thousand.
    assert alarms <= 3


def test_names_that_training_happens_to_hold_often_raise_no_alarm() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        weights = rng.pareto(1.2, 4000) + 0.05

        def draw(rows: int, rng: np.random.Generator = rng, weights: np.ndarray = weights) -> dict[str, Any]:
            names = rng.choice(4000, rows, p=weights / weights.sum())
            return {"amount": rng.normal(size=rows), "device": [f"device {name}" for name in names]}

        alarms += bool(served(draw(2000), draw(1500), seed=seed))
    assert alarms <= 3


def test_float_rounding_is_no_skew() -> None:
    rng = np.random.default_rng(0)
    train = table(rng)
    other = {name: values[:500] for name, values in train.items()}
    other["score"] = other["score"].astype(np.float32).astype(np.float64)
    assert served(train, other, ids=[f"train-{row}" for row in range(500)]) == []
