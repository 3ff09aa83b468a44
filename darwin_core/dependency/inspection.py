"""Everything that is known of a network without data."""

from __future__ import annotations

from pathlib import Path

import keras

from darwin_core.contracts import NetworkInspection
from darwin_core.dependency.graph import DependencyGraph, analyse
from darwin_core.errors import NetworkError
from darwin_core.networks.inputs import network_inputs
from darwin_core.networks.measuring import layer_costs, measure_cost
from darwin_core.networks.outputs import output_kind


def inspect_network(
    model: keras.Model, path: str | Path | None = None, *, graph: DependencyGraph | None = None
) -> NetworkInspection:
    """Inputs, output, cost per layer, dependency groups and frozen layers of a network.

    Args:
        model: A Functional or Sequential network.
        path: The .keras file it came from, whose compile configuration says what the output means.
        graph: Its dependency graph, to save analysing it again.

    Raises:
        NetworkError: The network cannot be read.
    """
    graph = graph or analyse(model)
    try:
        output = output_kind(model, path)
    except NetworkError:
        output = None
    return NetworkInspection(
        name=model.name,
        inputs=network_inputs(model),
        output=output,
        cost=measure_cost(model),
        layers=layer_costs(model),
        groups=graph.summaries(),
        frozen=graph.frozen,
    )
