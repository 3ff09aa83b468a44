"""Quality drop against cost, every candidate of the search in one plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from markupsafe import Markup

from darwin_core.reporting.figures.svg import Scale, element, padded, picture, title
from darwin_core.reporting.formatting import short_count

_WIDTH, _HEIGHT = 460, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 446, 16, 306
_OUTLIER = 4.0


class ParetoMark(StrEnum):
    """What a point is; decides its symbol."""

    REFERENCE = "reference"
    CONTROL = "control"
    CHOSEN = "chosen"
    FINISHED = "finished"
    RACED = "raced"


@dataclass(frozen=True)
class ParetoPoint:
    """A network: its cost, how much worse it is than the reference, what it is."""

    cost: float
    drop: float
    mark: ParetoMark
    on_front: bool
    label: str


def pareto_plot(
    points: Sequence[ParetoPoint], cost_label: str, drop_label: str, *, as_points: bool, tolerated: float | None
) -> Markup:
    """Cost on a logarithmic axis, drop upwards is worse.

    Drops far outside the others are drawn as arrows at the upper edge, so that one ruined network does not flatten
    the rest.

    Args:
        points: The networks; only those with a positive cost can stand on the axis.
        cost_label: What the cost is.
        drop_label: What the drop is.
        as_points: Whether drops are shares, shown as percentage points.
        tolerated: The drop that the gate tolerates, drawn as a line.
    """
    shown = [point for point in points if point.cost > 0]
    limit = _drop_limit(shown, tolerated)
    low, high = padded([min(point.drop, limit) for point in shown] + [0.0, tolerated or 0.0])
    costs = [point.cost for point in shown] or [1.0]
    x = Scale(min(costs) / 1.5, max(costs) * 1.5, _LEFT, _RIGHT, logarithmic=True)
    y = Scale(low, high, _BOTTOM, _TOP)
    factor = 100 if as_points else 1
    marks = _frame(x, y, cost_label, f"{drop_label}{' (pt)' if as_points else ''}", factor)
    if tolerated is not None:
        marks.append(
            element(
                "line",
                title("margin of the gate"),
                class_="margin",
                x1=_LEFT,
                x2=_RIGHT,
                y1=y(tolerated),
                y2=y(tolerated),
            )
        )
    marks += _front(shown, x, y)
    for point in sorted(shown, key=lambda p: list(ParetoMark)[::-1].index(p.mark)):
        marks.append(_symbol(point, x(point.cost), y(min(point.drop, limit)), beyond=point.drop > limit))
    label = f"{drop_label} against {cost_label} for {len(shown)} networks"
    return picture(_WIDTH, _HEIGHT, label, marks)


def _drop_limit(points: Sequence[ParetoPoint], tolerated: float | None) -> float:
    drops = sorted(abs(point.drop) for point in points if point.mark is not ParetoMark.REFERENCE)
    if not drops:
        return float("inf")
    return max(_OUTLIER * drops[len(drops) // 2], 3 * (tolerated or 0.0))


def _frame(x: Scale, y: Scale, x_label: str, y_label: str, factor: int) -> list[Markup]:
    marks = []
    for tick in y.ticks(5):
        text = f"{tick * factor:g}".replace("-", "\N{MINUS SIGN}")
        marks += [
            element("line", class_="zero" if tick == 0 else "grid", x1=_LEFT, x2=_RIGHT, y1=y(tick), y2=y(tick)),
            element("text", text, class_="tick", x=_LEFT - 7, y=y(tick) + 4, text_anchor="end"),
        ]
    for tick in x.ticks(4):
        marks += [
            element("line", class_="grid", x1=x(tick), x2=x(tick), y1=_TOP, y2=_BOTTOM),
            element("text", short_count(tick), class_="tick", x=x(tick), y=_BOTTOM + 18, text_anchor="middle"),
        ]
    middle = (_TOP + _BOTTOM) / 2
    marks.append(element("text", x_label, class_="axis", x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 12, text_anchor="middle"))
    marks.append(
        element(
            "text", y_label, class_="axis", x=14, y=middle, text_anchor="middle", transform=f"rotate(-90 14 {middle:g})"
        )
    )
    return marks


def _front(points: Sequence[ParetoPoint], x: Scale, y: Scale) -> list[Markup]:
    front = sorted((point for point in points if point.on_front), key=lambda point: point.cost)
    path = " ".join(f"{x(point.cost):.1f},{y(point.drop):.1f}" for point in front)
    return [element("polyline", title("Pareto front"), class_="front", points=path)] if len(front) > 1 else []


def _symbol(point: ParetoPoint, x: float, y: float, *, beyond: bool) -> Markup:
    tooltip = title(point.label)
    if beyond:
        return element("path", tooltip, class_=f"mark mark-{point.mark}", d=f"M{x - 5:.1f} {y + 4:.1f}h10l-5 -9z")
    match point.mark:
        case ParetoMark.REFERENCE:
            return element("rect", tooltip, class_="mark mark-reference", x=x - 6, y=y - 6, width=12, height=12)
        case ParetoMark.CONTROL:
            return element("path", tooltip, class_="mark mark-control", d=f"M{x:.1f} {y - 7:.1f}l7 12h-14z")
        case ParetoMark.CHOSEN:
            path = f"M{x:.1f} {y - 10:.1f}l10 10l-10 10l-10 -10z"
            return element("path", tooltip, class_="mark mark-chosen", d=path)
        case _:
            return element(
                "circle", tooltip, class_=f"mark mark-{point.mark}", cx=x, cy=y, r=5 if point.on_front else 4
            )
