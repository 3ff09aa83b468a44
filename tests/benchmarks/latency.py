"""How near a bound on latency is hit: bounds between what the narrowest network and the reference take.

    python tests/benchmarks/latency.py --references DIR --output DIR [--network vgg ...] [--share 0.25 ...]

For each bound the search's own calibration says how many MACs a network may have; a network of that many, with channels
allocated as the search allocates them, is then measured anew, three times. Nothing is trained: latency does not depend on
what the weights are. Prints one line per bound and writes ``latency.json`` and LATENCY.md.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from compact import commit

from darwin_core.contracts import Genome, HeadKind, QualityMetrics, Requirement
from darwin_core.dependency import analyse, magnitude_importance
from darwin_core.networks import load_network, measure_cost, measure_latency, network_inputs, save_network
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.inheritance import inherit
from darwin_core.synthesis.journal import Journal
from darwin_core.synthesis.latency import LatencyCalibration
from darwin_core.synthesis.requirements import RequirementsIndicator, ResourceLimits

PAGE, NOTES = (Path(__file__).with_name(name) for name in ("LATENCY.md", "LATENCY_NOTES.md"))
NEAR = 0.10


class Bench:
    """One reference: its latency, that of the narrowest network, and bounds between them."""

    def __init__(self, path: Path, output: Path) -> None:
        self.network, self.output = load_network(path), output
        self.row = {item.name: np.zeros((1, *item.shape), np.float32) for item in network_inputs(self.network)}
        self.graph, cost = analyse(self.network), measure_cost(self.network)
        self.cost = cost.model_copy(update={"latency": measure_latency(path, self.row)})
        pooled = HeadKind.GLOBAL_POOLING in self.graph.heads
        self.head = HeadKind.GLOBAL_POOLING if pooled else HeadKind.KEEP
        self.allocator = WidthAllocator(self.graph, cost, head=self.head)
        self.narrowest = self.timed(0.0)

    def timed(self, macs: float) -> float:
        """Median milliseconds of the widest network within so many MACs, measured three times."""
        widths = self.allocator.allocate({}, Target(1.0, ResourceLimits(macs=macs)))
        genome = Genome(widths=widths, head=self.head)
        file = self.output / "trial.keras"
        save_network(inherit(self.network, self.graph, genome, magnitude_importance(self.graph)), file)
        return median(measure_latency(file, self.row).p50_ms for _ in range(3))

    def bound(self, share: float) -> dict[str, float]:
        """Calibrate for one bound and measure what it gives."""
        assert self.cost.latency is not None
        before = self.cost.latency.p50_ms
        bound = self.narrowest + share * (before - self.narrowest)
        indicator = RequirementsIndicator([Requirement.parse(f"latency_p50_ms<={bound}")], QualityMetrics(loss=1.0))
        journal = self.output / "journal.jsonl"
        journal.unlink(missing_ok=True)
        calibration = LatencyCalibration(
            indicator, lambda file: measure_latency(file, self.row), self.output, Journal(journal)
        )
        macs = calibration.most_macs(self.graph, self.cost, self.head, ())
        reached, guessed = self.timed(macs), self.timed(self.cost.macs * bound / before)
        return {
            "reference_ms": round(before, 3),
            "narrowest_ms": round(self.narrowest, 3),
            "bound_ms": round(bound, 3),
            "macs": macs,
            "networks_measured": len(journal.read_text().splitlines()),
            "reached_over_bound": round(reached / bound, 3),
            "in_proportion_over_bound": round(guessed / bound, 3),
        }


def render(results: list[dict[str, Any]], command: str) -> str:
    """The page."""
    near = sum(abs(row["reached_over_bound"] - 1) <= NEAR for row in results)
    lines = [
        "# How near a bound on latency is hit\n",
        f"Made by `tests/benchmarks/latency.py`; commit {results[0]['commit']}; command `{command}`; {platform.machine()},",
        f"{os.cpu_count()} shared cores, one thread, batch 1, median latency. The network that the search's calibration allows for a bound,",
        "measured anew (median of three), over the bound; beside it one that has as many MACs in proportion as the bound has milliseconds.",
        f"{near} of {len(results)} are within {NEAR:.0%} of the bound.\n",
        "| reference | its ms | narrowest, ms | bound, ms | networks measured | MACs allowed | reached / bound | in proportion / bound |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['network']} | {row['reference_ms']:.2f} | {row['narrowest_ms']:.2f} | {row['bound_ms']:.2f} | {row['networks_measured']} "
        f"| {row['macs']:,.0f} | {row['reached_over_bound']:.2f} | {row['in_proportion_over_bound']:.2f} |"
        for row in results
    ]
    notes = NOTES.read_text().rstrip() if NOTES.exists() else ""
    return "\n".join([*lines, "", notes]).rstrip() + "\n"


def main() -> None:
    """Calibrate and measure again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=Path, required=True, help="folder with the trained reference networks")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--network", action="append", help="vgg, resnet and inception without it")
    parser.add_argument("--share", action="append", type=float, help="of the way from narrowest to reference; 0.2, 0.5")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    results = []
    for name in args.network or ("vgg", "resnet", "inception"):
        bench = Bench(args.references / f"gtsrb_{name}.keras", args.output)
        for share in args.share or (0.2, 0.5):
            results.append({"network": name, **bench.bound(share), "commit": commit()})
            print(json.dumps(results[-1]), flush=True)
            (args.output / "latency.json").write_text(json.dumps(results, indent=1))
    words = [Path(word).name if word.startswith("/") else word for word in sys.argv]
    words[0] = Path(words[0]).name
    PAGE.write_text(render(results, " ".join(words)))


if __name__ == "__main__":
    main()
