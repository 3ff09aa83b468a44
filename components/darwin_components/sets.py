"""The five components as one value, in both forms, so that a pipeline can be built from either."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from darwin_components.steps.choose import choose, choose_in_subprocess
from darwin_components.steps.evaluate import evaluate, evaluate_in_subprocess
from darwin_components.steps.explain import explain, explain_in_subprocess
from darwin_components.steps.fetch_data import fetch_data, fetch_data_in_subprocess
from darwin_components.steps.publish import publish, publish_in_subprocess
from darwin_components.steps.search import search, search_in_subprocess
from darwin_components.steps.summarize import summarize, summarize_in_subprocess
from darwin_components.steps.synthesize import synthesize, synthesize_in_subprocess


@dataclass(frozen=True)
class ComponentSet:
    """One component per step, and those that go with them; all sets have the same inputs and outputs."""

    fetch_data: Any
    synthesize: Any
    evaluate: Any
    explain: Any
    publish: Any
    search: Any
    choose: Any
    summarize: Any


CONTAINERS = ComponentSet(fetch_data, synthesize, evaluate, explain, publish, search, choose, summarize)
"""On Darwin's image, without kfp inside and without any installation at run time: what a cluster runs."""

SUBPROCESSES = ComponentSet(
    fetch_data_in_subprocess,
    synthesize_in_subprocess,
    evaluate_in_subprocess,
    explain_in_subprocess,
    publish_in_subprocess,
    search_in_subprocess,
    choose_in_subprocess,
    summarize_in_subprocess,
)
"""In the calling environment, which must hold engine and kfp: for ``darwin_components.subprocess_runner()``."""
