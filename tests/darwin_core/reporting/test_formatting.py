"""Numbers and texts as the report writes them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.reporting import formatting


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (formatting.count(457_312), "457,312"),
        (formatting.count(None), formatting.MISSING),
        (formatting.short_count(457_312), "457 k"),
        (formatting.short_count(12_840), "12.8 k"),
        (formatting.short_count(999_600), "1.00 M"),
        (formatting.short_count(43), "43"),
        (formatting.short_count(0), "0"),
        (formatting.data_size(1_829_248), "1.83 MB"),
        (formatting.data_size(812), "812 B"),
        (formatting.milliseconds(0.8421), "0.842 ms"),
        (formatting.milliseconds(54.2), "54.2 ms"),
        (formatting.share(0.9719), "97.2 %"),
        (formatting.points(-0.0034), "-0.34 pt"),
        (formatting.points(0.0), "0.00 pt"),
        (formatting.points(-0.00001), "0.00 pt"),
        (formatting.points(0.02), "+2.00 pt"),
        (formatting.relative_change(457_312, 12_840), "-97.2 %"),
        (formatting.relative_change(100_000, 400), "-99.60 %"),
        (formatting.relative_change(100, 103), "+3.0 %"),
        (formatting.relative_change(0, 5), formatting.MISSING),
        (formatting.times_smaller(457_312, 12_840), "35.6\N{MULTIPLICATION SIGN}"),
        (formatting.times_smaller(5, 0), formatting.MISSING),
        (formatting.duration(0.84), "0.8 s"),
        (formatting.duration(192), "3 min 12 s"),
        (formatting.duration(7_500), "2 h 5 min"),
        (formatting.plural(1, "finding"), "1 finding"),
        (formatting.plural(3, "finding"), "3 findings"),
        (formatting.shorten("abcdef", 4), "abc…"),
    ],
)
def test_examples(text: str, expected: str) -> None:
    assert text.replace("\u202f", " ").replace("\u2212", "-") == expected


@pytest.mark.parametrize(
    "function",
    [formatting.number, formatting.short_count, formatting.milliseconds, formatting.share, formatting.points,
     formatting.duration],
)  # fmt: skip
@pytest.mark.parametrize("value", [None, math.nan, math.inf, -math.inf])
def test_nothing_to_show_is_a_dash(function: Callable[[float | None], str], value: float | None) -> None:
    assert function(value) == formatting.MISSING


@given(st.floats(min_value=1e-9, max_value=1e15))
def test_short_counts_keep_three_digits(value: float) -> None:
    unit = {"k": 1e3, "M": 1e6, "G": 1e9}
    text = formatting.short_count(value)
    digits, _, name = text.replace(",", "").partition("\u202f")
    assert float(digits) * unit.get(name, 1) == pytest.approx(value, rel=0.006, abs=1e-4)


@given(st.text())
def test_readable_text_holds_nothing_invisible(text: str) -> None:
    shown = formatting.readable(text)
    assert len(shown) == len(text)
    shown.encode("utf-8")
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"]
    assert formatting.readable(shown) == shown


@given(st.text(), st.integers(min_value=2, max_value=40))
def test_shortened_text_keeps_its_limit_and_its_beginning(text: str, limit: int) -> None:
    short = formatting.shorten(text, limit)
    assert len(short) <= limit
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
