"""One of several searches side by side, for Kubeflow."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output, OutputPath

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def search_in_subprocess(
    config: str,
    run_id: str,
    branch: dict,
    snapshot: Input[Dataset],
    candidate: Output[Model],
    search_record: Output[Artifact],
    metrics: Output[Metrics],
    feasible: OutputPath(bool),
) -> None:
    """Search for the compact network beside other searches of the same snapshot, each with settings of its own.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run; this search's results lie at <line>/runs/<run_id>.<name of the branch>.
        branch: Its name, and what is its own: any of seed, generator, budget.
        snapshot: The snapshot's manifest.

    Returns:
        candidate: The network that this search chose, a .keras file.
        search_record: Every candidate of this search, as JSON.
        metrics: Size of the candidate, and whether it meets every requirement.
        feasible: Whether the candidate meets every requirement on the validation rows.

    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("synthesize", arguments)


search = in_container(search_in_subprocess, "synthesize")
"""The same on Darwin's image."""
