"""What a skew between training and serving costs: decisions that differ between two versions of the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from darwin_core.contracts import Finding, FindingKind, OutputKind, Snapshot, Task
from darwin_core.data.binding import BoundInput, bind_inputs
from darwin_core.data.columns import ROW_ID
from darwin_core.data.decoders import as_utf8, input_array
from darwin_core.data.parquet import iter_parquet, open_parquet
from darwin_core.errors import DataError
from darwin_core.explanation.attribution.base import Floats, Inputs
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.subject import alert_threshold
from darwin_core.networks import network_inputs
from darwin_core.wording import percent

MAX_ROWS = 5_000
_BATCH_ROWS = 8192


@dataclass(frozen=True)
class Versions:
    """The same rows twice, in the same order and the types of the snapshot.

    Attributes:
        train: As in training.
        serving: As in production; values that do not convert are missing.
    """

    train: pa.RecordBatch
    serving: pa.RecordBatch


def read_versions(parts: Sequence[Path], serving: pa.Table, snapshot: Snapshot) -> Versions | None:
    """Rows that training and production both have, at most 5,000; None where ids are not to be had or not common.

    Args:
        parts: Parquet files of the training rows.
        serving: Rows as they come in production.
        snapshot: Says which column is the row id.
    """
    row_id = snapshot.roles.row_id
    if row_id is None or row_id not in serving.column_names:
        return None
    ids = serving[row_id].cast(pa.string()).combine_chunks()
    names = [column.name for column in snapshot.columns]
    found = [
        batch.filter(pc.is_in(batch[ROW_ID], value_set=ids))
        for path in parts
        for batch in iter_parquet(open_parquet(path), [ROW_ID, *names], _BATCH_ROWS, name=path.name)
    ]
    table = pa.Table.from_batches(found).slice(0, MAX_ROWS).combine_chunks()
    if not table.num_rows:
        return None
    train = table.to_batches()[0]
    places = pc.index_in(train[ROW_ID], value_set=ids)
    columns = [train[ROW_ID]]
    for name in names:
        wanted = train[name].type
        there = name in serving.column_names
        columns.append(
            _converted(serving[name].combine_chunks().take(places), wanted) if there else pa.nulls(len(places), wanted)
        )
    return Versions(train, pa.RecordBatch.from_arrays(columns, schema=train.schema))


def with_changed_decisions(
    findings: Sequence[Finding], versions: Versions, network: NetworkScorer, snapshot: Snapshot, alert_budget: float
) -> tuple[Finding, ...]:
    """The findings; those about a skew with a sentence on the decisions that change by it.

    Args:
        findings: What the checks found.
        versions: The rows.
        network: The network that decides.
        snapshot: Columns and classes.
        alert_budget: Share of rows that become alerts, for two classes.
    """
    bound = bind_inputs(network_inputs(network.model), snapshot.columns)
    before = network.scores(_inputs(versions.train, bound, versions))
    rule = _rule(network.kind, snapshot, before, alert_budget)
    everything = _cost(versions.serving, bound, versions, network, before, rule)
    told = []
    for finding in findings:
        if finding.kind is FindingKind.TRAIN_SERVE_SKEW:
            swapped = _with_columns(versions, finding.columns)
            alone = _cost(swapped, bound, versions, network, before, rule)
            text = f" By {'this column' if len(finding.columns) == 1 else 'these columns'} alone {alone}; {everything} "
            sentence = f"{text}if every column comes as in serving ({len(before):,} rows that both have)."
            finding = finding.model_copy(update={"description": finding.description + sentence})
        told.append(finding)
    return tuple(told)


def _converted(values: pa.Array, wanted: pa.DataType) -> pa.Array:
    try:
        return values.cast(wanted, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([_single(value, wanted) for value in values], wanted)


def _single(value: pa.Scalar, wanted: pa.DataType) -> object:
    try:
        return value.cast(wanted, safe=False).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _with_columns(versions: Versions, names: Sequence[str]) -> pa.RecordBatch:
    columns = [
        (versions.serving if name in names else versions.train)[name] for name in versions.train.schema.names
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays(columns, schema=versions.train.schema)


def _inputs(batch: pa.RecordBatch, bound: Sequence[BoundInput], versions: Versions) -> Inputs:
    found = {}
    for item in bound:
        widths = {column.name: _width(column.name, versions) for column in item.columns if item.input.dtype == "string"}
        array = input_array(item.input.name, item, batch.schema, widths)
        found[item.input.name] = array.decode(batch).reshape(-1, *array.row_shape)
    return found


def _width(name: str, versions: Versions) -> int:
    longest = [pc.max(pc.binary_length(as_utf8(batch[name]))).as_py() for batch in (versions.train, versions.serving)]
    return int(max(*longest, 1))


def _rule(kind: OutputKind, snapshot: Snapshot, scores: Floats, alert_budget: float) -> DecisionRule:
    usable = scores[np.isfinite(scores)] if scores.ndim == 1 else scores
    threshold = alert_threshold(usable, alert_budget) if kind.task is Task.BINARY and usable.size else 0.5
    return DecisionRule(kind.task, snapshot.classes, snapshot.roles.label, threshold)


def _cost(
    batch: pa.RecordBatch,
    bound: Sequence[BoundInput],
    versions: Versions,
    network: NetworkScorer,
    before: Floats,
    rule: DecisionRule,
) -> str:
    """What happens to the decisions if rows come like this, as a clause."""
    try:
        after = network.scores(_inputs(batch, bound, versions))
    except DataError:
        return "the candidate cannot read the rows"
    usable = np.isfinite(after.reshape(len(after), -1)).all(axis=1)
    if rule.task is Task.REGRESSION:
        both = usable & np.isfinite(before)
        change = float(np.abs(after - before)[both].mean()) if both.any() else float("nan")
        return f"the candidate's predictions change by {change:.4g} on average"
    differs = (rule.decided(before) != rule.decided(after)).reshape(len(after), -1).any(axis=1)
    return f"{percent(float((~usable | differs).mean()))} of the candidate's decisions change"
