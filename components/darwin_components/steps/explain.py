"""The explain step for Kubeflow."""

from kfp import dsl
from kfp.dsl import HTML, Artifact, Input, Model, Output, OutputPath

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def explain_in_subprocess(
    config: str,
    run_id: str,
    candidate: Input[Model],
    evaluation: Input[Artifact],
    report: Output[HTML],
    findings: Output[Artifact],
    finding_count: OutputPath(int),
    high_severity_count: OutputPath(int),
) -> None:
    """Attribute decisions to raw columns or pixels, check the data, write the report.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run; results lie at <line>/runs/<run_id>.
        candidate: The judged network.
        evaluation: What was measured on the hold-out.

    Returns:
        report: The report, one self-contained file.
        findings: What is wrong with the data, as JSON.
        finding_count: Number of findings.
        high_severity_count: Number of findings of high severity.

    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("explain", arguments)


explain = in_container(explain_in_subprocess, "explain")
"""The same on Darwin's image."""
