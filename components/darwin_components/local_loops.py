"""Kubeflow's local runners, with loops that hand on what comes from outside.

Inside ``dsl.ParallelFor``, the local runner of kfp 2.17 puts the loop's item in the place of every parameter that is
the output of a task before the loop. A cluster does not.
"""

from __future__ import annotations

from typing import Any

from kfp import local
from kfp.local.orchestrator import task_spec_utils
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineTaskSpec

_iteration_of = task_spec_utils.create_parameter_loop_iteration_task_spec


def subprocess_runner() -> local.SubprocessRunner:
    """A runner for ``kfp.local.init`` in the calling environment; from now on loops of this process are mended.

    Example:
        ``local.init(subprocess_runner(), pipeline_root="local_outputs")``
    """
    mend_loops()
    return local.SubprocessRunner(use_venv=False)


def mend_loops() -> None:
    """Let tasks in loops of every local runner of this process receive the outputs of tasks before the loop."""
    task_spec_utils.create_parameter_loop_iteration_task_spec = _iteration


def _iteration(original_task_spec: PipelineTaskSpec, loop_item: Any, loop_task_name: str) -> PipelineTaskSpec:
    """One iteration's task: kfp's own, with the outputs of other tasks put back."""
    iteration = _iteration_of(original_task_spec, loop_item, loop_task_name)
    for name, given in original_task_spec.inputs.parameters.items():
        if given.HasField("task_output_parameter"):
            iteration.inputs.parameters[name].CopyFrom(given)
    return iteration
