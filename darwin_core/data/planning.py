"""Which columns a snapshot keeps, and which of them the network reads."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from darwin_core.contracts import ColumnKind, ColumnSchema, DataRoles, NetworkInput, OutputKind, Task
from darwin_core.data.binding import BoundInput, bind_inputs
from darwin_core.data.columns import ROW_ID, column_schema, encoded_image_field, is_bytes, same_shape
from darwin_core.errors import DataError


@dataclass(frozen=True)
class ColumnPlan:
    """The columns of a snapshot.

    Attributes:
        roles: Which column plays which part.
        output: What the network predicts.
        schema: Canonical fields of all kept columns, in the data's order.
        features: Columns that the network reads, in the order of ``roles.features``, else in the data's.
        bound: Network inputs with their columns.
        notes: What a person should know about columns left out or converted.
    """

    roles: DataRoles
    output: OutputKind
    schema: pa.Schema
    features: tuple[ColumnSchema, ...]
    bound: tuple[BoundInput, ...]
    notes: tuple[str, ...]

    @property
    def is_regression(self) -> bool:
        """Whether labels are numbers."""
        return self.output.task is Task.REGRESSION

    @property
    def is_segmentation(self) -> bool:
        """Whether the label is a mask."""
        return self.output.task is Task.SEGMENTATION

    @property
    def is_multilabel(self) -> bool:
        """Whether every output has a label column of zeros and ones."""
        return self.output.task is Task.MULTILABEL


def plan_columns(
    fields: Mapping[str, pa.Field],
    incomplete: Mapping[str, str],
    unusable: Mapping[str, str],
    roles: DataRoles,
    inputs: Sequence[NetworkInput],
    output: OutputKind,
) -> ColumnPlan:
    """Decide what to keep.

    Args:
        fields: Canonical fields that all sources have.
        incomplete: Columns that only some sources have, with one that lacks it.
        unusable: Columns that cannot be read, with the reason.
        roles: Which column plays which part.
        inputs: The network's inputs.
        output: What the network predicts.

    Raises:
        DataError: A column that the request names is not there or cannot play its part.
        BindingError: The columns do not fit the network's inputs.
    """
    for name in [*_named(roles), *roles.features]:
        _check_there(name, fields, incomplete, unusable)
    _check_roles(fields, roles, output)
    _check_label_count(roles, output)
    fields = _with_channels(fields, inputs, roles.labels)
    candidates = _candidates(fields, roles, inputs)
    bound = bind_inputs(inputs, [column_schema(field) for field in candidates])
    read = {column.name for item in bound for column in item.columns}
    features = tuple(column_schema(field) for field in candidates if field.name in read)
    kept = read | set(_named(roles))
    left_out = [name for name in fields if name not in kept and name not in roles.exclude]
    notes = []
    if left_out:
        notes.append(f"Columns that the network does not read are not in the snapshot: {_shortened(left_out)}.")
    if unusable:
        notes.append(f"Columns that cannot be read are not in the snapshot: {_shortened(list(unusable))}.")
    schema = pa.schema([field for name, field in fields.items() if name in kept])
    return ColumnPlan(roles, output, schema, features, bound, tuple(notes))


def _named(roles: DataRoles) -> list[str]:
    """Columns that the request gives a part other than feature."""
    single = [*roles.labels, roles.weight, roles.row_id, roles.entity, roles.time]
    return [name for name in single if name is not None] + [item.column for item in roles.slices]


def _check_there(
    name: str, fields: Mapping[str, pa.Field], incomplete: Mapping[str, str], unusable: Mapping[str, str]
) -> None:
    if name in unusable:
        raise DataError(f"Column {name!r} cannot be read: {unusable[name]}.", hint="Convert the column.")
    if name in incomplete:
        raise DataError(
            f"The request names column {name!r}, which {incomplete[name]} does not have, though others do.",
            hint="All sources of a run need the columns it names.",
        )
    if name not in fields:
        folded = {known.casefold(): known for known in fields}
        near = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=1)]
        raise DataError(
            f"The request names column {name!r}, which the data do not have; they have {_shortened(list(fields))}.",
            hint=f"Did you mean {near[0]!r}?" if near else "Name one of those.",
        )


def _check_roles(fields: Mapping[str, pa.Field], roles: DataRoles, output: OutputKind) -> None:
    if ROW_ID in fields:
        raise DataError(f"Column name {ROW_ID!r} is reserved.", hint="Rename the column.")
    among_features = [label for label in roles.labels if label in roles.features]
    if among_features:
        raise DataError(f"The label {among_features[0]!r} is among the features.", hint="Take it out of `features`.")
    for part in (*_single_valued(fields, roles, output), roles.row_id, roles.entity, roles.weight, roles.time):
        if part is not None and column_schema(fields[part]).kind in (ColumnKind.IMAGE, ColumnKind.TENSOR):
            raise DataError(f"Column {part!r} holds arrays.", hint="Name a column of single values for this part.")
    if roles.weight is not None and not _is_number(fields[roles.weight]):
        raise DataError(f"The weight column {roles.weight!r} holds no numbers.", hint="Name a numeric column.")
    if roles.time is not None and not (
        _is_number(fields[roles.time]) or pa.types.is_timestamp(fields[roles.time].type)
    ):
        raise DataError(
            f"The time column {roles.time!r} holds text.", hint="Write times as timestamps, numbers or ISO 8601."
        )


def _single_valued(fields: Mapping[str, pa.Field], roles: DataRoles, output: OutputKind) -> tuple[str, ...]:
    """Label columns that must not hold arrays; a mask must, and is checked here."""
    if output.task is not Task.SEGMENTATION:
        return roles.labels
    _check_mask(fields[roles.label], output)
    return ()


def _check_mask(field: pa.Field, output: OutputKind) -> None:
    column = column_schema(field)
    if column.kind not in (ColumnKind.IMAGE, ColumnKind.TENSOR) or not same_shape(output.positions, column.shape):
        found = f"pictures or arrays of shape {column.shape}" if column.shape else f"{column.kind} values"
        raise DataError(
            f"The network predicts a class at every position of a map of shape {output.positions}; the label "
            f"{field.name!r} holds {found}.",
            hint="Name a column of masks: arrays of class indices, or grey PNG pictures of them, of the map's size.",
        )


def _check_label_count(roles: DataRoles, output: OutputKind) -> None:
    named = f"the request names {len(roles.labels)} label column(s): {_shortened(roles.labels)}"
    if roles.positive_label is not None and output.task is Task.SEGMENTATION:
        raise DataError("A positive label needs one label per row, this network predicts a map.", hint="Leave it out.")
    if output.task is not Task.MULTILABEL:
        if len(roles.labels) > 1:
            raise DataError(
                f"The network predicts one label (its task is {output.task}), {named}.",
                hint="Name one label column. Several are for networks with several sigmoid outputs, compiled with "
                "binary cross-entropy.",
            )
        return
    if len(roles.labels) != output.units:
        raise DataError(
            f"The network predicts {output.units} labels, one with each output unit; {named}.",
            hint="Name one column of zeros and ones for each unit, in the units' order, or one column of arrays. Where "
            "the units are classes that exclude one another, compile the network with categorical cross-entropy.",
        )
    if roles.positive_label is not None:
        raise DataError(
            f"A positive label ({roles.positive_label!r}) needs one label column of two classes; of several label "
            "columns each has 1 for its positive rows.",
            hint="Leave the positive label out.",
        )


def _is_number(field: pa.Field) -> bool:
    return bool(pa.types.is_integer(field.type) or pa.types.is_floating(field.type) or pa.types.is_boolean(field.type))


def _candidates(
    fields: Mapping[str, pa.Field], roles: DataRoles, inputs: Sequence[NetworkInput]
) -> tuple[pa.Field, ...]:
    """Columns that inputs may read. A column with another part is a feature where an input is named like it."""
    if roles.features:
        return tuple(fields[name] for name in roles.features)
    named = {item.name for item in inputs}
    other_part = {roles.weight, roles.row_id, roles.entity, roles.time}
    return tuple(
        field
        for name, field in fields.items()
        if name not in roles.exclude and name not in roles.labels and (name not in other_part or name in named)
    )


def _with_channels(
    fields: Mapping[str, pa.Field], inputs: Sequence[NetworkInput], labels: Sequence[str]
) -> dict[str, pa.Field]:
    """Encoded images take the number of channels that the network reads: grey and colour convert into each other."""
    adjusted = dict(fields)
    images = [field for field in fields.values() if is_bytes(field.type) and field.name not in labels]
    for item in inputs:
        targets = [field for field in images if field.name == item.name] or (images if len(inputs) == 1 else [])
        if len(item.shape) == 3 and item.shape[-1] in (1, 3, 4) and len(targets) == 1:
            shape = column_schema(targets[0]).shape
            adjusted[targets[0].name] = encoded_image_field(targets[0].name, (*shape[:2], int(item.shape[-1])))
    return adjusted


def _shortened(names: Sequence[str], limit: int = 20) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more
