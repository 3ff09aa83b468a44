"""What of a network can be rewritten, and what that would save."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass

import keras

from darwin_core.contracts import BlockOperator
from darwin_core.networks.macs import CallShapes, call_macs
from darwin_core.networks.measuring import wiring_costs
from darwin_core.networks.wiring import Call, Shape, Wiring, read_wiring
from darwin_core.rewriting.applying import flat_network
from darwin_core.rewriting.downsampling import can_downsample_early, plan_downsampling
from darwin_core.rewriting.operators import RANK_SHARE, Replacement, Site, needed, rewriters


@dataclass(frozen=True)
class Offer:
    """An operator that can be applied.

    Attributes:
        layer: Where.
        operator: Which one.
        saved_macs: Multiply-accumulates for one row that it saves; negative where it adds some.
    """

    layer: str
    operator: BlockOperator
    saved_macs: int


@dataclass(frozen=True)
class Offers:
    """All that can be rewritten.

    Attributes:
        blocks: Operators by layer, in the order of calls.
        refused: (layer, operator) -> why it cannot be applied; operators that are made for other layers included.
        early_downsampling_saves: Multiply-accumulates for one row that are saved where the picture is halved earlier;
            None where it cannot be.
    """

    blocks: tuple[Offer, ...]
    refused: Mapping[tuple[str, BlockOperator], str]
    early_downsampling_saves: int | None


def offers(model: keras.Model, *, rank_share: float = RANK_SHARE) -> Offers:
    """What can be applied to a network. Nothing is decomposed or built for it but the new layers.

    Raises:
        NetworkError: The network's graph cannot be read.
    """
    wiring = read_wiring(flat_network(model))
    macs = {cost.name: cost.macs for cost in wiring_costs(wiring)}
    found, refused = [], {}
    for call in {call.name: call for call in reversed(wiring.calls)}.values():
        site = Site(wiring, call)
        for operator, rewriter in rewriters(rank_share).items():
            refusal = rewriter.refusal(site)
            if refusal is None:
                saved = _saved(site, rewriter.replacement(site), macs)
                found.append(Offer(call.name, operator, saved))
            else:
                refused[call.name, operator] = refusal
    order = {call.name: number for number, call in enumerate(wiring.calls)}
    found.sort(key=lambda offer: order[offer.layer])
    return Offers(tuple(found), refused, _saved_by_downsampling(wiring))


def _saved(site: Site, replacement: Replacement, macs: Mapping[str, int]) -> int:
    if replacement.shortcut is not None:
        return _branch_macs(site.wiring, {site.name: replacement.shortcut}, macs)
    shape, spent = site.input_shape, 0
    for layer in replacement.layers:
        layer.build(shape)
        after = tuple(layer.compute_output_shape(shape))
        spent += call_macs(CallShapes(layer, [shape], [after], lambda weight: tuple(weight.shape)))
        shape = after
    return macs[site.name] - spent


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


def _branch_macs(wiring: Wiring, shortcuts: dict[str, int], macs: Mapping[str, int]) -> int:
    """Multiply-accumulates of the layers that nothing needs any more."""
    live, before = needed(wiring, shortcuts), needed(wiring, {})
    gone = {call.name for call in wiring.calls if before.intersection(call.outputs)}
    gone -= {call.name for call in wiring.calls if live.intersection(call.outputs)}
    return sum(macs[name] for name in gone)
