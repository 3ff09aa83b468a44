"""Nothing is reported where nothing is there, however many columns are looked at."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from support.checked_data import checked_data

from darwin_core.explanation.checks import registered_checks, run_checks
from darwin_core.explanation.checks.skew import TrainServeSkew
from darwin_core.explanation.checks.statistics import stability
from darwin_core.progress import Reporter


def clean_table(rng: np.random.Generator, rows: int, columns: int = 42) -> dict[str, object]:
    """Numbers of several shapes, counts, categories of several sizes, random ids; some values missing."""
    makers = (
        lambda: rng.normal(size=rows),
        lambda: np.where(rng.random(rows) < 0.1, np.nan, rng.lognormal(size=rows)),
        lambda: rng.poisson(0.3, rows),
        lambda: rng.choice(["a", "b", "c"], rows, p=[0.9, 0.09, 0.01]).tolist(),
        lambda: [f"shop-{value}" for value in rng.zipf(1.6, rows) % 500],
        lambda: [f"{value:x}" for value in rng.integers(0, 2**40, rows)],
        lambda: rng.permutation(np.arange(rows) < 3),
    )
    return {f"column_{index}": makers[index % len(makers)]() for index in range(columns)}


@pytest.mark.parametrize("rows", [300, 2000])
@pytest.mark.parametrize("classes", [("no", "yes"), ("a", "b", "c", "d"), ()])
def test_clean_data_hardly_ever_raises_an_alarm(rows: int, classes: tuple[str, ...]) -> None:
    alarms: Counter[str] = Counter()
    for seed in range(4):
        rng = np.random.default_rng(seed)
        labels = rng.normal(size=rows) if not classes else rng.integers(0, len(classes), rows)
        if len(classes) == 2:
            labels = (rng.random(rows) < 0.1).astype(np.int64)
        data = checked_data(clean_table(rng, rows), labels, clean_table(rng, rows // 3), classes=classes, seed=seed)
        findings, checks = run_checks(data, Reporter())
        assert set(checks) == {check.name for check in registered_checks()} - {TrainServeSkew.name}
        alarms.update(finding.title for finding in findings)
    # Four data sets, seven checks, each wrong in at most one of a hundred: 0.3 alarms are to be expected.
    assert alarms.total() <= 1, alarms


def test_an_honest_signal_is_no_leak() -> None:
    rng = np.random.default_rng(0)
    rows = 5000
    table = clean_table(rng, rows, 20)
    score = rng.normal(size=rows)
    table["signal"] = score + 2.0 * rng.normal(size=rows)  # area about 0.67
    data = checked_data(table, (score > 1).astype(int), clean_table(rng, 500, 20) | {"signal": rng.normal(size=500)})
    assert not [finding for finding in run_checks(data, Reporter())[0] if finding.columns != ("signal",)]
    assert "leaking_column" not in {finding.kind for finding in run_checks(data, Reporter())[0]}


def test_coarse_tables_may_hold_equal_rows() -> None:
    rng = np.random.default_rng(0)
    table = {f"flag_{index}": rng.integers(0, 3, 4000) for index in range(4)}
    data = checked_data(table, rng.integers(0, 2, 4000), {name: values[:500] for name, values in table.items()})
    assert run_checks(data, Reporter())[0] == ()


def test_rows_that_agree_by_chance_are_no_overlap() -> None:
    rng = np.random.default_rng(1)

    def draw(rows: int) -> dict[str, object]:
        return {"age": rng.integers(18, 90, rows), "limit": rng.integers(0, 100, rows), "sex": rng.integers(0, 2, rows)}

    train, test = draw(3000), draw(1500)
    data = checked_data(train, rng.integers(0, 2, 3000), test)
    assert data.fingerprints is not None
    assert np.isin(data.fingerprints.test, data.fingerprints.train).sum() > 50
    assert run_checks(data, Reporter())[0] == ()


@pytest.mark.parametrize("rows", [(400, 150), (20_000, 5_000)])
def test_the_null_of_the_stability_index_holds(rows: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(15, 0.5))
    results = [stability(rng.multinomial(rows[0], shares), rng.multinomial(rows[1], shares), rng) for _ in range(600)]
    p_values = np.array([result.p_value for result in results if result is not None])
    assert len(p_values) == 600
    assert np.mean(p_values < 0.01) < 0.025
    assert np.mean(p_values < 0.1) == pytest.approx(0.1, abs=0.045)
