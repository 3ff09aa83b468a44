"""Turns what ``make compatibility`` found into a page: ``python tests/compatibility/table.py RESULTS PAGE``."""

# ruff: noqa: E501 - a table of Markdown has one line per row

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

CHECKS = ("provider", "connection", "names", "dags", "approval")

HEAD = """# Airflow and Python versions

Made by `make compatibility`: each row is an environment with that Airflow's newest patch release and
this provider, and without the engine. A Python that was not on the machine has no row.

- **provider**, **connection**: Airflow's provider manager, which `airflow providers list` and `hooks` print, knows us.
- **names**: every public name of `darwin_operators` can be imported.
- **dags**: the example DAGs, and a DAG with a watched Asset, load and can be serialised.
- **approval**: a DAG that asks a person loads.

"""

TAIL = """
## Packages that do not go together

| packages | what happens | what to do |
|---|---|---|
| `kfp` and `apache-airflow-providers-cncf-kubernetes` >= 10.25 | `kubernetes` < 31 against >= 36: no solution; without pins, a resolver falls back to an old provider | separate environments; the extras `kfp` and `airflow-kubernetes` are declared as conflicting |
| `apache-airflow-providers-amazon[s3fs]` and `boto3` >= 1.44 | no solution | leave `s3fs` out: this provider reaches the store through `boto3` alone |
| TensorFlow in Airflow's environment | installs, and takes `protobuf`, `tenacity` and others down from what Airflow was tested with | launcher `external_python`, `docker` or `kubernetes` |
"""


def row(found: dict[str, Any]) -> str:
    """One line of the table."""
    versions = found["versions"]
    told = ["yes" if found["checks"][name] == "ok" else found["checks"][name] for name in CHECKS]
    told = ["from 3.1 on" if "needs Airflow 3.1" in text else text for text in told]
    cells = [
        versions["apache-airflow"],
        found["python"],
        *told,
        versions.get("apache-airflow-providers-standard", "-"),
        versions.get("apache-airflow-providers-common-compat", "-"),
        versions.get("boto3", "-"),
        versions.get("pydantic", "-"),
    ]
    return f"| {' | '.join(cells)} |"


def main(results: str, page: str) -> None:
    found = [json.loads(path.read_text()) for path in sorted(Path(results).glob("*.json"))]
    heads = ["Airflow", "Python", *CHECKS, "standard", "common-compat", "boto3", "pydantic"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(row(item) for item in found)]
    Path(page).write_text(HEAD + "\n".join(lines) + "\n" + TAIL)


if __name__ == "__main__":
    main(*sys.argv[1:])
