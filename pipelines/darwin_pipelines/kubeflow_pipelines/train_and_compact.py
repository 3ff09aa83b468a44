"""An example to copy from: a nightly training pipeline with compaction behind its training task.

The training task stands for your own. What compaction adds is the one call at the end of the pipeline.
"""

from typing import Any

from kfp import dsl
from kfp.dsl import Dataset, Model, Output

from darwin_components import CONTAINERS, IMAGE, ComponentSet
from darwin_pipelines.kubeflow_pipelines.compaction import CompactionOutputs, compact_after_training


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train_credit_network(
    night: int,
    network: Output[Model],
    train: Output[Dataset],
    validation: Output[Dataset],
    test: Output[Dataset],
) -> None:
    """Train the demo's credit-default network on the rows of one night.

    Args:
        night: Every night has rows of its own.
        network: The trained network, a .keras file.
        train: The rows it was trained with.
        validation: Rows the training did not see, by which candidates are judged.
        test: Rows it has not seen.
    """
    import shutil
    import tempfile
    from pathlib import Path

    from darwin_core.demo.data import write_demo_data
    from darwin_core.demo.reference import train_reference
    from darwin_core.progress import LogReporter

    files = write_demo_data(Path(tempfile.mkdtemp()), night=night)
    for source, artifact in ((files.train, train), (files.validation, validation), (files.test, test)):
        artifact.path = artifact.path + ".parquet"
        Path(artifact.path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, artifact.path)
    network.path = network.path + ".keras"
    train_reference(Path(train.path), Path(network.path), LogReporter(), seed=night)


def declare_train_and_compact_pipeline(components: ComponentSet = CONTAINERS) -> Any:
    """The example, built from either form of the components."""

    @dsl.pipeline(name="train-and-compact", description="Retrain a network, then compact, prove, explain, publish it.")
    def train_and_compact(config: str, night: int = 1) -> CompactionOutputs:
        """Retrain and compact.

        Args:
            config: A CompactionConfig as JSON, or its URI; reference and rows come from the training task.
            night: Which night's rows to train with.
        """
        trained = train_credit_network(night=night)
        compaction = compact_after_training(
            config=config,
            reference=trained.outputs["network"],
            train=trained.outputs["train"],
            validation=trained.outputs["validation"],
            test=trained.outputs["test"],
            components=components,
        )
        return compaction.outputs()

    return train_and_compact


train_and_compact_pipeline = declare_train_and_compact_pipeline()
"""The example for a cluster. Its training task is a lightweight component: the image it runs on needs kfp."""
