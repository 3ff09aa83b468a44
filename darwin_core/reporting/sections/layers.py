"""What was cut, and where: the layers of both networks side by side."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.contracts import CompactionReport, LayerCost
from darwin_core.reporting.figures import LayerShape, shape_plot
from darwin_core.reporting.formatting import MISSING, count, relative_change, share

_FOLLOWS = ("Normalization", "Activation", "PReLU")
"""Kinds whose width is that of the layer before: drawn, they would only repeat it."""


@dataclass(frozen=True)
class LayerRow:
    """One layer in both networks."""

    name: str
    kind: str
    units: str
    parameters: str
    macs: str
    parameter_change: str


@dataclass(frozen=True)
class Layers:
    """The picture, the table behind it, and one sentence."""

    figure: Markup | None
    rows: tuple[LayerRow, ...]
    not_drawn: int
    sentence: str


@dataclass(frozen=True)
class _Pair:
    reference: LayerCost | None
    candidate: LayerCost | None

    @property
    def either(self) -> LayerCost:
        found = self.reference or self.candidate
        assert found is not None
        return found

    @property
    def costs_something(self) -> bool:
        return any(layer is not None and (layer.parameters or layer.macs) for layer in (self.reference, self.candidate))

    @property
    def removed(self) -> int:
        before, after = self.reference, self.candidate
        return (before.parameters if before else 0) - (after.parameters if after else 0)


def compare_layers(report: CompactionReport) -> Layers:
    """The layers of the reference and of the chosen network, paired by name."""
    pairs = _paired(report.search.reference_layers, report.search.chosen_layers)
    costly = [pair for pair in pairs if pair.costs_something]
    drawn = [_shape(pair) for pair in costly if not pair.either.kind.endswith(_FOLLOWS)]
    label = f"Width of {len(drawn)} layers in the reference and in the candidate, from input to output"
    return Layers(
        figure=shape_plot(drawn, label) if drawn else None,
        rows=tuple(_row(pair) for pair in costly),
        not_drawn=len(pairs) - len(drawn),
        sentence=_sentence(costly),
    )


def _paired(reference: tuple[LayerCost, ...], candidate: tuple[LayerCost, ...]) -> list[_Pair]:
    """Pairs in the reference's order; a layer that only the candidate has follows its predecessor there."""
    by_name = {layer.name: layer for layer in candidate}
    pairs = [_Pair(layer, by_name.get(layer.name)) for layer in reference]
    names = [layer.name for layer in reference]
    previous = -1
    for layer in candidate:
        if layer.name in names:
            previous = names.index(layer.name)
            continue
        previous += 1
        names.insert(previous, layer.name)
        pairs.insert(previous, _Pair(None, layer))
    return pairs


def _units(layer: LayerCost | None) -> int | None:
    return layer.output_shape[-1] if layer is not None and layer.output_shape else None


def _arrow(before: int | None, after: int | None) -> str:
    if before == after:
        return count(before)
    return f"{count(before)} \N{RIGHTWARDS ARROW} {count(after)}"


def _row(pair: _Pair) -> LayerRow:
    before, after = pair.reference, pair.candidate
    old, new = (before.parameters if before else None), (after.parameters if after else None)
    return LayerRow(
        name=pair.either.name,
        kind=pair.either.kind,
        units=_arrow(_units(before), _units(after)) if after else f"{count(_units(before))}, removed",
        parameters=_arrow(old, new),
        macs=_arrow(before.macs if before else None, after.macs if after else None),
        parameter_change=MISSING if old == new else relative_change(old, new or 0),
    )


def _shape(pair: _Pair) -> LayerShape:
    row = _row(pair)
    label = f"{row.name} ({row.kind}): width {row.units}; parameters {row.parameters}; MACs {row.macs}"
    return LayerShape(row.name, _units(pair.reference), _units(pair.candidate), label)


def _sentence(pairs: list[_Pair]) -> str:
    total = sum(pair.removed for pair in pairs)
    largest = sorted((pair for pair in pairs if pair.removed > 0), key=lambda pair: -pair.removed)[:3]
    if total <= 0 or not largest:
        return "No layer lost parameters."
    parts = [f"{pair.either.name} ({share(pair.removed / total, 0)})" for pair in largest]
    return f"Of {count(total)} parameters removed, most came from {', '.join(parts)}."
