"""The container form of every component."""

from __future__ import annotations

import inspect
from typing import Any

from kfp import dsl

from darwin_components.image import IMAGE


def in_container(twin: Any, step: str) -> Any:
    """The container form of a component that runs in the calling environment: same inputs, outputs and docstring.

    Its container is our image, started with the launcher; all arguments travel in the executor input.

    Args:
        twin: Made by ``dsl.component``, called ``<name>_in_subprocess``.
        step: What the launcher is to run.
    """

    def start(*_placeholders: Any) -> dsl.ContainerSpec:
        return dsl.ContainerSpec(
            image=IMAGE,
            command=["python", "-m", "darwin_components.launcher"],
            args=[step, "--executor-input", dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER],
        )

    function = twin.python_func
    start.__name__ = function.__name__.removesuffix("_in_subprocess")
    start.__doc__ = function.__doc__
    start.__signature__ = inspect.signature(function).replace(return_annotation=dsl.ContainerSpec)  # type: ignore[attr-defined]
    return dsl.container_component(start)
