"""Bars inside table cells: a pair of shares, and a signed contribution."""

from __future__ import annotations

from markupsafe import Markup

from darwin_core.reporting.figures.svg import Scale, element, percent, strip, title


def paired_bar(reference: float, candidate: float, largest: float, label: str) -> Markup:
    """The candidate's share as a filled bar over the reference's as an outline."""
    scale = Scale(0.0, largest or 1.0, 0.0, 0.985)
    return strip(
        24,
        label,
        [
            element(
                "rect",
                title(label),
                class_="bar-candidate",
                x="0.4%",
                y=3,
                height=10,
                rx=2,
                width=percent(scale(candidate)),
            ),
            element("rect", class_="bar-reference", x="0.4%", y=16, height=5, rx=1, width=percent(scale(reference))),
        ],
    )


def signed_bar(value: float, largest: float, label: str) -> Markup:
    """A contribution from the middle outwards: to the right where it is positive."""
    length = Scale(0.0, largest or 1.0, 0.0, 0.48)(abs(value))
    start = 0.5 if value >= 0 else 0.5 - length
    return strip(
        18,
        label,
        [
            element(
                "rect",
                title(label),
                class_="bar-for" if value >= 0 else "bar-against",
                x=percent(start),
                y=4,
                height=10,
                rx=2,
                width=percent(length),
            ),
            element("line", class_="zero", x1="50%", x2="50%", y1=0, y2=18),
        ],
    )
