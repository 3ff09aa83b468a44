"""The inquisitor: one probing pass over a network with real rows, and what is learned from it.

Per dependency group: the Taylor importance of each channel, mean over rows of ``|sum over positions of a * dL/da|``
(Molchanov et al., arXiv 1611.06440), the same per class, and how far channels repeat one another. Per input feature:
how much the outputs move when its values are exchanged between rows, which works for numbers and text alike. The
generator is steered by these insights and the explanation starts from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from darwin_core.contracts import GroupInsight, Insights, OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.dependency import DependencyGraph, ProbePoint, estimate_cost, magnitude_importance
from darwin_core.networks import Predictor, network_inputs, to_scores
from darwin_core.progress import Reporter, Tracker
from darwin_core.synthesis.allocation import elasticities
from darwin_core.synthesis.listening import Heard, listening
from darwin_core.training import label_losses, stable_seed

_BATCH = 128
_MOST_CLASS_CELLS = 200_000
_MOST_EXCHANGED_ROWS = 512

Array = npt.NDArray[np.float64]
Features = Mapping[str, tuple[str, ...]]
"""Network input -> the columns it reads, in order."""


@dataclass
class _Tally:
    """What is added up for one group while probing."""

    importance: Array
    per_class: Array
    activations: list[Array] = field(default_factory=list)


class Inquisitor:
    """Probes networks, always with the same rows.

    Args:
        kind: How to read the outputs.
        split: Where the rows come from.
        features: The columns that each network input reads.
        loss: The reference's own loss; None: the usual one.
        rows: How many rows.
        seed: Which rows, and how values are exchanged between them.
        reporter: Where progress goes.
    """

    def __init__(
        self,
        kind: OutputKind,
        split: MappedSplit,
        features: Features,
        loss: keras.losses.Loss | None = None,
        *,
        rows: int = 2048,
        seed: int = 0,
        reporter: Reporter,
    ) -> None:
        self._kind, self._split, self._features, self._reporter = kind, split, features, reporter
        self._rows, self._seed = min(rows, split.rows), seed
        self._label_loss = label_losses(kind, loss)
        self._classes = 0 if kind.task in (Task.REGRESSION, Task.SEGMENTATION) else max(kind.units, 2)

    def probe(self, network: keras.Model, graph: DependencyGraph, name: str) -> Insights:
        """Probe one network.

        Args:
            network: What is probed; it is not changed.
            graph: Its dependency graph.
            name: What the insights call it.
        """
        steps = -(-self._rows // _BATCH)
        with self._reporter.track(f"Probing {name}", total=steps + len(self._columns())) as tracker:
            tallies = self._tallies(graph, tracker)
            use = self._input_use(network, tracker)
        channels = {group: len(tally.importance) for group, tally in tallies.items()}
        elasticity = elasticities(channels, lambda widths: max(estimate_cost(graph, widths).macs, 1))
        total = sum(float(tally.importance.sum()) for tally in tallies.values()) or 1.0
        groups = tuple(
            GroupInsight(
                group=group,
                importance=tuple(tally.importance.tolist()),
                redundancy=redundancy(np.concatenate(tally.activations)) if tally.activations else 0.0,
                sensitivity=float(tally.importance.sum()) / total / elasticity[group],
                class_response=tuple(tuple(row) for row in tally.per_class.round(9).tolist()),
            )
            for group, tally in tallies.items()
        )
        return Insights(network=name, rows=self._rows, groups=groups, input_use=use)

    def _tallies(self, graph: DependencyGraph, tracker: Tracker) -> dict[str, _Tally]:
        points = {group: found for group, found in graph.probe_points().items() if found}
        cells = sum(graph.groups[group].channels for group in points) * self._classes
        classes = self._classes if cells <= _MOST_CLASS_CELLS else 0
        tallies = {
            name: _Tally(np.zeros(group.channels), np.zeros((classes, group.channels)))
            for name, group in graph.groups.items()
        }
        if not points:
            _fill_unseen(tallies, points, graph)
            return tallies
        observe = _observer(graph.model, [point for found in points.values() for point in found], self._label_loss)
        class_rows = np.zeros(classes)
        for batch in self._split.batches(_BATCH, seed=self._seed, limit=self._rows):
            inputs = {name: tf.constant(values) for name, values in batch.inputs.items()}
            responses = iter(observe(inputs, tf.constant(batch.labels)))
            member = self._members(batch.labels, classes)
            class_rows += member.sum(axis=0)
            for group, found in points.items():
                _add(tallies[group], [(point, *next(responses)) for point in found], member)
            tracker.advance()
        for tally in tallies.values():
            tally.importance /= self._rows
            tally.per_class /= np.maximum(class_rows, 1.0)[:, None]
        _fill_unseen(tallies, points, graph)
        return tallies

    def _members(self, labels: npt.NDArray[np.generic], classes: int) -> npt.NDArray[np.bool_]:
        """Which rows belong to which class, or have which label, shape (rows, classes)."""
        if self._kind.task is Task.MULTILABEL:
            return np.asarray(labels[:, :classes] != 0)
        if self._kind.task is Task.SEGMENTATION:
            return np.zeros((len(labels), 0), bool)  # a picture belongs to no one class
        return np.asarray(labels[:, None] == np.arange(classes)[None, :])

    def _columns(self) -> list[tuple[str, int | None, str]]:
        """(input, position in its last axis or None for all of it, column) of everything that can be exchanged."""
        found: list[tuple[str, int | None, str]] = []
        for name, columns in self._features.items():
            if len(columns) == 1:
                found.append((name, None, columns[0]))
            else:
                found.extend((name, position, column) for position, column in enumerate(columns))
        return found

    def _input_use(self, network: keras.Model, tracker: Tracker) -> dict[str, float]:
        columns = self._columns()
        if len(columns) == 1:
            return {columns[0][2]: 1.0}
        rows = min(self._rows, _MOST_EXCHANGED_ROWS)
        inputs = next(self._split.batches(rows, seed=self._seed, limit=rows)).inputs
        order = np.random.default_rng(stable_seed(self._seed, "exchange")).permutation(rows)
        predict = Predictor(network)
        plain = to_scores(self._kind, predict(inputs))
        moved = {}
        for name, position, column in columns:
            values = inputs[name].copy()
            if position is None:
                values = values[order]
            else:
                values[:, position] = values[order, position]
            moved[column] = float(np.abs(to_scores(self._kind, predict({**inputs, name: values})) - plain).mean())
            tracker.advance()
        total = sum(moved.values())
        return {column: value / total if total else 1.0 / len(moved) for column, value in moved.items()}


def redundancy(activations: Array) -> float:
    """Mean over channels of the highest absolute correlation with another channel.

    Args:
        activations: Mean activation of each channel on each row, shape (rows, channels). A channel that never changes
            says nothing that others do not say: it counts as wholly redundant.
    """
    if activations.shape[1] < 2:
        return 0.0
    centred = activations - activations.mean(axis=0)
    norm = np.sqrt((centred**2).sum(axis=0))
    constant = norm < 1e-9
    unit = centred / np.where(constant, 1.0, norm)
    correlation = np.abs(unit.T @ unit)
    np.fill_diagonal(correlation, 0.0)
    highest = np.where(constant, 1.0, correlation.max(axis=0))
    return float(np.clip(highest.mean(), 0.0, 1.0))


def _observer(network: keras.Model, points: list[ProbePoint], label_loss: Any) -> Any:
    """A compiled function: inputs, labels -> for each point (|sum over positions of a * dL/da|, mean activation)."""
    spy = keras.Model(network.inputs, [*(point.tensor for point in points), network.outputs[0]])
    order = [item.name for item in network_inputs(network)]
    parts = [point.part for point in points if point.part is not None]

    def observe(inputs: Any, labels: Any) -> Any:
        with tf.GradientTape() as tape, listening(parts) as heard:
            for values in inputs.values():
                if values.dtype.is_floating:
                    tape.watch(values)  # or a network without trainable weights would have no gradient
            *activations, outputs = spy([inputs[name] for name in order], training=False)
            loss = tf.reduce_sum(label_loss(labels, outputs))
        seen = [_seen(point, values, heard) for point, values in zip(points, activations, strict=True)]
        gradients = tape.gradient(loss, seen, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return [_response(*found) for found in zip(points, seen, gradients, strict=True)]

    return tf.function(observe, reduce_retracing=True, autograph=False)


def _seen(point: ProbePoint, values: Any, heard: Heard) -> list[Any]:
    """The tensors that a point stands for: one, or one for each call of a part of a layer."""
    if point.part is None:
        return [values]
    return [entering if point.entering else leaving for entering, leaving in heard[id(point.part)]]


def _response(point: ProbePoint, seen: list[Any], gradients: list[Any]) -> tuple[Any, Any]:
    """(|sum over positions of a * dL/da|, mean activation), added up and averaged over the calls."""
    taylor, means = [], []
    for values, gradient in zip(seen, gradients, strict=True):
        positions = [axis for axis in range(1, len(values.shape)) if axis != point.axis % len(values.shape)]
        taylor.append(tf.abs(tf.reduce_sum(values * gradient, axis=positions)))
        means.append(tf.reduce_mean(values, axis=positions))
    return tf.add_n(taylor), tf.add_n(means) / len(means)


def _add(tally: _Tally, seen: list[tuple[ProbePoint, Any, Any]], member: npt.NDArray[np.bool_]) -> None:
    for index, (point, taylor, activation) in enumerate(seen):
        own = point.channels >= 0
        channels, per_row = point.channels[own], np.asarray(taylor, np.float64)[:, own]
        np.add.at(tally.importance, channels, per_row.sum(axis=0))
        np.add.at(tally.per_class.T, channels, per_row.T @ member.astype(np.float64))
        if index == 0:
            first = np.unique(channels, return_index=True)[1]
            tally.activations.append(np.asarray(activation, np.float64)[:, own][:, first])


def _fill_unseen(tallies: dict[str, _Tally], points: Mapping[str, Any], graph: DependencyGraph) -> None:
    """Groups that show nowhere get the magnitude of their weights, at the mean level of those seen."""
    unseen = [group for group in tallies if group not in points]
    if not unseen:
        return
    level = np.mean([tally.importance.mean() for group, tally in tallies.items() if group in points] or [1.0])
    magnitude = magnitude_importance(graph)
    for group in unseen:
        tallies[group].importance = magnitude[group] / max(float(magnitude[group].mean()), 1e-12) * level
