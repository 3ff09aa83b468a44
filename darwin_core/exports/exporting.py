"""A network into several formats, each converted, run and compared; failures are part of the outcome."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from darwin_core.arrays import Arrays, save_arrays
from darwin_core.contracts import ExportFormat, ExportRecord, NetworkInput, OutputKind
from darwin_core.errors import DarwinError, NetworkError, StepError
from darwin_core.exports.base import Exporter
from darwin_core.exports.core import NumericCore, numeric_core
from darwin_core.exports.measuring import TrialRows, compared, run_export
from darwin_core.exports.processes import run_module
from darwin_core.exports.registry import EXPORTERS, check_installed
from darwin_core.networks import Predictor
from darwin_core.networks.loading import save_network
from darwin_core.progress import Reporter

CALIBRATION_ROWS = 256
TRIAL_ROWS = 5_000
LOOKUPS = "lookups.json"

_MADE_UP_ROWS = 256


def export_network(
    network: keras.Model,
    kind: OutputKind,
    formats: Sequence[ExportFormat],
    folder: Path,
    *,
    rows: TrialRows,
    calibration: Arrays | None,
    alert_budget: float = 0.10,
    threads: int = 1,
    reporter: Reporter,
) -> tuple[ExportRecord, ...]:
    """Write a network in several formats, and hold every file against the network.

    Args:
        network: A Functional or Sequential network with one output. Where it looks values up, the part behind is
            exported, and ``lookups.json`` says what callers have to do before.
        kind: How to read its output.
        formats: What to write.
        folder: Where the files go; made if it is not there.
        rows: Rows for the comparison.
        calibration: Training rows by input name; formats that need some fail without.
        alert_budget: Share of rows that are alerted, for two classes.
        threads: Threads for the latency.
        reporter: Where progress goes.

    Returns:
        One record per format, in the order asked for. What cannot be converted is a record with a ``problem``.

    Raises:
        MissingExtraError: A format's packages are not installed.
    """
    check_installed(formats)
    formats = tuple(dict.fromkeys(formats))
    folder.mkdir(parents=True, exist_ok=True)
    with reporter.track("Exports", len(formats)) as tracker:
        try:
            exports = _Exports(network, kind, folder, rows, calibration, alert_budget, threads)
        except (DarwinError, ValueError, TypeError, NotImplementedError) as error:  # the latter ones are Keras's
            return tuple(_failed(EXPORTERS[name], str(error)) for name in formats)
        records = []
        for name in formats:
            records.append(exports.make(EXPORTERS[name]))
            tracker.advance(1, name.value)
    return tuple(records)


class _Exports:
    """What all exports of one network share."""

    def __init__(
        self,
        network: keras.Model,
        kind: OutputKind,
        folder: Path,
        rows: TrialRows,
        calibration: Arrays | None,
        alert_budget: float,
        threads: int,
    ) -> None:
        self._kind, self._folder, self._rows = kind, folder, rows
        self._alert_budget, self._threads = alert_budget, threads
        self._core = numeric_core(network)
        self._fed = self._core.feed(rows.inputs)
        self._calibration = None if calibration is None else self._core.feed(calibration)
        self._outputs = Predictor(network)(rows.inputs)
        if self._core.lookups:
            (folder / LOOKUPS).write_text(self._core.describe_lookups(), encoding="utf-8")

    def make(self, exporter: Exporter) -> ExportRecord:
        started = time.monotonic()
        path = self._folder / exporter.file
        path.unlink(missing_ok=True)
        try:
            convert(exporter, self._core, path, self._calibration)
        except (NetworkError, StepError) as error:
            return _failed(exporter, f"The network cannot be converted: {error}", time.monotonic() - started)
        record = ExportRecord(
            format=exporter.format,
            runtime=exporter.runtime_version(),
            file=path.name,
            file_bytes=path.stat().st_size,
            inputs=self._core.inputs,
            batch_size=exporter.batch_size,
            lookups=LOOKUPS if self._core.lookups else None,
        )
        try:
            outputs, latency = run_export(exporter, path, self._fed, threads=self._threads)
        except StepError as error:
            return record.model_copy(update={"problem": f"The file does not run: {error}"})
        record = compared(record, self._kind, self._rows, (self._outputs, outputs), alert_budget=self._alert_budget)
        return record.model_copy(update={"latency": latency, "seconds": round(time.monotonic() - started, 3)})


def convert(exporter: Exporter, core: NumericCore, path: Path, calibration: Arrays | None) -> None:
    """Convert in a process of its own, which may crash.

    Args:
        exporter: The format.
        core: What is converted.
        path: Where the file goes; it appears only when it is complete.
        calibration: What the core takes, for some rows; needed by formats that are calibrated.

    Raises:
        NetworkError: The format needs calibration and there are no rows.
        StepError: The converter refused the network, or crashed.
    """
    if exporter.calibrated and calibration is None:
        raise NetworkError(
            f"The format {exporter.format} needs training rows, which set the range of every value.",
            hint="Name them with --train and --label.",
        )
    with tempfile.TemporaryDirectory(prefix="darwin-convert-") as folder:
        saved, made = Path(folder, "core.keras"), Path(folder, exporter.file)
        save_network(core.network, saved)
        arguments: list[object] = [exporter.format, saved, made]
        if exporter.calibrated and calibration is not None:
            save_arrays(Path(folder, "rows.npz"), calibration)
            arguments.append(Path(folder, "rows.npz"))
        run_module("darwin_core.exports.conversion", *arguments, backend=exporter.backend)
        partial = path.with_name(f".{path.name}.part")
        partial.write_bytes(made.read_bytes())
        partial.replace(path)


def spread(rows: int, most: int) -> NDArray[np.int64]:
    """At most ``most`` positions, evenly spread over ``rows``."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.int64))


def made_up_rows(inputs: Sequence[NetworkInput], *, seed: int = 0) -> TrialRows:
    """Rows without meaning, for a first look where no data are at hand.

    Numbers are standard normal, pixels 0 to 255, whole numbers 0 or 1, texts one and the same.
    """
    rng = np.random.default_rng(seed)

    def values(item: NetworkInput) -> NDArray[Any]:
        shape = (_MADE_UP_ROWS, *(size or 1 for size in item.shape))
        if item.dtype == "string":
            return np.full(shape, b"a", dtype=object)
        if item.dtype.startswith("float"):
            made = rng.uniform(0, 255, shape) if len(shape) == 4 else rng.normal(size=shape)
            return made.astype(item.dtype)
        return rng.integers(0, 2, shape).astype(item.dtype)

    return TrialRows({item.name: values(item) for item in inputs}, real=False)


def _failed(exporter: Exporter, problem: str, seconds: float = 0.0) -> ExportRecord:
    return ExportRecord(
        format=exporter.format, runtime=exporter.runtime_version(), problem=problem, seconds=round(seconds, 3)
    )
