"""How the command line speaks of runs: by folder or by name, and which options go with going on from one."""

from __future__ import annotations

from pathlib import Path

import typer

from darwin_core.errors import RequestError

_RUNS = "/runs/"
_NEEDED = ("reference", "train", "label", "output")
_WITH_PICK = frozenset(
    {"output", "run_id", "from_run", "pick", "export", "quiet", "as_json"}
    | {"endpoint_url", "region", "path_style", "ca_bundle", "sse_kms_key_id"}
)


def absolute(uri: str) -> str:
    """Local paths made absolute, so that what is recorded stays true in another working folder."""
    return uri if "://" in uri else str(Path(uri).absolute())


def parse_run(text: str, output: str | None) -> tuple[str, str]:
    """Model line and name of a run.

    Args:
        text: The run's folder, ``<line>/runs/<name>``, or its name.
        output: The model line's prefix, where ``text`` is a name.

    Raises:
        RequestError: The line cannot be told.
    """
    if "/" not in text:
        if output is None:
            raise RequestError(
                f"{text!r} is the name of a run, and its line is missing.",
                hint=f"Add --output LINE, or give the run's folder: LINE/runs/{text}.",
            )
        return absolute(output), text
    line, found, run_id = absolute(text.rstrip("/")).rpartition(_RUNS)
    if not found or not line or "/" in run_id:
        raise RequestError(
            f"Expected the folder of a run, LINE/runs/NAME, got {text!r}.",
            hint="It is the folder that holds fetch-data/, synthesize/ and the other steps.",
        )
    if output is not None and absolute(output).rstrip("/") != line:
        raise RequestError(f"Run {text} does not belong to the line {output}.", hint="Leave --output out.")
    return line, run_id


def check_picking(context: typer.Context) -> None:
    """Whether the options of `compact` go together.

    Raises:
        RequestError: Something is missing, or something was given that a pick takes from the earlier run.
    """
    sources = {name: context.get_parameter_source(name) for name in context.params}
    given = {name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"}
    flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    if "pick" in given and "from_run" not in given:
        raise RequestError("--pick needs a run to pick from.", hint="Add --from RUN.")
    if "from_run" not in given:
        missing = [flags[name] for name in _NEEDED if name not in given]
        if missing:
            raise RequestError(f"Missing option: {', '.join(missing)}.", hint="`darwin compact --help` explains them.")
        return
    if "pick" not in given:
        raise RequestError(
            "--from needs a candidate to go on from.", hint="Add --pick ID; `darwin front RUN` lists them."
        )
    surplus = sorted(flags[name] for name in given - _WITH_PICK)
    if surplus:
        raise RequestError(
            f"--from takes data and settings from the earlier run; {', '.join(surplus)} cannot be changed here.",
            hint="Leave them out, or put the pick into a configuration document of your own.",
        )
