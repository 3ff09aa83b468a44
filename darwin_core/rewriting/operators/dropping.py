"""Leaving a layer or a residual branch out."""

from __future__ import annotations

import keras
from keras import layers

from darwin_core.contracts import BlockOperator
from darwin_core.networks.wiring import Wiring
from darwin_core.rewriting.operators.base import Replacement, Rewriter, Site, common_config, untouchable

_DROPPABLE = (
    *(layers.Conv1D, layers.Conv2D, layers.Conv3D, layers.DepthwiseConv1D, layers.DepthwiseConv2D),
    *(layers.SeparableConv1D, layers.SeparableConv2D, layers.Dense),
)


class Drop(Rewriter):
    """The shortcut alone of a residual block, or the activation alone of a layer.

    Named at a sum with an identity shortcut, the branches go and the shortcut is handed on, as in a network of
    stochastic depth (Huang et al., arXiv 1603.09382) in which they never survive. Exact where they give zeros.

    Named at a layer whose output has the shape of its input, the layer goes and its activation stays. Exact where the
    layer hands its input on.
    """

    operator = BlockOperator.DROP

    def refusal(self, site: Site) -> str | None:
        """A sum with a shortcut, or a layer that does not change the shape."""
        if len(site.call.inputs) > 1:
            return _sum_refusal(site)
        if type(site.layer) not in _DROPPABLE:
            return "only sums with an identity shortcut, convolutions and Dense layers can be dropped"
        if site.input_shape != site.output_shape:
            return f"it turns shape {site.input_shape} into {site.output_shape}"
        return untouchable(site)

    def replacement(self, site: Site) -> Replacement:
        """The shortcut, or what is left of the layer."""
        if len(site.call.inputs) > 1:
            return Replacement((), shortcut=shortcut_of(site))
        activation = site.layer.activation
        if activation is None or activation is keras.activations.linear:
            return Replacement(())
        name = site.derived("activation")
        return Replacement((layers.Activation(activation, name=name, **common_config(site.layer)),), lambda: ([],))


def _sum_refusal(site: Site) -> str | None:
    if site.call.kind != "Add":
        return f"it joins several tensors by {site.call.kind}; only sums have a shortcut"
    if site.is_shared:
        return "it is called several times"
    shortcut = shortcut_of(site)
    if shortcut is None:
        return "none of its inputs is an identity shortcut around the others"
    without = needed(site.wiring, {site.name: shortcut})
    if any(tensor in without for tensor in site.call.inputs if tensor != shortcut):
        return "its branch is also read elsewhere"
    lost = [name for name, tensor in site.wiring.inputs.items() if tensor not in without]
    plain = needed(site.wiring, {})
    if any(site.wiring.inputs[name] in plain for name in lost):
        return "the network would no longer read one of its inputs"
    return None


def shortcut_of(site: Site) -> int | None:
    """The input of a sum that all its other inputs are computed from, of the sum's own shape."""
    wiring, inputs = site.wiring, site.call.inputs
    if len(set(inputs)) < len(inputs):
        return None
    for tensor in inputs:
        others = [other for other in inputs if other != tensor]
        if wiring.shape(tensor) == site.output_shape and all(_reads(wiring, other, tensor) for other in others):
            return tensor
    return None


def _reads(wiring: Wiring, tensor: int, source: int) -> bool:
    """Whether ``tensor`` is computed from ``source``."""
    found = {source}
    for call in wiring.calls:
        if found.intersection(call.inputs):
            found.update(call.outputs)
    return tensor in found


def needed(wiring: Wiring, shortcuts: dict[str, int]) -> frozenset[int]:
    """Tensors that the outputs depend on, where each of these sums reads its shortcut only."""
    found = set(wiring.outputs)
    for call in reversed(wiring.calls):
        if found.intersection(call.outputs):
            found.update([shortcuts[call.name]] if call.name in shortcuts else call.inputs)
    return frozenset(found)
