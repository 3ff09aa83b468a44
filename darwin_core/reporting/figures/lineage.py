"""Who descends from whom: generations as columns, every network a mark, a line to each parent."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup

from darwin_core.reporting.figures.svg import element, percent, strip, title
from darwin_core.reporting.formatting import plural, shorten

_ROW, _LEAST_ROW, _TALLEST = 34.0, 18.0, 430.0
_TOP, _BOTTOM = 30.0, 10.0
_SMALLEST, _LARGEST = 4.0, 13.0
_COLUMN_WIDTH = {True: 76, False: 40}
_IN_COLUMN = 0.28
_MOST_IN_COLUMN = 24
_NAMED_COLUMNS = 12


class LineageMark(StrEnum):
    """What a network is in the lineage; decides its symbol."""

    REFERENCE = "reference"
    CONTROL = "control"
    CHOSEN = "chosen"
    PROMISING = "promising"
    OTHER = "other"


@dataclass(frozen=True)
class LineageNode:
    """A network: where it comes from, how large it is, what became of it.

    Attributes:
        name: Its name in the search; parents are given by theirs.
        text: What stands beside it.
        generation: Its column; the reference has 0.
        parents: What it inherited from.
        parameters: How large it is.
        mark: What it is.
        ancestor: Whether the chosen network descends from it; the chosen one counts.
        label: What is shown when the pointer rests on it.
    """

    name: str
    text: str
    generation: int
    parents: tuple[str, ...]
    parameters: int
    mark: LineageMark
    ancestor: bool
    label: str


@dataclass(frozen=True)
class _Place:
    x: float
    y: float
    radius: float


def lineage_plot(nodes: Sequence[LineageNode], label: str, description: str) -> Markup:
    """The family tree of a search, left to right; the larger a mark, the more parameters (by the logarithm).

    Within a generation the largest network stands on top, its controls at the foot. Of a generation with very many
    networks, those are shown that others descend from, then the largest; their column says how many are left out.

    Args:
        nodes: All networks.
        label: What a screen reader calls the picture.
        description: What it shows, in words.
    """
    columns = _columns(nodes)
    shown = {generation: _shown(members, nodes) for generation, members in columns.items()}
    rows = max((len(members) for members in shown.values()), default=1)
    step = min(_ROW, max(_LEAST_ROW, _TALLEST / max(rows, 1)))
    height = _TOP + rows * step + _BOTTOM
    places = _places(shown, step, rows, [node.parameters for node in nodes])
    marks = [element("desc", description)]
    for at, (generation, members) in enumerate(shown.items()):
        marks += _heading(at, len(shown), generation, len(columns[generation]) - len(members), height)
    drawn = [node for members in shown.values() for node in members]
    # Lines of the chosen network's ancestors come last, so that no other crosses them.
    for node in sorted(drawn, key=lambda node: node.ancestor):
        marks += _edges(node, places, {other.name for other in drawn if other.ancestor})
    for node in drawn:
        marks.append(_symbol(node, places[node.name]))
    named = len(shown) <= _NAMED_COLUMNS
    if named:
        marks += [_name(node, places[node.name]) for node in drawn if node.mark is not LineageMark.REFERENCE]
    return strip(height + 16, label, marks, "strip lineage", least_width=_COLUMN_WIDTH[named] * len(shown))


def _columns(nodes: Sequence[LineageNode]) -> dict[int, list[LineageNode]]:
    ordered = sorted(nodes, key=lambda node: (node.mark is LineageMark.CONTROL, -node.parameters, node.name))
    return {
        generation: [node for node in ordered if node.generation == generation]
        for generation in sorted({node.generation for node in nodes})
    }


def _shown(members: Sequence[LineageNode], nodes: Sequence[LineageNode]) -> list[LineageNode]:
    bearing = {parent for node in nodes for parent in node.parents}
    special = (LineageMark.CHOSEN, LineageMark.CONTROL)
    ranked = sorted(members, key=lambda node: not (node.name in bearing or node.mark in special))
    kept = {node.name for node in ranked[:_MOST_IN_COLUMN]}
    return [node for node in members if node.name in kept]


def _places(
    shown: Mapping[int, Sequence[LineageNode]], step: float, rows: int, parameters: Sequence[int]
) -> dict[str, _Place]:
    logs = [math.log(max(value, 1)) for value in parameters]
    low, span = min(logs, default=0.0), max(logs, default=0.0) - min(logs, default=0.0)
    largest = min(_LARGEST, 0.45 * step)
    places = {}
    for column, members in enumerate(shown.values()):
        first = _TOP + (rows - len(members) + 1) * step / 2
        for row, node in enumerate(members):
            size = (math.log(max(node.parameters, 1)) - low) / span if span else 1.0
            radius = _SMALLEST + (largest - _SMALLEST) * size
            places[node.name] = _Place((column + _IN_COLUMN) / len(shown), first + row * step, radius)
    return places


def _heading(column: int, columns: int, generation: int, left_out: int, height: float) -> list[Markup]:
    x = percent((column + _IN_COLUMN) / columns)
    text = "reference" if generation == 0 and columns <= _NAMED_COLUMNS else str(generation)
    found = [element("text", text, class_="tick", x=x, y=14, dx=-8)]
    if left_out:
        more = f"+ {left_out:,}"
        tooltip = title(f"{plural(left_out, 'more network')} of generation {generation}")
        found.append(element("text", tooltip, more, class_="tick", x=x, y=height + 8, dx=-8))
    return found


def _edges(node: LineageNode, places: Mapping[str, _Place], ancestors: set[str]) -> Iterable[Markup]:
    end = places[node.name]
    for parent in node.parents:
        start = places.get(parent)
        if start is None:
            continue
        kind = "edge-control" if node.mark is LineageMark.CONTROL else ""
        kind = "edge-chosen" if node.ancestor and parent in ancestors else kind
        yield element(
            "line",
            class_=f"edge {kind}".strip(),
            x1=percent(start.x),
            y1=start.y,
            x2=percent(end.x),
            y2=end.y,
        )


def _symbol(node: LineageNode, place: _Place) -> Markup:
    tooltip, class_, r = title(node.label), f"mark mark-{node.mark}", place.radius
    if node.mark in (LineageMark.PROMISING, LineageMark.OTHER):
        return element("circle", tooltip, class_=class_, cx=percent(place.x), cy=place.y, r=r)
    # A path cannot stand at per cents: it stands at the origin of a picture of its own, which can.
    if node.mark is LineageMark.CHOSEN:
        r = max(r, 9.0)
        path = f"M0 {-r:.1f}L{r:.1f} 0L0 {r:.1f}L{-r:.1f} 0z"
    elif node.mark is LineageMark.CONTROL:
        r = max(r, 7.0)
        path = f"M0 {-r:.1f}L{r:.1f} {0.75 * r:.1f}H{-r:.1f}z"
    else:
        path = f"M{-r:.1f} {-r:.1f}H{r:.1f}V{r:.1f}H{-r:.1f}z"
    return element(
        "svg",
        element("path", tooltip, class_=class_, d=path),
        x=percent(place.x),
        y=place.y,
        overflow="visible",
        aria_hidden="true",
    )


def _name(node: LineageNode, place: _Place) -> Markup:
    beside = max(place.radius, 9.0 if node.mark is LineageMark.CHOSEN else 0.0) + 4
    class_ = "tick beside strong" if node.mark is LineageMark.CHOSEN else "tick beside"
    return element("text", shorten(node.text, 8), class_=class_, x=percent(place.x), y=place.y + 4, dx=beside)
