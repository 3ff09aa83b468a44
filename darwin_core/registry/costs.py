"""What the search cost and what serving saves."""

from __future__ import annotations

import math

from darwin_core.contracts import CostStatement, NetworkCost, SearchRecord, VerdictDocument


def state_costs(search: SearchRecord, verdict: VerdictDocument) -> CostStatement:
    """Search time against serving time, both networks measured on the same machine with the same threads."""
    before, after = _seconds_per_million(verdict.reference_cost), _seconds_per_million(verdict.candidate_cost)
    return CostStatement(
        search_seconds=search.seconds,
        reference=verdict.reference_cost,
        candidate=verdict.candidate_cost,
        reference_seconds_per_million=before,
        candidate_seconds_per_million=after,
        pay_back_predictions=_pay_back(sum(search.seconds.values()), before, after),
    )


def _seconds_per_million(cost: NetworkCost) -> float | None:
    if cost.latency is None:
        return None
    return cost.latency.p50_ms * 1e-3 / cost.latency.batch_size * 1e6


def _pay_back(spent_seconds: float, before: float | None, after: float | None) -> int | None:
    if before is None or after is None or before <= after:
        return None
    return math.ceil(spent_seconds / (before - after) * 1e6)
