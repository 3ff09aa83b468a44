"""Small pieces of sentences that several messages share."""

from __future__ import annotations

from collections.abc import Iterable


def listed(names: Iterable[str], most: int = 5) -> str:
    """``a, b and c``; beyond ``most``: ``a, b, c and 4 more``."""
    every = list(names)
    if len(every) > most:
        return f"{', '.join(every[:most])} and {len(every) - most:,} more"
    if len(every) < 2:
        return "".join(every)
    return f"{', '.join(every[:-1])} and {every[-1]}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def percent(share: float) -> str:
    """A share as a percentage with as many digits as it takes to differ from 0 and 100."""
    value = 100 * share
    for digits in (0, 1, 2, 3):
        text = f"{value:.{digits}f}"
        if abs(float(text) - value) <= 0.02 * min(value, 100 - value) or (value >= 10 and digits >= 1):
            return f"{text} %"
    return f"{value:.2g} %" if value < 50 else f"{value:.4f} %"
