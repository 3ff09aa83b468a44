"""Dot and whiskers: an estimate with its bounds on a scale that several rows share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.reporting.figures.svg import Scale, element, percent, strip, title
from darwin_core.reporting.formatting import is_finite

_HEIGHT = 26
_MIDDLE = _HEIGHT / 2
_INSET = 0.03


@dataclass(frozen=True)
class Interval:
    """An estimate and its one-sided bounds; ``margin`` is the difference that is tolerated."""

    value: float | None
    low: float | None
    high: float | None
    margin: float | None
    label: str


@dataclass(frozen=True)
class IntervalScale:
    """The range that all rows of one table share. Zero is always on it."""

    low: float
    high: float

    @classmethod
    def around(cls, intervals: Iterable[Interval]) -> IntervalScale:
        """The range that shows most: one wild interval or a distant margin must not flatten the rest.

        An estimate or bound further out than four times the median reach is cut off and drawn as such; a margin
        further out than three times everything else is not drawn.
        """
        intervals = list(intervals)
        parts = [[v for v in (i.value, i.low, i.high) if v is not None and is_finite(v)] for i in intervals]
        reaches = sorted(max(abs(value) for value in values) for values in parts if values)
        limit = 4 * reaches[len(reaches) // 2] if reaches else 0.0
        kept = [0.0, *(value for values in parts for value in values if abs(value) <= limit)]
        furthest = max(abs(value) for value in kept)
        margins = [i.margin for i in intervals if i.margin is not None and is_finite(i.margin)]
        kept += [margin for margin in margins if abs(margin) <= 3 * furthest or not furthest]
        low, high = min(kept), max(kept)
        room = 0.06 * (high - low) or 1e-3
        return cls(low - room, high + room)

    def draw(self, interval: Interval) -> Markup:
        """One row's figure."""
        at = Scale(self.low, self.high, _INSET, 1 - _INSET)
        marks = [_upright(at(0.0), "zero", "no difference")]
        if interval.margin is not None and self.low <= interval.margin <= self.high:
            marks.append(_upright(at(interval.margin), "margin", "margin of the gate"))
        if interval.low is not None and interval.high is not None and is_finite(interval.low + interval.high):
            marks += self._whisker(at, interval.low, interval.high)
        if interval.value is not None and is_finite(interval.value):
            marks.append(self._dot(percent(at(interval.value)), interval.value, interval.label))
        return strip(_HEIGHT, interval.label, marks, "strip interval")

    def _dot(self, x: str, value: float, label: str) -> Markup:
        """The estimate; off the scale, an arrow that points to where it is."""
        if self.low <= value <= self.high:
            return element("circle", title(label), class_="dot", cx=x, cy=_MIDDLE, r=4.5)
        outwards = -9 if value < self.low else 9
        arrow = element("path", class_="dot", d=f"M0 {_MIDDLE - 6}v12l{outwards} -6z")
        return element("svg", title(label), arrow, x=x, overflow="visible")

    def _whisker(self, at: Scale, low: float, high: float) -> list[Markup]:
        left, right = percent(at(low)), percent(at(high))
        marks = [element("line", class_="whisker", x1=left, x2=right, y1=_MIDDLE, y2=_MIDDLE)]
        for bound, x in ((low, left), (high, right)):
            if self.low <= bound <= self.high:
                marks.append(element("line", class_="whisker", x1=x, x2=x, y1=_MIDDLE - 5, y2=_MIDDLE + 5))
        return marks


def _upright(position: float, class_: str, text: str) -> Markup:
    x = percent(position)
    return element("line", title(text), class_=class_, x1=x, x2=x, y1=0, y2=_HEIGHT)
