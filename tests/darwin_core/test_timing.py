import numpy as np

from darwin_core.timing import _percentile, time_calls


def test_calls_are_counted_and_warmed_up() -> None:
    seen: list[int] = []
    latency = time_calls(seen.append, threads=2, calls=30, warmup=4)
    assert seen == [*range(4), *range(30)]
    assert (latency.calls, latency.threads, latency.batch_size) == (30, 2, 1)
    assert 0 < latency.p50_ms <= latency.p95_ms <= latency.p99_ms


def test_percentiles_are_those_of_numpy() -> None:
    values = sorted(np.random.default_rng(0).exponential(size=37).tolist())
    for share in (0.0, 0.5, 0.95, 0.99, 1.0):
        assert np.isclose(_percentile(values, share), np.quantile(values, share))
