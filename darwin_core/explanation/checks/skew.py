"""Columns that serving computes in another way than training: unit, default, spelling, limit, time zone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import Finding, FindingKind, Severity
from darwin_core.evaluation.multiplicity import holm
from darwin_core.explanation.checks.base import (
    FALSE_ALARM_RATE,
    MAX_AFFECTED_IDS,
    CheckedData,
    DataCheck,
    ServingRows,
    register_check,
)
from darwin_core.explanation.checks.columns import Column
from darwin_core.explanation.checks.skew_distributions import distance, explained
from darwin_core.explanation.checks.skew_kinds import Kind, differing, kind_by_row, share_text
from darwin_core.explanation.checks.statistics import Stability, share_interval
from darwin_core.wording import counted, listed, percent

Ints = NDArray[np.int64]

FEWEST_COMMON = 20
_CAUSE = "Make both pipelines compute {name} by the same code, or retrain on rows computed as serving computes them."


@dataclass(frozen=True)
class CommonRows:
    """Positions of the rows that both sides have, in the sample of training rows and in the serving rows."""

    train: Ints
    serving: Ints


@register_check
class TrainServeSkew(DataCheck):
    """Compares training rows with rows as they come in production.

    Rows with the same id are compared value by value, which leaves nothing to chance. Without them distributions are
    compared by the population stability index, corrected for the number of columns as in the check for a shift, and a
    kind of skew is named where undoing it makes the two (nearly) agree.
    """

    name = "skew between training and serving"
    notable, grave = 0.1, 0.25
    frequent, rare = 0.05, 0.005

    def applies(self, data: CheckedData) -> bool:
        """Whether serving rows were given."""
        return data.serving is not None

    def run(self, data: CheckedData) -> list[Finding]:
        """One finding per column, and one for all columns that production lacks."""
        serving = data.serving
        if serving is None:
            return []
        absent = [_absent(serving.absent, data)] if serving.absent else []
        common = common_rows(data, serving)
        names = [name for name in data.columns if name in serving.columns]
        if common is not None:
            found = [self._by_row(data, serving, common, name) for name in names]
            return [*absent, *sorted((each for each in found if each), key=lambda each: -(each.effect or 0))]
        return [*absent, *self._by_distribution(data, serving, names)]

    def _by_row(self, data: CheckedData, serving: ServingRows, common: CommonRows, name: str) -> Finding | None:
        ours, theirs = taken(data.columns[name], common.train), taken(serving.columns[name], common.serving)
        apart = differing(ours, theirs)
        if not apart.any():
            return None
        kind, hits = kind_by_row(ours, theirs, apart), int(apart.sum())
        share = share_interval(hits, apart.size)
        severity = Severity.LOW
        if kind.name != "unexplained" and share.low >= self.rare:
            severity = Severity.HIGH if share.low >= self.frequent else Severity.MEDIUM
        elif share.low >= self.frequent:
            severity = Severity.MEDIUM
        example = int(np.flatnonzero(apart)[0])
        return Finding(
            kind=FindingKind.TRAIN_SERVE_SKEW,
            severity=severity,
            title=f"{name} {kind.title}",
            description=(
                f"{share_text(share.value, apart.size).capitalize()} ({counted(hits, 'row')}, 95 % interval "
                f"{percent(share.low)} to {percent(share.high)}) {name} differs: it {kind.text}. "
                f"Row {data.row_ids[common.train[example]]}: {ours.shown(example)} in training, "
                f"{theirs.shown(example)} in serving."
            ),
            columns=(name,),
            effect=share.value,
            low=share.low,
            high=share.high,
            affected_rows=hits,
            affected_ids=tuple(data.row_ids[row] for row in common.train[apart][:MAX_AFFECTED_IDS]),
            suggestion=_CAUSE.format(name=name),
        )

    def _by_distribution(self, data: CheckedData, serving: ServingRows, names: list[str]) -> list[Finding]:
        rng = data.rng(self.name)
        compared = [
            (name, result)
            for name in names
            if name != data.roles.time
            and (result := distance(data.columns[name], serving.columns[name], rng, tests=len(names))) is not None
        ]
        adjusted = holm([result.p_value for _, result in compared])
        findings = [_type_finding(data, serving, name) for name in names if _types_differ(data, serving, name)]
        for (name, result), p_value in zip(compared, adjusted, strict=True):
            if p_value < FALSE_ALARM_RATE:
                kind = explained(data.columns[name], serving.columns[name], result, rng)
                findings.append(self._distribution_finding(data, serving, name, result, kind))
        return sorted(findings, key=lambda each: -(each.effect or 0))

    def _distribution_finding(
        self, data: CheckedData, serving: ServingRows, name: str, result: Stability, kind: Kind | None
    ) -> Finding:
        severity = Severity.LOW
        if result.psi >= self.notable:
            severity = Severity.HIGH if result.psi >= self.grave and kind is not None else Severity.MEDIUM
        what = (
            f"{name} {kind.text}; without that the two would agree."
            if kind is not None
            else "No simple rule (another unit, default, spelling, limit) explains it; it may be a change of the world "
            "and not of the computation."
        )
        return Finding(
            kind=FindingKind.TRAIN_SERVE_SKEW,
            severity=severity,
            title=f"{name} {kind.title if kind else 'is distributed differently in serving'}",
            description=(
                f"The population stability index of {name} between {data.basis} and "
                f"{counted(serving.columns[name].rows, 'serving row')} is {result.psi:.3f} (95 % interval "
                f"{result.low:.3f} to {result.high:.3f}); without a difference it would stay below "
                f"{result.null_99:.4f} in 99 of 100 cases. {what}"
            ),
            columns=(name,),
            effect=result.psi,
            low=result.low,
            high=result.high,
            suggestion=_CAUSE.format(name=name) + " Serving rows with the ids of training rows would tell for certain.",
        )


def common_rows(data: CheckedData, serving: ServingRows) -> CommonRows | None:
    """Rows with the same id on both sides; None where they are too few to compare row by row."""
    if serving.row_ids is None or data.roles.row_id is None:
        return None
    place = {name: position for position, name in enumerate(serving.row_ids)}
    pairs = [(row, place[name]) for row, name in enumerate(data.row_ids) if name in place]
    if len(pairs) < FEWEST_COMMON:
        return None
    ours, theirs = np.array(pairs, np.int64).T
    return CommonRows(ours, theirs)


def taken(column: Column, rows: Ints) -> Column:
    """Some rows of a column."""
    if column.is_text:
        return replace(column, codes=column.codes[rows])
    return replace(column, numbers=column.numbers[rows])


def _types_differ(data: CheckedData, serving: ServingRows, name: str) -> bool:
    return data.columns[name].is_text != serving.columns[name].is_text


def _type_finding(data: CheckedData, serving: ServingRows, name: str) -> Finding:
    ours, theirs = ("text" if c[name].is_text else str(c[name].kind) for c in (data.columns, serving.columns))
    return Finding(
        kind=FindingKind.TRAIN_SERVE_SKEW,
        severity=Severity.HIGH,
        title=f"{name} has another type in serving",
        description=f"{name} holds {ours} values in {data.basis} and {theirs} values in "
        f"{counted(serving.columns[name].rows, 'serving row')}.",
        columns=(name,),
        suggestion=_CAUSE.format(name=name),
    )


def _absent(names: tuple[str, ...], data: CheckedData) -> Finding:
    return Finding(
        kind=FindingKind.TRAIN_SERVE_SKEW,
        severity=Severity.HIGH,
        title=f"{counted(len(names), 'column')} absent in serving",
        description=(
            f"{counted(len(names), 'column')} of {len(data.kinds):,} that the network reads "
            f"{'is' if len(names) == 1 else 'are'} not in the serving rows: {listed(names, 8)}."
        ),
        columns=names,
        effect=len(names) / max(len(data.kinds), 1),
        suggestion="Find out what serving puts in their place, or train without them.",
    )
