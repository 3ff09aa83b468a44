"""The last word on a run, for Kubeflow."""

from kfp import dsl
from kfp.dsl import Markdown, Output

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def summarize_in_subprocess(
    config: str,
    run_id: str,
    status: dsl.PipelineTaskFinalStatus,
    summary: Output[Markdown],
) -> None:
    """Say how a run came out, whatever became of it: an exit task.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run.
        status: How the pipeline ended; Kubeflow fills it in.

    Returns:
        summary: Verdict, sizes, version and the time of each step; or what failed, and how to go on.

    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("summarize", arguments)


summarize = in_container(summarize_in_subprocess, "summarize")
"""The same on Darwin's image."""
