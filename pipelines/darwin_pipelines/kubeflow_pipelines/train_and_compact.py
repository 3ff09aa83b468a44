"""An example to copy from: a nightly training pipeline with compaction behind its training task.

The training task stands for your own, which may be of any form. What compaction adds is the one call at the end of the
pipeline. Give it validation rows that the training did not see: they judge the candidates.
"""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Model, Output

from darwin_components import CONTAINERS, IMAGE, ComponentSet
from darwin_components.cluster import Cluster
from darwin_pipelines.kubeflow_pipelines.compaction import compact_after_training, summarize_at_exit


@dsl.container_component
def train_credit_network(
    night: int,
    network: Output[Model],
    train: Output[Dataset],
    validation: Output[Dataset],
    test: Output[Dataset],
) -> dsl.ContainerSpec:
    """Train the demo's credit-default network on the rows of one night.

    Args:
        night: Every night has rows of its own.

    Returns:
        network: The trained network, a .keras file.
        train: The rows it was trained with.
        validation: Rows the training did not see, by which candidates are judged.
        test: Rows it has not seen.

    """
    return dsl.ContainerSpec(
        image=IMAGE,
        command=["python", "-m", "darwin_pipelines.retraining"],
        args=["--executor-input", dsl.PIPELINE_TASK_EXECUTOR_INPUT_PLACEHOLDER],
    )


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_credit_network_in_subprocess(
    night: int,
    network: Output[Model],
    train: Output[Dataset],
    validation: Output[Dataset],
    test: Output[Dataset],
) -> None:
    """Train the demo's credit-default network on the rows of one night.

    Args:
        night: Every night has rows of its own.

    Returns:
        network: The trained network, a .keras file.
        train: The rows it was trained with.
        validation: Rows the training did not see, by which candidates are judged.
        test: Rows it has not seen.

    """
    from darwin_components.slots import ArtifactSlot
    from darwin_pipelines.retraining import retrain

    outputs = {"network": network, "train": train, "validation": validation, "test": test}
    slots = {name: ArtifactSlot(name, artifact.uri) for name, artifact in outputs.items()}
    retrain(night, slots)
    for name, artifact in outputs.items():
        artifact.uri = slots[name].uri


def declare_train_and_compact_pipeline(components: ComponentSet = CONTAINERS, cluster: Cluster | None = None) -> Any:
    """The example.

    Args:
        components: Which form of the components to use.
        cluster: What the cluster gives to the tasks.
    """
    train = train_credit_network if components is CONTAINERS else train_credit_network_in_subprocess

    @dsl.pipeline(name="train-and-compact", description="Retrain a network, then compact, prove, explain, publish it.")
    def train_and_compact(config: str, night: int = 1) -> None:
        """Retrain and compact.

        Args:
            config: A CompactionConfig as JSON, or its URI; reference and rows come from the training task.
            night: Which night's rows to train with.
        """
        with summarize_at_exit(config, components=components, cluster=cluster):
            trained = train(night=night)
            compact_after_training(
                config=config,
                reference=trained.outputs["network"],
                train=trained.outputs["train"],
                validation=trained.outputs["validation"],
                test=trained.outputs["test"],
                components=components,
                cluster=cluster,
            )

    return train_and_compact


train_and_compact_pipeline = declare_train_and_compact_pipeline()
"""The example for a cluster."""
