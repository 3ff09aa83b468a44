"""Launchers: one module per way to reach the engine, chosen by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from darwin_core.errors import RequestError
from darwin_operators.launchers.base import Outcome as Outcome
from darwin_operators.launchers.base import StepLauncher as StepLauncher


class Launcher(StrEnum):
    """Where a step runs."""

    IN_PROCESS = "in_process"
    EXTERNAL_PYTHON = "external_python"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


_CLASSES = {
    Launcher.IN_PROCESS: "darwin_operators.launchers.in_process.InProcessLauncher",
    Launcher.EXTERNAL_PYTHON: "darwin_operators.launchers.external_python.ExternalPythonLauncher",
    Launcher.DOCKER: "darwin_operators.launchers.docker.DockerLauncher",
    Launcher.KUBERNETES: "darwin_operators.launchers.kubernetes.KubernetesLauncher",
}


def create_launcher(name: str, arguments: Mapping[str, Any]) -> StepLauncher:
    """The launcher of that name, constructed with ``arguments``.

    Args:
        name: A value of `Launcher`, or the import path of a class derived from `StepLauncher`.
        arguments: Keywords of its constructor.

    Raises:
        RequestError: There is no such launcher, or it does not take these arguments.
    """
    path = _CLASSES[Launcher(name)] if name in _CLASSES else name
    module_name, _, class_name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module_name), class_name) if module_name else None
    except (ImportError, AttributeError):
        found = None
    if not (isinstance(found, type) and issubclass(found, StepLauncher)):
        known = ", ".join(launcher.value for launcher in Launcher)
        raise RequestError(
            f"There is no launcher {name!r}.",
            hint=f"Known: {known}, or the import path of a class derived from StepLauncher.",
        )
    try:
        return found(**arguments)
    except TypeError as error:
        raise RequestError(f"launcher_args do not fit launcher {name!r}: {error}.") from None
