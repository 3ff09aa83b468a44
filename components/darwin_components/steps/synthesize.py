"""The synthesize step for Kubeflow."""

from kfp import dsl
from kfp.dsl import Artifact, Dataset, Input, Metrics, Model, Output, OutputPath

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def synthesize_in_subprocess(
    config: str,
    run_id: str,
    snapshot: Input[Dataset],
    candidate: Output[Model],
    search_record: Output[Artifact],
    metrics: Output[Metrics],
    feasible: OutputPath(bool),
) -> None:
    """Search for the compact network. The sealed hold-out is out of reach here.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run; results lie at <line>/runs/<run_id>.
        snapshot: The snapshot's manifest.

    Returns:
        candidate: The chosen network, a .keras file.
        search_record: Every candidate of the search, as JSON.
        metrics: Size of the candidate, and whether it meets every requirement.
        feasible: Whether the candidate meets every requirement on the validation rows.

    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("synthesize", arguments)


synthesize = in_container(synthesize_in_subprocess, "synthesize")
"""The same on Darwin's image."""
