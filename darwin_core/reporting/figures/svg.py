"""A small SVG writer that escapes everything, and the scales that turn values into positions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from darwin_core.reporting.formatting import readable


def element(tag: str, *children: Markup | str, **attributes: str | float | None) -> Markup:
    """One element. ``class_`` and underscores become ``class`` and hyphens; None leaves an attribute out."""
    written = Markup("").join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), _attribute(value))
        for name, value in attributes.items()
        if value is not None
    )
    inside = Markup("").join(escape(child if isinstance(child, Markup) else readable(child)) for child in children)
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(tag), written, inside)  # noqa: S704 - our own tag names


def title(text: str) -> Markup:
    """The tooltip of the element it is put into."""
    return element("title", text)


def picture(width: float, height: float, label: str, children: Iterable[Markup], class_: str = "plot") -> Markup:
    """A plot that scales as a whole; ``label`` is what a screen reader says."""
    return element(
        "svg",
        *children,
        class_=class_,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=label,
    )


def strip(
    height: float, label: str, children: Iterable[Markup], class_: str = "strip", *, least_width: float | None = None
) -> Markup:
    """A figure as wide as its place, ``height`` pixels high; its marks stand at per cents of the width.

    ``least_width`` is the width in pixels below which its place has to scroll.
    """
    style = None if least_width is None else f"min-width:{least_width:g}px"
    return element(
        "svg", *children, class_=class_, width="100%", height=height, role="img", aria_label=label, style=style
    )


def percent(value: float) -> str:
    """A position or length in per cent of the width."""
    return f"{round(100 * value, 2):g}%"


@dataclass(frozen=True)
class Scale:
    """Maps ``low..high`` to ``start..end``, linearly or by the logarithm; values outside stick to the edge."""

    low: float
    high: float
    start: float = 0.0
    end: float = 1.0
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The position of ``value``."""
        low, high, at = self._transformed(self.low), self._transformed(self.high), self._transformed(value)
        if high <= low:
            return (self.start + self.end) / 2
        return self.start + (self.end - self.start) * min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self, about: int = 5) -> list[float]:
        """Round values between ``low`` and ``high``."""
        return _log_ticks(self.low, self.high, about) if self.logarithmic else _ticks(self.low, self.high, about)

    def _transformed(self, value: float) -> float:
        return math.log10(max(value, 1e-12)) if self.logarithmic else value


def padded(values: Sequence[float], *, share: float = 0.08) -> tuple[float, float]:
    """The range of ``values`` with some room on both sides; a single value gets a range around it."""
    low, high = min(values), max(values)
    room = (high - low) * share or max(abs(high) * 0.1, 1e-3)
    return low - room, high + room


def _ticks(low: float, high: float, about: int) -> list[float]:
    if not high > low:
        return [low]
    raw = (high - low) / max(about, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _log_ticks(low: float, high: float, about: int) -> list[float]:
    exponents = range(math.floor(math.log10(max(low, 1e-12))), math.ceil(math.log10(max(high, 1e-12))) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        found = [f * 10.0**e for e in exponents for f in factors if low <= f * 10.0**e <= high]
        if len(found) >= min(about, 3):
            return found
    return found or [low]


def _attribute(value: str | float) -> str:
    return f"{round(value, 2):g}" if isinstance(value, int | float) else readable(value)
