"""Joins sections and templates into one HTML file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from darwin_core.contracts import CompactionReport
from darwin_core.reporting.formatting import plural, readable, shorten
from darwin_core.reporting.sections.behaviour import show_behaviour
from darwin_core.reporting.sections.comparison import compare
from darwin_core.reporting.sections.explanation import show_decisions, show_findings
from darwin_core.reporting.sections.exports import show_exports
from darwin_core.reporting.sections.gate import show_gate
from darwin_core.reporting.sections.layers import compare_layers
from darwin_core.reporting.sections.provenance import show_origin
from darwin_core.reporting.sections.search import show_search
from darwin_core.reporting.sections.slices import show_slices
from darwin_core.reporting.sections.summary import summarize

_TEMPLATES = Path(__file__).parent / "templates"


def render_report(report: CompactionReport) -> str:
    """The report as one self-contained HTML file.

    It holds no script, fetches nothing (a content security policy in the file forbids both) and escapes every text of
    the report model, so it can be shown in a sandboxed iframe whatever the data's column names and values are.

    Args:
        report: Everything that is shown.

    Returns:
        The HTML text, to be stored as UTF-8.
    """
    return (
        _environment()
        .get_template("report.html")
        .render(
            report=report,
            style=Markup((_TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - a file of this package
            summary=summarize(report),
            comparison=compare(report),
            layers=compare_layers(report),
            exports=show_exports(report),
            gate=show_gate(report),
            slices=show_slices(report),
            behaviour=show_behaviour(report),
            decisions=show_decisions(report),
            findings=show_findings(report),
            search=show_search(report),
            origin=show_origin(report),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters["shorten"] = shorten
    environment.globals["plural"] = plural
    return environment


def _visible(value: Any) -> Any:
    return readable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
