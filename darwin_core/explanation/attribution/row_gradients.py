"""Expected Gradients for tables, through the network's own preprocessing to raw columns.

Gradients are taken behind the preprocessing, where text and gaps have become numbers, on the way from encoded training
rows to the encoded row (Erion et al., Nature MI 3, 2021); what falls to the codes of one column is added up. Far
cheaper than sampled Shapley values on wide tables, and blind to steps that have no gradient.
"""

from __future__ import annotations

import numpy as np

from darwin_core.explanation.attribution.base import Attribution, Attributor, Floats, Inputs, Scorer, Targets
from darwin_core.explanation.attribution.features import count_rows, take
from darwin_core.explanation.encoding import Encoding
from darwin_core.progress import Tracker

_BATCH = 256


class RowExpectedGradients(Attributor):
    """Attributions to raw columns, additive up to sampling error.

    Args:
        encoding: The network, cut in two. Attributes that network, whatever scorer is given.
        background: Training rows.
        samples: Gradients per row.
        seed: Seed of training rows and points; the same for every row.
    """

    def __init__(self, encoding: Encoding, background: Inputs, *, samples: int = 64, seed: int = 0) -> None:
        self._encoding = encoding
        self._raw = background
        self._background = encoding.encode(background)
        self._samples = samples
        self._seed = seed

    @property
    def method(self) -> str:
        """What it does, in a few words for the report."""
        return (
            f"Expected Gradients of raw columns ({self._samples} samples per row, against "
            f"{count_rows(self._raw)} training rows)"
        )

    def attribute(self, scorer: Scorer, inputs: Inputs, targets: Targets | None, tracker: Tracker) -> Attribution:
        """Attribute the scores of rows; see the base class. Values have shape (rows, features)."""
        parts = []
        rows = count_rows(inputs)
        for start in range(0, rows, _BATCH):
            part = slice(start, min(start + _BATCH, rows))
            parts.append(self._explain(take(inputs, part), None if targets is None else targets[part]))
            tracker.advance(part.stop - part.start)
        return Attribution(np.concatenate(parts), self._base(scorer, rows, targets), scorer(inputs, targets))

    def _base(self, scorer: Scorer, rows: int, targets: Targets | None) -> Floats:
        """(rows,) mean score of the training rows, of the class that each row is asked about."""
        if targets is None:
            return np.full(rows, scorer(self._raw, None).mean())
        size = count_rows(self._raw)
        means = {target: scorer(self._raw, np.full(size, target)).mean() for target in np.unique(targets)}
        return np.array([means[target] for target in targets])

    def _explain(self, inputs: Inputs, targets: Targets | None) -> Floats:
        encoded = self._encoding.encode(inputs)
        rng = np.random.default_rng(self._seed)
        shares = (rng.permutation(self._samples) + rng.random(self._samples)) / self._samples
        order = np.resize(rng.permutation(count_rows(self._raw)), self._samples)
        total = [np.zeros(part.shape) for part in encoded]
        for share, index in zip(shares.astype(np.float32), order, strict=True):
            start = [
                np.broadcast_to(part[index], own.shape) for part, own in zip(self._background, encoded, strict=True)
            ]
            way = [own - begin for own, begin in zip(encoded, start, strict=True)]
            points = [begin + share * step for begin, step in zip(start, way, strict=True)]
            _, gradients = self._encoding.gradients(points, targets)
            for summed, gradient, step in zip(total, gradients, way, strict=True):
                summed += gradient * step
        return self._encoding.by_column(total) / self._samples
