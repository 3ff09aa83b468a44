"""How long one call takes, measured the same way for every runtime. Imports nothing heavy."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from darwin_core.contracts import Latency

MOST_ROWS = 64
"""Rows that are used in turn: enough to see what a row's values cost, few enough to have ready."""


def time_calls(call: Callable[[int], object], *, threads: int, calls: int, warmup: int) -> Latency:
    """Milliseconds per call of one row.

    Args:
        call: Predicts one row, whose position in the order of calls it is given, and waits for the output.
        threads: Threads that the runtime was told to use.
        calls: Calls that are timed.
        warmup: Calls before them that are not.
    """
    for position in range(warmup):
        call(position)
    gc.disable()
    taken = []
    for position in range(calls):
        started = time.perf_counter_ns()
        call(position)
        taken.append((time.perf_counter_ns() - started) / 1e6)
    gc.enable()
    taken.sort()
    p50, p95, p99 = (_percentile(taken, share) for share in (0.50, 0.95, 0.99))
    return Latency(p50_ms=p50, p95_ms=p95, p99_ms=p99, batch_size=1, threads=threads, calls=calls)


def _percentile(ascending: list[float], share: float) -> float:
    """Linear between the two nearest, as numpy's default."""
    position = share * (len(ascending) - 1)
    below = int(position)
    above = min(below + 1, len(ascending) - 1)
    return ascending[below] + (position - below) * (ascending[above] - ascending[below])
