"""Paired bootstrap: the same resampled rows for both networks, a thousand times, in bounded memory.

Rows are drawn with replacement; where rows belong together (one customer, one day) whole clusters are drawn instead.
A resampling is a matrix of row weights, so every statistic is computed for a whole batch of rounds at once. Both
networks see the same weights, which is what makes the difference so much sharper than two separate intervals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from darwin_core.errors import DataError
from darwin_core.evaluation.proportions import Interval
from darwin_core.evaluation.ranking import Floats, Weights

Statistic = Callable[[Weights], Mapping[str, Floats]]
"""Row weights (rounds, n) -> name -> values with the rounds on the last axis."""

_CELLS = 2**21
"""Weights in memory at once; a round of 100,000 rows is computed in batches of 20, at about 60 MB."""


@dataclass(frozen=True)
class Resampling:
    """How rows are drawn.

    Args:
        rounds: Number of resamplings.
        seed: Same seed, same draws.
        clusters: Cluster index of every row (0 .. clusters - 1), shape (n,); None: every row is its own cluster.
        weights: Sample weights, shape (n,); None: all equal.
    """

    rounds: int
    seed: int
    clusters: NDArray[np.int64] | None = None
    weights: Floats | None = None

    def units(self, rows: int) -> int:
        """Number of independent units that are drawn."""
        return rows if self.clusters is None else int(self.clusters.max()) + 1

    def restricted(self, mask: NDArray[np.bool_]) -> Resampling:
        """The same scheme on a subset of the rows (a slice)."""
        clusters = None if self.clusters is None else np.unique(self.clusters[mask], return_inverse=True)[1]
        weights = None if self.weights is None else self.weights[mask]
        return Resampling(self.rounds, self.seed, clusters, weights)

    def batches(self, rows: int) -> Iterator[Weights]:
        """Row weights of all rounds, shape (batch, rows) each, never more than a fixed number of cells at once."""
        generator = np.random.default_rng(self.seed)
        units = self.units(rows)
        batch = max(1, min(self.rounds, _CELLS // max(rows, units)))
        for start in range(0, self.rounds, batch):
            count = min(batch, self.rounds - start)
            drawn = generator.integers(0, units, size=(count, units))
            drawn += np.arange(count)[:, None] * units
            counts = np.bincount(drawn.ravel(), minlength=count * units).reshape(count, units)
            by_row = counts if self.clusters is None else counts[:, self.clusters]
            yield by_row if self.weights is None else by_row * self.weights


def bootstrap(
    statistic: Statistic, rows: int, resampling: Resampling, *, advance: Callable[[float], None] | None = None
) -> dict[str, Floats]:
    """Evaluate ``statistic`` under every resampling.

    Args:
        statistic: Computes all wanted figures for a batch of weightings.
        rows: Number of rows.
        resampling: How to draw.
        advance: Told the number of rounds done since the last call.

    Returns:
        Name -> replicates, rounds on the last axis. A round in which a figure has no value (no positive row was drawn)
        is NaN.
    """
    if not rows:
        raise DataError("Expected at least one row to resample, got none.")
    collected: dict[str, list[Floats]] = {}
    for weights in resampling.batches(rows):
        for name, values in statistic(weights).items():
            collected.setdefault(name, []).append(values)
        if advance is not None:
            advance(len(weights))
    return {name: np.concatenate(parts, axis=-1) for name, parts in collected.items()}


def percentile_bounds(replicates: Floats, *, confidence: float, units: int) -> Interval:
    """One-sided bounds from bootstrap replicates: the expanded percentile interval.

    The plain percentile interval is too narrow by sqrt((n - 1) / n) and by the normal quantile standing where Student's
    belongs, which matters when few positives or few days carry the estimate. Expanding the nominal level corrects both
    (T. Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69, 2015, section 5).

    Args:
        replicates: Bootstrap replicates of a difference, shape (rounds,); NaN rounds are left out.
        confidence: One-sided level.
        units: Independent units that carry the estimate (positives, clusters or rows, whichever is fewest).

    Returns:
        The bounds; infinite where fewer than two units or hardly any valid round exist.
    """
    valid = replicates[np.isfinite(replicates)]
    if units < 2 or len(valid) < len(replicates) / 2:
        return Interval(-np.inf, np.inf)
    level = expanded_level(confidence, units)
    low, high = np.quantile(valid, [1 - level, level])
    return Interval(float(low), float(high))


def expanded_level(confidence: float, units: int) -> float:
    """The level at which to read percentiles so that bounds from ``units`` units hold ``confidence``."""
    student = stats.t.ppf(confidence, df=units - 1)
    return float(stats.norm.cdf(np.sqrt(units / (units - 1)) * student))
