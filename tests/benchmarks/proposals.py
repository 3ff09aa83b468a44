"""Does the learned proposal distribution improve from generation to generation? Against random proposals, equal budget.

    python tests/benchmarks/proposals.py --data DIR --output DIR [--seed N ...] [--generations 6] [--offspring 4]

A small convolutional network is trained on 8,000 pictures of Fashion-MNIST's training part, at 14x14. Every generation
each strategy proposes offspring of one and the same size, cut from the trained network; each learns from the same rows in
the same order, and its loss on 4,000 other pictures of the training part is what counts. Only the proposals differ:
widths alone, or whole networks, whose blocks may be rewritten as well. The test part is never read. Writes ``proposals.json`` and PROPOSALS.md.
"""

from __future__ import annotations

import argparse
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
from compact import commit
from PIL import Image

from darwin_core.contracts import CandidateRecord, CandidateStage, Genome, OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.dependency import analyse
from darwin_core.networks import Predictor, measure_cost
from darwin_core.progress import Reporter
from darwin_core.synthesis import (
    BlocksGenerator,
    Generator,
    ImportanceGenerator,
    LearnedGenerator,
    RandomGenerator,
    Situation,
    performance_function,
)
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.drafts import Drafts
from darwin_core.synthesis.examiner import predict_split
from darwin_core.synthesis.inheritance import cut
from darwin_core.synthesis.inquisitor import Inquisitor
from darwin_core.synthesis.judgement import Judge, ValidationRows
from darwin_core.training import DistillationData, Distiller, TrainingPlan, prepare_runtime
from darwin_core.training.views import PLAIN

KIND = OutputKind(task=Task.MULTICLASS, units=10, from_logits=True)
TRAIN, VALIDATION, SAMPLES, SIZE = 8_000, 4_000, 24_000, 0.03
STRATEGIES: dict[str, Generator] = {
    "random widths": RandomGenerator(spread=0.4),
    "importance": ImportanceGenerator(),
    "learned widths": LearnedGenerator(rewrites=False),
    "random networks": BlocksGenerator(widths=RandomGenerator(spread=0.4)),
    "learned networks": LearnedGenerator(),
}


def pictures(data: Path, start: int, count: int) -> MappedSplit:
    """Some of the training part, averaged to 14x14."""
    table = pq.read_table(data / "fashion_mnist.parquet", filters=[("split", "=", "train")]).slice(start, count)
    images = np.stack([np.asarray(Image.open(io.BytesIO(item))) for item in table["image"].to_pylist()])
    small = images.reshape(count, 14, 2, 14, 2).mean(axis=(2, 4)).astype(np.float32)[..., None]
    labels = np.asarray(table["label"], np.int32)
    return MappedSplit({"image": small}, {"image": small.dtype}, labels, None, [str(row) for row in range(count)])


def reference(train: MappedSplit, seed: int) -> keras.Model:
    """Three convolutions and a hidden layer, trained for six epochs."""
    keras.utils.set_random_seed(seed)
    x = image = keras.Input((14, 14, 1), name="image")
    x = keras.layers.Rescaling(1 / 255)(x)
    for number, filters in enumerate((32, 64, 64)):
        x = keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"conv_{number}")(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(name=f"norm_{number}")(x))
        if number < 2:
            x = keras.layers.MaxPooling2D(padding="same")(x)
    x = keras.layers.Dense(128, activation="relu", name="hidden")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, keras.layers.Dense(10, name="out")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(2e-3), loss)
    model.fit(train.inputs["image"], train.labels, epochs=6, batch_size=64, verbose=0)
    return model


class Bench:
    """One seed: the trained network, and everything that stays the same for all strategies."""

    def __init__(self, data: Path, seed: int) -> None:
        prepare_runtime(seed)
        train, self.validation = pictures(data, 0, TRAIN), pictures(data, TRAIN, VALIDATION)
        self.network, self.seed = reference(train, seed), seed
        graph, self.cost = analyse(self.network), measure_cost(self.network)
        predict = Predictor(self.network)
        self.distiller = Distiller(KIND, DistillationData(train, ((PLAIN, predict(train.inputs)),)))
        self.judge = Judge(
            KIND,
            ValidationRows(self.validation.labels, None),
            predict(self.validation.inputs),
            self.cost,
            (),
            performance_function("smallest"),
            0.1,
        )
        insights = Inquisitor(KIND, train, {"image": ("image",)}, seed=seed, reporter=Reporter()).probe(
            self.network, graph, "reference"
        )
        genome = Genome(widths={name: group.channels for name, group in graph.groups.items()})
        known = self.record("reference", 0, genome, self.judge.reference_quality)
        self.situation = Situation(
            WidthAllocator(graph, self.cost),
            insights,
            Target(SIZE),
            drafts=Drafts(self.network, graph, insights),
            history=(known,),
        )

    def record(self, name: str, generation: int, genome: Genome, quality: Any) -> CandidateRecord:
        """What a generator is told of a candidate."""
        parents, cost = (), self.cost
        if generation:
            assert self.situation.drafts is not None
            parents = ("reference",)
            cost = self.situation.allocator.on(self.situation.drafts.of(genome).graph).cost(genome.widths)
        return CandidateRecord(
            candidate_id=name,
            generation=generation,
            parents=parents,
            strategy="",
            genome=genome,
            cost=cost,
            quality=quality,
            stage=CandidateStage.RACED,
            samples=SAMPLES,
            seconds=0.0,
        )

    def losses(self, generator: Generator, generations: int, offspring: int) -> list[list[float]]:
        """[generation][offspring] loss on the validation pictures."""
        found, history = [], self.situation.history
        for generation in range(1, generations + 1):
            rng = np.random.default_rng((self.seed, generation))
            born = [generator.propose(replace(self.situation, history=history), rng) for _ in range(offspring)]
            raised = [
                self.record(f"g{generation}n{number}", generation, genome, self.judge.quality(self.outputs(genome)))
                for number, genome in enumerate(born)
            ]
            history += tuple(raised)
            found.append([round(item.quality.loss, 5) for item in raised if item.quality])
        return found

    def outputs(self, genome: Genome) -> np.ndarray:
        """Outputs of an offspring after its race."""
        assert self.situation.drafts is not None
        network = cut(self.situation.drafts.of(genome), genome)
        self.distiller.train(network, TrainingPlan.for_data(SAMPLES, images=True), seed=self.seed)
        return predict_split(network, self.validation)


def render(results: dict[str, Any]) -> str:
    """The page."""
    text = (
        "Made by `tests/benchmarks/proposals.py`: Fashion-MNIST at 14x14, offspring of 3 % of a small convolutional network, "
        f"{SAMPLES:,} training rows each; loss on {VALIDATION:,} validation pictures, mean over offspring and seeds "
        "(in brackets the best one's, mean over seeds). Only the proposals differ.\n"
    )
    lines = [
        "# Learned proposals against random ones\n",
        text,
        "| generation | " + " | ".join(STRATEGIES) + " |",
        "|---|" + "---|" * len(STRATEGIES),
    ]
    per = {name: np.asarray([seed[name] for seed in results["seeds"].values()]) for name in STRATEGIES}
    for generation in range(next(iter(per.values())).shape[1]):
        cells = [
            f"{item[:, generation].mean():.4f} ({item[:, generation].min(axis=1).mean():.4f})" for item in per.values()
        ]
        lines.append(f"| {generation + 1} | " + " | ".join(cells) + " |")
    best = {name: item.min(axis=(1, 2)) for name, item in per.items()}
    lines.append("| best of all | " + " | ".join(f"{item.mean():.4f}" for item in best.values()) + " |")
    trend = {name: np.polyfit(range(item.shape[1]), item.mean(axis=(0, 2)), 1)[0] for name, item in per.items()}
    lines.append("| slope per generation | " + " | ".join(f"{value:+.4f}" for value in trend.values()) + " |")
    lines.append(f"\nSeeds {', '.join(results['seeds'])}, commit {results['commit']}; `{results['command']}`.")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run the seeds that are missing and write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", action="append", type=int, help="0, 1 and 2 without it")
    parser.add_argument("--generations", type=int, default=6)
    parser.add_argument("--offspring", type=int, default=4)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    target = args.output / "proposals.json"
    command = f"python tests/benchmarks/proposals.py --generations {args.generations} --offspring {args.offspring}"
    results: dict[str, Any] = {"commit": commit(), "command": command, "seeds": {}}
    if target.exists():
        known = json.loads(target.read_text())
        results["seeds"] = known["seeds"] if known["command"] == command else {}
    for seed in args.seed or (0, 1, 2):
        found = results["seeds"].setdefault(str(seed), {})
        missing = [name for name in STRATEGIES if name not in found]
        bench = Bench(args.data, seed) if missing else None
        for name in missing:
            assert bench is not None
            found[name] = bench.losses(STRATEGIES[name], args.generations, args.offspring)
            target.write_text(json.dumps(results, indent=1))
            print(seed, name, found[name], flush=True)
        (Path(__file__).parent / "PROPOSALS.md").write_text(render(results))


if __name__ == "__main__":
    main()
