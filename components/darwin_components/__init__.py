"""Kubeflow Pipelines components: one per compaction step, in two forms with the same inputs and outputs.

``fetch_data``, ``synthesize``, ``evaluate``, ``explain`` and ``publish`` run on Darwin's image. Their twins, together
in ``SUBPROCESSES``, run in the environment they are called from, for ``subprocess_runner()``. Neither form holds
logic: both call the command line of the engine in a child process (``darwin_components.launcher``).

Public names are imported on first use: the launcher runs where kfp is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darwin_components.image import IMAGE as IMAGE
    from darwin_components.local_docker import docker_runner as docker_runner
    from darwin_components.local_loops import subprocess_runner as subprocess_runner
    from darwin_components.sets import CONTAINERS as CONTAINERS
    from darwin_components.sets import SUBPROCESSES as SUBPROCESSES
    from darwin_components.sets import ComponentSet as ComponentSet
    from darwin_components.steps.choose import choose as choose
    from darwin_components.steps.evaluate import evaluate as evaluate
    from darwin_components.steps.explain import explain as explain
    from darwin_components.steps.fetch_data import fetch_data as fetch_data
    from darwin_components.steps.publish import publish as publish
    from darwin_components.steps.search import search as search
    from darwin_components.steps.summarize import summarize as summarize
    from darwin_components.steps.synthesize import synthesize as synthesize

_HOMES = {
    "CONTAINERS": "darwin_components.sets",
    "ComponentSet": "darwin_components.sets",
    "IMAGE": "darwin_components.image",
    "SUBPROCESSES": "darwin_components.sets",
    "docker_runner": "darwin_components.local_docker",
    "evaluate": "darwin_components.steps.evaluate",
    "explain": "darwin_components.steps.explain",
    "fetch_data": "darwin_components.steps.fetch_data",
    "publish": "darwin_components.steps.publish",
    "choose": "darwin_components.steps.choose",
    "search": "darwin_components.steps.search",
    "subprocess_runner": "darwin_components.local_loops",
    "summarize": "darwin_components.steps.summarize",
    "synthesize": "darwin_components.steps.synthesize",
}

__all__ = [
    "CONTAINERS",
    "IMAGE",
    "SUBPROCESSES",
    "ComponentSet",
    "choose",
    "docker_runner",
    "evaluate",
    "explain",
    "fetch_data",
    "publish",
    "search",
    "subprocess_runner",
    "summarize",
    "synthesize",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
