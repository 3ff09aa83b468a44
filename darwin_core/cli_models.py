"""Commands that take the file of a network, and no run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from darwin_core.cli_options import AsJson, Quiet
from darwin_core.cli_requests import option_errors
from darwin_core.cli_tables import print_exports, print_inspection, print_narrowing
from darwin_core.contracts import DataRoles, ExportFormat, Genome
from darwin_core.contracts.data import DataSource
from darwin_core.errors import RequestError
from darwin_core.progress import default_reporter
from darwin_core.quiet import load_quietly


def inspect(
    model: Annotated[Path, typer.Argument(help="A .keras file.")],
    as_json: AsJson = False,
) -> None:
    """Show what a network costs, which channels belong together and which layers cannot be narrowed, and why."""
    load_quietly("tensorflow")
    from darwin_core.dependency import inspect_network
    from darwin_core.networks import load_network

    print_inspection(inspect_network(load_network(model), model), as_json=as_json)


def narrow(
    model: Annotated[Path, typer.Argument(help="A .keras file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write the narrower network.")],
    width: Annotated[float, typer.Option(min=0.001, max=1.0, help="Share of channels kept in every group.")] = 0.5,
    as_json: AsJson = False,
) -> None:
    """Keep the strongest channels of every group: one shot, no data, no training. A starting point, not a result."""
    if output.suffix != ".keras":
        raise RequestError(f"Expected an output file ending in .keras, got {output}.")
    load_quietly("tensorflow")
    from darwin_core.dependency import analyse, magnitude_importance, uniform_widths
    from darwin_core.networks import load_network, reference_loss, save_network
    from darwin_core.synthesis.inheritance import inherit

    before = load_network(model)
    graph = analyse(before)
    genome = Genome(widths=uniform_widths(graph, width))
    after = inherit(before, graph, genome, magnitude_importance(graph))
    after.compile(loss=reference_loss(model))  # the file says what the output means
    save_network(after, output)
    print_narrowing(before, load_network(output), output, as_json=as_json)


def export_command(
    model: Annotated[Path, typer.Argument(help="A .keras file.")],
    formats: Annotated[list[ExportFormat], typer.Option("--format", help="What to write; repeat for more.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the files.")],
    train: Annotated[str | None, typer.Option(help="Training rows: int8 is calibrated on them.")] = None,
    validation: Annotated[str | None, typer.Option(help="Rows to compare on; without them a share of train.")] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(help="With --train: the column to predict; of several labels, repeat for each output in order."),
    ] = None,
    positive_label: Annotated[str | None, typer.Option(help="Label value that counts as positive.")] = None,
    feature: Annotated[list[str] | None, typer.Option(help="Feature column; all others are then ignored.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Column that is no feature.")] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a network in other formats, and hold every file against it in the format's own runtime."""
    if (train is None) != (not label) or (validation is not None and train is None):
        raise RequestError("Expected --train together with --label; --validation comes with both.")
    load_quietly("tensorflow")
    from darwin_core.steps.exporting import ExportData, export_file

    data = None
    if train is not None and label:
        with option_errors():
            roles = DataRoles(
                label=label[0],
                more_labels=tuple(label[1:]),
                positive_label=positive_label,
                features=tuple(feature or ()),
                exclude=tuple(exclude or ()),
            )
        data = ExportData(DataSource.parse(train), DataSource.parse(validation) if validation else None, roles)
    report = export_file(model, formats, output, data, default_reporter(quiet=quiet))
    print_exports(report, as_json=as_json)
    if any(record.problem for record in report.exports):
        raise typer.Exit(1)
