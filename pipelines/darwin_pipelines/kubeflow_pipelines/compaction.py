"""The five steps as a pipeline, and as a piece to put behind a training task."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from kfp import dsl

from darwin_components import CONTAINERS, ComponentSet


class CompactionOutputs(NamedTuple):
    """Outputs of the pipeline."""

    verdict: str
    published: bool
    version: str
    champion: str


@dataclass(frozen=True)
class Compaction:
    """The tasks of one compaction run inside a pipeline.

    ``publish`` runs where the verdict is PASS, ``keep_champion`` where it is not: the same component, which reads the
    stored verdict itself and is the authority. The branch only lets the graph tell which way it went, and the rejection
    reaches the ledger too.
    """

    fetch_data: dsl.PipelineTask
    synthesize: dsl.PipelineTask
    evaluate: dsl.PipelineTask
    explain: dsl.PipelineTask
    publish: dsl.PipelineTask
    keep_champion: dsl.PipelineTask

    @property
    def tasks(self) -> tuple[dsl.PipelineTask, ...]:
        """All tasks, e.g. to give each of them a secret."""
        return (self.fetch_data, self.synthesize, self.evaluate, self.explain, self.publish, self.keep_champion)

    def outputs(self) -> CompactionOutputs:
        """What a pipeline that ends with the compaction can return."""
        return CompactionOutputs(
            verdict=self.evaluate.outputs["verdict"],
            published=self._after_publish("published"),
            version=self._after_publish("version"),
            champion=self._after_publish("champion"),
        )

    def _after_publish(self, name: str) -> Any:
        return dsl.OneOf(self.publish.outputs[name], self.keep_champion.outputs[name])


def _prepared(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Retries with backoff, and no caching by Kubeflow.

    The backend's cache knows names and parameters, not the bytes behind a URI, so it would serve yesterday's data for
    a ``.../latest``; and every result has to lie below the run's own prefix. The engine itself does not repeat a step
    that already succeeded with the same request, so a retry continues where the task was.
    """
    task.set_caching_options(False)
    task.set_retry(num_retries=2, backoff_duration="60s", backoff_factor=2.0, backoff_max_duration="600s")
    return task


def compact_after_training(
    *,
    config: Any,
    reference: Any = None,
    train: Any = None,
    validation: Any = None,
    test: Any = None,
    components: ComponentSet = CONTAINERS,
) -> Compaction:
    """Put a compaction run into the pipeline that is being defined, behind the tasks that make its inputs.

    Args:
        config: A CompactionConfig as JSON (text or pipeline parameter), or its URI. What is connected below may be
            missing in it.
        reference: The training task's Model output: a .keras file, or a folder with one.
        train: Dataset output with the training rows; without it the configuration's ``train`` is read.
        validation: Dataset output with validation rows.
        test: Dataset output with test rows.
        components: Which form of the components to use.

    Returns:
        The tasks, for their outputs and for further settings (resources, secrets, node selectors).
    """
    connected = {"reference": reference, "train": train, "validation": validation, "test": test}
    fetched = _prepared(
        components.fetch_data(
            config=config,
            run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            **{name: channel for name, channel in connected.items() if channel is not None},
        )
    )
    run = {"config": fetched.outputs["run_config"], "run_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    snapshot = fetched.outputs["snapshot"]
    synthesized = _prepared(components.synthesize(**run, snapshot=snapshot))
    candidate = synthesized.outputs["candidate"]
    evaluated = _prepared(components.evaluate(**run, snapshot=snapshot, candidate=candidate))
    explained = _prepared(components.explain(**run, candidate=candidate, evaluation=evaluated.outputs["evaluation"]))
    last = run | {
        "verdict_document": evaluated.outputs["verdict_document"],
        "report": explained.outputs["report"],
    }
    with dsl.If(evaluated.outputs["verdict"] == "PASS", "the candidate passed"):
        published = _prepared(components.publish(**last))
    with dsl.Else("the champion stays"):
        kept = _prepared(components.publish(**last)).set_display_name("keep-champion")
    return Compaction(fetched, synthesized, evaluated, explained, published, kept)


def declare_compaction_pipeline(components: ComponentSet = CONTAINERS) -> Any:
    """The whole run as a pipeline, built from either form of the components."""

    @dsl.pipeline(
        name="darwin-compaction",
        description="A much smaller Keras network, proof that it is as good, and an explanation of how it decides.",
    )
    def compaction(config: str) -> CompactionOutputs:
        """Compact a network.

        Args:
            config: A CompactionConfig as JSON, or its URI.
        """
        return compact_after_training(config=config, components=components).outputs()

    return compaction


compaction_pipeline = declare_compaction_pipeline()
"""The pipeline for a cluster."""
