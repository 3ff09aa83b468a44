"""Which positions of a traced network stay, given what is kept of each group and which inputs are dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from darwin_core.dependency.groups import DependencyGroup
from darwin_core.dependency.ids import Ids, Mask
from darwin_core.dependency.tracing import CallTrace, Trace
from darwin_core.errors import NetworkError, RequestError
from darwin_core.networks.measuring import table_bytes
from darwin_core.wording import listed


@dataclass(frozen=True)
class View:
    """A traced network with its groups."""

    trace: Trace
    groups: Mapping[str, DependencyGroup]

    @cached_property
    def table_bytes(self) -> dict[str, int]:
        """Bytes of each layer's lookup table; reading a large table takes a while."""
        return {name: table_bytes(layer) for name, layer in self.trace.wiring.layers().items()}


@dataclass(frozen=True)
class Selection:
    """For every id of the trace whether it stays."""

    view: View
    kept: Mask

    def positions(self, ids: Ids) -> Ids:
        """Positions of an id array that stay, in order."""
        return np.flatnonzero(self.kept[ids])

    def count(self, ids: Ids) -> int:
        """Number of positions of an id array that stay."""
        return int(np.count_nonzero(self.kept[ids]))

    def is_dead(self, tensor: int) -> bool:
        """Whether nothing is left of a tensor."""
        return not self.kept[self.view.trace.channels[tensor].ids].any()

    def is_thinned(self, tensor: int) -> bool:
        """Whether a tensor keeps some of its channels and loses others."""
        kept = self.kept[self.view.trace.channels[tensor].ids]
        return bool(kept.any() and not kept.all())

    @cached_property
    def live_calls(self) -> tuple[CallTrace, ...]:
        """Calls that still compute something."""
        return tuple(
            traced
            for traced in self.view.trace.calls
            if not all(self.is_dead(tensor) for tensor in traced.call.outputs)
        )

    def live_inputs(self, traced: CallTrace) -> list[int]:
        """Tensors a call still reads."""
        return [tensor for tensor in traced.call.inputs if not self.is_dead(tensor)]


def select(view: View, keep: Mapping[str, ArrayLike], dropped_inputs: Iterable[str] = ()) -> Selection:
    """The selection that keeps the given channels of each group; groups not named keep all.

    Raises:
        RequestError: A group or input is unknown, or the channels of a group are none, repeated or out of range.
        NetworkError: The inputs cannot be dropped.
    """
    unknown = sorted(set(keep) - set(view.groups))
    if unknown:
        raise RequestError(
            f"Expected names of dependency groups, got {unknown[0]!r}; there are {listed(view.groups) or 'none'}.",
            hint="analyse(model).groups lists them.",
        )
    trace = view.trace
    stays = np.ones(len(trace.ids.roots), dtype=bool)
    for name, channels in keep.items():
        group = view.groups[name]
        stays[group.roots] = False
        stays[group.roots[_checked(group, channels)]] = True
    return Selection(view, stays[trace.ids.roots] & _alive(view, tuple(dropped_inputs)))


def is_droppable(view: View, inputs: Iterable[str]) -> bool:
    """Whether the network still fits together without these inputs."""
    try:
        _alive(view, tuple(inputs))
    except NetworkError:
        return False
    return True


def _alive(view: View, dropped: Sequence[str]) -> Mask:
    trace = view.trace
    for name in dropped:
        if name not in trace.wiring.inputs:
            raise RequestError(
                f"Expected names of inputs to drop, got {name!r}; the network reads {listed(trace.wiring.inputs)}."
            )
    alive = trace.ids.alive([trace.channels[trace.wiring.inputs[name]].ids for name in dropped])
    if dropped:
        _check_fit(Selection(view, alive), dropped)
    return alive


def _check_fit(rest: Selection, dropped: Sequence[str]) -> None:
    """Refuse to drop inputs where what is left would not fit together.

    Raises:
        NetworkError: With the layer at which it fails.
    """
    trace, shown = rest.view.trace, ", ".join(f"'{name}'" for name in dropped)
    if any(rest.is_dead(tensor) for tensor in trace.wiring.outputs):
        raise NetworkError(f"Dropping {shown} would leave the network without any input its output depends on.")
    if not trace.ids.consistent(rest.kept):
        raise NetworkError(f"Dropping {shown} would leave branches of different widths that are joined by position.")
    for traced in rest.live_calls:
        if traced.rigid and any(rest.is_thinned(tensor) for tensor in traced.call.inputs):
            raise NetworkError(
                f"Input {shown} cannot be dropped: layer '{traced.call.name}' ({traced.call.kind}) needs all it reads."
            )
    for traced in _losing(rest):
        if not traced.may_lose_inputs or not _keeps_shape(rest, traced):
            raise NetworkError(
                f"Input {shown} cannot be dropped: layer '{traced.call.name}' ({traced.call.kind}) needs all it reads."
            )


def _losing(rest: Selection) -> Iterator[CallTrace]:
    """Calls that lose some of their inputs and keep others."""
    for traced in rest.live_calls:
        live = rest.live_inputs(traced)
        if live and len(live) < len(traced.call.inputs):
            yield traced


def _keeps_shape(rest: Selection, traced: CallTrace) -> bool:
    """Whether a live input has the output's full extent on every axis but the channels'."""
    wiring, channels = rest.view.trace.wiring, traced.outputs[0]
    shape = wiring.shape(traced.call.outputs[0])
    extents = {axis: size for axis, size in enumerate(shape) if axis not in (0, channels.axis)}
    live = [wiring.shape(tensor) for tensor in rest.live_inputs(traced)]
    return any(len(own) == len(shape) and all(own[axis] == size for axis, size in extents.items()) for own in live)


def _checked(group: DependencyGroup, channels: ArrayLike) -> Ids:
    """Sorted, unique, in range, at least one."""
    asked = np.asarray(channels)
    if asked.ndim != 1 or asked.size == 0 or not np.issubdtype(asked.dtype, np.integer):
        raise RequestError(f"Group '{group.name}': expected a list of channel indices, at least one, got {channels!r}.")
    kept = np.unique(asked).astype(np.int64)
    if len(kept) != len(asked) or kept[0] < 0 or kept[-1] >= group.channels:
        raise RequestError(
            f"Group '{group.name}': expected distinct channels between 0 and {group.channels - 1}, got {channels!r}."
        )
    return kept
