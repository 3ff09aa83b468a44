"""Which distance to the reference teaches a candidate best: makes DISTILLATION.md.

    python tests/benchmarks/distillation.py --data DIR --references DIR [--seed N ...] [--rows 150000] [--case NAME ...]

One newborn candidate per case, narrowed uniformly, is taught the same rows in the same order by

    labels   the labels alone;
    plain    softened outputs as well (Hinton, Vinyals, Dean, arXiv 1503.02531): what synthesis does;
    DIST     correlations of softened outputs, within rows and within classes (Huang et al., arXiv 2205.10536), with the
             temperature 4 and the weights 2 that its authors have for CIFAR-100;
    hints    plain, and the reference's features behind the last hidden layer, brought down to 32 principal components,
             from a linear map of the candidate's own (after FitNets, Romero et al., arXiv 1412.6550).

Road signs: a quarter of the training tracks and the validation part judge, the rest teaches, pictures varied as in synthesis.
Fashion-MNIST: as in `proposals.py`. Test parts are never read. All settings were fixed before the first run. DISTILLATION_NOTES.md says what
follows, and goes in as it is.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import keras
import numpy as np
import proposals
import pyarrow.parquet as pq
import tensorflow as tf
from compact import commit
from PIL import Image

from darwin_core.contracts import Genome, HeadKind, OutputKind, Task, Variation
from darwin_core.data import MappedSplit
from darwin_core.dependency import analyse, magnitude_importance
from darwin_core.networks import Predictor, load_network, measure_cost
from darwin_core.synthesis.allocation import Target, WidthAllocator
from darwin_core.synthesis.inheritance import inherit
from darwin_core.synthesis.requirements import ResourceLimits
from darwin_core.training import PLAIN, DistillationData, Distiller, TrainingPlan, prepare_runtime
from darwin_core.training.losses import RowLoss, distillation_losses
from darwin_core.training.views import View, teaching_views

HERE = Path(__file__).parent
NOTES = HERE / "DISTILLATION_NOTES.md"
HINTS, HINT_WEIGHT = 32, 0.5
DIST_TEMPERATURE, DIST_WEIGHT = 4.0, 2.0


@dataclass(frozen=True)
class Bench:
    """A case: the reference, who learns from which rows, who judges, and how small candidates are."""

    network: keras.Model
    train: MappedSplit
    validation: MappedSplit
    views: tuple[View, ...]
    limits: ResourceLimits
    rows: int


def signs(data: Path, references: Path, seed: int, rows: int) -> Bench:
    """Road signs, tracks apart."""
    table = pq.read_table(
        data / "gtsrb_32x32.parquet", columns=["image", "label", "split", "track_id"], filters=[("split", "!=", "test")]
    )
    images = np.stack([np.asarray(Image.open(io.BytesIO(item))) for item in table["image"].to_pylist()])
    labels = table["label"].to_numpy().astype(np.int32)
    tracks = np.char.add(
        table["label"].to_numpy().astype(str), np.char.add("-", table["track_id"].to_numpy().astype(str))
    )
    names = np.unique(tracks)
    held = np.random.default_rng(seed).permutation(names)[: len(names) // 4]
    judges = (table["split"].to_numpy(zero_copy_only=False) == "valid") | np.isin(tracks, held)
    train, validation = (_split(images[part], labels[part]) for part in (~judges, judges))
    network = load_network(references / "gtsrb_vgg.keras")
    views = teaching_views(Variation(strength=1.0))
    return Bench(network, train, validation, views, ResourceLimits(parameters=20_000, macs=2_500_000), rows)


def fashion(data: Path, references: Path, seed: int, rows: int) -> Bench:
    """Clothes at 14x14 and the small network that `proposals.py` trains."""
    train, validation = (proposals.pictures(data, start, count) for start, count in ((0, 20_000), (20_000, 10_000)))
    network = proposals.reference(train, seed)
    return Bench(network, train, validation, (PLAIN,), ResourceLimits(parameters=4_000), rows)


CASES: dict[str, Callable[[Path, Path, int, int], Bench]] = {"road signs": signs, "Fashion-MNIST, 14x14": fashion}


def _split(images: np.ndarray, labels: np.ndarray) -> MappedSplit:
    return MappedSplit(
        {"image": images}, {"image": images.dtype}, labels, None, [str(row) for row in range(len(labels))]
    )


def dist_losses(kind: OutputKind, temperature: float) -> RowLoss:
    """DIST; the relation within classes is one number per batch and counts for each of its rows."""
    del kind, temperature

    def unlikeness(teacher: Any, student: Any, axis: int) -> Any:
        centred = [values - tf.reduce_mean(values, axis=axis, keepdims=True) for values in (teacher, student)]
        norms = [tf.norm(values, axis=axis) + 1e-8 for values in centred]
        return 1.0 - tf.reduce_sum(centred[0] * centred[1], axis=axis) / (norms[0] * norms[1])

    def per_row(teacher: Any, outputs: Any) -> Any:
        soft = [tf.nn.softmax(values / DIST_TEMPERATURE) for values in (teacher, outputs)]
        total = unlikeness(*soft, axis=1) + tf.reduce_mean(unlikeness(*soft, axis=0))
        return DIST_WEIGHT * DIST_TEMPERATURE**2 * total

    return per_row


def hint_losses(kind: OutputKind, temperature: float) -> RowLoss:
    """Plain distillation on the first outputs, squared distance on the features behind them."""
    plain = distillation_losses(kind, temperature)

    def per_row(teacher: Any, outputs: Any) -> Any:
        distance = tf.reduce_mean(tf.square(teacher[:, kind.units :] - outputs[:, kind.units :]), axis=1)
        return plain(teacher[:, : kind.units], outputs[:, : kind.units]) + HINT_WEIGHT * distance

    return per_row


class SparseOfFirst(keras.losses.SparseCategoricalCrossentropy):
    """The loss on labels where features stand behind the outputs."""

    def __init__(self, units: int) -> None:
        super().__init__(from_logits=True)
        self._units = units

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """On the first outputs."""
        return super().call(y_true, y_pred[:, : self._units])


def newborn(bench: Bench) -> keras.Model:
    """The candidate before it is taught."""
    graph, cost = analyse(bench.network), measure_cost(bench.network)
    head = HeadKind.GLOBAL_POOLING if HeadKind.GLOBAL_POOLING in graph.heads else HeadKind.KEEP
    widths = WidthAllocator(graph, cost, head=head).allocate({}, Target(1.0, bench.limits))
    return inherit(bench.network, graph, Genome(widths=widths, head=head), magnitude_importance(graph))


def features(network: keras.Model) -> Any:
    """What the last layer reads."""
    return network.layers[-1].input


def components(values: np.ndarray) -> np.ndarray:
    """The largest principal components, each with variance one."""
    centred = values - values.mean(axis=0)
    _, _, directions = np.linalg.svd(centred[:: max(1, len(centred) // 8192)], full_matrices=False)
    found = centred @ directions[:HINTS].T
    return found / np.maximum(found.std(axis=0), 1e-6)


def measure(bench: Bench, seed: int) -> dict[str, tuple[float, float, float]]:
    """Way of teaching -> accuracy and loss on the judging rows, and seconds."""
    images = bench.train.inputs["image"]
    logits = Predictor(bench.network)(bench.train.inputs)
    inner = keras.Model(bench.network.inputs, features(bench.network))
    hints = components(np.concatenate([inner.predict(part, verbose=0) for part in np.array_split(images, 16)]))
    kind = OutputKind(task=Task.MULTICLASS, units=logits.shape[1], from_logits=True)
    plan = TrainingPlan.for_data(bench.rows, images=True)
    found = {}
    for name in ("labels", "plain", "DIST", "hints"):
        student = taught = newborn(bench)
        outputs, loss, teacher_loss = logits, None, distillation_losses
        if name == "hints":
            keras.utils.set_random_seed(seed)
            map_ = keras.layers.Dense(hints.shape[1], name="map_to_hints")(features(student))
            taught = keras.Model(student.inputs, keras.layers.Concatenate()([student.outputs[0], map_]))
            outputs, loss = np.concatenate([logits, hints], axis=1).astype(np.float32), SparseOfFirst(kind.units)
            teacher_loss = hint_losses
        elif name == "DIST":
            teacher_loss = dist_losses
        data = DistillationData(bench.train, tuple((view, outputs) for view in bench.views))
        started = time.monotonic()
        given = replace(plan, teacher_share=0.0) if name == "labels" else plan
        Distiller(kind, data, loss, teacher_loss).train(taught, given, seed=seed)
        seconds = time.monotonic() - started
        found[name] = (*judged(student, bench), round(seconds, 1))
        print(name, found[name], flush=True)
    return found


def judged(student: keras.Model, bench: Bench) -> tuple[float, float]:
    """Accuracy and loss on the judging rows."""
    answers = Predictor(student)(bench.validation.inputs)
    right = answers.argmax(axis=1) == bench.validation.labels
    scores = answers - np.logaddexp.reduce(answers, axis=1, keepdims=True)
    entropy = -scores[np.arange(len(scores)), bench.validation.labels].mean()
    return round(float(right.mean()), 5), round(float(entropy), 5)


def render(results: dict[str, Any]) -> str:
    """The page."""
    lines = [
        "# What teaches candidates best\n",
        "Made by `tests/benchmarks/distillation.py`, which says what is compared. Medians over the seeds; in brackets the range. One",
        "standard deviation between seeds is some 0.2 points on road signs.\n",
        "| case | rows taught | judges | labels alone | plain | DIST | hints |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, case in results["cases"].items():
        cells = []
        for way in ("labels", "plain", "DIST", "hints"):
            cells.append(spread([100 * seed[way][0] for seed in case["seeds"].values()], ".2f", " %"))
        lines.append(f"| {name} | {case['rows']:,} | {case['judges']:,} | " + " | ".join(cells) + " |")
    lines += [*origin(results), "\n" + NOTES.read_text().rstrip(), command(results)]
    return "\n".join(lines) + "\n"


def run(
    doc: str | None,
    page: Path,
    cases: Sequence[str],
    rows: int,
    measure_case: Callable[[str, argparse.Namespace, int], tuple[Bench, Any]],
    render_page: Callable[[dict[str, Any]], str],
) -> None:
    """Measure cases for each seed and write JSON and page after each, from the command line.

    Args:
        doc: What ``--help`` says.
        page: The page; the JSON has its name, in the folder that ``--output`` names.
        cases: Their names.
        rows: How many rows teach where ``--rows`` does not say.
        measure_case: Name, arguments and seed -> the bench, and what was found on it.
        render_page: Writes the page.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--references", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="folder for the JSON")
    parser.add_argument("--seed", type=int, action="append")
    parser.add_argument("--rows", type=int, default=rows)
    parser.add_argument("--case", action="append", choices=cases)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    target = args.output / f"{page.stem.lower()}.json"
    results = json.loads(target.read_text()) if target.exists() else {"cases": {}}
    script = f"{page.stem.lower()}.py"
    results["command"] = f"{script} --data DIR --references DIR --output DIR --rows {args.rows}"
    for name in args.case or cases:
        for seed in args.seed or [0]:
            prepare_runtime(seed)
            bench, found = measure_case(name, args, seed)
            case = results["cases"].setdefault(name, {"seeds": {}})
            case |= {"rows": bench.rows, "judges": len(bench.validation.labels), "commit": commit()}
            case["seeds"][str(seed)] = found
            target.write_text(json.dumps(results, indent=1))
            page.write_text(render_page(results))


def spread(values: list[float], form: str = ".2f", unit: str = "") -> str:
    """The median of figures and, of more than one, their range."""
    between = f" ({min(values):{form}} to {max(values):{form}})" if len(values) > 1 else ""
    return f"{median(values):{form}}{unit}{between}"


def origin(results: dict[str, Any]) -> list[str]:
    """How a page ends: each case's commit and seeds."""
    rows = [f"| {name} | {case['commit']} | {', '.join(case['seeds'])} |" for name, case in results["cases"].items()]
    return ["\n| case | commit | seeds |", "|---|---|---|", *rows]


def command(results: dict[str, Any]) -> str:
    """The last line of a page."""
    return f"\nCommand: `{results['command']}`; {platform.machine()}, {os.cpu_count()} shared cores."


def main() -> None:
    """Measure and write JSON and page."""

    def measure_case(name: str, args: argparse.Namespace, seed: int) -> tuple[Bench, Any]:
        bench = CASES[name](args.data, args.references, seed, args.rows)
        return bench, measure(bench, seed)

    run(__doc__, HERE / "DISTILLATION.md", list(CASES), 150_000, measure_case, render)


if __name__ == "__main__":
    main()
