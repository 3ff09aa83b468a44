"""Who is alerted: the deployed threshold, the overlap of two alert queues, and what the candidate missed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from darwin_core.contracts import GateConfig
from darwin_core.evaluation.cases import Cases
from darwin_core.evaluation.proportions import Interval, wilson
from darwin_core.evaluation.ranking import Floats, Weights, alert_capacity, alert_queue
from darwin_core.evaluation.resampling import Resampling, bootstrap, percentile_bounds
from darwin_core.evaluation.statistics import Queues

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """Jaccard index of two alert queues: alerted by both over alerted by any."""

    jaccard: float
    interval: Interval
    both: int
    either: int


def deployed_threshold(validation_scores: Floats, alert_budget: float) -> float:
    """The score from which the reference alerts its budget on the validation rows; alerts are scores >= it."""
    capacity = alert_capacity(len(validation_scores), alert_budget)
    return float(np.partition(validation_scores, -capacity)[-capacity])


def alert_overlap(reference: Floats, candidate: Floats, alert_budget: float) -> float:
    """Jaccard index of the rows that two networks rank into the same alert budget.

    Args:
        reference: Scores of the one, shape (n,).
        candidate: Scores of the other on the same rows, shape (n,).
        alert_budget: Share of the rows that can be investigated, in (0, 1).
    """
    return _jaccard(alerted((alert_queue(reference, alert_budget), alert_queue(candidate, alert_budget))))


def _jaccard(flags: tuple[Flags, Flags]) -> float:
    return float((flags[0] & flags[1]).sum() / max((flags[0] | flags[1]).sum(), 1))


def alerted(queues: Queues) -> tuple[Flags, Flags]:
    """The rows on each network's queue; a row tied at the queue's end counts where at least half of the tie fits."""
    return queues[0] >= 0.5, queues[1] >= 0.5


def overlap(cases: Cases, flags: tuple[Flags, Flags], gate: GateConfig) -> Overlap:
    """Jaccard index with one-sided bounds: Wilson's over the alerted rows, widened by clusters where there are any."""
    both, either = flags[0] & flags[1], flags[0] | flags[1]
    total = int(either.sum())
    interval = wilson(int(both.sum()), total, confidence=gate.confidence)
    if cases.clusters is not None and total:
        columns = np.stack([both, either], axis=1).astype(np.float64)

        def jaccard(weights: Weights) -> dict[str, Floats]:
            shared, any_of = (weights @ columns).T
            with np.errstate(divide="ignore", invalid="ignore"):
                return {"jaccard": shared / any_of}

        replicates = bootstrap(jaccard, cases.rows, Resampling(gate.bootstrap_rounds, gate.seed, cases.clusters))
        units = len(np.unique(cases.clusters[either]))
        wide = percentile_bounds(replicates["jaccard"], confidence=gate.confidence, units=units)
        interval = interval.widened(Interval(max(0.0, wide.low), min(1.0, wide.high)))
    return Overlap(_jaccard(flags), interval, int(both.sum()), total)


def missed_rows(cases: Cases, flags: tuple[Flags, Flags], scores: Floats, *, limit: int = 200) -> NDArray[np.int64]:
    """Positive rows that the reference alerted and the candidate did not, the lowest candidate scores first."""
    missed = np.flatnonzero((np.asarray(cases.labels) != 0) & flags[0] & ~flags[1])
    return missed[np.argsort(scores[missed], kind="stable")][:limit].astype(np.int64)
