"""The container behind every component."""

from __future__ import annotations

from kfp import dsl

from darwin_components.image import IMAGE


def step_container(step: str) -> dsl.ContainerSpec:
    """Our image, started with the launcher for ``step``; all arguments travel in the executor input."""
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "darwin_components.launcher"],
        args=[step, "--executor-input", dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER],
    )
