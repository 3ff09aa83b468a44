"""Shapley values of raw columns, sampled. Needs nothing but scores, so lookups and text are no obstacle.

A worked example. Three columns, one explained row x = (A, B, C), one background row b = (a, b, c), the permutation
2, 3, 1. Walking from b to x gives the scores of::

    a b c  ->  a B c  ->  a B C  ->  A B C

Each step is the contribution of one column; the sum of the steps is f(x) - f(b) whatever the network. The Shapley
value is the mean over permutations and background rows. Each permutation is walked in reverse order too (antithetic
pairs): what one walk credits to a column early, the other credits late, which removes much of the sampling error. Steps
at which b and x hold the same value cost nothing.

Sources: Castro, Gomez, Tejada, Computers & Operations Research 36 (2009); antithetic walks: Mitchell, Cooper, Frank,
Holmes, JMLR 23 (2022). With background rows from the training data this is the interventional Shapley value, of which
Expected Gradients is the differentiable counterpart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darwin_core.explanation.attribution.base import Attribution, Attributor, Floats, Inputs, Scorer, Targets
from darwin_core.explanation.attribution.features import FeatureMap, count_rows, take
from darwin_core.progress import Tracker

_CHUNK_CELLS = 4_000_000
_PROBED_ROWS = 64


class SampledShapley(Attributor):
    """Additive attributions to raw columns, against rows drawn from the training data.

    Args:
        features: The columns that the network reads.
        background: Training rows that stand for "no particular value".
        pairs: Permutations per explained row, each walked both ways from a background row of its own.
        seed: Seed of permutations and choice of background rows.
    """

    def __init__(self, features: FeatureMap, background: Inputs, *, pairs: int = 8, seed: int = 0) -> None:
        self._features = features
        self._background = {name: background[name] for name in dict.fromkeys(f.source for f in features.features)}
        self._pairs = pairs
        self._seed = seed

    @property
    def method(self) -> str:
        """What it does, in a few words for the report."""
        return (
            f"sampled Shapley values of raw columns ({self._pairs} antithetic pairs of permutations per row, against "
            f"{count_rows(self._background)} training rows)"
        )

    def attribute(self, scorer: Scorer, inputs: Inputs, targets: Targets | None, tracker: Tracker) -> Attribution:
        """Attribute the scores of rows; see the base class. Values have shape (rows, features)."""
        rng = np.random.default_rng(self._seed)
        rows = count_rows(inputs)
        inputs = {name: inputs[name] for name in self._background}
        scores = scorer(inputs, targets)
        per_walk = walk_length(self._features, inputs, self._background)
        step = max(1, int(_CHUNK_CELLS / (2 * self._pairs * len(self._features) * per_walk)))
        values, base = np.empty((rows, len(self._features))), np.empty(rows)
        for start in range(0, rows, step):
            part = slice(start, min(start + step, rows))
            walks = self._walks(take(inputs, part), rng)
            chunk_targets = None if targets is None else targets[part]
            values[part], base[part] = self._contributions(walks, scorer, scores[part], chunk_targets)
            tracker.advance(part.stop - part.start)
        return Attribution(values, base, scores)

    def _walks(self, inputs: Inputs, rng: np.random.Generator) -> _Walks:
        rows, columns, pairs = count_rows(inputs), len(self._features), self._pairs
        size = count_rows(self._background)
        drawn = np.stack([rng.permutation(np.arange(pairs) + rng.integers(size)) % size for _ in range(rows)])
        ranks = rng.permuted(np.tile(np.arange(columns), (rows * pairs, 1)), axis=1)
        owner = np.repeat(np.arange(rows), pairs)
        start = drawn.reshape(-1)
        differing = self._features.differing(take(inputs, owner), take(self._background, start))
        return _Walks(
            inputs=inputs,
            owner=np.tile(owner, 2),
            start=np.tile(start, 2),
            ranks=np.concatenate([ranks, columns - 1 - ranks]),
            differing=np.tile(differing, (2, 1)),
        )

    def _contributions(
        self, walks: _Walks, scorer: Scorer, scores: Floats, targets: Targets | None
    ) -> tuple[Floats, Floats]:
        walk, position, stage = walks.stops()
        pairs = len(walks.owner) // 2
        owners = np.concatenate([walks.owner[walk], walks.owner[:pairs]])
        starts = np.concatenate([walks.start[walk], walks.start[:pairs]])
        from_row = np.concatenate(
            [walks.ranks[walk] <= position[:, None], np.zeros((pairs, len(self._features)), bool)]
        )
        found = self._evaluate(walks.inputs, owners, starts, from_row, scorer, targets)
        at_stop, at_start = found[: len(walk)], found[len(walk) :]
        stages = np.zeros((len(walks.owner), len(self._features) + 1))
        stages[:, 0] = np.tile(at_start, 2)
        stages[walk, stage] = at_stop
        last = walks.differing.sum(axis=1)
        stages[last > 0, last[last > 0]] = scores[walks.owner[last > 0]]
        per_walk = walks.credit(stages)
        per_row = per_walk.reshape(2, len(scores), self._pairs, -1).mean(axis=(0, 2))
        return per_row, at_start.reshape(len(scores), self._pairs).mean(axis=1)

    def _evaluate(
        self,
        inputs: Inputs,
        owners: NDArray[np.int64],
        starts: NDArray[np.int64],
        from_row: NDArray[np.bool_],
        scorer: Scorer,
        targets: Targets | None,
    ) -> Floats:
        mixed = self._features.mix(take(inputs, owners), take(self._background, starts), from_row)
        return scorer(mixed, None if targets is None else targets[owners])


def walk_length(features: FeatureMap, inputs: Inputs, background: Inputs) -> float:
    """Columns in which a row and a background row typically differ: the evaluations that one walk costs; at least 1."""
    count = min(count_rows(inputs), count_rows(background), _PROBED_ROWS)
    if not count:
        return 1.0
    differing = features.differing(take(inputs, slice(0, count)), take(background, slice(0, count)))
    return max(1.0, float(differing.sum(axis=1).mean()))


@dataclass(frozen=True)
class _Walks:
    """Walks from background rows to explained rows: first all forward ones, then their reverses.

    Attributes:
        inputs: The explained rows.
        owner: (walks,) the explained row at the end of each walk.
        start: (walks,) the background row at its beginning.
        ranks: (walks, features) when each feature is changed.
        differing: (walks, features) whether changing it changes anything.
    """

    inputs: dict[str, NDArray[Any]] | Inputs
    owner: NDArray[np.int64]
    start: NDArray[np.int64]
    ranks: NDArray[np.int64]
    differing: NDArray[np.bool_]

    def stages(self) -> NDArray[np.int64]:
        """(walks, positions) how many real changes have been made after each position."""
        order = np.argsort(self.ranks, axis=1)
        return np.cumsum(np.take_along_axis(self.differing, order, axis=1), axis=1).astype(np.int64)

    def stops(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Inner points of the walks that must be scored: walk, position and stage of each."""
        stages = self.stages()
        fresh = np.diff(stages, axis=1, prepend=0) > 0
        walk, position = np.nonzero(fresh & (stages < stages[:, -1:]))
        return walk, position, stages[walk, position]

    def credit(self, scores: Floats) -> Floats:
        """(walks, features) contribution of each feature, from (walks, stages) scores."""
        after = np.take_along_axis(self.stages(), self.ranks, axis=1)
        steps = np.take_along_axis(scores, after, axis=1) - np.take_along_axis(scores, np.maximum(after - 1, 0), axis=1)
        return np.where(self.differing, steps, 0.0)
