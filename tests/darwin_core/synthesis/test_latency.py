"""A bound on latency becomes the right bound on MACs, whatever calling the layers costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import keras
import pytest

from darwin_core.contracts import HeadKind, Latency, NetworkCost, QualityMetrics, Requirement
from darwin_core.dependency import DependencyGraph, analyse
from darwin_core.networks import load_network, measure_cost
from darwin_core.synthesis.journal import Journal
from darwin_core.synthesis.latency import LatencyCalibration
from darwin_core.synthesis.requirements import RequirementsIndicator

FIXED = 0.4
Machine = Callable[[float], float]


def straight(macs: float) -> float:
    return FIXED + macs / 1e6


def slow_when_large(macs: float) -> float:
    """Caches end somewhere."""
    return FIXED + (macs / 1e6) ** 1.4


@pytest.fixture(scope="module")
def graph() -> DependencyGraph:
    x = image = keras.Input((16, 16, 3), name="image")
    for _ in range(3):
        x = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    return analyse(keras.Model(image, keras.layers.Dense(5)(keras.layers.GlobalAveragePooling2D()(x))))


def on(machine: Machine, macs: float) -> Latency:
    milliseconds = machine(macs)
    return Latency(
        p50_ms=milliseconds, p95_ms=1.2 * milliseconds, p99_ms=2 * milliseconds, batch_size=1, threads=1, calls=1
    )


class Stopwatch:
    """Times files by what they compute, and counts how often."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.times = machine, 0

    def __call__(self, path: Path) -> Latency:
        self.times += 1
        return on(self.machine, measure_cost(load_network(path)).macs)


def most_macs(graph: DependencyGraph, folder: Path, watch: Stopwatch, *requirements: str) -> tuple[float, NetworkCost]:
    cost = measure_cost(graph.source)
    cost = cost.model_copy(update={"latency": on(watch.machine, cost.macs)})
    indicator = RequirementsIndicator([Requirement.parse(text) for text in requirements], QualityMetrics(loss=1.0))
    calibration = LatencyCalibration(indicator, watch, folder, Journal(folder / "journal.jsonl"))
    return calibration.most_macs(graph, cost, HeadKind.KEEP, ()), cost


def full_cache(macs: float) -> float:
    """From some size on, everything takes three times as long."""
    return FIXED + macs / 1e6 * (1.0 if macs < 2e6 else 3.0)


@pytest.mark.parametrize("machine", [straight, slow_when_large, full_cache])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_within_ten_per_cent_below_the_bound(
    graph: DependencyGraph, tmp_path: Path, machine: Machine, share: float
) -> None:
    bound = FIXED + share * machine(measure_cost(graph.source).macs)
    watch = Stopwatch(machine)
    macs, cost = most_macs(graph, tmp_path, watch, f"latency_p50_ms<={bound}")
    assert 0.9 * bound <= machine(macs) <= bound
    assert macs < cost.macs
    assert watch.times <= 6


def test_the_strictest_of_several_bounds_counts_and_nothing_is_measured_twice(
    graph: DependencyGraph, tmp_path: Path
) -> None:
    watch = Stopwatch(straight)
    macs, _ = most_macs(graph, tmp_path, watch, "latency_p50_ms<=8", "latency_p99_ms<=6")
    assert 0.9 * 6 <= 2 * straight(macs) <= 6
    before = watch.times
    assert most_macs(graph, tmp_path, watch, "latency_p50_ms<=8", "latency_p99_ms<=6")[0] == macs
    assert watch.times == before


def test_a_bound_that_the_reference_keeps_is_none_and_one_out_of_reach_gives_the_nearest(
    graph: DependencyGraph, tmp_path: Path
) -> None:
    watch = Stopwatch(straight)
    assert most_macs(graph, tmp_path, watch, "latency_p50_ms<=1000")[0] == math.inf
    assert watch.times == 0
    macs, cost = most_macs(graph, tmp_path, watch, f"latency_p50_ms<={FIXED / 2}")
    assert macs < 0.01 * cost.macs
    assert watch.times == 1
