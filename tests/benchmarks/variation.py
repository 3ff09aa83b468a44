"""How far pictures should be varied to teach candidates, and what the search chooses: makes VARIATION.md.

    python tests/benchmarks/variation.py --data DIR --references DIR --output DIR [--seed N ...] [--rows 300000] [--case NAME ...]

A newborn candidate is taught the same rows in the same order, varied as far as the column says; the rest is as in a search.
Beside it: how often the reference is right on the judging rows seen the same way, by which the search chooses. Road signs: as
in `heads.py`. Fashion-MNIST: candidates of at most 48,000 parameters, the reference and the rows of `compact.py`; the
reference is trained by `references.py` where the output folder has no `reference-SEED.keras`. Test parts are never read.
"""

from __future__ import annotations

import argparse
import io
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from cases import CASES
from distillation import Bench, command, newborn, origin, run, signs, spread
from PIL import Image
from references import train_picture_reference

from darwin_core.contracts import DataRoles, DataSource, OutputKind, Task, Variation
from darwin_core.data import MappedSplit
from darwin_core.networks import Predictor, load_network
from darwin_core.progress import default_reporter
from darwin_core.rewriting import weighted_pooling
from darwin_core.synthesis.requirements import ResourceLimits
from darwin_core.training import (
    PLAIN,
    DistillationData,
    Distiller,
    TrainingPlan,
    View,
    WarpView,
    choose_variation,
    teaching_views,
)

VARIATIONS = {
    "not varied": Variation(),
    "a quarter": Variation(strength=0.25),
    "a quarter, mirrored": Variation(strength=0.25, mirrored=True),
    "a half": Variation(strength=0.5),
    "full": Variation(strength=1.0),
}


def clothes(data: Path, output: Path, seed: int, rows: int) -> Bench:
    """Fashion-MNIST as `compact.py` has it."""
    case = next(case for case in CASES if case.name == "fashion_mnist")
    train, _, validation, _ = case.prepare(data, Path(), output)
    reference = output / f"reference-{seed}.keras"
    if not reference.exists():
        roles = DataRoles(label=case.label)
        train_picture_reference(DataSource.parse(train), roles, reference, default_reporter(), seed=seed)
    teaching, judging = (_read(Path(part)) for part in (train, validation) if part)
    network = weighted_pooling(load_network(reference))
    assert network is not None
    return Bench(network, teaching, judging, (PLAIN,), ResourceLimits(parameters=48_000), rows)


def _read(part: Path) -> MappedSplit:
    table = pq.read_table(part)
    images = np.stack([np.asarray(Image.open(io.BytesIO(item))) for item in table["image"].to_pylist()])[..., None]
    labels = table["label"].to_numpy().astype(np.int32)
    return MappedSplit(
        {"image": images}, {"image": np.dtype("float32")}, labels, None, [str(row) for row in range(len(labels))]
    )


def measure(bench: Bench, reference: Any, seed: int) -> dict[str, Any]:
    """Variation -> accuracy of candidate and reference on the judging rows; and what the search chooses."""
    predict, labels = Predictor(reference), bench.validation.labels
    kind = OutputKind(task=Task.MULTICLASS, units=reference.outputs[0].shape[-1], from_logits=True)

    def outputs(view: View) -> np.ndarray:
        rows = np.array_split(np.arange(len(labels)), 16)
        return np.concatenate([predict(view.inputs(bench.validation, part)) for part in rows])

    found: dict[str, Any] = {"chosen": choose_variation(kind, labels, outputs).model_dump()}
    taught = np.concatenate([predict(batch.inputs) for batch in bench.train.batches(1024)])
    for name, variation in VARIATIONS.items():
        views = teaching_views(variation)
        student = newborn(bench)
        started = time.monotonic()
        data = DistillationData(bench.train, tuple((view, taught) for view in views))
        plan = TrainingPlan.for_data(bench.rows, images=True, strength=variation.strength)
        Distiller(kind, data).train(student, plan, seed=seed)
        seconds = time.monotonic() - started
        seen = views[0] if isinstance(views[0], WarpView) else PLAIN
        found[name] = {
            "candidate": _right(Predictor(student)(bench.validation.inputs), labels),
            "reference": _right(outputs(seen), labels),
            "seconds": round(seconds, 1),
        }
        print(name, found[name], flush=True)
    return found


def _right(outputs: np.ndarray, labels: np.ndarray) -> float:
    return round(float((outputs.argmax(axis=1) == labels).mean()), 5)


def render(results: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# How far pictures are varied\n",
        "Made by `tests/benchmarks/variation.py`, which says what is compared. Accuracy in % on judging rows: of candidates that were",
        "taught pictures varied so far, and of the reference on judging rows varied so far, which decides what the search chooses.",
        "Medians over the seeds, in brackets the range.\n",
        "| case | rows taught | judges | who | " + " | ".join(VARIATIONS) + " | chosen |",
        "|---|---|---|---|" + "---|" * (len(VARIATIONS) + 1),
    ]
    for name, case in results["cases"].items():
        seeds = list(case["seeds"].values())
        for who in ("candidate", "reference"):
            cells = [spread([100 * seed[variation][who] for seed in seeds]) for variation in VARIATIONS]
            chosen = ", ".join(sorted({_told(seed["chosen"]) for seed in seeds}))
            lines.append(
                f"| {name} | {case['rows']:,} | {case['judges']:,} | {who} | " + " | ".join([*cells, chosen]) + " |"
            )
    lines += [*origin(results), command(results)]
    return "\n".join(lines) + "\n"


def _told(chosen: dict[str, Any]) -> str:
    return f"strength {chosen['strength']:g}" + (", mirrored" if chosen["mirrored"] else "")


def main() -> None:
    """Measure and write JSON and page."""

    def measure_case(name: str, args: argparse.Namespace, seed: int) -> tuple[Bench, Any]:
        if name == "Fashion-MNIST":
            bench = clothes(args.data, args.output, seed, args.rows)
            return bench, measure(bench, load_network(args.output / f"reference-{seed}.keras"), seed)
        bench = signs(args.data, args.references, seed, args.rows)
        reference = load_network(args.references / "gtsrb_vgg.keras")
        network = weighted_pooling(reference)
        assert network is not None
        return replace(bench, network=network), measure(replace(bench, network=network), reference, seed)

    run(
        __doc__,
        Path(__file__).with_name("VARIATION.md"),
        ("Fashion-MNIST", "road signs, vgg"),
        300_000,
        measure_case,
        render,
    )


if __name__ == "__main__":
    main()
