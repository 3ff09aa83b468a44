"""The components' entries for a catalogue, in the form that Kubeflow's own catalogue of components asks for.

One folder per component with ``metadata.yaml`` and a ``README.md`` made from the docstring::

    python -m darwin_components.catalogue components/catalogue

A catalogue wants to know who looks after an entry, too, by their names there::

    python -m darwin_components.catalogue entries --approver NAME --approver NAME --reviewer NAME
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from darwin_components.sets import CONTAINERS
from darwin_core import __version__

LAST_VERIFIED: Final = datetime(2026, 11, 27, tzinfo=UTC)
"""When the components last ran in containers, end to end. A catalogue removes an entry after a year without it."""

_NAME: Final = re.compile(r"[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
"""An account's name, as the bots that read OWNERS know it: without the @ of a mention."""

_TAGS: Final = {
    "fetch_data": ["data-processing"],
    "synthesize": ["training", "model-compression"],
    "search": ["training", "model-compression"],
    "choose": ["training", "model-compression"],
    "evaluate": ["evaluation"],
    "explain": ["evaluation", "explainability"],
    "publish": ["deployment"],
    "summarize": ["evaluation"],
}


@dataclasses.dataclass(frozen=True)
class Owners:
    """Who looks after the entries.

    Args:
        approvers: Accounts that may approve a change; a catalogue wants one at least, and its own members.
        reviewers: Accounts that are asked to look at a change.

    Raises:
        ValueError: There is no approver, or something is not an account's name.
    """

    approvers: tuple[str, ...]
    reviewers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.approvers:
            raise ValueError("Expected at least one approver, got reviewers alone: nobody could let a change in.")
        for name in (*self.approvers, *self.reviewers):
            if not _NAME.fullmatch(name):
                raise ValueError(f"Expected the name of an account, without an @, got {name!r}.")

    def to_yaml(self) -> str:
        """The text of an ``OWNERS`` file."""
        lists = {"approvers": list(self.approvers), "reviewers": list(self.reviewers)}
        return _yaml({key: names for key, names in lists.items() if names})


def metadata(name: str) -> str:
    """``metadata.yaml`` of a component."""
    document = {
        "name": name,
        "stability": "beta",
        "dependencies": {"kubeflow": [{"name": "Pipelines", "version": ">=2.17.0"}]},
        "tags": _TAGS[name],
        "lastVerified": LAST_VERIFIED,
    }
    return _yaml(document, explicit_start=True)


def readme(name: str) -> str:
    """``README.md`` of a component, from its docstring and its types."""
    spec = getattr(CONTAINERS, name).component_spec
    inputs = [
        f"| `{key}` | {_type(item)} | {'yes' if item.optional else 'no'} | {_cell(item.description)} |"
        for key, item in spec.inputs.items()
    ]
    outputs = [f"| `{key}` | {_type(item)} | {_cell(item.description)} |" for key, item in spec.outputs.items()]
    lines = [
        f"# {name.replace('_', ' ').capitalize()}",
        f"> Stability: beta. Image: `darwin-mlops:{__version__}`. Made from the component's docstring; do not edit.",
        "## Overview",
        spec.description,
        "## Inputs",
        "\n".join(["| name | type | optional | description |", "|---|---|---|---|", *inputs]),
        "## Outputs",
        "\n".join(["| name | type | description |", "|---|---|---|", *outputs]),
        "## Usage",
        f"```python\nfrom darwin_components import {name}\n```",
        "`darwin_pipelines.kubeflow_pipelines` connects all components: see the [page on Kubeflow](../../README.md).",
    ]
    return "\n\n".join(lines) + "\n"


def write(folder: Path, owners: Owners | None = None) -> None:
    """Write all entries below ``folder``.

    Args:
        folder: Made where it is missing; what it holds besides the entries stays.
        owners: Written beside each entry; without them there is no such file.
    """
    for field in dataclasses.fields(CONTAINERS):
        entry = folder / field.name
        entry.mkdir(parents=True, exist_ok=True)
        (entry / "metadata.yaml").write_text(metadata(field.name), encoding="utf-8")
        (entry / "README.md").write_text(readme(field.name), encoding="utf-8")
        if owners is not None:
            (entry / "OWNERS").write_text(owners.to_yaml(), encoding="utf-8")


class _Dumper(yaml.SafeDumper):
    """YAML as the catalogue's checks want it: lists stand further in than their key, times are no texts."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002 - PyYAML names it
        """One level further in, for lists too."""
        super().increase_indent(flow, False)


_Dumper.add_representer(
    datetime,
    lambda dumper, time: dumper.represent_scalar("tag:yaml.org,2002:timestamp", f"{time:%Y-%m-%dT%H:%M:%SZ}"),
)


def _yaml(document: dict[str, Any], *, explicit_start: bool = False) -> str:
    return str(yaml.dump(document, Dumper=_Dumper, sort_keys=False, explicit_start=explicit_start))


def _type(item: Any) -> str:
    """``system.Model@0.0.1`` -> ``Model``; a parameter's type stays as it is."""
    name = f"`{item.type.removeprefix('system.').partition('@')[0]}`"
    return f"list of {name}" if item.is_artifact_list else name


def _cell(text: str | None) -> str:
    return " ".join((text or "").replace("<", "&lt;").replace("|", "\\|").split())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the components' entries for a catalogue."""
    parser = argparse.ArgumentParser(prog="python -m darwin_components.catalogue", description=main.__doc__)
    parser.add_argument("folder", type=Path, help="where to write a folder per component")
    for role, may in (("approver", "may approve changes"), ("reviewer", "is asked to look at changes")):
        text = f"account that {may}, for the OWNERS files; repeat for more"
        parser.add_argument(f"--{role}", action="append", default=[], metavar="NAME", help=text)
    parsed = parser.parse_args(arguments)
    owners = None
    if parsed.approver or parsed.reviewer:
        try:
            owners = Owners(tuple(parsed.approver), tuple(parsed.reviewer))
        except ValueError as error:
            parser.error(str(error))
    write(parsed.folder, owners)


if __name__ == "__main__":
    main()
