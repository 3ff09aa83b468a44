"""Whether a head should average over positions or weigh them: makes HEADS.md.

    python tests/benchmarks/heads.py --data DIR --references DIR --output DIR [--seed N ...] [--rows 300000] [--case NAME ...]

For each road-sign reference a newborn candidate, narrowed uniformly to 20,000 parameters and 2.5 M MACs, is taught the same
rows in the same order with either head: the average over the last feature map, and `weighted_pooling`, whose weights count
as parameters. A quarter of the training tracks and the validation part judge, the rest teaches (`distillation.py`); which
tracks, and the order of the rows, depend on the seed. Test parts are never read.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from distillation import Bench, command, judged, newborn, origin, run, signs, spread

from darwin_core.contracts import OutputKind, Task
from darwin_core.networks import Predictor, load_network, measure_cost
from darwin_core.rewriting import weighted_pooling
from darwin_core.training import DistillationData, Distiller, TrainingPlan

NETWORKS = ("vgg", "resnet", "inception")


def measure(bench: Bench, seed: int) -> dict[str, dict[str, Any]]:
    """Head -> accuracy on the judging rows, cost and seconds."""
    logits = Predictor(bench.network)(bench.train.inputs)
    kind = OutputKind(task=Task.MULTICLASS, units=logits.shape[1], from_logits=True)
    data = DistillationData(bench.train, tuple((view, logits) for view in bench.views))
    found = {}
    for name, network in (("average", bench.network), ("weighted", weighted_pooling(bench.network))):
        student = newborn(replace(bench, network=network))
        started = time.monotonic()
        Distiller(kind, data).train(student, TrainingPlan.for_data(bench.rows, images=True), seed=seed)
        seconds = time.monotonic() - started
        accuracy, _ = judged(student, bench)
        cost = measure_cost(student)
        found[name] = {
            "accuracy": accuracy,
            "parameters": cost.parameters,
            "macs": cost.macs,
            "seconds": round(seconds, 1),
        }
        print(name, found[name], flush=True)
    return found


def render(results: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Heads: the average over positions, or a weight for each\n",
        "Made by `tests/benchmarks/heads.py`, which says what is compared. Accuracy on road signs whose tracks taught nothing;",
        "medians over the seeds, in brackets the range. Both heads of a seed see the same rows in the same order.\n",
        "| reference | rows taught | judges | average | weighted | weighted is ahead by | parameters | MACs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, case in results["cases"].items():
        seeds = list(case["seeds"].values())
        columns = [[100 * seed[head]["accuracy"] for seed in seeds] for head in ("average", "weighted")]
        columns.append([weighted - average for average, weighted in zip(*columns, strict=True)])
        cells = [spread(values, "+.2f" if number == 2 else ".2f") for number, values in enumerate(columns)]
        costs = [
            " and ".join(f"{seeds[0][head][key]:,}" for head in ("average", "weighted"))
            for key in ("parameters", "macs")
        ]
        lines.append(f"| {name} | {case['rows']:,} | {case['judges']:,} | " + " | ".join(cells + costs) + " |")
    lines += [*origin(results), command(results)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write JSON and page."""

    def measure_case(name: str, args: argparse.Namespace, seed: int) -> tuple[Bench, Any]:
        bench = signs(args.data, args.references, seed, args.rows)
        bench = replace(bench, network=load_network(args.references / f"gtsrb_{name}.keras"))
        return bench, measure(bench, seed)

    run(__doc__, Path(__file__).with_name("HEADS.md"), NETWORKS, 300_000, measure_case, render)


if __name__ == "__main__":
    main()
