"""Both networks' shapes in one picture: the reference as an outline, what is left of it filled in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.reporting.figures.svg import element, percent, strip, title
from darwin_core.reporting.formatting import count, shorten

_HEIGHT = 190
_LARGEST = 84
_LABELLED = 12


@dataclass(frozen=True)
class LayerShape:
    """One layer's width in both networks; None: the layer does not exist there."""

    name: str
    reference: int | None
    candidate: int | None
    label: str


def shape_plot(layers: Sequence[LayerShape], label: str) -> Markup:
    """Layers from input to output, left to right; a bar's height grows with the square root of its width.

    The square root keeps a layer of ten channels visible beside one of thousands.
    """
    widest = max((max(layer.reference or 0, layer.candidate or 0) for layer in layers), default=0) or 1
    step = 1 / max(len(layers), 1)
    width = min(step * 0.72, 0.06)
    axis = element("line", class_="axis-line", x1="0%", x2="100%", y1=_HEIGHT / 2, y2=_HEIGHT / 2)
    marks = [axis]
    labelled = len(layers) <= _LABELLED
    for index, layer in enumerate(layers):
        centre = (index + 0.5) * step
        parts = _bars(layer, centre - width / 2, width, widest)
        marks.append(element("g", title(layer.label), *parts, *(_caption(layer, centre) if labelled else ())))
    return strip(_HEIGHT + (38 if labelled else 0), label, marks, "strip shape")


def _caption(layer: LayerShape, centre: float) -> list[Markup]:
    before, after = count(layer.reference), count(layer.candidate)
    width = before if before == after else f"{before} \N{RIGHTWARDS ARROW} {after}"
    texts = ((shorten(layer.name, 12), "tick caption", 16), (width, "tick caption strong", 32))
    return [
        element("text", text, class_=class_, x=percent(centre), y=_HEIGHT + below, text_anchor="middle")
        for text, class_, below in texts
    ]


def _bars(layer: LayerShape, x: float, width: float, widest: int) -> list[Markup]:
    bars = []
    for units, class_ in ((layer.reference, "shape-reference"), (layer.candidate, "shape-candidate")):
        if units:
            half = max(1.5, _LARGEST * math.sqrt(units / widest))
            top = _HEIGHT / 2 - half
            bars.append(
                element("rect", class_=class_, x=percent(x), y=top, width=percent(width), height=2 * half, rx=2)
            )
    return bars
