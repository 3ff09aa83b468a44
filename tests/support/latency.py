"""A figure in the place of measured latencies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from darwin_core.contracts import Latency

FIGURE = Latency(p50_ms=1.0, p95_ms=1.5, p99_ms=2.0, batch_size=1, threads=1, calls=200)


@pytest.fixture(scope="module")
def fixed_latency() -> Iterator[None]:
    """Measuring starts processes that load TensorFlow: this is for tests that are not about time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("darwin_core.steps.evaluation_case.measure_latency", lambda *args, **kwargs: FIGURE)
        yield
