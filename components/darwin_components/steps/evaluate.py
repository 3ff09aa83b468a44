"""The evaluate step for Kubeflow."""

from kfp import dsl
from kfp.dsl import Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output, OutputPath

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def evaluate_in_subprocess(
    config: str,
    run_id: str,
    snapshot: Input[Dataset],
    candidate: Input[Model],
    evaluation: Output[Artifact],
    verdict_document: Output[Artifact],
    metrics: Output[Metrics],
    curves: Output[ClassificationMetrics],
    slices: Output[Markdown],
    verdict: OutputPath(str),
) -> None:
    """Open the sealed hold-out once and judge the candidate.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run; results lie at <line>/runs/<run_id>.
        snapshot: The snapshot's manifest.
        candidate: The network to judge.

    Returns:
        evaluation: Paired estimates with bounds, overall and per slice, as JSON.
        verdict_document: The gate's decision with every check, as JSON.
        metrics: Flat figures of the evaluation.
        curves: ROC curve and confusion matrix of the candidate.
        slices: Estimates per slice.
        verdict: PASS, FAIL or INSUFFICIENT_EVIDENCE.

    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("evaluate", arguments)


evaluate = in_container(evaluate_in_subprocess, "evaluate")
"""The same on Darwin's image."""
