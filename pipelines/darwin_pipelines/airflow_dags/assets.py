"""The two Assets of a model line: the reference that goes in, and the published network that comes out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import Asset
from airflow.sdk import AssetWatcher

from darwin_core.contracts import CompactionConfig
from darwin_core.storage.uris import join_uri
from darwin_operators.triggers.pointer import ModelPointerTrigger

Config = CompactionConfig | Mapping[str, Any]


def reference_asset(config: Config) -> Asset:
    """The retrained network. The training task names it among its outlets; its update starts the compaction.

    One Asset stands for the place where every retrain puts its network, never for one version of it.
    """
    return Asset(uri=asset_uri(_field(config, "reference")), group="darwin")


def watched_reference(
    config: Config, *, pointer: str | None = None, darwin_conn_id: str | None = None, poll_seconds: float = 60.0
) -> Asset:
    """The retrained network, where training runs elsewhere: Airflow's triggerer looks at the object store.

    For ``compaction_dag(..., starts_on=watched_reference(FRAUD))``. What was seen last is kept below the model line, so
    that a restart of the triggerer starts nothing.

    Args:
        config: The run's configuration.
        pointer: The object to watch, where training moves a pointer; by default the reference itself.
        darwin_conn_id: Connection of type ``darwin``.
        poll_seconds: Seconds between two looks.
    """
    uri = pointer or _field(config, "reference")
    name = hashlib.sha256(uri.encode()).hexdigest()[:12]
    storage = config.storage.model_dump() if isinstance(config, CompactionConfig) else config.get("storage")
    trigger = ModelPointerTrigger(
        uri=uri,
        memory=join_uri(_field(config, "line"), "watched", f"{name}.json"),
        darwin_conn_id=darwin_conn_id,
        storage=storage,
        poll_seconds=poll_seconds,
    )
    return Asset(uri=asset_uri(uri), group="darwin", watchers=[AssetWatcher(name=f"darwin-{name}", trigger=trigger)])


def published_asset(config: Config) -> Asset:
    """The model line. It is updated when a version becomes champion; deployments listen to it."""
    return Asset(uri=asset_uri(_field(config, "line")), group="darwin")


def asset_uri(uri: str) -> str:
    """A URI as Airflow wants it: with a scheme.

    Raises:
        ValueError: It holds Jinja text, which is rendered long after Assets are known.
    """
    if "{{" in uri or "{%" in uri:
        raise ValueError(
            f"An Asset is known before a run starts, so its URI cannot be a template: {uri!r}. "
            "Give the Assets themselves, as `starts_on` and `published`."
        )
    return uri if "://" in uri else Path(uri).expanduser().absolute().as_uri()


def _field(config: Config, name: str) -> str:
    return str(getattr(config, name) if isinstance(config, CompactionConfig) else config[name])
