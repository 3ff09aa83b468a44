"""What an environment with some Airflow makes of the provider. Prints one JSON object; run by ``nox -s compatibility``.

It imports, lists, loads and serialises for real; nothing here needs the engine.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

PACKAGES = (
    "apache-airflow",
    "apache-airflow-task-sdk",
    "apache-airflow-providers-standard",
    "apache-airflow-providers-common-compat",
    "apache-airflow-providers-cncf-kubernetes",
    "apache-airflow-providers-openlineage",
    "kubernetes",
    "boto3",
    "pydantic",
)
CONFIG = {
    "line": "s3://bank/models/fraud",
    "reference": "s3://bank/training/fraud/model.keras",
    "train": "s3://bank/training/fraud/train.parquet",
    "roles": {"label": "is_fraud"},
}


def main() -> None:
    os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="darwin-compatibility-")
    os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
    checks = {"provider": provider, "connection": connection, "names": names, "dags": dags, "approval": approval}
    found = {name: attempt(check) for name, check in checks.items()}
    print(json.dumps({"python": platform.python_version(), "checks": found, "versions": versions()}))


def attempt(check: Any) -> str:
    """``ok``, or the first line of what went wrong."""
    try:
        check()
    except Exception as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "ok"


def provider() -> None:
    """Airflow finds us among its providers, as ``airflow providers list`` shows them."""
    assert "darwin-mlops" in manager().providers


def connection() -> None:
    """Airflow offers our connection type, as ``airflow providers hooks`` shows it, and its class can be imported."""
    found = manager().hooks["darwin"]
    assert found is not None
    assert found.hook_name == "Darwin"


def names() -> None:
    """Every public name can be imported, but those that say which Airflow they need."""
    package = importlib.import_module("darwin_operators")
    for name in package.__all__:
        if name != "ApprovePublicationOperator":
            getattr(package, name)


def dags() -> None:
    """The example DAGs and a DAG with a watched Asset load and can be serialised."""
    folder = Path(importlib.import_module("darwin_pipelines.airflow_dags").__file__ or "").parent
    bag = dag_bag()(str(folder))
    assert not bag.import_errors, bag.import_errors
    factories = importlib.import_module("darwin_pipelines.airflow_dags")
    watched = factories.compaction_dag("watched", CONFIG, starts_on=factories.watched_reference(CONFIG))
    for dag in (*bag.dags.values(), watched):
        serialise(dag)


def approval() -> None:
    """A DAG with an approval loads; before 3.1 it says why it does not."""
    factories = importlib.import_module("darwin_pipelines.airflow_dags")
    serialise(factories.compaction_dag("asked", CONFIG, approval={}))


def dag_bag() -> Any:
    for module in ("airflow.dag_processing.dagbag", "airflow.models.dagbag"):
        try:
            return importlib.import_module(module).DagBag
        except (ImportError, AttributeError):
            continue
    raise ImportError("no DagBag")


def serialise(dag: Any) -> None:
    module = importlib.import_module("airflow.serialization.serialized_objects")
    kind = getattr(module, "DagSerialization", None) or module.SerializedDAG
    json.dumps(kind.to_dict(dag))


def manager() -> Any:
    return importlib.import_module("airflow.providers_manager").ProvidersManager()


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


if __name__ == "__main__":
    main()
