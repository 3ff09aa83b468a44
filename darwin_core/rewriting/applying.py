"""Rewriting: other layers in the place of some, with weights that come as near to the old ones as they can."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import BlockOperator
from darwin_core.dependency.rebuilding import clone_operation, copy_weights, flatten_nested, rebuild
from darwin_core.errors import NetworkError, RequestError
from darwin_core.networks.measuring import weights_of
from darwin_core.networks.wiring import Call, Wiring, read_wiring
from darwin_core.rewriting.downsampling import plan_downsampling
from darwin_core.rewriting.operators import RANK_SHARE, Replacement, Site, needed, rewriters
from darwin_core.rewriting.reconstruction import Block, reconstruct_outputs

Rows = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Rewriting:
    """A rewritten network, and where its new layers come from.

    Attributes:
        network: The network.
        successors: Layer that was replaced -> the new layer that makes its output now.
        origins: New layer -> layer that it takes the place of.
    """

    network: keras.Model
    successors: Mapping[str, str] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)


def rewrite(
    model: keras.Model,
    operators: Mapping[str, BlockOperator],
    *,
    early_downsampling: bool = False,
    rank_share: float = RANK_SHARE,
    reconstruct: Rows | None = None,
) -> keras.Model:
    """A network in which some layers are replaced by cheaper ones that inherit their weights.

    The result is a plain Keras network with the same name, inputs and outputs; other layers keep names and weights.
    New layers are named after the one they replace (``conv_depthwise``, ``conv_pointwise``). Nested networks are
    written out flat. `darwin_core.dependency.analyse` and ``narrow`` work on the result as on any network.

    Args:
        model: A Functional or Sequential network.
        operators: Layer name -> operator. DROP of a residual branch is named at the sum that ends it. An operator
            inside a branch that is dropped changes nothing.
        early_downsampling: Whether the first convolution halves the picture (see `darwin_core.rewriting.downsampling`).
        rank_share: Parameters of a low-rank pair over those of the layer it replaces, between 0 and 2.
        reconstruct: Input name -> rows, at best a few hundred real ones. The last linear layer of every replaced block
            is then refitted, so that on these rows the block's output is nearest to that of the layer it replaces.

    Raises:
        RequestError: A layer does not exist.
        NetworkError: An operator cannot be applied, with the reason, or a layer cannot be rebuilt.
    """
    return apply_operators(
        model, operators, early_downsampling=early_downsampling, rank_share=rank_share, reconstruct=reconstruct
    ).network


def apply_operators(
    model: keras.Model,
    operators: Mapping[str, BlockOperator],
    *,
    early_downsampling: bool = False,
    rank_share: float = RANK_SHARE,
    reconstruct: Rows | None = None,
) -> Rewriting:
    """As `rewrite`, and beside the network where its layers come from."""
    flat = flat_network(model)
    if early_downsampling:
        flat = _downsampled(flat)
    wanted = {name: operator for name, operator in operators.items() if operator is not BlockOperator.KEEP}
    wiring = read_wiring(flat)
    unknown = sorted(set(operators) - set(wiring.layers()))
    if unknown:
        raise RequestError(
            f"Expected names of layers, got {unknown[0]!r}, which network '{model.name}' does not have.",
            hint="`darwin inspect` lists the layers.",
        )
    if not wanted:
        return Rewriting(flat)
    return _Rewriter(flat, wiring, _replacements(wiring, wanted, rank_share), reconstruct).run()


def flat_network(model: keras.Model) -> keras.Model:
    """The network itself, or a copy in which the layers of nested networks stand on their own."""
    wiring = read_wiring(model)
    return flatten_nested(wiring) if wiring.nested else model


def _replacements(
    wiring: Wiring, operators: Mapping[str, BlockOperator], rank_share: float
) -> Mapping[str, tuple[Site, Replacement]]:
    known = rewriters(rank_share)
    calls = {call.name: call for call in reversed(wiring.calls)}
    found = {}
    for name, operator in operators.items():
        site = Site(wiring, calls[name])
        refusal = known[operator].refusal(site)
        if refusal is not None:
            raise NetworkError(
                f"Layer '{name}' ({site.call.kind}): {operator.value} cannot be applied, because {refusal}.",
                hint="offers(model) lists what can be applied where.",
            )
        found[name] = (site, known[operator].replacement(site))
    return found


class _Rewriter:
    def __init__(
        self,
        model: keras.Model,
        wiring: Wiring,
        replacements: Mapping[str, tuple[Site, Replacement]],
        rows: Rows | None,
    ) -> None:
        self._model, self._wiring, self._replacements, self._rows = model, wiring, replacements, rows
        self._clones: dict[str, keras.Operation] = {}
        self._shortcuts = {name: item.shortcut for name, (_, item) in replacements.items() if item.shortcut is not None}

    def run(self) -> Rewriting:
        live = needed(self._wiring, self._shortcuts) | set(self._wiring.inputs.values())
        network = rebuild(self._wiring, self._operation, lambda tensor: tensor not in live)
        originals = self._wiring.layers()
        for name, clone in self._clones.items():
            copy_weights(originals[name], clone)
        used = [
            (site, item)
            for name, (site, item) in self._replacements.items()
            if name not in self._shortcuts and site.call.outputs[0] in live
        ]
        for _, item in used:
            for layer, values in zip(item.layers, item.weights(), strict=True):
                _assign(layer, values)
        if self._rows is not None:
            blocks = [
                Block(site.layer, site.call.inputs[0], item.layers[-1])
                for site, item in sorted(used, key=lambda pair: self._wiring.calls.index(pair[0].call))
                if item.layers
            ]
            reconstruct_outputs(self._model, self._wiring, network, blocks, self._rows)
        return Rewriting(
            network,
            {site.name: item.layers[-1].name for site, item in used if item.layers},
            {layer.name: site.name for site, item in used for layer in item.layers},
        )

    def _operation(self, call: Call) -> Any:
        if call.name in self._replacements:
            return Chain(self._replacements[call.name][1].layers)
        if call.name not in self._clones:
            self._clones[call.name] = clone_operation(call.operation, call.name, {})
        return self._clones[call.name]


class Chain:
    """Layers called one after the other on the first tensor of a call; none of them: that tensor.

    Args:
        layers: In the order of their calls.
    """

    def __init__(self, layers: Sequence[keras.Layer]) -> None:
        self._layers = layers

    def __call__(self, *args: Any, **kwargs: Any) -> keras.KerasTensor:
        """The output of the last layer."""
        tensor = next(leaf for leaf in keras.tree.flatten((args, kwargs)) if isinstance(leaf, keras.KerasTensor))
        for layer in self._layers:
            tensor = layer(tensor)
        return tensor


def with_replacements(
    wiring: Wiring, replacements: Mapping[str, Any], changes: Mapping[str, Mapping[str, Any]] | None = None
) -> keras.Model:
    """A copy of a network in which something else is called in the place of some layers.

    Args:
        wiring: The network.
        replacements: Layer name -> what is called there.
        changes: Layer name -> constructor arguments that its copy has instead of its own.
    """
    clones: dict[str, keras.Operation] = {}

    def operation(call: Call) -> Any:
        if call.name in replacements:
            return replacements[call.name]
        if call.name not in clones:
            clones[call.name] = clone_operation(call.operation, call.name, (changes or {}).get(call.name, {}))
        return clones[call.name]

    network = rebuild(wiring, operation)
    originals = wiring.layers()
    for name, clone in clones.items():
        copy_weights(originals[name], clone)
    return network


def _assign(layer: keras.Layer, values: Sequence[NDArray[Any]]) -> None:
    for weight, value in zip(weights_of(layer), values, strict=True):
        weight.assign(np.asarray(value, dtype=np.float32))


def _downsampled(model: keras.Model) -> keras.Model:
    wiring = read_wiring(model)
    try:
        plan = plan_downsampling(wiring)
    except NetworkError as error:
        raise NetworkError(
            f"Network '{model.name}' cannot halve its picture earlier, because {error.message}."
        ) from None
    return with_replacements(wiring, {name: Chain(()) for name in plan.removed}, plan.changes)
