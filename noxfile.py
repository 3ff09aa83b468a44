"""The provider under every Airflow and Python at hand: ``make compatibility``.

Pythons that are not on the machine are skipped and stay out of the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nox

nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = []

HERE = Path(__file__).parent
RESULTS = HERE / ".nox" / "compatibility"
TABLE = HERE / "operators" / "COMPATIBILITY.md"
PYTHONS = ["3.11", "3.12", "3.13"]
AIRFLOWS = ["3.0", "3.1", "3.2", "3.3"]


@nox.session(python=PYTHONS)
@nox.parametrize("airflow", AIRFLOWS)
def compatibility(session: nox.Session, airflow: str) -> None:
    """Load the provider and its DAGs under one Airflow and one Python, without the engine."""
    session.install(f"apache-airflow~={airflow}.0", "-e", ".")
    text = session.run("python", "tests/compatibility/probe.py", silent=True)
    found = json.loads(str(text).strip().splitlines()[-1])
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{airflow}-{session.python}.json").write_text(json.dumps(found, indent=2))
    problems = {name: told for name, told in found["checks"].items() if told != "ok"}
    if airflow == "3.0":
        assert "needs Airflow 3.1" in problems.pop("approval", ""), "people can be asked from 3.1 on"
    if problems:
        session.error(f"Airflow {airflow} on Python {session.python}: {problems}")


@nox.session(python=False)
def table(session: nox.Session) -> None:
    """Write operators/COMPATIBILITY.md from what `compatibility` found."""
    session.run(sys.executable, "tests/compatibility/table.py", str(RESULTS), str(TABLE))
