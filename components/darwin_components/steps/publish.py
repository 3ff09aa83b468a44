"""The publish step for Kubeflow."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, OutputPath

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def publish_in_subprocess(
    config: str,
    run_id: str,
    verdict_document: Input[Artifact],
    report: Input[HTML],
    published: OutputPath(bool),
    version: OutputPath(str),
    champion: OutputPath(str),
    reason: OutputPath(str),
) -> None:
    """Publish the candidate if the stored verdict says PASS; otherwise record why the champion stays.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run; results lie at <line>/runs/<run_id>.
        verdict_document: The gate's decision; the step re-reads the stored one.
        report: The report that is published with the version.

    Returns:
        published: Whether there is a new version.
        version: The new version, or empty.
        champion: The champion after this step, or empty.
        reason: Why, as a sentence.

    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("publish", arguments)


publish = in_container(publish_in_subprocess, "publish")
"""The same on Darwin's image."""
