"""How much faster candidates train than with Keras' own batch normalisation and AdamW, or with normalisations of columns
inside of the training step and none of it compiled: makes TRAINING_SPEED.md.

    python tests/benchmarks/training_speed.py --references DIR [--rounds 5] [--tables]

From each road-sign reference a candidate of at most 20,000 parameters and 2.5 M MACs is cut, as `cases.py` has it but with
uniform widths. The same training step is then run on random pictures both ways, turn by turn in one process. Seconds to the
first step are those of tracing and of the first step of a chunk, measured once. Tables are generated: columns of numbers,
each with a normalisation of its own, before two narrow layers; rows per second are those by which a longer stint surpasses a
shorter one. ``--tables`` measures only these and keeps what the page says of pictures.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import keras
import numpy as np
import tensorflow as tf
from compact import commit

from darwin_core.contracts import GroupInsight, HeadKind, Insights, OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.dependency import analyse
from darwin_core.networks import load_network, measure_cost
from darwin_core.synthesis import Generator, SeparableGenerator, Situation, UniformGenerator
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.drafts import Drafts
from darwin_core.synthesis.inheritance import cut
from darwin_core.synthesis.requirements import ResourceLimits
from darwin_core.training import PLAIN, DistillationData, Distiller, TrainingPlan, compilation, front, lessons
from darwin_core.training.distillation import _optimizer, _schedule, _step_function
from darwin_core.training.front import TrainedPart
from darwin_core.training.losses import distillation_losses, label_losses
from darwin_core.training.normalization import fast_normalization
from darwin_core.training.runtime import without_dropout

HERE = Path(__file__).parent
STRATEGIES: dict[str, Generator] = {
    "vgg": UniformGenerator(),
    "resnet": SeparableGenerator(UniformGenerator()),
    "inception": SeparableGenerator(UniformGenerator()),
}
CLASSES, STEPS = 43, 32
COLUMNS, TABLE_ROWS, SHORT_STINT = (15, 60, 369), 20_000, 40_000
TABLES_HEAD = "## Tables"
PLAN = TrainingPlan.for_data(1_000_000, images=True)


@dataclass(frozen=True)
class Way:
    """How rows of a table are learned from: what is run apart, kept and compiled, by the limits that decide it.

    ``rows`` are those of the longer stint by which speed is told: as many as take a second or more.
    """

    name: str
    fewest_calls: int
    prepared_bytes: int
    fewest_steps: int
    rows: int

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """The limits, as long as the block runs."""
        with (
            patch.object(front, "_FEWEST_CALLS", self.fewest_calls),
            patch.object(lessons, "_PREPARED_BYTES", self.prepared_bytes),
            patch.object(compilation, "_FEWEST_STEPS", self.fewest_steps),
        ):
            yield


_ALL = 10**9
WAYS = (
    Way("with every step", _ALL, 0, _ALL, 540_000),
    Way("once for each chunk", 4, 0, _ALL, 540_000),
    Way("once", 4, _ALL, _ALL, 2_000_000),
    Way("once, compiled", 4, _ALL, 1, 8_000_000),
)


class KerasAdamW:
    """Keras' optimizer in the form that the training step asks for."""

    def __init__(self, network: keras.Model) -> None:
        self._optimizer = keras.optimizers.AdamW(weight_decay=PLAN.weight_decay)
        self._variables = network.trainable_variables
        self._optimizer.build(self._variables)
        self.learning_rate = self._optimizer.learning_rate

    def apply(self, gradients: Sequence[Any]) -> None:
        """One step."""
        self._optimizer.apply(gradients, self._variables)


def candidate(path: Path, generator: Generator) -> keras.Model:
    """A narrow network, cut from a reference."""
    network = load_network(path)
    graph, cost = analyse(network), measure_cost(network)
    groups = tuple(
        GroupInsight(group=name, importance=(1.0,) * group.channels, redundancy=0.0, sensitivity=1.0)
        for name, group in graph.groups.items()
    )
    insights = Insights(network="reference", rows=1, groups=groups, input_use={})
    drafts = Drafts(network, graph, insights)
    target = Target(1.0, ResourceLimits(parameters=20_000, macs=2_500_000))
    head = HeadKind.GLOBAL_POOLING if HeadKind.GLOBAL_POOLING in graph.heads else HeadKind.KEEP
    situation = Situation(WidthAllocator(graph, cost, head=head), insights, target, head=head, drafts=drafts)
    genome = generator.propose(situation, np.random.default_rng(0))
    return cut(drafts.of(genome), genome)


class Step:
    """The training step of one network, ready to run."""

    def __init__(self, network: keras.Model, optimizer: Any, surroundings: AbstractContextManager[None]) -> None:
        rng, rows = np.random.default_rng(0), STEPS * PLAN.batch_size
        (image,) = network.inputs
        pictures = rng.integers(0, 256, (rows, *image.shape[1:])).astype(image.dtype)
        outputs = rng.normal(size=(rows, CLASSES)).astype(np.float32)
        lesson = ({image.name: pictures}, rng.integers(0, CLASSES, rows), np.ones(rows, np.float32), outputs)
        self._lesson = keras.tree.map_structure(tf.constant, lesson)
        kind = OutputKind(task=Task.MULTICLASS, units=CLASSES, from_logits=True)
        losses = (label_losses(kind, None), distillation_losses(kind, PLAN.temperature))
        started = time.monotonic()
        with without_dropout(network), surroundings:
            self._step = _step_function(network, optimizer, TrainedPart(network), PLAN, losses, self._lesson)
        self._run(1)
        self.first_seconds = time.monotonic() - started

    def rows_per_second(self) -> float:
        """Of one chunk."""
        started = time.monotonic()
        self._run(STEPS)
        return STEPS * PLAN.batch_size / (time.monotonic() - started)

    def _run(self, steps: int) -> None:
        self._step(*self._lesson, tf.constant(steps), *_schedule(0.0))


def measure(path: Path, generator: Generator, rounds: int) -> dict[str, Any]:
    """Both ways, turn by turn."""
    network = candidate(path, generator)
    theirs = Step(network, KerasAdamW(network), nullcontext())
    ours = Step(network, _optimizer(network, PLAN), fast_normalization(network))
    speeds = [(theirs.rows_per_second(), ours.rows_per_second()) for _ in range(rounds)]
    cost = measure_cost(network)
    return {
        "parameters": cost.parameters,
        "macs": cost.macs,
        "keras": median(speed[0] for speed in speeds),
        "here": median(speed[1] for speed in speeds),
        "ratio": median(speed[1] / speed[0] for speed in speeds),
        "first": (theirs.first_seconds, ours.first_seconds),
    }


def table_network(columns: int) -> keras.Model:
    """Normalised columns, and two narrow layers behind them."""
    keras.utils.set_random_seed(0)
    inputs = [keras.Input((1,), name=f"column_{number}") for number in range(columns)]
    x = keras.layers.Concatenate()([keras.layers.Normalization(mean=0.0, variance=1.0)(column) for column in inputs])
    for width in (16, 8):
        x = keras.layers.ReLU()(keras.layers.BatchNormalization()(keras.layers.Dense(width)(x)))
    return keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))


def measure_table(columns: int, rounds: int) -> dict[str, Any]:
    """Each way, turn by turn."""
    rng = np.random.default_rng(0)
    values = {f"column_{number}": rng.normal(size=TABLE_ROWS).astype(np.float32) for number in range(columns)}
    labels = rng.integers(0, 2, TABLE_ROWS).astype(np.int32)
    dtypes = {name: column.dtype for name, column in values.items()}
    split = MappedSplit(values, dtypes, labels, None, [str(row) for row in range(TABLE_ROWS)])
    outputs = rng.normal(size=(TABLE_ROWS, 1)).astype(np.float32)
    kind = OutputKind(task=Task.BINARY, units=1, from_logits=False)
    distiller = Distiller(kind, DistillationData(split, ((PLAIN, outputs),)))

    def speed(way: Way) -> float:
        with way.in_force():
            short, long = (
                distiller.train(table_network(columns), TrainingPlan.for_data(rows, images=False), seed=0).seconds
                for rows in (SHORT_STINT, way.rows)
            )
        return (way.rows - SHORT_STINT) / (long - short)

    found = [[speed(way) for way in WAYS] for _ in range(rounds)]
    return {
        "speeds": [median(each) for each in zip(*found, strict=True)],
        "ratio": median(each[-1] / each[0] for each in found),
    }


def render_tables(results: dict[int, dict[str, Any]], command: str) -> str:
    """The part about tables."""
    lines = [
        f"{TABLES_HEAD}\n",
        "Normalisations of the columns run with every step of 128 rows, or once for each chunk of 4,096, or once for all",
        f"rows, and then steps are compiled; commit {commit()}; command `{command}`. Medians. Rows per second are those by",
        f"which a longer stint surpasses one of {SHORT_STINT:,} rows; the ratio is that of the last to the first.\n",
        f"| columns | {' | '.join(f'rows/s, {way.name}' for way in WAYS)} | ratio |",
        "|---|" + "---|" * (len(WAYS) + 1),
    ]
    lines += [
        f"| {columns} | {' | '.join(f'{speed:,.0f}' for speed in row['speeds'])} | {row['ratio']:.1f} |"
        for columns, row in results.items()
    ]
    return "\n".join(lines) + "\n"


def render(results: dict[str, dict[str, Any]], command: str) -> str:
    """The page."""
    lines = [
        "# How fast candidates train\n",
        f"Made by `tests/benchmarks/training_speed.py`; commit {commit()}; command `{command}`; {platform.machine()},",
        f"{os.cpu_count()} shared cores. Batches of {PLAN.batch_size} pictures of 32x32; the same network and step, turn by turn, once with",
        "Keras' own batch normalisation and AdamW and once with what `darwin_core/training` has in their place. Medians.\n",
        "| candidate of | parameters | MACs | rows/s, Keras' | rows/s here | ratio | seconds to the first step, Keras' -> here |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {name} | {row['parameters']:,} | {row['macs']:,} | {row['keras']:,.0f} | {row['here']:,.0f} "
        f"| {row['ratio']:.2f} | {row['first'][0]:.1f} -> {row['first'][1]:.1f} |"
        for name, row in results.items()
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", type=Path, help="folder with the road-sign references")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tables", action="store_true", help="measure tables only")
    args = parser.parse_args()
    if args.references is None and not args.tables:
        parser.error("--references DIR is needed: the folder with the road-sign references")
    page = HERE / "TRAINING_SPEED.md"
    pictures = page.read_text().partition(TABLES_HEAD)[0] if args.tables else pictures_part(args)
    tables = {}
    for columns in COLUMNS:
        tables[columns] = measure_table(columns, args.rounds)
        print(columns, tables[columns], flush=True)
    command = f"training_speed.py --rounds {args.rounds} --tables"
    page.write_text(pictures.rstrip() + "\n\n" + render_tables(tables, command))


def pictures_part(args: argparse.Namespace) -> str:
    """Measure candidates for pictures; what the page says of them."""
    results = {}
    for name, generator in STRATEGIES.items():
        results[name] = measure(args.references / f"gtsrb_{name}.keras", generator, args.rounds)
        print(name, results[name], flush=True)
    return render(results, f"training_speed.py --references DIR --rounds {args.rounds}")


if __name__ == "__main__":
    main()
