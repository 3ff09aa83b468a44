"""Numbers and texts as the report writes them. Every function takes what is missing (None, NaN, infinity) calmly."""

from __future__ import annotations

import math
import unicodedata

MISSING = "\N{EN DASH}"
"""Shown where there is no value."""

MINUS = "\N{MINUS SIGN}"
_NARROW = "\N{NARROW NO-BREAK SPACE}"
_ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
_UNREADABLE = "\N{REPLACEMENT CHARACTER}"
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs"})
_MARKS_OF_WRITING = frozenset("\n\t\u200c\u200d\u00ad")


def is_finite(value: float | None) -> bool:
    """Whether there is a value that can be shown or drawn."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 4, *, signed: bool = False) -> str:
    """A plain number with ``digits`` decimals, thousands grouped: ``1,234.5000``."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    return f"{0:,.{digits}f}" if float(text.replace(",", "")) == 0 else text.replace("-", MINUS)


def count(value: int | None) -> str:
    """A whole number, thousands grouped: ``457,312``."""
    return MISSING if value is None else f"{value:,}".replace("-", MINUS)


def short_count(value: float | None) -> str:
    """Three digits and a unit: ``457 k``, ``12.8 k``, ``1.56 M``."""
    if value is None or not math.isfinite(value):
        return MISSING
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size * 0.9995:
            return f"{_three_digits(value / size)}{_NARROW}{unit}"
    return _three_digits(value)


def data_size(value: int | None) -> str:
    """Bytes in decimal units: ``1.83 MB``."""
    if value is None:
        return MISSING
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size * 0.9995:
            return f"{_three_digits(value / size)}{_NARROW}{unit}"
    return f"{value}{_NARROW}B"


def milliseconds(value: float | None) -> str:
    """A latency: ``0.842 ms``."""
    return MISSING if value is None or not math.isfinite(value) else f"{_three_digits(value)}{_NARROW}ms"


def share(value: float | None, digits: int = 1) -> str:
    """A share in per cent: ``97.2 %``."""
    text = number(None if value is None else 100 * value, digits)
    return text if text == MISSING else f"{text}{_NARROW}%"


def confidence_level(value: float) -> str:
    """A confidence level, as many digits as it has: ``95 %``, ``97.5 %``."""
    return f"{100 * value:g}{_NARROW}%" if math.isfinite(value) else MISSING


def points(value: float | None, digits: int = 2) -> str:
    """A difference of shares in percentage points, signed: ``−0.34 pt``."""
    text = number(None if value is None else 100 * value, digits, signed=True)
    return text if text == MISSING else f"{text}{_NARROW}pt"


def relative_change(before: float | None, after: float | None) -> str:
    """Change relative to ``before`` in per cent, signed: ``−97.2 %``; nothing to say where ``before`` is 0."""
    if before is None or after is None or before == 0 or not math.isfinite(after / before):
        return MISSING
    change = 100 * (after / before - 1)
    digits = 2 if 99 <= abs(change) < 99.995 else 1
    return f"{number(change, digits, signed=True)}{_NARROW}%"


def times_smaller(before: float | None, after: float | None) -> str:
    """How often ``after`` fits into ``before``: ``35.6×``."""
    if not before or not after or not math.isfinite(before / after):
        return MISSING
    return f"{_three_digits(before / after)}\N{MULTIPLICATION SIGN}"


def duration(seconds: float | None) -> str:
    """A time span: ``0.8 s``, ``3 min 12 s``, ``2 h 5 min``."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 60:
        return f"{seconds:.1f}{_NARROW}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}{_NARROW}h {minutes}{_NARROW}min" if hours else f"{minutes}{_NARROW}min {rest}{_NARROW}s"


def readable(text: str) -> str:
    """``text`` with control characters, direction overrides and lone surrogates made visible.

    Column names and values come from outside: an invisible character must not make them read as something else.
    """
    return "".join(
        _UNREADABLE
        if unicodedata.category(character) in _HIDDEN_CATEGORIES and character not in _MARKS_OF_WRITING
        else character
        for character in text
    )


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters, the cut marked by an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + _ELLIPSIS


def plural(amount: int, singular: str, several: str | None = None) -> str:
    """The amount with its noun: ``1 finding``, ``3 findings``."""
    return f"{count(amount)} {singular if amount == 1 else several or singular + 's'}"


def _three_digits(value: float) -> str:
    if value == 0:
        return "0"
    if value == int(value) and abs(value) < 1000:
        return number(value, 0)
    magnitude = math.floor(math.log10(abs(value)) + 1e-3)
    return number(value, min(max(0, 2 - magnitude), 4))
