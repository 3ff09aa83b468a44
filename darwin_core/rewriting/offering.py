"""What of a network can be rewritten, and what that would save."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import keras

from darwin_core.contracts import BlockOperator, LayerCost
from darwin_core.networks.macs import CallShapes, call_macs
from darwin_core.networks.measuring import wiring_costs
from darwin_core.networks.wiring import Call, Shape, Wiring, read_wiring
from darwin_core.rewriting.applying import flat_network
from darwin_core.rewriting.downsampling import can_downsample_early, plan_downsampling
from darwin_core.rewriting.operators import RANK_SHARE, Replacement, Site, needed, rewriters


@dataclass(frozen=True)
class Offer:
    """An operator that can be applied and may be worth it.

    Attributes:
        layer: Where.
        operator: Which one.
        saved_macs: Multiply-accumulates for one row that it saves; negative where it adds some.
        saved_parameters: Parameters that it saves.
    """

    layer: str
    operator: BlockOperator
    saved_macs: int
    saved_parameters: int


@dataclass(frozen=True)
class Offers:
    """All that can be rewritten.

    Attributes:
        blocks: Operators by layer, in the order of calls.
        refused: (layer, operator) -> why it cannot or should not be applied; operators that are made for other layers
            included.
        early_downsampling_saves: Multiply-accumulates for one row that are saved where the picture is halved earlier;
            None where it cannot be.
    """

    blocks: tuple[Offer, ...]
    refused: Mapping[tuple[str, BlockOperator], str]
    early_downsampling_saves: int | None


def offers(model: keras.Model, *, rank_share: float = RANK_SHARE) -> Offers:
    """What can sensibly be applied to a network. Nothing is decomposed or built for it but the new layers.

    Raises:
        NetworkError: The network's graph cannot be read.
    """
    wiring = read_wiring(flat_network(model))
    costs = {cost.name: cost for cost in wiring_costs(wiring)}
    found, refused = [], {}
    for call in {call.name: call for call in reversed(wiring.calls)}.values():
        site = Site(wiring, call)
        for operator, rewriter in rewriters(rank_share).items():
            refusal = rewriter.refusal(site) or rewriter.objection(site)
            if refusal is None:
                macs, parameters = _saved(site, rewriter.replacement(site), costs)
                found.append(Offer(call.name, operator, macs, parameters))
            else:
                refused[call.name, operator] = refusal
    order = {call.name: number for number, call in enumerate(wiring.calls)}
    found.sort(key=lambda offer: order[offer.layer])
    return Offers(tuple(found), refused, _saved_by_downsampling(wiring))


def _saved(site: Site, replacement: Replacement, costs: Mapping[str, LayerCost]) -> tuple[int, int]:
    """Multiply-accumulates and parameters."""
    if replacement.shortcut is not None:
        gone = [costs[name] for name in _branch(site.wiring, {site.name: replacement.shortcut})]
        return sum(cost.macs for cost in gone), sum(cost.parameters for cost in gone)
    shape, macs, parameters = site.input_shape, costs[site.name].macs, costs[site.name].parameters
    for layer in replacement.layers:
        layer.build(shape)
        after = tuple(layer.compute_output_shape(shape))
        macs -= call_macs(CallShapes(layer, [shape], [after], lambda weight: tuple(weight.shape)))
        parameters -= layer.count_params()
        shape = after
    return macs, parameters


def _saved_by_downsampling(wiring: Wiring) -> int | None:
    if not can_downsample_early(wiring):
        return None
    halved, saved = plan_downsampling(wiring).halved, 0
    for call in wiring.calls:
        if halved.intersection(call.outputs):
            before = call_macs(_shapes(wiring, call, frozenset()))
            saved += before - call_macs(_shapes(wiring, call, halved))
    return saved


def _shapes(wiring: Wiring, call: Call, halved: Set[int]) -> CallShapes:
    def shape(tensor: int) -> Shape:
        own = wiring.shape(tensor)
        if tensor not in halved:
            return own
        return (own[0], *(None if size is None else -(-size // 2) for size in own[1:3]), *own[3:])

    inputs, outputs = map(shape, call.inputs), map(shape, call.outputs)
    return CallShapes(call.operation, list(inputs), list(outputs), lambda weight: tuple(weight.shape))


def _branch(wiring: Wiring, shortcuts: dict[str, int]) -> set[str]:
    """Layers that nothing needs any more."""
    live, before = needed(wiring, shortcuts), needed(wiring, {})
    gone = {call.name for call in wiring.calls if before.intersection(call.outputs)}
    return gone - {call.name for call in wiring.calls if live.intersection(call.outputs)}
