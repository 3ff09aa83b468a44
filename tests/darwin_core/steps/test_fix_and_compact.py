"""`darwin fix --compact`: from a finding to a network that was compacted from the changed rows."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.stories import write_payments
from typer.testing import CliRunner

from darwin_core.cli import app
from darwin_core.contracts import (
    CompactionConfig,
    CompactionSummary,
    DataRoles,
    DataSource,
    Findings,
    FixReport,
    Pick,
    Requirement,
    SliceSpec,
    StorageOptions,
)
from darwin_core.contracts.synthesis import SearchBudget
from darwin_core.demo.reference import Recipe, train_table_reference
from darwin_core.networks import load_network, network_inputs
from darwin_core.progress import Reporter
from darwin_core.steps.compaction import run_compaction
from darwin_core.steps.stored_runs import picking_config

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, ``night``, of a fraud network that has learned the browser."""
    folder = tmp_path_factory.mktemp("payments")
    parts = {part: folder / f"{part}.parquet" for part in ("train", "validation", "test")}
    for seed, (path, rows) in enumerate(zip(parts.values(), (3000, 1000, 1500), strict=True)):
        write_payments(path, rows, seed=seed, share=0.8)
    train, validation, test = (DataSource(uri=str(path)) for path in parts.values())
    roles = DataRoles(label="fraud", row_id="id", slices=(SliceSpec(column="browser"), SliceSpec(column="country")))
    reference, recipe = folder / "reference.keras", Recipe(widths=(48, 24), dropout=0.0, batch_size=64, epochs=8)
    train_table_reference(train, roles, reference, Reporter(), recipe=recipe)
    config = CompactionConfig(
        line=str(folder / "line"),
        reference=str(reference),
        train=train,
        validation=validation,
        test=test,
        roles=roles,
        actionable=("browser", "items"),
        requirements=(Requirement.parse("parameters<=500"),),
        budget=SearchBudget(generations=1, offspring=1, generation_samples=20_000, final_samples=40_000),
        tfma_rows=500,
        explain_rows=32,
    )
    run_compaction(config, "night", reporter=Reporter(), work_root=folder / "work")
    return folder / "line"


@pytest.mark.parametrize("kind", ["drop", "neutralise", "rebalance"])
def test_a_fixed_data_set_is_compacted_again(
    line: Path, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darwin_core.steps.fixing.default_work_root", lambda: tmp_path)
    before = CompactionSummary.from_json((line / "runs/night/summary.json").read_text())
    findings = Findings.from_json(Path(before.paths["findings"]).read_text()).findings
    number = 1 + next(index for index, each in enumerate(findings) if each.factor == "browser")
    arguments = ["fix", str(line / "runs/night"), "--finding", str(number), "--kind", kind, "--epochs", "3"]
    told = CliRunner().invoke(app, [*arguments, "--compact", "--quiet", "--json"])
    assert told.exit_code == 0, told.output
    report = FixReport.from_json(told.stdout)
    assert report.compacted_run == f"night-fix-{number}-{kind}"
    after = CompactionSummary.from_json((line / "runs" / report.compacted_run / "summary.json").read_text())
    assert after.candidate.parameters <= 500 < after.reference.parameters
    inputs = {item.name for item in network_inputs(load_network(Path(after.paths["candidate"])))}
    if kind == "drop":
        assert "browser" not in inputs
    left = Findings.from_json(Path(after.paths["findings"]).read_text()).findings
    if kind != "rebalance":
        assert all(each.factor != "browser" for each in left)
    assert CompactionSummary.from_json((line / "runs/night/summary.json").read_text()) == before


def test_a_fix_of_a_picked_run_is_compacted_from_the_changed_rows(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darwin_core.steps.fixing.default_work_root", lambda: tmp_path)
    run_compaction(
        picking_config(str(line), Pick(run_id="night", candidate_id="g1n1"), StorageOptions()),
        "picked",
        reporter=Reporter(),
        work_root=tmp_path,
    )
    picked = CompactionSummary.from_json((line / "runs/picked/summary.json").read_text())
    findings = Findings.from_json(Path(picked.paths["findings"]).read_text()).findings
    number = 1 + next(index for index, each in enumerate(findings) if each.factor == "browser")
    arguments = ["fix", str(line / "runs/picked"), "--finding", str(number), "--kind", "drop", "--epochs", "3"]
    told = CliRunner().invoke(app, [*arguments, "--compact", "--quiet", "--json"])
    assert told.exit_code == 0, told.output
    again = line / "runs" / str(FixReport.from_json(told.stdout).compacted_run)
    assert CompactionConfig.from_json((again / "config.json").read_text()).pick is None
    after = CompactionSummary.from_json((again / "summary.json").read_text())
    assert "browser" not in {item.name for item in network_inputs(load_network(Path(after.paths["candidate"])))}
