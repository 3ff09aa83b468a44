"""What every block operator has in common: it looks at one call of a network and says what could take its place."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import BlockOperator
from darwin_core.networks.wiring import Call, Shape, Wiring

Weights = Sequence[Sequence[NDArray[Any]]]
"""For each layer the values of its weights, in the layer's order."""


@dataclass(frozen=True)
class Site:
    """A call of a network with its surroundings, where an operator may be applied."""

    wiring: Wiring
    call: Call

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.call.name

    @property
    def layer(self) -> Any:
        """The layer or operation."""
        return self.call.operation

    @property
    def input_shape(self) -> Shape:
        """Shape of the first input, batch axis first."""
        return self.wiring.shape(self.call.inputs[0])

    @property
    def output_shape(self) -> Shape:
        """Shape of the output, batch axis first."""
        return self.wiring.shape(self.call.outputs[0])

    @cached_property
    def is_shared(self) -> bool:
        """Whether the layer is called several times, with the same weights."""
        return sum(call.operation is self.layer for call in self.wiring.calls) > 1

    def derived(self, suffix: str) -> str:
        """A name for a new layer: the layer's own with a suffix, and a count where that is taken."""
        taken = set(self.wiring.layers()) | set(self.wiring.inputs)
        name, count = f"{self.name}_{suffix}", 2
        while name in taken:
            name, count = f"{self.name}_{suffix}_{count}", count + 1
        return name


@dataclass(frozen=True)
class Replacement:
    """What takes the place of a call.

    Attributes:
        layers: Called one after the other on the call's input; none: the input is handed on.
        weights: Computes the values of the layers' weights. Only called where the network is really rewritten, because
            it may take a singular value decomposition.
        shortcut: Of a sum, the input that alone is left; what only the other inputs need disappears.
    """

    layers: tuple[keras.Layer, ...]
    weights: Callable[[], Weights] = tuple
    shortcut: int | None = None


class Rewriter(ABC):
    """A block operator. One per module; `darwin_core.rewriting.operators.REWRITERS` lists them."""

    operator: BlockOperator

    @abstractmethod
    def refusal(self, site: Site) -> str | None:
        """Why the operator cannot be applied here, as the end of a sentence; None where it can."""

    def objection(self, site: Site) -> str | None:
        """Why the operator is not offered here though it can be applied, as the end of a sentence; None where it is."""
        del site
        return None

    @abstractmethod
    def replacement(self, site: Site) -> Replacement:
        """What takes the place of the call. Only asked for where nothing speaks against it."""


def untouchable(site: Site) -> str | None:
    """What forbids to replace a layer by others, whatever they are."""
    layer = site.layer
    if site.is_shared:
        return "its weights are shared by several calls"
    if getattr(layer, "quantization_mode", None) is not None:
        return "its weights are quantised"
    if getattr(layer, "lora_enabled", False):
        return "its weights are split by LoRA"
    if getattr(layer, "data_format", "channels_last") != "channels_last":
        return "its data format is channels_first"
    return None


def values_of(weight: Any) -> NDArray[np.float64]:
    """A weight as numbers of double precision."""
    return np.asarray(keras.ops.convert_to_numpy(weight), dtype=np.float64)


def bias_of(layer: Any) -> list[NDArray[Any]]:
    """The layer's bias in a list, which is empty where it has none."""
    return [] if layer.bias is None else [values_of(layer.bias)]


def common_config(layer: Any) -> dict[str, Any]:
    """Constructor arguments that a new layer shares with the one it takes the place of."""
    return {"dtype": layer.dtype_policy, "trainable": layer.trainable}
