"""The components' entries for a catalogue, in the form that Kubeflow's own catalogue of components asks for.

One folder per component with ``metadata.yaml`` and a ``README.md`` made from the docstring::

    python -m darwin_components.catalogue components/catalogue
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from darwin_components.sets import CONTAINERS
from darwin_core import __version__

LAST_VERIFIED: Final = "2026-11-27T00:00:00Z"
"""When the components last ran in containers, end to end. A catalogue removes an entry after a year without it."""

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


def metadata(name: str) -> str:
    """``metadata.yaml`` of a component."""
    document = {
        "name": name,
        "stability": "beta",
        "dependencies": {"kubeflow": [{"name": "Pipelines", "version": ">=2.17.0"}]},
        "tags": _TAGS[name],
        "lastVerified": LAST_VERIFIED,
    }
    return str(yaml.safe_dump(document, sort_keys=False, explicit_start=True))


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


def write(folder: Path) -> None:
    """Write all entries below ``folder``."""
    for field in dataclasses.fields(CONTAINERS):
        entry = folder / field.name
        entry.mkdir(parents=True, exist_ok=True)
        (entry / "metadata.yaml").write_text(metadata(field.name), encoding="utf-8")
        (entry / "README.md").write_text(readme(field.name), encoding="utf-8")


def _type(item: Any) -> str:
    """``system.Model@0.0.1`` -> ``Model``; a parameter's type stays as it is."""
    name = f"`{item.type.removeprefix('system.').partition('@')[0]}`"
    return f"list of {name}" if item.is_artifact_list else name


def _cell(text: str | None) -> str:
    return " ".join((text or "").replace("<", "&lt;").replace("|", "\\|").split())


if __name__ == "__main__":
    write(Path(sys.argv[1]))
