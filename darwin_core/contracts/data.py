"""Data sets: where rows come from, which column plays which part, and what an immutable snapshot holds."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from darwin_core.contracts.artifacts import ArtifactRef, Sha256
from darwin_core.contracts.base import Contract, Document
from darwin_core.errors import DataError


class DataFormat(StrEnum):
    """File formats of a data source; AUTO decides by the name's ending, then by the first bytes."""

    AUTO = "auto"
    PARQUET = "parquet"
    CSV = "csv"
    TFRECORD = "tfrecord"
    NPZ = "npz"


class DataSource(Contract):
    """Rows in one file or in all files below a prefix, restricted to the rows whose columns hold the named values.

    The text form is ``URI`` or ``URI#column=value`` (several: ``#column=a|b&other=c``).
    """

    uri: str = Field(min_length=1)
    format: DataFormat = DataFormat.AUTO
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="column -> accepted values, as text")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            DataError: The part behind ``#`` is not ``column=value``.
        """
        uri, _, fragment = text.partition("#")
        where: dict[str, tuple[str, ...]] = {}
        for condition in filter(None, fragment.split("&")):
            column, equals, values = condition.partition("=")
            if not equals or not column:
                raise DataError(
                    f"Expected '#column=value' behind the data URI, got {condition!r} in {text!r}.",
                    hint="Example: signs.parquet#split=train or rows.csv#day=1|2&country=DE.",
                )
            where[column] = tuple(values.split("|"))
        return cls(uri=uri, where=where)

    def __str__(self) -> str:
        conditions = "&".join(f"{column}={'|'.join(values)}" for column, values in self.where.items())
        return f"{self.uri}#{conditions}" if conditions else self.uri


def _source_from_text(value: Any) -> Any:
    return DataSource.parse(value) if isinstance(value, str) else value


DataSourceField = Annotated[DataSource, BeforeValidator(_source_from_text)]
"""A data source in a request: the object form or its text form."""


class SliceSpec(Contract):
    """A way to cut the data into slices: one per value of a column, or one per interval between ``edges``.

    The text form is ``column`` or ``column:30,45,60`` (half-open intervals, the last one closed by infinity).
    """

    column: str = Field(min_length=1)
    edges: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _edges_ascend(self) -> Self:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"edges of slice {self.column!r} must ascend strictly, got {list(self.edges)}")
        return self

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text form.

        Raises:
            DataError: An edge is not a number, or the edges do not ascend.
        """
        column, _, edges = text.partition(":")
        try:
            return cls(column=column, edges=tuple(float(edge) for edge in edges.split(",") if edge))
        except ValueError:
            raise DataError(
                f"Expected 'column' or 'column:edge,edge,...' with ascending numbers, got {text!r}.",
                hint="Example: sex or age:30,45,60.",
            ) from None


def _slice_from_text(value: Any) -> Any:
    return SliceSpec.parse(value) if isinstance(value, str) else value


SliceField = Annotated[SliceSpec, BeforeValidator(_slice_from_text)]


class DataRoles(Contract):
    """Which column plays which part. Columns not named are features, unless they are excluded.

    A multi-label network has a label column of zeros and ones for each of its outputs, in their order, or one column of
    arrays, which become columns called ``label[0]``, ``label[1]`` and so on. The label of a segmentation is a mask: an
    array of class indices, or a grey picture of them, of the height and width of the output.
    """

    label: str = Field(min_length=1, description="the label column; the first one of several")
    more_labels: tuple[str, ...] = Field(
        default=(), description="multi-label networks: the label columns of the other outputs, in the outputs' order"
    )
    positive_label: str | None = Field(
        default=None, description="the label value that counts as positive (two classes)"
    )
    features: tuple[str, ...] = Field(default=(), description="empty: every column without another part")
    exclude: tuple[str, ...] = ()
    weight: str | None = Field(default=None, description="column of sample weights")
    row_id: str | None = Field(default=None, description="column that names a row; the row number otherwise")
    entity: str | None = Field(default=None, description="rows of one entity never stand on both sides of a split")
    time: str | None = Field(default=None, description="validation rows are the latest by this column")
    slices: tuple[SliceField, ...] = ()

    @model_validator(mode="after")
    def _labels_differ(self) -> Self:
        repeated = [name for name in self.labels if self.labels.count(name) > 1]
        if repeated:
            raise ValueError(f"label column {repeated[0]!r} is named twice; every output has a column of its own")
        return self

    @property
    def labels(self) -> tuple[str, ...]:
        """All label columns, in the order of the outputs that they belong to."""
        return (self.label, *self.more_labels)


class SplitConfig(Contract):
    """How validation rows are taken from the training rows (and test rows, where no test set is given)."""

    validation_share: float = Field(default=0.15, gt=0.0, lt=0.9)
    test_share: float = Field(default=0.25, gt=0.0, lt=0.9, description="used only where the request names no test set")
    seed: int = 0


class ColumnKind(StrEnum):
    """What a column holds after reading."""

    NUMBER = "number"
    INTEGER = "integer"
    STRING = "string"
    BOOLEAN = "boolean"
    TIME = "time"
    IMAGE = "image"
    TENSOR = "tensor"


class ColumnSchema(Contract):
    """One column of a snapshot, with what was seen in the training rows."""

    name: str
    kind: ColumnKind
    shape: tuple[int, ...] = Field(
        default=(), description="per row; () for scalars, (height, width, channels) for images"
    )
    missing_share: float = Field(default=0.0, ge=0.0, le=1.0)
    distinct: int | None = Field(default=None, description="number of different values; None where not counted")


class SplitPart(Contract):
    """One part of a split: the rows and their label counts."""

    data: ArtifactRef
    rows: int = Field(ge=1)
    label_counts: dict[str, int] = Field(
        description="class -> rows; several labels, segmentation: -> rows that have it; empty for regression"
    )


class ColumnProfile(Contract):
    """The distribution of one column in one part of the split.

    Images are profiled by derived factors (``brightness``, ``contrast``, ``red``, ...).
    """

    name: str
    kind: ColumnKind
    edges: tuple[float, ...] = Field(default=(), description="ascending inner bin edges; taken from the training rows")
    counts: tuple[int, ...] = Field(default=(), description="rows per bin, len(edges) + 1 entries; numbers only")
    categories: dict[str, int] = Field(default_factory=dict, description="value -> rows, most frequent 200; text only")
    missing: int = Field(default=0, ge=0)


class SplitProfile(Document):
    """A part of the split described without its labels, so that it can be compared without being opened."""

    rows: int = Field(ge=1)
    columns: tuple[ColumnProfile, ...]
    fingerprints: ArtifactRef = Field(
        description="Parquet: row_id, row_hash, entity_hash (nullable), all text, and sketch (binary, nullable): see "
        "`darwin_core.data.sketches`"
    )


class Snapshot(Document):
    """An immutable copy of everything a run reads, named by the digest of its contents.

    ``test`` lies under the sealed prefix. Only the evaluate step opens it.
    """

    roles: DataRoles
    split: SplitConfig
    columns: tuple[ColumnSchema, ...] = Field(description="features only, in the data's order")
    classes: tuple[str, ...] = Field(
        description="label values in the order of the network's outputs; several label columns: their names; empty: "
        "regression"
    )
    mask: tuple[int, ...] = Field(default=(), description="(height, width) of the label, where it is a mask of classes")
    reference: ArtifactRef
    train: SplitPart
    validation: SplitPart
    test: SplitPart
    train_profile: ArtifactRef = Field(description="SplitProfile of the training rows")
    test_profile: ArtifactRef = Field(description="SplitProfile of the sealed rows; holds no label")
    sources: dict[str, Sha256] = Field(description="source file -> digest of its bytes")
    split_rule: str = Field(description="in words, e.g. 'stratified by label' or 'latest rows by day'")
    notes: tuple[str, ...] = ()
