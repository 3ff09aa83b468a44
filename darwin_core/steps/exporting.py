"""Networks in other formats: the search's choice within synthesize, and any network for `darwin export`."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from darwin_core.contracts import (
    ArtifactKind,
    DataRoles,
    DataSource,
    ExportFormat,
    ExportRecord,
    ExportReport,
    FetchDataRequest,
    FetchDataResult,
    OutputKind,
    Snapshot,
    StepName,
)
from darwin_core.data import MappedSplit, map_split
from darwin_core.exports.exporting import CALIBRATION_ROWS, TRIAL_ROWS, export_network, made_up_rows, spread
from darwin_core.exports.measuring import TrialRows
from darwin_core.exports.registry import check_installed
from darwin_core.networks import load_network, measure_latency, network_inputs, output_kind
from darwin_core.progress import Reporter
from darwin_core.steps.context import StepContext
from darwin_core.steps.runner import run_step
from darwin_core.storage import atomic_file, open_store

REPORT = "exports.json"
_LATENCY_ROWS = 64


@dataclass(frozen=True)
class ExportData:
    """Rows to calibrate with and to compare on; validation rows are taken from the training rows where None."""

    train: DataSource
    validation: DataSource | None
    roles: DataRoles


def export_chosen(
    path: Path,
    kind: OutputKind,
    formats: Sequence[ExportFormat],
    parts: tuple[MappedSplit, MappedSplit],
    context: StepContext,
    *,
    alert_budget: float,
) -> tuple[ExportRecord, ...]:
    """Export the search's choice and store the files below the step's ``exports/``.

    Args:
        path: The chosen network.
        kind: How to read its output.
        formats: What to write.
        parts: Training rows, which calibrate, and validation rows, which compare.
        context: The step's surroundings.
        alert_budget: Share of rows that are alerted, for two classes.
    """
    if not formats:
        return ()
    folder = context.workdir / "exports"
    train, validation = parts
    records = export_network(
        load_network(path),
        kind,
        formats,
        folder,
        rows=_trial_rows(validation),
        calibration=train.take(spread(train.rows, CALIBRATION_ROWS)).inputs,
        alert_budget=alert_budget,
        reporter=context.reporter,
    )

    def stored(record: ExportRecord) -> ExportRecord:
        files = {"artifact": record.file, "lookups_artifact": record.lookups}
        return record.model_copy(
            update={
                field: context.upload(folder / name, context.uri("exports", name), ArtifactKind.EXPORT)
                for field, name in files.items()
                if name is not None
            }
        )

    return tuple(stored(record) for record in records)


def export_file(
    model: Path, formats: Sequence[ExportFormat], output: Path, data: ExportData | None, reporter: Reporter
) -> ExportReport:
    """Export a network; the report lies beside the files as ``exports.json``.

    Args:
        model: The .keras file.
        formats: What to write.
        output: Folder for the files.
        data: Rows; None: the comparison is on made-up ones.
        reporter: Where progress goes.

    Raises:
        MissingExtraError: A format's packages are not installed.
        NetworkError: The file is no network, or what its output means cannot be decided.
        DataError: The rows cannot be used.
    """
    check_installed(formats)
    network = load_network(model)
    kind = output_kind(network, model)
    with tempfile.TemporaryDirectory(prefix="darwin-export-") as scratch:
        rows, calibration = made_up_rows(network_inputs(network)), None
        if data is not None:
            train, validation = _parts(model, data, Path(scratch), reporter)
            rows = _trial_rows(validation)
            calibration = train.take(spread(train.rows, CALIBRATION_ROWS)).inputs
        records = export_network(network, kind, formats, output, rows=rows, calibration=calibration, reporter=reporter)
        first = {name: values[:_LATENCY_ROWS] for name, values in rows.inputs.items()}
        latency = measure_latency(model, first)
    report = ExportReport(network=str(model), network_latency=latency, exports=records)
    with atomic_file(output / REPORT) as handle:
        handle.write(report.to_json().encode())
    return report


def _trial_rows(split: MappedSplit) -> TrialRows:
    taken = split.take(spread(split.rows, TRIAL_ROWS))
    return TrialRows(taken.inputs, taken.labels, taken.weights)


def _parts(model: Path, data: ExportData, scratch: Path, reporter: Reporter) -> tuple[MappedSplit, MappedSplit]:
    """Training and validation rows, checked and decoded as in a compaction run."""
    request = FetchDataRequest(
        line=str(scratch / "line"),
        run_id="export",
        reference=str(model.absolute()),
        train=data.train,
        validation=data.validation,
        roles=data.roles,
    )
    fetched = run_step(StepName.FETCH_DATA, request, reporter=reporter, work_root=scratch / "work")
    assert isinstance(fetched, FetchDataResult)
    store = open_store(request.line)
    snapshot = Snapshot.from_json(store.read(fetched.snapshot.uri).data, origin=fetched.snapshot.uri)
    inputs = network_inputs(load_network(model))
    train, validation = (
        map_split(Path(part.data.uri.removeprefix("file://")), snapshot, inputs, scratch / "cache", reporter)
        for part in (snapshot.train, snapshot.validation)
    )
    return train, validation
