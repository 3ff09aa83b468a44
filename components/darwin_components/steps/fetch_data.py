"""The fetch-data step for Kubeflow."""

from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output, OutputPath

from darwin_components.image import IMAGE
from darwin_components.steps.container import in_container


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def fetch_data_in_subprocess(
    config: str,
    run_id: str,
    run_config: OutputPath(str),
    snapshot: Output[Dataset],
    train_rows: OutputPath(int),
    test_rows: OutputPath(int),
    reference: Input[Model] = None,
    train: Input[Dataset] = None,
    validation: Input[Dataset] = None,
    test: Input[Dataset] = None,
) -> None:
    """Copy the reference network and the data into an immutable snapshot.

    Args:
        config: The run's CompactionConfig as JSON, or its URI.
        run_id: Names the run; results lie at <line>/runs/<run_id>.
        reference: Network to compact; replaces the configuration's ``reference``.
        train: Training rows; replaces the configuration's ``train``.
        validation: Validation rows; replaces the configuration's ``validation``.
        test: Test rows; replaces the configuration's ``test``.

    Returns:
        run_config: The configuration that is run, for all steps that follow.
        snapshot: The snapshot's manifest: digests, schema, split. Rows stay in the object store.
        train_rows: Rows to train with.
        test_rows: Rows of the sealed hold-out.
    """
    arguments = locals()
    from darwin_components.launcher import run_from_component

    run_from_component("fetch-data", arguments)


fetch_data = in_container(fetch_data_in_subprocess, "fetch-data")
"""The same on Darwin's image."""
