"""The steps as a pipeline, and as a piece to put behind a training task."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from kfp import dsl

from darwin_components import CONTAINERS, ComponentSet
from darwin_components.cluster import Cluster


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

    ``synthesize`` is the search, or the choice among ``searches`` where several run side by side.
    """

    fetch_data: dsl.PipelineTask
    synthesize: dsl.PipelineTask
    evaluate: dsl.PipelineTask
    explain: dsl.PipelineTask
    publish: dsl.PipelineTask
    keep_champion: dsl.PipelineTask
    searches: dsl.PipelineTask | None = None

    @property
    def tasks(self) -> tuple[dsl.PipelineTask, ...]:
        """All tasks, e.g. to give each of them a label."""
        steps = (self.fetch_data, self.synthesize, self.evaluate, self.explain, self.publish, self.keep_champion)
        return steps if self.searches is None else (*steps, self.searches)

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


def _prepared(cluster: Cluster, step: str, task: dsl.PipelineTask) -> dsl.PipelineTask:
    """Resources, retries with backoff, and no caching by Kubeflow.

    The backend's cache knows names and parameters, not the bytes behind a URI, so it would serve yesterday's data for
    a ``.../latest``; and it serves names of objects without a look whether they are still there. The engine itself does
    not repeat a step that already succeeded: its key digests the contents, and it checks that the results exist.
    """
    task.set_caching_options(False)
    task.set_retry(num_retries=2, backoff_duration="60s", backoff_factor=2.0, backoff_max_duration="600s")
    return cluster.apply(step, task)


def compact_after_training(
    *,
    config: Any,
    reference: Any = None,
    train: Any = None,
    validation: Any = None,
    test: Any = None,
    branches: Any = None,
    components: ComponentSet = CONTAINERS,
    cluster: Cluster | None = None,
) -> Compaction:
    """Put a compaction run into the pipeline that is being defined, behind the tasks that make its inputs.

    Args:
        config: A CompactionConfig as JSON (text or pipeline parameter), or its URI. What is connected below may be
            missing in it.
        reference: The training task's Model output: a .keras file, or a folder with one.
        train: Dataset output with the training rows; without it the configuration's ``train`` is read.
        validation: Dataset output with validation rows.
        test: Dataset output with test rows.
        branches: Searches to run side by side, of which the best is taken: a list (or pipeline parameter) of objects
            with a ``name`` and any of ``seed``, ``generator``, ``budget``. None: one search.
        components: Which form of the components to use.
        cluster: What the cluster gives to the tasks.

    Returns:
        The tasks, for their outputs and for further settings.
    """
    prepared = partial(_prepared, cluster or Cluster())
    connected = {"reference": reference, "train": train, "validation": validation, "test": test}
    fetched = prepared(
        "fetch-data",
        components.fetch_data(
            config=config,
            run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER,
            **{name: channel for name, channel in connected.items() if channel is not None},
        ),
    )
    run = {"config": fetched.outputs["run_config"], "run_id": dsl.PIPELINE_JOB_ID_PLACEHOLDER}
    snapshot = fetched.outputs["snapshot"]
    searches = None
    if branches is None:
        synthesized = prepared("synthesize", components.synthesize(**run, snapshot=snapshot))
    else:
        searches, synthesized = _fan_out(components, prepared, branches, run | {"snapshot": snapshot})
    candidate = synthesized.outputs["candidate"]
    evaluated = prepared("evaluate", components.evaluate(**run, snapshot=snapshot, candidate=candidate))
    explained = prepared(
        "explain", components.explain(**run, candidate=candidate, evaluation=evaluated.outputs["evaluation"])
    )
    last = run | {
        "verdict_document": evaluated.outputs["verdict_document"],
        "report": explained.outputs["report"],
    }
    with dsl.If(evaluated.outputs["verdict"] == "PASS", "the candidate passed"):
        published = prepared("publish", components.publish(**last))
    with dsl.Else("the champion stays"):
        kept = prepared("publish", components.publish(**last)).set_display_name("keep-champion")
    return Compaction(fetched, synthesized, evaluated, explained, published, kept, searches)


def _fan_out(
    components: ComponentSet, prepared: Callable[..., dsl.PipelineTask], branches: Any, run: dict[str, Any]
) -> tuple[dsl.PipelineTask, dsl.PipelineTask]:
    with dsl.ParallelFor(branches, name="searches-side-by-side") as branch:
        search = prepared("synthesize", components.search(**run, branch=branch))
    choice = components.choose(**run, branches=branches, search_records=dsl.Collected(search.outputs["search_record"]))
    return search, prepared("publish", choice)


def summarize_at_exit(
    config: Any, *, components: ComponentSet = CONTAINERS, cluster: Cluster | None = None
) -> dsl.ExitHandler:
    """A scope at whose end a page says how the run came out, whatever became of it.

    Kubeflow allows no outputs of a pipeline from inside such a scope.

    Args:
        config: The CompactionConfig or its URI, as given to the pipeline.
        components: Which form of the components to use.
        cluster: What the cluster gives to the task.

    Example:
        ``with summarize_at_exit(config): compact_after_training(config=config, ...)``
    """
    task = components.summarize(config=config, run_id=dsl.PIPELINE_JOB_ID_PLACEHOLDER)
    task.set_caching_options(False)
    return dsl.ExitHandler((cluster or Cluster()).apply("summarize", task), name="compaction")


def declare_compaction_pipeline(components: ComponentSet = CONTAINERS, cluster: Cluster | None = None) -> Any:
    """The whole run as a pipeline.

    Args:
        components: Which form of the components to use.
        cluster: What the cluster gives to the tasks.
    """

    @dsl.pipeline(
        name="darwin-compaction",
        description="A much smaller Keras network, proof that it is as good, and an explanation of how it decides.",
    )
    def compaction(config: str) -> None:
        """Compact a network.

        Args:
            config: A CompactionConfig as JSON, or its URI.
        """
        with summarize_at_exit(config, components=components, cluster=cluster):
            compact_after_training(config=config, components=components, cluster=cluster)

    return compaction


compaction_pipeline = declare_compaction_pipeline()
"""The pipeline for a cluster."""
