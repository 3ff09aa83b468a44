"""Settling: the last touches to a finished network, which change what surrounds its decisions and not their order."""

from __future__ import annotations

import keras
import numpy as np
import numpy.typing as npt

from darwin_core.contracts import OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.evaluation.calibration import ScoreMap, align_scales, fit_temperature
from darwin_core.networks import to_scores
from darwin_core.networks.wiring import read_wiring
from darwin_core.synthesis.examiner import predict_split


class Settler:
    """Makes a finished network fit for the reference's place.

    Both touches are linear in log-odds, hence exactly a scaling of the last layer's weights, and are folded into them.

    Two classes with one output unit: a small network is less sure of itself in the tail, so thresholds that were set
    for the reference would alert fewer rows. The scores are mapped so that their median and the share of alerts on the
    validation rows are kept. The ranking of rows does not change.

    Several classes: a small network that learned from a sure one is surer than it may be. A temperature makes its
    probabilities true on the validation rows. No decision changes.

    And the file is to say what the output means, as the reference's does.

    Args:
        kind: How to read the outputs.
        loss: The reference's own loss; None where it does not say.
        validation: The rows on which scales are aligned.
        reference_outputs: The reference's raw outputs on them, shape (rows, units).
        alert_budget: Share of rows that the deployed threshold alerts.
    """

    def __init__(
        self,
        kind: OutputKind,
        loss: keras.losses.Loss | None,
        validation: MappedSplit,
        reference_outputs: npt.NDArray[np.float32],
        alert_budget: float,
    ) -> None:
        self._kind, self._loss, self._validation, self._alert_budget = kind, loss, validation, alert_budget
        self._wanted = to_scores(kind, reference_outputs)

    def settle(self, network: keras.Model) -> None:
        """Scale the network's last layer where that can be done, and name its loss."""
        two_classes = self._kind.task is Task.BINARY and self._kind.units == 1
        if two_classes or self._kind.task is Task.MULTICLASS:
            last = _last_dense(network, "sigmoid" if two_classes else "softmax")
            found = None if last is None else self._scaling(network)
            if last is not None and found is not None and (last.use_bias or not found.intercept):
                last.kernel.assign(last.kernel * found.slope)
                if last.use_bias:
                    last.bias.assign(last.bias * found.slope + found.intercept)
        if self._loss is not None:
            network.compile(optimizer="sgd", loss=self._loss)

    def _scaling(self, network: keras.Model) -> ScoreMap | None:
        own = to_scores(self._kind, predict_split(network, self._validation))
        if self._kind.task is Task.BINARY:
            return align_scales(own, self._wanted, alert_budget=self._alert_budget)
        factor = fit_temperature(own, self._validation.labels, self._validation.weights)
        return None if factor is None else ScoreMap(intercept=0.0, slope=factor)


def _last_dense(network: keras.Model, squashing: str) -> keras.layers.Dense | None:
    """The Dense layer whose outputs are the log-odds, squashed or not; None where something else makes them."""
    wiring = read_wiring(network)
    makers = {tensor: call for call in wiring.calls for tensor in call.outputs}
    call = makers.get(wiring.outputs[0])
    if call is not None and _activation(call.operation) == squashing and not _is_dense(call.operation):
        call = makers.get(call.inputs[0])  # an activation layer of its own behind a Dense without one
        if call is None or _activation(call.operation) != "linear":
            return None
    if call is None or not _is_dense(call.operation):
        return None
    return call.operation if _activation(call.operation) in (squashing, "linear") else None


def _is_dense(operation: keras.Operation) -> bool:
    return isinstance(operation, keras.layers.Dense)


def _activation(operation: keras.Operation) -> str:
    if isinstance(operation, keras.layers.Softmax):
        return "softmax"
    return str(getattr(getattr(operation, "activation", None), "__name__", ""))
