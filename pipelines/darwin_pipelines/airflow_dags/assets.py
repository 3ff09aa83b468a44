"""The two Assets of a model line: the reference that goes in, and the published network that comes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow.providers.common.compat.sdk import Asset

from darwin_core.contracts import CompactionConfig

Config = CompactionConfig | Mapping[str, Any]


def reference_asset(config: Config) -> Asset:
    """The retrained network. The training task names it among its outlets; its update starts the compaction.

    One Asset stands for the place where every retrain puts its network, never for one version of it.
    """
    return Asset(uri=asset_uri(_field(config, "reference")), group="darwin")


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
