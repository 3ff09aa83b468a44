"""TensorFlow Model Analysis on predictions that exist already: metrics per slice, thresholds, ``validation_result``.

TFMA is the interoperable second opinion, on a bounded number of rows; the gate's own statistics decide. Candidate and
baseline go in as columns of record batches (``materialized_prediction``), so no network is loaded or run again.
Thresholds are set per slice, because a threshold on the metric itself would apply to slices of any size.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from darwin_core.contracts import Comparator, GateConfig, Requirement, Task
from darwin_core.evaluation.holdout import Holdout

_CANDIDATE, _REFERENCE = "candidate", "reference"
_LABEL, _WEIGHT = "__label__", "__weight__"
_BATCH_ROWS = 4096


@dataclass(frozen=True)
class TfmaRows:
    """The rows that go through TFMA.

    Args:
        labels: Class index or target, shape (n,).
        reference: Scores as ``to_scores`` gives them, shape (n,) or (n, classes).
        candidate: The same of the candidate.
        weights: Sample weights, shape (n,), or None.
        slices: Column -> name of the slice of each row, shape (n,).
    """

    labels: NDArray[Any]
    reference: NDArray[Any]
    candidate: NDArray[Any]
    weights: NDArray[Any] | None
    slices: Mapping[str, NDArray[np.object_]]


def sample_rows(holdout: Holdout, scores: Mapping[str, NDArray[Any]], wanted: int, seed: int) -> TfmaRows:
    """At most ``wanted`` rows of the hold-out, drawn without replacement; all where there are no more.

    Args:
        holdout: The sealed rows.
        scores: Network -> scores, shape (n,) or (n, classes); ``reference`` and ``candidate`` are used.
        wanted: How many rows.
        seed: Of the draw.
    """
    rows = np.arange(holdout.cases.rows)
    if len(rows) > wanted:
        rows = np.sort(np.random.default_rng(seed).choice(len(rows), wanted, replace=False))
    return TfmaRows(
        labels=np.asarray(holdout.cases.labels)[rows],
        reference=_numbers(scores[_REFERENCE][rows]),
        candidate=_numbers(scores[_CANDIDATE][rows]),
        weights=None if holdout.cases.weights is None else holdout.cases.weights[rows],
        slices={name: values[rows] for name, values in holdout.names.items()},
    )


def _numbers(scores: NDArray[Any]) -> NDArray[Any]:
    """TFMA stops at the first score that is no number; the gate counts it as the lowest, and so does this."""
    finite: NDArray[Any] = np.nan_to_num(np.asarray(scores), nan=0.0, posinf=0.0, neginf=0.0)
    return finite


@dataclass(frozen=True)
class TfmaMetric:
    """A metric of TFMA and the thresholds it is held to.

    Args:
        class_name: TFMA's or Keras' name.
        name: How it is called in the output.
        config: Further arguments of the metric.
        margin: Largest acceptable loss against the baseline; None: no change threshold.
        slice_margin: The same within a slice.
        lower_bound: Smallest acceptable value; None: no value threshold.
        relative_rise: The margin is a relative rise (of an error) instead of an absolute drop.
    """

    class_name: str
    name: str
    config: Mapping[str, str]
    margin: float | None = None
    slice_margin: float | None = None
    lower_bound: float | None = None
    relative_rise: bool = False

    @property
    def judged(self) -> bool:
        """Whether any threshold is set."""
        return self.margin is not None or self.lower_bound is not None or self.slice_margin is not None


@dataclass(frozen=True)
class TfmaOutcome:
    """What TFMA said. ``validation_ok`` is None where it had no threshold to judge by."""

    validation_ok: bool | None
    missing_slices: tuple[str, ...]


def metrics_for(task: Task, gate: GateConfig, requirements: Sequence[Requirement]) -> tuple[TfmaMetric, ...]:
    """The metrics of a task of one label; thresholds are the gate's margins and the user's absolute requirements."""
    floors = {
        one.metric.value: one.bound
        for one in requirements
        if one.comparator in {Comparator.AT_LEAST, Comparator.GREATER}
    }
    if task is Task.REGRESSION:
        rmse = TfmaMetric("RootMeanSquaredError", "rmse", {}, gate.rmse_margin, gate.slice_margin, relative_rise=True)
        return (rmse,)
    if task is Task.MULTICLASS:
        return (
            TfmaMetric(
                "SparseCategoricalAccuracy",
                "accuracy",
                {},
                gate.accuracy_margin,
                gate.slice_margin,
                floors.get("accuracy"),
            ),
        )
    return (
        TfmaMetric("AUC", "pr_auc", {"curve": "PR"}, gate.pr_auc_margin, gate.slice_margin, floors.get("pr_auc")),
        TfmaMetric("AUC", "roc_auc", {"curve": "ROC"}, lower_bound=floors.get("roc_auc")),
        TfmaMetric("BinaryAccuracy", "accuracy", {}, lower_bound=floors.get("accuracy")),
    )


def run_tfma(
    rows: TfmaRows, metrics: Sequence[TfmaMetric], judged_slices: Sequence[tuple[str, str]], output: Path
) -> TfmaOutcome:
    """Evaluate both networks with TFMA in this process and write its files below ``output``.

    Args:
        rows: Labels, scores and slices.
        metrics: What to compute and hold to thresholds.
        judged_slices: (column, value) of the slices that are large enough to be held to a threshold.
        output: An empty folder.

    Raises:
        Exception: Whatever TFMA or Beam raises; callers decide what a missing second opinion means.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside Beam and TFMA, and divisions by empty bins
        import apache_beam as beam
        import tensorflow_model_analysis as tfma
        from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # the default fetches a binary

        config = _eval_config(metrics, list(rows.slices), judged_slices, weighted=rows.weights is not None)
        models = [
            tfma.EvalSharedModel(
                model_path="",
                model_name=name,
                model_type="materialized_prediction",
                is_baseline=name == _REFERENCE,
            )
            for name in (_CANDIDATE, _REFERENCE)
        ]
        with beam.Pipeline(runner=FnApiRunner()) as pipeline:
            _ = (
                pipeline
                | beam.Create(list(_batches(rows)), reshuffle=False)
                | tfma.ExtractEvaluateAndWriteResults(
                    eval_config=config, eval_shared_model=models, output_path=str(output)
                )
            )
        result = tfma.load_validation_result(str(output))
    judged = any(metric.judged for metric in metrics)
    return TfmaOutcome(
        validation_ok=bool(result.validation_ok) if judged else None,
        missing_slices=tuple(_slice_name(key) for key in result.missing_slices),
    )


def _batches(rows: TfmaRows) -> Iterator[pa.RecordBatch]:
    """TFMA reads every feature as a list per row."""
    for start in range(0, len(rows.labels), _BATCH_ROWS):
        part = slice(start, start + _BATCH_ROWS)
        columns = {
            _LABEL: _lists(rows.labels[part]),
            _REFERENCE: _lists(rows.reference[part].astype(np.float32)),
            _CANDIDATE: _lists(rows.candidate[part].astype(np.float32)),
            **{name: _lists(values[part]) for name, values in rows.slices.items()},
        }
        if rows.weights is not None:
            columns[_WEIGHT] = _lists(rows.weights[part].astype(np.float32))
        yield pa.RecordBatch.from_pydict(columns)


def _lists(values: NDArray[Any]) -> pa.Array:
    return pa.array((values if values.ndim == 2 else values[:, None]).tolist(), _list_type(values))


def _list_type(values: NDArray[Any]) -> pa.DataType:
    return pa.list_(pa.string() if values.dtype == object else pa.from_numpy_dtype(values.dtype))


def _eval_config(
    metrics: Sequence[TfmaMetric], columns: Sequence[str], judged_slices: Sequence[tuple[str, str]], *, weighted: bool
) -> Any:
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2

    model = {
        "labelKey": _LABEL,
        "modelType": "materialized_prediction",
        **({"exampleWeightKey": _WEIGHT} if weighted else {}),
    }
    document = {
        "modelSpecs": [
            {**model, "name": _CANDIDATE, "predictionKey": _CANDIDATE},
            {**model, "name": _REFERENCE, "predictionKey": _REFERENCE, "isBaseline": True},
        ],
        "slicingSpecs": [{}, *({"featureKeys": [column]} for column in columns)],
        "metricsSpecs": [
            {
                "metrics": [{"className": "ExampleCount"}, *(_metric(one, judged_slices) for one in metrics)],
                "modelNames": [_CANDIDATE, _REFERENCE],
            }
        ],
    }
    return json_format.ParseDict(document, config_pb2.EvalConfig())


def _metric(metric: TfmaMetric, judged_slices: Sequence[tuple[str, str]]) -> dict[str, Any]:
    thresholds = []
    overall = _threshold(metric, metric.margin, metric.lower_bound)
    if overall:
        thresholds.append({"slicingSpecs": [{}], "threshold": overall})
    if metric.slice_margin is not None and judged_slices:
        thresholds.append(
            {
                "slicingSpecs": [{"featureValues": {column: value}} for column, value in judged_slices],
                "threshold": _threshold(metric, metric.slice_margin, None),
            }
        )
    return {
        "className": metric.class_name,
        "config": json.dumps({"name": metric.name, **metric.config}),
        **({"perSliceThresholds": thresholds} if thresholds else {}),
    }


def _threshold(metric: TfmaMetric, margin: float | None, lower_bound: float | None) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if lower_bound is not None:
        found["valueThreshold"] = {"lowerBound": lower_bound}
    if margin is not None:
        found["changeThreshold"] = (
            {"direction": "LOWER_IS_BETTER", "relative": margin}
            if metric.relative_rise
            else {"direction": "HIGHER_IS_BETTER", "absolute": -margin}
        )
    return found


def _slice_name(key: Any) -> str:
    """``column=value``, joined by commas; TFMA names a missing slice by the specification it was asked for."""
    parts = [*key.feature_keys, *(f"{column}={value}" for column, value in key.feature_values.items())]
    return ",".join(parts) or "(all rows)"
