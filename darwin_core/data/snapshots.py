"""From opened sources to the files of a snapshot: stage, split, write, describe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from darwin_core.contracts import DataRoles, NetworkInput, OutputKind, SplitConfig, Task
from darwin_core.data.columns import array_shape
from darwin_core.data.labels import class_order
from darwin_core.data.parts import Assignment, Part, WrittenParts, write_parts
from darwin_core.data.planning import ColumnPlan, plan_columns
from darwin_core.data.sources import RowSource, align
from darwin_core.data.splitting import first_repeated, split_keys
from darwin_core.data.staging import Staged, stage
from darwin_core.errors import DataError
from darwin_core.progress import Reporter

_LAYOUT = 2
_TEST_SALT = 0x7E57


@dataclass(frozen=True)
class SourceSet:
    """The opened sources of a run; ``validation`` and ``test`` are carved out of ``train`` where they are None."""

    train: RowSource
    validation: RowSource | None = None
    test: RowSource | None = None

    def named(self) -> dict[str, RowSource]:
        """The sources that are there, by part."""
        found = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: source for name, source in found.items() if source is not None}


@dataclass(frozen=True)
class PreparedSnapshot:
    """The files of a snapshot in a local folder, and what is to be said of them."""

    folder: Path
    plan: ColumnPlan
    classes: tuple[str, ...]
    written: WrittenParts
    split_rule: str
    notes: tuple[str, ...]


def prepare_snapshot(
    sources: SourceSet,
    roles: DataRoles,
    split: SplitConfig,
    network: tuple[Sequence[NetworkInput], OutputKind],
    folder: Path,
    reporter: Reporter,
) -> PreparedSnapshot:
    """Check, normalise and split all rows.

    Args:
        sources: Where the rows come from.
        roles: Which column plays which part.
        split: Shares and seed.
        network: Inputs and output of the reference.
        folder: Where the files are written; must exist. Staged rows of an earlier attempt are used again.
        reporter: Where progress goes.

    Raises:
        DataError: A row or column cannot be used.
        BindingError: The columns do not fit the network's inputs.
    """
    named, roles = _label_apart(sources.named(), roles, network[1])
    fields = align(*named.values())
    unusable = {name: reason for source in named.values() for name, reason in source.unusable.items()}
    known = {name for source in named.values() for name in source.fields}
    incomplete = {name: str(source.source) for source in named.values() for name in known - source.fields.keys()}
    plan = plan_columns(fields, incomplete, unusable, roles, *network)
    staged, classes = _stage_all(named, plan, folder, reporter)
    _check_row_ids(staged, roles, folder)
    assignments, rule = _assign(staged, plan, split, classes, folder)
    written = write_parts(assignments, plan, folder, reporter)
    notes = plan.notes + tuple(_missing_classes(written, classes, "labels" if plan.is_multilabel else "classes"))
    return PreparedSnapshot(folder, plan, classes, written, rule, notes)


def _label_apart(
    named: dict[str, RowSource], roles: DataRoles, output: OutputKind
) -> tuple[dict[str, RowSource], DataRoles]:
    """Several labels that stand in one array column, as a column each; everything else as it is."""
    label = roles.label
    if output.task is not Task.MULTILABEL or len(roles.labels) > 1:
        return named, roles
    for source in named.values():
        field = source.fields.get(label)
        if field is None or not pa.types.is_fixed_size_list(field.type):
            return named, roles
        if array_shape(field) != (output.units,):
            raise DataError(
                f"The network predicts {output.units} labels, one with each output unit; the arrays in label column "
                f"{label!r} of {source.source} have shape {array_shape(field)}.",
                hint=f"Store an array of {output.units} zeros and ones per row, in the units' order.",
            )
    names = [f"{label}[{position}]" for position in range(output.units)]
    apart = {part: source.with_elements(label, names) for part, source in named.items()}
    return apart, roles.model_copy(update={"label": names[0], "more_labels": tuple(names[1:])})


def content_digest(prepared: PreparedSnapshot, split: SplitConfig, digests: dict[str, str]) -> str:
    """Digest that names the snapshot: equal contents and roles give equal names.

    Args:
        prepared: The snapshot's files.
        split: Shares and seed.
        digests: File name -> SHA-256, for all files and sources.
    """
    meaning = {
        "layout": _LAYOUT,
        "roles": prepared.plan.roles.model_dump(mode="json"),
        "split": split.model_dump(mode="json"),
        "columns": [column.model_dump(mode="json") for column in prepared.written.columns],
        "classes": prepared.classes,
        "rule": prepared.split_rule,
        "digests": digests,
    }
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def _stage_all(
    named: dict[str, RowSource], plan: ColumnPlan, folder: Path, reporter: Reporter
) -> tuple[dict[str, Staged], tuple[str, ...]]:
    staged = {"train": stage(named["train"], plan, "train", folder / "staged-train.parquet", None, reporter)}
    classes: tuple[str, ...] = ()
    if plan.is_segmentation:
        classes = tuple(str(index) for index in range(plan.output.classes))
    elif plan.is_multilabel:
        classes = plan.roles.labels
    elif not plan.is_regression:
        seen = staged["train"].label_counts(plan.roles.label)
        classes = class_order(list(seen), plan.output, plan.roles.positive_label)
    for part in named.keys() - {"train"}:
        staged[part] = stage(named[part], plan, part, folder / f"staged-{part}.parquet", classes, reporter)
    return staged, classes


def _check_row_ids(staged: dict[str, Staged], roles: DataRoles, folder: Path) -> None:
    if roles.row_id is None:
        return
    for part, rows in staged.items():
        repeated = first_repeated(rows, "__row_id__", folder)
        if repeated is not None:
            raise DataError(
                f"Row id {repeated!r} in column {roles.row_id!r} names more than one {part} row.",
                hint="Name a column whose values differ, or leave `row_id` out to number the rows.",
            )


def _assign(
    staged: dict[str, Staged], plan: ColumnPlan, split: SplitConfig, classes: tuple[str, ...], folder: Path
) -> tuple[list[Assignment], str]:
    """The part of every row, and the rule in words."""
    train = staged["train"]
    parts = np.full(train.rows, Part.TRAIN, np.uint8)
    given = [name for name in ("validation", "test") if name in staged]
    rules = [f"{name} rows as given" for name in given]
    if len(given) < 2:
        keys = split_keys(train, plan.roles, () if plan.is_segmentation else classes, folder)
        if "test" not in given:
            parts[keys.chosen(split.test_share, split.seed ^ _TEST_SALT, parts == Part.TRAIN)] = Part.TEST
        if "validation" not in given:
            parts[keys.chosen(split.validation_share, split.seed, parts == Part.TRAIN)] = Part.VALIDATION
        rules.insert(0, keys.rule)
        _check_parts(parts, given, keys.rule)
    assignments = [Assignment(train, parts)]
    assignments += [Assignment(staged[name], Part[name.upper()]) for name in given]
    return assignments, "; ".join(rules)


def _check_parts(parts: npt.NDArray[np.uint8], given: Sequence[str], rule: str) -> None:
    counts = np.bincount(parts, minlength=len(Part))
    for part in Part:
        if not counts[part] and part.name.lower() not in given:
            raise DataError(
                f"The {part.name.lower()} part has no rows; the split is by {rule}.",
                hint="More rows, another share, or rows that differ in what they are split by.",
            )


def _missing_classes(written: WrittenParts, classes: Sequence[str], noun: str) -> list[str]:
    notes = []
    for part, counts in written.label_counts.items():
        absent = [name for name in classes if name not in counts]
        if absent:
            listed = ", ".join(map(repr, absent[:20]))
            notes.append(f"The {part.name.lower()} part has no row of {len(absent)} of the {noun}: {listed}.")
    return notes
