"""ROC and precision-recall curves of several networks in one square."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.reporting.figures.svg import Scale, element, picture, title

_WIDTH, _HEIGHT = 460, 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 446, 12, 306
_MOST_POINTS = 200


@dataclass(frozen=True)
class Curve:
    """One network's curve in the unit square; ``role`` picks the stroke (reference, candidate, other)."""

    name: str
    role: str
    points: Sequence[tuple[float, float]]


def curve_plot(curves: Sequence[Curve], x_label: str, y_label: str, label: str, *, diagonal: bool) -> Markup:
    """The curves, each thinned to 200 points."""
    x, y = Scale(0, 1, _LEFT, _RIGHT), Scale(0, 1, _BOTTOM, _TOP)
    marks = _frame(x, y, x_label, y_label)
    if diagonal:
        marks.append(element("line", class_="zero", x1=x(0), y1=y(0), x2=x(1), y2=y(1)))
    for curve in curves:
        path = " ".join(f"{x(px):.1f},{y(py):.1f}" for px, py in _thinned(curve.points))
        marks.append(element("polyline", title(curve.name), class_=f"curve curve-{curve.role}", points=path))
    return picture(_WIDTH, _HEIGHT, label, marks)


def _frame(x: Scale, y: Scale, x_label: str, y_label: str) -> list[Markup]:
    marks = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        marks += [
            element("line", class_="grid", x1=_LEFT, x2=_RIGHT, y1=y(tick), y2=y(tick)),
            element("text", f"{tick:g}", class_="tick", x=_LEFT - 6, y=y(tick) + 4, text_anchor="end"),
            element("text", f"{tick:g}", class_="tick", x=x(tick), y=_BOTTOM + 17, text_anchor="middle"),
        ]
    middle = (_TOP + _BOTTOM) / 2
    marks.append(element("text", x_label, class_="axis", x=(_LEFT + _RIGHT) / 2, y=_HEIGHT - 12, text_anchor="middle"))
    marks.append(
        element(
            "text", y_label, class_="axis", x=12, y=middle, text_anchor="middle", transform=f"rotate(-90 12 {middle:g})"
        )
    )
    return marks


def _thinned(points: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    if len(points) <= _MOST_POINTS:
        return points
    stride = (len(points) - 1) / (_MOST_POINTS - 1)
    return [points[round(index * stride)] for index in range(_MOST_POINTS)]
