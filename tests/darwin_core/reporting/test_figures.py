"""Figures: marks stand where the numbers say."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from darwin_core.reporting.figures import (
    Curve,
    Interval,
    IntervalScale,
    LayerShape,
    LineageMark,
    LineageNode,
    ParetoMark,
    ParetoPoint,
    curve_plot,
    lineage_plot,
    paired_bar,
    pareto_plot,
    shape_plot,
    signed_bar,
)
from darwin_core.reporting.figures.svg import Scale, element, padded


def marks(svg: str, class_: str) -> list[ElementTree.Element]:
    return [item for item in ElementTree.fromstring(svg).iter() if class_ in item.get("class", "").split()]


def position(item: ElementTree.Element, name: str) -> float:
    return float(item.get(name, "").rstrip("%"))


def test_elements_escape_texts_and_attributes() -> None:
    svg = element("text", "<b>&\"'", aria_label='"><script>', class_="x")
    parsed = ElementTree.fromstring(svg)
    assert parsed.text == "<b>&\"'"
    assert parsed.get("aria-label") == '"><script>'


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20))
def test_scale_keeps_order_and_stays_in_its_range(values: list[float]) -> None:
    low, high = padded(values)
    scale = Scale(low, high, 10, 20)
    placed = [scale(value) for value in sorted(values)]
    assert placed == sorted(placed)
    assert all(10 <= at <= 20 for at in placed)


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (Scale(0, 1), [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (Scale(-0.0012, 0.0031), [-0.001, 0, 0.001, 0.002, 0.003]),
        (Scale(5_000, 600_000, logarithmic=True), [10_000, 30_000, 100_000, 300_000]),
        (Scale(40, 60, logarithmic=True), [50]),
    ],
)
def test_ticks_are_round(scale: Scale, expected: list[float]) -> None:
    assert scale.ticks() == pytest.approx(expected)


def test_interval_stands_between_its_bounds() -> None:
    interval = Interval(-0.001, -0.004, 0.002, -0.005, "PR-AUC")
    svg = IntervalScale.around([interval]).draw(interval)
    (dot,) = marks(svg, "dot")
    whisker = marks(svg, "whisker")[0]
    (margin,), (zero,) = marks(svg, "margin"), marks(svg, "zero")
    assert position(margin, "x1") < position(whisker, "x1") < position(dot, "cx") < position(zero, "x1")
    assert position(zero, "x1") < position(whisker, "x2")


def test_one_wild_interval_does_not_flatten_the_rest() -> None:
    usual = [Interval(0.0, -0.01, 0.01, None, "usual") for _ in range(5)]
    wild = Interval(0.0, -5.0, 5.0, None, "wild")
    scale = IntervalScale.around([*usual, wild])
    whisker = marks(scale.draw(usual[0]), "whisker")[0]
    assert position(whisker, "x2") - position(whisker, "x1") > 50
    assert len(marks(scale.draw(wild), "whisker")) == 1, "an end that is cut off has no cap"


def test_an_estimate_off_the_scale_is_an_arrow() -> None:
    usual = [Interval(0.0, -0.01, 0.01, None, "usual") for _ in range(5)]
    wild = Interval(-3.0, -5.0, 5.0, None, "wild")
    (dot,) = marks(IntervalScale.around([*usual, wild]).draw(wild), "dot")
    assert dot.tag == "path"
    assert dot.get("d", "").endswith("l-9 -6z"), "it points to the left"


def test_a_distant_margin_is_left_out_rather_than_drawn_where_it_is_not() -> None:
    interval = Interval(0.001, -0.01, 0.01, -0.2, "PR-AUC")
    svg = IntervalScale.around([interval]).draw(interval)
    assert not marks(svg, "margin")
    whisker = marks(svg, "whisker")[0]
    assert position(whisker, "x2") - position(whisker, "x1") > 70


def test_chosen_network_stands_left_of_the_reference_and_outliers_are_arrows() -> None:
    points = [
        ParetoPoint(400_000, 0.0, ParetoMark.REFERENCE, False, "reference"),
        ParetoPoint(10_000, 0.001, ParetoMark.CHOSEN, True, "chosen"),
        ParetoPoint(50_000, 0.0005, ParetoMark.FINISHED, True, "finished"),
        ParetoPoint(5_000, 0.4, ParetoMark.RACED, False, "ruined"),
        ParetoPoint(0, 0.0, ParetoMark.RACED, False, "free"),
    ]
    svg = pareto_plot(points, "parameters", "PR-AUC drop", as_points=True, tolerated=0.005)
    chosen, reference = marks(svg, "mark-chosen")[0], marks(svg, "mark-reference")[0]
    match = re.match(r"M([\d.]+)", chosen.get("d", ""))
    assert match is not None and float(match[1]) < position(reference, "x")
    assert [item.tag for item in marks(svg, "mark-raced")] == ["path"]
    assert len(marks(svg, "front")[0].get("points", "").split()) == 2
    assert "free" not in svg


def family(*members: tuple[str, int, tuple[str, ...], int, LineageMark], line: tuple[str, ...] = ()) -> str:
    nodes = [
        LineageNode(name, name, generation, parents, parameters, mark, name in line, f"about {name}")
        for name, generation, parents, parameters, mark in members
    ]
    return lineage_plot(nodes, "family", "all of it")


def test_lines_of_descent_lead_from_parents_to_offspring() -> None:
    svg = family(
        ("reference", 0, (), 100_000, LineageMark.REFERENCE),
        ("a", 1, ("reference",), 9_000, LineageMark.PROMISING),
        ("b", 1, ("reference",), 3_000, LineageMark.OTHER),
        ("c", 2, ("a",), 1_000, LineageMark.CHOSEN),
        ("d", 2, ("a",), 200, LineageMark.OTHER),
        ("plain", 1, ("reference",), 1_000, LineageMark.CONTROL),
        line=("reference", "a", "c"),
    )
    (a,) = marks(svg, "mark-promising")
    b, d = sorted(marks(svg, "mark-other"), key=lambda item: position(item, "cx"))
    assert position(a, "cx") == position(b, "cx") < position(d, "cx")
    assert position(a, "cy") < position(b, "cy"), "the largest stands on top"
    assert position(a, "r") > position(b, "r") > position(d, "r")
    descent = marks(svg, "edge-chosen")
    assert len(descent) == 2
    assert [position(descent[0], "x2"), position(descent[0], "y2")] == [position(a, "cx"), position(a, "cy")]
    assert [position(descent[1], "x1"), position(descent[1], "y1")] == [position(a, "cx"), position(a, "cy")]
    assert len(marks(svg, "edge")) == 5
    assert len(marks(svg, "edge-control")) == 1
    assert {name for name in ("a", "b", "c", "d", "plain") if f"about {name}<" in svg} == {"a", "b", "c", "d", "plain"}


def test_a_crowded_generation_keeps_those_that_matter_and_counts_the_rest() -> None:
    crowd = [(f"n{index:02d}", 1, ("reference",), 1_000 - index, LineageMark.OTHER) for index in range(60)]
    svg = family(
        ("reference", 0, (), 100_000, LineageMark.REFERENCE),
        *crowd,
        ("child", 2, ("n59",), 100, LineageMark.CHOSEN),
        ("orphan", 2, ("somebody",), 50, LineageMark.OTHER),
    )
    assert "about n59<" in svg, "the smallest, but it has offspring"
    assert "about n00<" in svg
    assert "about n40<" not in svg
    assert "36 more networks of generation 1" in svg
    assert len(marks(svg, "mark")) == 1 + 24 + 2


def test_a_family_of_one_or_of_equals_can_be_drawn() -> None:
    assert len(marks(family(("reference", 0, (), 0, LineageMark.REFERENCE)), "mark")) == 1
    twins = [(name, 1, ("reference",), 7, LineageMark.OTHER) for name in "ab"]
    assert len(marks(family(("reference", 0, (), 7, LineageMark.REFERENCE), *twins), "edge")) == 2


def test_bars_grow_with_their_values() -> None:
    svg = paired_bar(0.1, 0.2, 0.4, "PAY_0")
    candidate, reference = marks(svg, "bar-candidate")[0], marks(svg, "bar-reference")[0]
    assert position(candidate, "width") == pytest.approx(2 * position(reference, "width"), abs=0.02)
    assert position(marks(signed_bar(0.2, 0.4, "x"), "bar-for")[0], "x") == 50
    assert position(marks(signed_bar(-0.2, 0.4, "x"), "bar-against")[0], "x") < 50


def test_shape_draws_what_is_left_inside_what_was() -> None:
    svg = shape_plot([LayerShape("dense", 400, 100, "dense"), LayerShape("gone", 50, None, "gone")], "shape")
    before, after = marks(svg, "shape-reference"), marks(svg, "shape-candidate")
    assert (len(before), len(after)) == (2, 1)
    assert position(after[0], "height") == pytest.approx(position(before[0], "height") / 2)


def test_curves_are_thinned_and_keep_their_ends() -> None:
    points = [(index / 5000, index / 5000) for index in range(5001)]
    svg = curve_plot([Curve("candidate", "candidate", points)], "x", "y", "curve", diagonal=True)
    drawn = marks(svg, "curve")[0].get("points", "").split()
    assert len(drawn) == 200
    ends = [tuple(float(part) for part in drawn[index].split(",")) for index in (0, -1)]
    assert ends[0][0] < ends[1][0]
    assert ends[0][1] > ends[1][1]
