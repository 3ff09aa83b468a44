"""The command line. Nothing heavy is imported before a command needs it, so that ``darwin --help`` answers at once.

Exit codes: 0 done, 1 failed, 2 bad request, 143 stopped by SIGTERM. A verdict is data and never an exit code.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from darwin_core import __version__, contracts
from darwin_core.cli_models import export_command, inspect, narrow
from darwin_core.cli_options import (
    AsJson,
    CaBundle,
    EndpointUrl,
    PathStyle,
    Quiet,
    Region,
    SseKmsKeyId,
    storage_options,
)
from darwin_core.cli_requests import option_errors, parse_config, read_gate, read_request
from darwin_core.cli_runs import absolute, check_picking, parse_run
from darwin_core.cli_tables import (
    print_fix,
    print_front,
    print_summary,
)
from darwin_core.contracts import (
    CompactionConfig,
    CompactionSummary,
    DataRoles,
    ExportFormat,
    FixKind,
    Pick,
    Requirement,
    SearchBudget,
    SliceSpec,
    SplitConfig,
    StepName,
    StorageOptions,
)
from darwin_core.contracts.base import Contract
from darwin_core.contracts.data import DataSource
from darwin_core.errors import DarwinError, MissingExtraError, RequestError
from darwin_core.progress import default_reporter
from darwin_core.quiet import load_quietly

ENGINE_MODULES = frozenset({"tensorflow", "keras", "numpy", "pyarrow", "scipy", "sklearn", "PIL", "jinja2"})

app = typer.Typer(
    name="darwin",
    help="Turn a large Keras network into a much smaller one that is provably as good, and explain how it decides.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(__version__)  # noqa: T201 - the answer itself
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    pass


@app.command()
def demo(
    output: Annotated[Path, typer.Option(help="Folder for networks, reports and the model line.")] = Path(".demo"),
    seed: Annotated[int, typer.Option(help="Seed of retraining and search.")] = 0,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Retrain a bank's credit-risk network, compact, prove, explain and publish it. Run it again: second night."""
    load_quietly("tensorflow")
    from darwin_core.demo.nights import next_night, run_night

    reporter = default_reporter(quiet=quiet)
    output = output.absolute()
    reporter.message(f"Night {next_night(output)} of the demo; everything is written below {output}")
    summary = run_night(output, reporter=reporter, seed=seed)
    _conclude(summary, StorageOptions(), as_json=as_json)


@app.command()
def compact(
    context: typer.Context,
    reference: Annotated[
        str | None, typer.Option(help="The trained network: path or s3:// URI of a .keras file.")
    ] = None,
    train: Annotated[
        str | None, typer.Option(help="Training rows: URI, or URI#column=value for part of a file.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option(help="Column to predict; of several labels, repeat for each output in order.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="Prefix of the model line; all is written below it.")] = None,
    validation: Annotated[str | None, typer.Option(help="Validation rows; without them a share of train.")] = None,
    test: Annotated[str | None, typer.Option(help="Test rows; without them a share of train is sealed away.")] = None,
    require: Annotated[list[str] | None, typer.Option(help="E.g. parameters<=20000; repeat for more.")] = None,
    positive_label: Annotated[str | None, typer.Option(help="Label value that counts as positive.")] = None,
    feature: Annotated[list[str] | None, typer.Option(help="Feature column; all others are then ignored.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Column that is no feature.")] = None,
    weight: Annotated[str | None, typer.Option(help="Column of sample weights.")] = None,
    row_id: Annotated[str | None, typer.Option(help="Column that names a row.")] = None,
    entity: Annotated[str | None, typer.Option(help="Rows of one entity stay on one side of the split.")] = None,
    time: Annotated[str | None, typer.Option(help="Validation rows are the latest by this column.")] = None,
    slices: Annotated[list[str] | None, typer.Option("--slice", help="Column, or column:30,45 for bands.")] = None,
    margin: Annotated[float | None, typer.Option(help="Loss of quality that is acceptable, as a share.")] = None,
    alert_budget: Annotated[float, typer.Option(help="Share of rows that can be investigated.")] = 0.10,
    gate: Annotated[str | None, typer.Option(help="All of the gate: a GateConfig as JSON, or its URI.")] = None,
    generations: Annotated[int, typer.Option(help="Generations of the search.")] = 3,
    offspring: Annotated[int, typer.Option(help="Networks proposed in each generation.")] = 3,
    generation_samples: Annotated[
        int | None, typer.Option(help="Training rows that each proposed network sees; by data without it.")
    ] = None,
    final_samples: Annotated[
        int | None,
        typer.Option(help="Training rows of the long finish; more than it takes by data make better networks."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(help="Soft ceiling on the seconds of the search; no two searches are then the same.")
    ] = None,
    fewer_columns: Annotated[
        bool, typer.Option("--fewer-columns", help="Spend quality, within the requirements, on reading fewer columns.")
    ] = False,
    control: Annotated[
        bool, typer.Option(help="Train a uniformly narrowed network of the same size beside the chosen one.")
    ] = True,
    generator: Annotated[
        str,
        typer.Option(
            help="What proposes networks: importance, learned (from races), separable or blocks (layers, too)."
        ),
    ] = "importance",
    block_on_findings: Annotated[bool, typer.Option(help="A data bug of high severity keeps the champion.")] = False,
    actionable: Annotated[
        list[str] | None, typer.Option(help="Column that a person can change; counterfactuals change no others.")
    ] = None,
    serving: Annotated[
        str | None, typer.Option(help="Rows as they come in production, to compare with the training rows; no labels.")
    ] = None,
    export: Annotated[list[ExportFormat] | None, typer.Option(help="Write this format, too; repeat for more.")] = None,
    title: Annotated[str, typer.Option(help="Title of the report.")] = "Compaction report",
    threads: Annotated[int | None, typer.Option(help="Threads for training; all cores without it.")] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same network.")] = 0,
    run_id: Annotated[str | None, typer.Option(help="Name of the run; the same name resumes it.")] = None,
    from_run: Annotated[
        str | None, typer.Option("--from", help="Go on from this run: its folder, or its name.")
    ] = None,
    pick: Annotated[str | None, typer.Option(help="With --from: the candidate to take from its Pareto front.")] = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    path_style: PathStyle = False,
    ca_bundle: CaBundle = None,
    sse_kms_key_id: SseKmsKeyId = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Compact a network without an orchestrator: all five steps, then summary.json, report and published version.

    Killed or failed, the same command continues where it stopped; on another day (UTC), if it names its --run-id. With
    --from and --pick, another network of a finished run's Pareto front is finished, judged, explained and published;
    data and settings are those of that run.
    """
    storage = storage_options(endpoint_url, region, path_style, ca_bundle, sse_kms_key_id)
    check_picking(context)
    if from_run is not None and pick is not None:
        from darwin_core.steps.stored_runs import picking_config

        line, origin = parse_run(from_run, output)
        with option_errors():
            point = Pick(run_id=origin, candidate_id=pick)
        config = picking_config(line, point, storage)
        config = config.model_copy(update={"exports": tuple(export)}) if export else config
        _run(config, run_id or f"{origin[:100]}-{pick[:20]}", quiet=quiet, as_json=as_json)
        return
    assert reference is not None and train is not None and label and output is not None
    with option_errors():
        config = CompactionConfig(
            line=absolute(output),
            reference=absolute(reference),
            train=DataSource.parse(train),
            validation=DataSource.parse(validation) if validation else None,
            test=DataSource.parse(test) if test else None,
            roles=DataRoles(
                label=label[0],
                more_labels=tuple(label[1:]),
                positive_label=positive_label,
                features=tuple(feature or ()),
                exclude=tuple(exclude or ()),
                weight=weight,
                row_id=row_id,
                entity=entity,
                time=time,
                slices=tuple(SliceSpec.parse(text) for text in slices or ()),
            ),
            storage=storage,
            split=SplitConfig(seed=seed),
            requirements=tuple(Requirement.parse(text) for text in require or ()),
            budget=SearchBudget(
                generations=generations,
                offspring=offspring,
                generation_samples=generation_samples,
                final_samples=final_samples,
                seconds=seconds,
                fewer_columns=fewer_columns,
                control=control,
            ),
            generator=generator,
            gate=read_gate(gate, margin, alert_budget),
            block_on_findings=block_on_findings,
            actionable=tuple(actionable or ()),
            serving=DataSource.parse(serving) if serving else None,
            title=title,
            threads=threads,
            seed=seed,
            exports=tuple(export or ()),
        )
    name = run_id or f"{datetime.now(UTC):%Y%m%d}-{config.digest()[:8]}"
    _run(config, name, quiet=quiet, as_json=as_json)


@app.command()
def front(
    run: Annotated[str, typer.Argument(help="A run: its folder below the model line, or its name with --output.")],
    output: Annotated[str | None, typer.Option(help="Prefix of the model line.")] = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    path_style: PathStyle = False,
    ca_bundle: CaBundle = None,
    sse_kms_key_id: SseKmsKeyId = None,
    as_json: AsJson = False,
) -> None:
    """Show the Pareto front of a run: the networks that `darwin compact --from RUN --pick ID` can go on from."""
    from darwin_core.steps.stored_runs import read_front

    line, run_id = parse_run(run, output)
    found = read_front(line, run_id, storage_options(endpoint_url, region, path_style, ca_bundle, sse_kms_key_id))
    print_front(found, as_json=as_json)


@app.command("run")
def run_command(
    config: Annotated[str, typer.Option(help="The run's CompactionConfig, as JSON or its URI.")],
    run_id: Annotated[str, typer.Option(help="Name of the run; the same name resumes it.")],
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run all five steps of a configuration, in this process: `darwin compact` from a document."""
    _run(parse_config(config), run_id, quiet=quiet, as_json=as_json)


@app.command("summary")
def summary_command(
    run: Annotated[str, typer.Argument(help="A run: its folder below the model line, or its name with --output.")],
    output: Annotated[str | None, typer.Option(help="Prefix of the model line.")] = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    path_style: PathStyle = False,
    ca_bundle: CaBundle = None,
    sse_kms_key_id: SseKmsKeyId = None,
    as_json: AsJson = False,
) -> None:
    """Show how a finished run came out, and write its summary.json where an orchestrator ran the steps."""
    from darwin_core.steps.compaction import store_summary
    from darwin_core.steps.runner import stored_results
    from darwin_core.steps.stored_runs import read_config

    line, run_id = parse_run(run, output)
    config = read_config(line, run_id, storage_options(endpoint_url, region, path_style, ca_bundle, sse_kms_key_id))
    _conclude(store_summary(config, run_id, stored_results(config, run_id)), config.storage, as_json=as_json)


@app.command()
def fix(
    run: Annotated[str, typer.Argument(help="A run: its folder below the model line, or its name with --output.")],
    finding: Annotated[int, typer.Option(help="Number of the finding, counted from 1 as in the report.")] = 1,
    kind: Annotated[
        FixKind | None,
        typer.Option(
            help="Which of the finding's fixes; without it, the first that the report names.", show_default=False
        ),
    ] = None,
    output: Annotated[str | None, typer.Option(help="Prefix of the model line.")] = None,
    epochs: Annotated[int, typer.Option(help="How often the reference sees the changed training rows.")] = 5,
    compact_again: Annotated[bool, typer.Option("--compact", help="Compact the changed reference, too.")] = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    path_style: PathStyle = False,
    ca_bundle: CaBundle = None,
    sse_kms_key_id: SseKmsKeyId = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Apply a fix of a finding: change the training rows, train the reference on, show the effect.

    neutralise gives affected rows the factor of others, drop leaves out the column (or, where there is none, the rows),
    rebalance lets rows count for more or less. Everything is written below the run's folder, fix-N-KIND/; nothing of
    the run itself changes.
    """
    load_quietly("tensorflow")
    from darwin_core.steps.fixing import fix_finding

    line, run_id = parse_run(run, output)
    report = fix_finding(
        line,
        run_id,
        finding,
        storage_options(endpoint_url, region, path_style, ca_bundle, sse_kms_key_id),
        kind=kind,
        epochs=epochs,
        compact=compact_again,
        reporter=default_reporter(quiet=quiet),
    )
    print_fix(report, as_json=as_json)


@app.command("run-step")
def run_step_command(
    step: Annotated[StepName, typer.Argument(help="Which of the five steps.")],
    request: Annotated[str | None, typer.Option(help="URI of the step's request JSON.")] = None,
    config: Annotated[str | None, typer.Option(help="Instead: the run's CompactionConfig, as JSON or its URI.")] = None,
    run_id: Annotated[str | None, typer.Option(help="With --config: name of the run.")] = None,
    branch_of: Annotated[
        str | None, typer.Option(help="synthesize: search the snapshot of this run, beside other searches.")
    ] = None,
    choose_from: Annotated[
        list[str] | None, typer.Option(help="synthesize: take the best of these searches; repeat for each.")
    ] = None,
    result: Annotated[str | None, typer.Option(help="Where to write a copy of the result JSON.")] = None,
    save: Annotated[list[str] | None, typer.Option(help="FIELD=PATH: copy that part of the result to a file.")] = None,
    work_dir: Annotated[Path | None, typer.Option(help="Scratch folder; survives a kill.")] = None,
    quiet: Quiet = False,
) -> None:
    """Run one step: the door that every orchestrator uses. The result's JSON goes to standard output, too."""
    from darwin_core.steps.runner import find_result, run_step

    # Before the engine loads: a bad request fails at once.
    step_request = read_request(step, request, config, run_id, branch_of, choose_from or [])
    outcome = find_result(step, step_request)
    if outcome is None:
        if step is not StepName.PUBLISH:  # publish loads it where there is a version to store
            load_quietly("tensorflow")
        outcome = run_step(step, step_request, reporter=default_reporter(quiet=quiet), work_root=work_dir)
    from darwin_core.steps.outputs import save_outputs

    save_outputs(outcome, step_request, result=result, save=save or [])
    print(outcome.to_json(), end="")  # noqa: T201 - the answer itself


app.command()(inspect)
app.command()(narrow)
app.command("export")(export_command)


@app.command()
def rollback(
    line: Annotated[str, typer.Argument(help="Prefix of the model line.")],
    to: Annotated[str | None, typer.Option(help="Version to go back to; without it, the one before.")] = None,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    path_style: PathStyle = False,
    ca_bundle: CaBundle = None,
    sse_kms_key_id: SseKmsKeyId = None,
    as_json: AsJson = False,
) -> None:
    """Move the champion pointer back to an earlier published version."""
    from darwin_core.registry import rollback as move_back
    from darwin_core.storage import open_store

    store = open_store(line, storage_options(endpoint_url, region, path_style, ca_bundle, sse_kms_key_id))
    pointer = move_back(store, absolute(line), to=to)
    if as_json:
        print(pointer.to_json(), end="")  # noqa: T201 - the answer itself
    else:
        Console().print(f"champion is now {pointer.version}: {pointer.serve_uri}")


@app.command()
def schema(
    name: Annotated[
        str | None, typer.Argument(help="A contract, e.g. SynthesizeRequest; all of them without it.")
    ] = None,
) -> None:
    """Print the JSON Schema of the contracts."""
    known: dict[str, type[Contract]] = {
        key: value
        for key, value in vars(contracts).items()
        if isinstance(value, type) and issubclass(value, Contract) and value is not Contract
    }
    if name is None:
        document: dict[str, Any] = {key: value.model_json_schema() for key, value in sorted(known.items())}
    elif name in known:
        document = known[name].model_json_schema()
    else:
        raise RequestError(f"There is no contract {name!r}.", hint=f"Known: {', '.join(sorted(known))}.")
    print(json.dumps(document, indent=2))  # noqa: T201 - the answer itself


def _run(config: CompactionConfig, run_id: str, *, quiet: bool, as_json: bool) -> None:
    load_quietly("tensorflow")
    from darwin_core.steps.compaction import run_compaction

    summary = run_compaction(config, run_id, reporter=default_reporter(quiet=quiet))
    _conclude(summary, config.storage, as_json=as_json)


def _conclude(summary: CompactionSummary, storage: StorageOptions, *, as_json: bool) -> None:
    """The figures; for people also the front, from which they can pick something else."""
    print_summary(summary, as_json=as_json)
    if not as_json:
        from darwin_core.steps.stored_runs import read_front

        print_front(read_front(summary.line, summary.run_id, storage), as_json=False)


def _stop(signum: int, _frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + signum)


def _prepare() -> None:
    """Quiet third-party start-up noise, pick the backend, log plainly, and turn SIGTERM into exit code 143."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("darwin").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, _stop)


def main() -> None:
    """Entry point of ``darwin``: errors become sentences and exit codes."""
    _prepare()
    try:
        app()
    except DarwinError as error:
        _fail(error)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ENGINE_MODULES:
            raise
        _fail(
            MissingExtraError(
                f"This command needs the engine, and {error.name} is not installed here.",
                hint="Install it with: pip install 'darwin-mlops[engine]'.",
            )
        )
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped. The same command continues where it was.")
        sys.exit(130)


def _fail(error: DarwinError) -> NoReturn:
    if "--json" in sys.argv:
        kind = type(error).__name__
        print(json.dumps({"error": kind, "message": error.message, "hint": error.hint}))  # noqa: T201
    Console(stderr=True, soft_wrap=True).print(f"[bold red]Error:[/] {_escape(str(error))}")
    sys.exit(error.exit_code)


def _escape(text: str) -> str:
    return text.replace("[", r"\[")
