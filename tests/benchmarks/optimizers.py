"""Which optimizer teaches candidates for pictures best: makes OPTIMIZERS.md.

    python tests/benchmarks/optimizers.py --data DIR --references DIR --output DIR [--seed N ...] [--rows 300000] [--case NAME ...]

A newborn candidate is taught the same rows in the same order by AdamW, or with Muon for the kernels of its convolutions,
with next to no weight decay or much of it; rates, batches and everything else are those of synthesis. Road signs: as in
`heads.py`, heads weighted. Fashion-MNIST: as in `variation.py`, pictures varied as its search chooses. Test parts are never
read.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from distillation import Bench, command, judged, newborn, origin, run, signs, spread
from variation import clothes

from darwin_core.contracts import OutputKind, Task, Variation
from darwin_core.networks import Predictor, load_network
from darwin_core.rewriting import weighted_pooling
from darwin_core.training import DistillationData, Distiller, TrainingPlan, teaching_views

WAYS: dict[str, dict[str, Any]] = {
    "AdamW, decay 0.0001": {"weight_decay": 1e-4, "orthogonal_kernels": False},
    "AdamW, decay 0.2": {"weight_decay": 0.2, "orthogonal_kernels": False},
    "Muon, decay 0.0001": {"weight_decay": 1e-4, "orthogonal_kernels": True},
    "Muon, decay 0.2": {"weight_decay": 0.2, "orthogonal_kernels": True},
}
CASES = ("vgg", "resnet", "inception", "Fashion-MNIST")


def prepared(name: str, args: argparse.Namespace, seed: int) -> tuple[Bench, Any]:
    """A case, and its reference."""
    if name == "Fashion-MNIST":
        bench = clothes(args.data, args.output, seed, args.rows)
        views = teaching_views(Variation(strength=0.25, mirrored=True))
        return replace(bench, views=views), load_network(args.output / f"reference-{seed}.keras")
    bench = signs(args.data, args.references, seed, args.rows)
    reference = load_network(args.references / f"gtsrb_{name}.keras")
    network = weighted_pooling(reference)
    assert network is not None
    return replace(bench, network=network), reference


def measure(bench: Bench, reference: Any, seed: int) -> dict[str, tuple[float, float, float]]:
    """Way -> accuracy and loss on the judging rows, and seconds."""
    predict = Predictor(reference)
    kind = OutputKind(task=Task.MULTICLASS, units=reference.outputs[0].shape[-1], from_logits=True)
    taught = np.concatenate([predict(batch.inputs) for batch in bench.train.batches(1024)])
    data = DistillationData(bench.train, tuple((view, taught) for view in bench.views))
    found = {}
    for name, settings in WAYS.items():
        student = newborn(bench)
        plan = replace(TrainingPlan.for_data(bench.rows, images=True), **settings)
        started = time.monotonic()
        Distiller(kind, data).train(student, plan, seed=seed)
        found[name] = (*judged(student, bench), round(time.monotonic() - started, 1))
        print(name, found[name], flush=True)
    return found


def render(results: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# Optimizers\n",
        "Made by `tests/benchmarks/optimizers.py`, which says what is compared. Accuracy in % on judging rows, and in brackets the loss",
        "there; medians over the seeds, and of the accuracy their range. Synthesis uses Muon, with a decay of 0.2 where pictures may be",
        "varied in full, as road signs may, and of 0.05 where by a quarter, as clothes may.\n",
        "| case | rows taught | judges | " + " | ".join(WAYS) + " |",
        "|---|---|---|" + "---|" * len(WAYS),
    ]
    for name, case in results["cases"].items():
        seeds = list(case["seeds"].values())
        cells = []
        for way in WAYS:
            accuracies, losses = ([seed[way][part] for seed in seeds] for part in (0, 1))
            cells.append(f"{spread([100 * each for each in accuracies])} [{median(losses):.4f}]")
        lines.append(f"| {name} | {case['rows']:,} | {case['judges']:,} | " + " | ".join(cells) + " |")
    lines += [*origin(results), command(results)]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write JSON and page."""

    def measure_case(name: str, args: argparse.Namespace, seed: int) -> tuple[Bench, Any]:
        bench, reference = prepared(name, args, seed)
        return bench, measure(bench, reference, seed)

    run(__doc__, Path(__file__).with_name("OPTIMIZERS.md"), CASES, 300_000, measure_case, render)


if __name__ == "__main__":
    main()
