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


def spread_bar(quantiles: tuple[float, ...], largest: float, label: str) -> Markup:
    """A distribution around zero: a line from the 5 to the 95 % quantile, a box over the middle half, the median.

    Args:
        quantiles: 5, 25, 50, 75 and 95 %, ascending.
        largest: Size that reaches the edge of the figure.
        label: What it shows, in words.
    """
    scale = Scale(-(largest or 1.0), largest or 1.0, 0.02, 0.98)
    low, first, median, third, high = (scale(value) for value in quantiles)
    box = percent(max(third - first, 0.006))
    return strip(
        24,
        label,
        [
            element("line", class_="zero", x1="50%", x2="50%", y1=0, y2=24),
            element("line", title(label), class_="whisker", x1=percent(low), x2=percent(high), y1=12, y2=12),
            element("rect", title(label), class_="bar-candidate", x=percent(first), y=6, height=12, rx=2, width=box),
            element("line", class_="median", x1=percent(median), x2=percent(median), y1=3, y2=21),
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
