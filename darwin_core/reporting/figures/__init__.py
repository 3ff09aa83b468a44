"""Inline SVG, drawn by hand: no script, colours from the page's CSS variables, a ``<title>`` on every mark.

Two families. Row figures (intervals, bars, layer shapes, the lineage) place their marks in per cent of the width and
keep text out or short, so that they fit any screen without scaling; plots with two axes scale as a whole.
"""

from darwin_core.reporting.figures.bars import paired_bar as paired_bar
from darwin_core.reporting.figures.bars import signed_bar as signed_bar
from darwin_core.reporting.figures.bars import spread_bar as spread_bar
from darwin_core.reporting.figures.curves import Curve as Curve
from darwin_core.reporting.figures.curves import curve_plot as curve_plot
from darwin_core.reporting.figures.intervals import Interval as Interval
from darwin_core.reporting.figures.intervals import IntervalScale as IntervalScale
from darwin_core.reporting.figures.lineage import LineageMark as LineageMark
from darwin_core.reporting.figures.lineage import LineageNode as LineageNode
from darwin_core.reporting.figures.lineage import lineage_plot as lineage_plot
from darwin_core.reporting.figures.pareto import ParetoMark as ParetoMark
from darwin_core.reporting.figures.pareto import ParetoPoint as ParetoPoint
from darwin_core.reporting.figures.pareto import pareto_plot as pareto_plot
from darwin_core.reporting.figures.shape import LayerShape as LayerShape
from darwin_core.reporting.figures.shape import shape_plot as shape_plot
