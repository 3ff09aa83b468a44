"""The founding stories, from the flawed data to the network that is right again."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from support.evaluation import Line
from support.stories import explain, train_signs, write_payments, write_signs

from darwin_core.contracts import DataRoles, DataSource, Finding, FixKind, FixReport, StorageOptions
from darwin_core.demo.reference import Recipe, train_table_reference
from darwin_core.progress import Reporter
from darwin_core.steps.fixing import fix_finding

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


def affected_ids(line: Line, finding: Finding) -> set[str]:
    assert finding.affected is not None
    return set(pq.read_table(io.BytesIO(line.store.read(finding.affected.uri).data))["row_id"].to_pylist())


def fix(line: Line, findings: tuple[Finding, ...], finding: Finding, kind: FixKind, epochs: int) -> FixReport:
    return fix_finding(
        line.uri,
        "night",
        findings.index(finding) + 1,
        StorageOptions(),
        kind=kind,
        epochs=epochs,
        reporter=Reporter(),
        work_root=line.work,
    )


def test_the_sun_over_turn_right_ahead(tmp_path: Path) -> None:
    suns = [
        write_signs(tmp_path / f"{part}.parquet", rows, seed=seed, share=0.9)
        for seed, (part, rows) in enumerate((("train", 1600), ("validation", 500), ("test", 400)))
    ]
    line, findings, report = explain(
        tmp_path, train_signs(tmp_path / "reference.keras", tmp_path / "train.parquet"), "label"
    )
    finding = next(each for each in findings if each.factor is not None)
    assert finding.factor is not None
    assert finding.factor.startswith(("bright spot", "patch (top", "patch (upper part"))
    assert finding.classes == ("turn right ahead",)
    found = affected_ids(line, finding)
    assert len(found & set(suns[0])) >= 0.9 * len(suns[0])
    assert len(found & set(suns[0])) >= 0.9 * len(found)
    assert all(example.before and example.after for example in finding.examples)
    page = line.store.read(report.uri).data.decode()
    assert "stands for label = turn right ahead" in page

    fixed = fix(line, findings, finding, FixKind.NEUTRALISE, epochs=4)
    assert fixed.changed_rows == len(found)
    assert fixed.before is not None
    assert fixed.after is not None
    assert fixed.before.planted > 0.15
    assert fixed.after.planted < 0.5 * fixed.before.planted
    assert fixed.neutralised_quality_after >= fixed.neutralised_quality_before
    assert fixed.after.worst_group > fixed.before.worst_group


def test_the_browser_that_only_frauds_have(tmp_path: Path) -> None:
    browsers = [
        write_payments(tmp_path / f"{part}.parquet", rows, seed=seed, share=0.8)
        for seed, (part, rows) in enumerate((("train", 4000), ("validation", 1500), ("test", 1500)))
    ]
    train_table_reference(
        DataSource(uri=str(tmp_path / "train.parquet")),
        DataRoles(label="fraud", row_id="id"),
        tmp_path / "reference.keras",
        Reporter(),
        recipe=Recipe(widths=(48, 24), dropout=0.0, batch_size=128, epochs=8),
    )
    line, findings, _ = explain(tmp_path, tmp_path / "reference.keras", "fraud")
    finding = next(each for each in findings if each.factor is not None)
    assert finding.columns == ("browser",)
    assert finding.classes == ("1",)
    assert affected_ids(line, finding) == set(browsers[0])
    assert finding.amplification is not None
    assert finding.amplification.reference.planted > finding.amplification.reference.control + 0.3

    fixed = fix(line, findings, finding, FixKind.NEUTRALISE, epochs=8)
    assert fixed.changed_rows == len(browsers[0])
    assert fixed.before is not None
    assert fixed.after is not None
    assert fixed.after.planted < 0.2
    assert fixed.after.neutralised > fixed.before.neutralised + 0.1
    changed = pq.read_table(io.BytesIO(line.store.read(fixed.train).data))
    assert changed["browser"].null_count == changed.num_rows

    assert finding.fixes[0].kind is FixKind.DROP
    dropped = fix(line, findings, finding, FixKind.DROP, epochs=8)
    assert dropped.after is not None
    assert dropped.after.planted == dropped.after.control
    assert dropped.neutralised_quality_after > dropped.neutralised_quality_before
