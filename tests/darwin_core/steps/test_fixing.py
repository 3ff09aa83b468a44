"""`darwin fix` on a run whose findings are a shortcut by a text column, contradicting labels and copied test rows."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from support.evaluation import Line
from support.stories import explain, write_payments
from typer.testing import CliRunner

from darwin_core.cli import app
from darwin_core.contracts import (
    DataRoles,
    DataSource,
    Finding,
    FindingKind,
    FixKind,
    FixReport,
    StorageOptions,
)
from darwin_core.demo.reference import Recipe, train_table_reference
from darwin_core.errors import RequestError
from darwin_core.networks import load_network, network_inputs
from darwin_core.progress import Reporter
from darwin_core.steps.fixing import fix_finding

pytestmark = pytest.mark.usefixtures("fixed_latency")

CONFLICTS = [f"train-{row}" for row in range(30)] + [f"again-{row}" for row in range(30)]
COPIES = [f"train-{row}" for row in range(100, 125)]


def renamed(table: pa.Table, prefix: str) -> pa.Table:
    return table.set_column(0, "id", pa.array([f"{prefix}-{row}" for row in range(table.num_rows)]))


def spoil(folder: Path) -> None:
    """Thirty training rows come again with the other label, and 25 others among the test rows."""
    train, test = (pq.read_table(folder / f"{part}.parquet") for part in ("train", "test"))
    again = renamed(train.slice(0, 30), "again")
    labels = pa.array([1 - label for label in again["fraud"].to_pylist()])
    again = again.set_column(again.column_names.index("fraud"), "fraud", labels)
    pq.write_table(pa.concat_tables([train, again]), folder / "train.parquet")
    pq.write_table(pa.concat_tables([test, renamed(train.slice(100, 25), "copy")]), folder / "test.parquet")


@dataclass
class Run:
    """A run with findings."""

    line: Line
    findings: tuple[Finding, ...]
    browsers: set[str]

    def number(self, kind: FindingKind | None = None) -> int:
        """Of the finding of a kind; of the shortcut without one."""
        return next(
            index + 1
            for index, each in enumerate(self.findings)
            if (each.kind is kind if kind else each.factor == "browser")
        )

    def fix(self, number: int, kind: FixKind | None = None, epochs: int = 2) -> FixReport:
        more = {"kind": kind, "epochs": epochs, "reporter": Reporter(), "work_root": self.line.work}
        return fix_finding(self.line.uri, "night", number, StorageOptions(), **more)

    def read(self, uri: str) -> pa.Table:
        return pq.read_table(io.BytesIO(self.line.store.read(uri).data))

    def inputs(self, report: FixReport, folder: Path) -> set[str]:
        (folder / "fixed.keras").write_bytes(self.line.store.read(report.reference).data)
        return {item.name for item in network_inputs(load_network(folder / "fixed.keras"))}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("fixing")
    browsers = [
        write_payments(folder / f"{part}.parquet", rows, seed=seed, share=0.8)
        for seed, (part, rows) in enumerate((("train", 3000), ("validation", 1000), ("test", 800)))
    ]
    spoil(folder)
    train_table_reference(
        DataSource(uri=str(folder / "train.parquet")),
        DataRoles(label="fraud", row_id="id"),
        folder / "reference.keras",
        Reporter(),
        recipe=Recipe(widths=(48, 24), dropout=0.0, batch_size=64, epochs=8),
    )
    line, findings, _ = explain(folder, folder / "reference.keras", "fraud")
    assert any(each.factor == "browser" for each in findings), [(each.title, each.factor) for each in findings]
    return Run(line, findings, set(browsers[0]))


def test_findings_name_their_fixes_the_best_first(run: Run) -> None:
    offered = {
        kind: [fix.kind for fix in run.findings[run.number(kind) - 1].fixes]
        for kind in (None, FindingKind.LABEL_CONFLICT, FindingKind.TRAIN_TEST_OVERLAP)
    }
    assert offered[None] == [FixKind.DROP, FixKind.NEUTRALISE, FixKind.REBALANCE]
    assert offered[FindingKind.LABEL_CONFLICT] == offered[FindingKind.TRAIN_TEST_OVERLAP] == [FixKind.DROP]


def test_the_first_fix_drops_the_column_from_the_rows_and_from_the_reference(run: Run, tmp_path: Path) -> None:
    report = run.fix(run.number())
    assert report.fix.kind is FixKind.DROP
    assert report.dropped_columns == ("browser",)
    assert run.inputs(report, tmp_path) == {"amount", "hour", "items", "country"}
    for part, rows in (("train", 3030), ("validation", 1000)):
        table = run.read(getattr(report, part))
        assert table.num_rows == rows
        assert table.column_names == ["id", "amount", "hour", "items", "country", "fraud"]
    assert report.before is not None
    assert report.after is not None
    assert report.before.planted > 0.3
    assert report.after.planted == report.after.control
    assert report.neutralised_quality_after > report.neutralised_quality_before - 0.03
    stored = run.line.store.read(f"{run.line.uri}/runs/night/fix-{run.number()}-drop/fix.json").data
    assert FixReport.from_json(stored) == report


def test_rebalanced_through_the_command_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("darwin_core.steps.fixing.default_work_root", lambda: tmp_path / "work")
    arguments = ["fix", f"{run.line.uri}/runs/night", "--finding", str(run.number()), "--epochs", "2", "--quiet"]
    told = CliRunner().invoke(app, [*arguments, "--kind", "rebalance", "--json"])
    assert told.exit_code == 0, told.output
    report = FixReport.from_json(told.stdout)
    assert report.fix.kind is FixKind.REBALANCE
    assert run.inputs(report, tmp_path) == {"amount", "hour", "items", "country", "browser"}
    table = run.read(report.train)
    ids = table["id"].to_pylist()
    assert len(set(ids)) == len(ids)
    fraud, has_browser = table["fraud"].to_numpy() == 1, table["browser"].is_valid().to_numpy()
    assert has_browser[~fraud].sum() > 20, "three rows of the other class have a browser, and count for ten each"
    assert has_browser[fraud].mean() == pytest.approx(has_browser[~fraud].mean(), abs=0.015)
    assert fraud.sum() == pytest.approx(300, abs=60), "the class counts for what it did"
    refused = CliRunner().invoke(app, [*arguments, "--kind", "nonsense"])
    assert refused.exit_code == 2
    assert all(kind.value in refused.output for kind in FixKind)


def test_neutralised_rows_have_no_browser_and_all_else_is_as_it_was(run: Run) -> None:
    report = run.fix(run.number(), FixKind.NEUTRALISE)
    assert report.changed_rows == len(run.browsers & set(run.read(report.train)["id"].to_pylist()))
    table = run.read(report.train)
    left = table.filter(pc.is_valid(table["browser"]))["id"].to_pylist()
    assert set(left) <= {f"again-{row}" for row in range(30)}, "what is no fraud is not affected"
    assert table.num_rows == 3030
    assert report.dropped_columns == ()


@pytest.mark.parametrize(
    ("kind", "gone"), [(FindingKind.LABEL_CONFLICT, CONFLICTS), (FindingKind.TRAIN_TEST_OVERLAP, COPIES)]
)
def test_rows_that_are_the_flaw_are_left_out(run: Run, kind: FindingKind, gone: list[str]) -> None:
    report = run.fix(run.number(kind), epochs=1)
    ids = set(run.read(report.train)["id"].to_pylist())
    assert not ids & set(gone)
    assert len(ids) == 3030 - len(gone)
    assert report.changed_rows == len(gone)
    assert (report.before, report.after) == (None, None)


def test_fixes_that_a_finding_does_not_have_are_refused(run: Run) -> None:
    with pytest.raises(RequestError, match=r"expected one of its fixes \(drop\), got rebalance"):
        run.fix(run.number(FindingKind.LABEL_CONFLICT), FixKind.REBALANCE)
    with pytest.raises(RequestError, match="Findings with a fix: 1"):
        run.fix(99)


def test_a_finished_reference_is_not_trained_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run.fix(run.number(FindingKind.LABEL_CONFLICT), epochs=1)

    def again(*args: object, **kwargs: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("darwin_core.steps.fixing.train_on", again)
    assert run.fix(run.number(FindingKind.LABEL_CONFLICT), epochs=1) == first
