"""What an export does on the same rows as the network it was made from."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.arrays import Arrays, save_arrays
from darwin_core.contracts import ExportRecord, Latency, OutputKind, QualityMetrics, Task
from darwin_core.evaluation.alerts import deployed_threshold
from darwin_core.evaluation.metrics import DECISION_THRESHOLD, quality_metrics
from darwin_core.exports.base import Exporter
from darwin_core.exports.processes import run_module
from darwin_core.networks import to_scores

_CALLS = 200
_WARMUP = 20
_PRIMARY = {
    Task.MULTICLASS: "accuracy",
    Task.BINARY: "pr_auc",
    Task.MULTILABEL: "pr_auc",
    Task.SEGMENTATION: "mean_iou",
    Task.REGRESSION: "rmse",
}


@dataclass(frozen=True)
class TrialRows:
    """Rows on which a network and its exports are compared.

    Attributes:
        inputs: Input of the network -> array with the batch axis first.
        labels: Class indices or targets, shape (rows,), or zeros and ones, shape (rows, labels); None: unknown.
        weights: Row weights, shape (rows,); None: all alike.
        real: False where the rows were made up.
    """

    inputs: Arrays
    labels: NDArray[Any] | None = None
    weights: NDArray[Any] | None = None
    real: bool = True


def run_export(exporter: Exporter, path: Path, fed: Arrays, *, threads: int) -> tuple[NDArray[Any], Latency]:
    """Raw outputs for all rows and the latency of one, from a process that holds the format's runtime only.

    Args:
        exporter: The file's format.
        path: The file.
        fed: What the file takes, by input name.
        threads: Threads that one prediction may use.

    Raises:
        StepError: The runtime refused the file, or crashed.
    """
    with tempfile.TemporaryDirectory(prefix="darwin-export-") as folder:
        rows, outputs = Path(folder, "rows.npz"), Path(folder, "outputs.npy")
        save_arrays(rows, fed)
        said = run_module(
            "darwin_core.exports.probe",
            *(exporter.format, path, rows, outputs, threads, _CALLS, _WARMUP),
            threads=threads,
        )
        latency = Latency.from_json(said.strip().splitlines()[-1], origin="the process that runs exports")
        return np.load(outputs, allow_pickle=False), latency


def compared(
    record: ExportRecord,
    kind: OutputKind,
    rows: TrialRows,
    outputs: tuple[NDArray[Any], NDArray[Any]],
    *,
    alert_budget: float,
) -> ExportRecord:
    """The record with what the comparison says.

    Rows on which the network itself gives no number are left out.

    Args:
        record: What is known so far.
        kind: How to read the outputs.
        rows: The rows.
        outputs: Raw outputs of the network and of the export, both of shape (rows, units) or (rows,).
        alert_budget: Share of rows that are alerted, for two classes.
    """
    network, export = (np.asarray(values).reshape(len(values), -1) for values in outputs)
    answered = np.isfinite(network).all(axis=1)
    lost = int((answered & ~np.isfinite(export).all(axis=1)).sum())
    kept = answered & np.isfinite(export).all(axis=1)
    problem = f"On {lost:,} rows the network gives a number and the export does not." if lost else None
    if not kept.any():
        return record.model_copy(update={"problem": problem or "The network gives no number on any of the rows."})
    own, theirs = (to_scores(kind, values[kept]) for values in (network, export))
    found: dict[str, Any] = {
        "rows": int(kept.sum()),
        "real_rows": rows.real,
        "max_score_difference": float(np.abs(own - theirs).max()),
        "decision_agreement": _agreement(kind, own, theirs, alert_budget),
        "problem": problem,
    }
    if rows.labels is not None:
        labels, weights = rows.labels[kept], None if rows.weights is None else rows.weights[kept]
        metric = _PRIMARY[kind.task]
        qualities: list[QualityMetrics] = [
            quality_metrics(kind, labels, values[kept], alert_budget=alert_budget, weights=weights)
            for values in (network, export)
        ]
        values = [getattr(quality, metric) for quality in qualities]
        if None not in values:
            found |= {"metric": metric, "network_quality": values[0], "quality": values[1]}
    return record.model_copy(update=found)


def _agreement(
    kind: OutputKind, own: NDArray[np.float64], theirs: NDArray[np.float64], alert_budget: float
) -> float | None:
    """Share of equal decisions: the class (of every pixel), each label, or whether the threshold is reached."""
    if kind.task is Task.SEGMENTATION:
        return float((own.argmax(axis=-1) == theirs.argmax(axis=-1)).mean())
    if kind.task is Task.MULTICLASS:
        return float((own.argmax(axis=1) == theirs.argmax(axis=1)).mean())
    if kind.task is Task.MULTILABEL:
        return float(((own >= DECISION_THRESHOLD) == (theirs >= DECISION_THRESHOLD)).mean())
    if kind.task is Task.BINARY:
        threshold = deployed_threshold(own, alert_budget)
        return float(((own >= threshold) == (theirs >= threshold)).mean())
    return None
