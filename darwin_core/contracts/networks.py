"""What is known of a network without training it: its inputs, its outputs, its cost, its dependency groups."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from darwin_core.contracts.base import Contract, Document


class Latency(Contract):
    """Milliseconds per call, measured with pinned threads after a warm-up."""

    p50_ms: float = Field(ge=0)
    p95_ms: float = Field(ge=0)
    p99_ms: float = Field(ge=0)
    batch_size: int = Field(ge=1)
    threads: int = Field(ge=1)
    calls: int = Field(ge=1)


class NetworkCost(Contract):
    """What a network costs. ``parameters`` counts every weight, batch-norm statistics included."""

    parameters: int = Field(ge=0)
    macs: int = Field(ge=0, description="multiply-accumulates for one row")
    weight_bytes: int = Field(ge=0)
    input_features: int = Field(ge=1, description="raw columns read; 1 for an image")
    latency: Latency | None = None


class LayerCost(Contract):
    """One layer's share of the cost."""

    name: str
    kind: str = Field(description="layer class, e.g. Conv2D")
    output_shape: tuple[int | None, ...]
    parameters: int = Field(ge=0)
    macs: int = Field(ge=0)


class FrozenLayer(Contract):
    """A layer that keeps its full width, and why."""

    name: str
    kind: str
    reason: str


class GroupSummary(Contract):
    """A dependency group: channels of several layers that can only be removed together."""

    name: str
    channels: int = Field(ge=1)
    layers: tuple[str, ...] = Field(description="layers that produce the channels")
    consumers: tuple[str, ...] = Field(description="layers whose inputs shrink with the group")


class Task(StrEnum):
    """What the network predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    MULTILABEL = "multilabel"
    SEGMENTATION = "segmentation"
    REGRESSION = "regression"


class OutputKind(Contract):
    """How to read the network's output."""

    task: Task
    units: int = Field(ge=1)
    positions: tuple[int, ...] = Field(
        default=(), description="segmentation: (height, width) of the map, one class at every position"
    )
    from_logits: bool = Field(description="True where a sigmoid or softmax is still to be applied")

    @property
    def classes(self) -> int:
        """How many classes are told apart; one unit tells two. 0 where labels are numbers."""
        return 0 if self.task is Task.REGRESSION else max(self.units, 2)


class NetworkInput(Contract):
    """One named input; ``shape`` without the batch axis."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str


class NetworkInspection(Document):
    """Everything `darwin inspect` shows."""

    name: str
    inputs: tuple[NetworkInput, ...]
    output: OutputKind | None = Field(description="None where the file does not say what its output means")
    cost: NetworkCost
    layers: tuple[LayerCost, ...]
    groups: tuple[GroupSummary, ...]
    frozen: tuple[FrozenLayer, ...]
