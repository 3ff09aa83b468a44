"""Where both networks decide differently: ROC and precision-recall curves, confusion, rows the candidate misses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from darwin_core.contracts import CompactionReport, CurvePoint
from darwin_core.reporting.figures import Curve, curve_plot
from darwin_core.reporting.formatting import count, is_finite

_LARGEST_MATRIX = 12
_PAIRS_SHOWN = 15
_ROLES = {"reference": "reference", "candidate": "candidate"}


@dataclass(frozen=True)
class Plot:
    """A plot with its heading."""

    title: str
    figure: Markup
    legend: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Cell:
    """A cell of a confusion matrix; ``weight`` (0..1) is its share of the true class."""

    text: str
    weight: float
    correct: bool


@dataclass(frozen=True)
class Matrix:
    """A small confusion matrix, one row per true class."""

    network: str
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


@dataclass(frozen=True)
class ConfusedPair:
    """How often one class was taken for another, per network."""

    true: str
    predicted: str
    counts: tuple[str, ...]


@dataclass(frozen=True)
class Behaviour:
    """Curves and confusion. ``pairs`` stands in for the matrix where there are many classes."""

    plots: tuple[Plot, ...]
    matrices: tuple[Matrix, ...]
    networks: tuple[str, ...]
    class_names: tuple[str, ...]
    pairs: tuple[ConfusedPair, ...]
    missed: tuple[str, ...]


def show_behaviour(report: CompactionReport) -> Behaviour:
    """The section on curves and confusion."""
    evaluation = report.evaluation
    plots = [
        _plot("ROC curve", evaluation.roc, "false-positive rate", "true-positive rate", diagonal=True),
        _plot("Precision-recall curve", evaluation.precision_recall, "recall", "precision", diagonal=False),
    ]
    small = all(len(matrix) <= _LARGEST_MATRIX for matrix in evaluation.confusion.values())
    names = _class_names(report)
    return Behaviour(
        plots=tuple(plot for plot in plots if plot is not None),
        matrices=tuple(_matrix(n, m, names) for n, m in evaluation.confusion.items()) if small else (),
        networks=tuple(evaluation.confusion),
        class_names=names,
        pairs=() if small else _pairs(evaluation.confusion, names),
        missed=evaluation.missed_row_ids,
    )


def _plot(title: str, curves: Mapping[str, Sequence[CurvePoint]], x: str, y: str, *, diagonal: bool) -> Plot | None:
    drawn = []
    for network, points in curves.items():
        finite = [(point.x, point.y) for point in points if is_finite(point.x) and is_finite(point.y)]
        if finite:
            drawn.append(Curve(network, _ROLES.get(network, "other"), finite))
    if not drawn:
        return None
    label = f"{title} of {', '.join(curve.name for curve in drawn)}"
    figure = curve_plot(drawn, x, y, label, diagonal=diagonal)
    return Plot(title, figure, tuple((curve.role, curve.name) for curve in drawn))


def _class_names(report: CompactionReport) -> tuple[str, ...]:
    names = report.evaluation.class_names or report.snapshot.classes
    size = max((len(matrix) for matrix in report.evaluation.confusion.values()), default=0)
    return tuple(names) + tuple(str(index) for index in range(len(names), size))


def _matrix(network: str, matrix: Iterable[Sequence[int]], names: Sequence[str]) -> Matrix:
    rows = []
    for true, counts in enumerate(matrix):
        total = sum(counts) or 1
        cells = tuple(Cell(count(n), n / total, predicted == true) for predicted, n in enumerate(counts))
        rows.append((names[true], cells))
    return Matrix(network, tuple(rows))


def _pairs(confusion: Mapping[str, Sequence[Sequence[int]]], names: Sequence[str]) -> tuple[ConfusedPair, ...]:
    totals: dict[tuple[int, int], int] = {}
    for matrix in confusion.values():
        for true, counts in enumerate(matrix):
            for predicted, amount in enumerate(counts):
                if predicted != true and amount:
                    totals[true, predicted] = max(totals.get((true, predicted), 0), amount)
    worst = sorted(totals, key=lambda pair: -totals[pair])[:_PAIRS_SHOWN]
    return tuple(
        ConfusedPair(names[t], names[p], tuple(count(matrix[t][p]) for matrix in confusion.values())) for t, p in worst
    )
