"""The choice among searches side by side, for Kubeflow."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output, OutputPath

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def choose_in_subprocess(
    config: str,
    run_id: str,
    branches: list,
    snapshot: Input[Dataset],
    search_records: Input[list[Artifact]],
    candidate: Output[Model],
    search_record: Output[Artifact],
    metrics: Output[Metrics],
    feasible: OutputPath(bool),
) -> None:
    """Take the best of what several searches of the same snapshot chose, by quality on the validation rows.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run; results lie at <line>/runs/<run_id>.
        branches: The branches that were searched.
        snapshot: The snapshot's manifest.
        search_records: The searches' records.

    Returns:
        candidate: The best network, a .keras file.
        search_record: The record of the search that found it, and where the others stand, as JSON.
        metrics: Size of the candidate, and whether it meets every requirement.
        feasible: Whether the candidate meets every requirement on the validation rows.

    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("synthesize", arguments)


choose = in_container(choose_in_subprocess, "synthesize")
"""The same on Darwin's image."""
