"""The compaction run with several searches side by side: as many pods, and the best of what they find."""

from typing import Any, Final

from kfp import dsl

from darwin_components import CONTAINERS, ComponentSet
from darwin_components.cluster import Cluster
from darwin_pipelines.kubeflow_pipelines.compaction import compact_after_training, summarize_at_exit

BRANCHES: Final[list[dict[str, Any]]] = [
    {"name": "widths", "generator": "importance"},
    {"name": "layers", "generator": "separable"},
    {"name": "widths-again", "generator": "importance", "seed": 1},
]
"""Two ways to propose designs, and one of them from another start."""


def declare_compaction_fan_out_pipeline(components: ComponentSet = CONTAINERS, cluster: Cluster | None = None) -> Any:
    """The run with parallel searches.

    Args:
        components: Which form of the components to use.
        cluster: What the cluster gives to the tasks.
    """

    @dsl.pipeline(
        name="darwin-compaction-fan-out",
        description="Several searches side by side for a much smaller Keras network; the best one goes on to the gate.",
    )
    def compaction_fan_out(config: str, branches: list = BRANCHES) -> None:  # type: ignore[type-arg] # kfp reads it
        """Compact a network with several searches side by side.

        Args:
            config: A CompactionConfig as JSON, or its URI.
            branches: One object per search: its name, and any of seed, generator and budget.
        """
        with summarize_at_exit(config, components=components, cluster=cluster):
            compact_after_training(config=config, branches=branches, components=components, cluster=cluster)

    return compaction_fan_out


compaction_fan_out_pipeline = declare_compaction_fan_out_pipeline()
"""The pipeline for a cluster."""
