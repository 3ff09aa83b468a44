"""Plant confounders in real data, train a network on them, and see whether the finder finds them.

    python tests/benchmarks/planted.py --data DIR --output DIR [--peers-python PYTHON] [--case TEXT] [--seed N ...]
    python tests/benchmarks/planted.py --output DIR --render tests/benchmarks/FINDER.md

Each case trains a small network on a sub-sample with a confounder in a share of one class (and in the validation rows at
the same share) and runs the finder blind, and its rivals on the same rows and network (`planted_rivals.py`): mean saliency,
and with ``--peers-python`` cleanlab. Seconds are those of the processor. Cases that `planted.json` holds already are not run
again, but cleanlab is asked where it has not been. `--render` writes FINDER.md from it. `--seed` picks other plants,
classes and rows.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from compact import COMMIT
from PIL import Image
from planted_rivals import EVERYWHERE, cleanlab_check, picture_saliency, table_saliency
from planted_table import render
from plants import PICTURE_PLANTS, TABLE_PLANTS

from darwin_core.contracts import ColumnKind, DataRoles, DataSource, OutputKind, Task
from darwin_core.data import MappedSplit
from darwin_core.demo.reference import Recipe, train_table_reference
from darwin_core.demo.tables import read_table
from darwin_core.explanation.attribution.features import Feature, FeatureMap
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.finder.pool import Pool, draw_pool
from darwin_core.explanation.finder.search import Shortcut, find_shortcuts
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.subject import alert_threshold
from darwin_core.networks import load_network
from darwin_core.progress import Reporter

SHARES = (0.3, 0.5, 0.8, 1.0)
PICTURES = {"gtsrb": ("gtsrb_32x32", "valid", 6000, 2000), "fashion": ("fashion_mnist", "test", 3000, 1000)}
TABLES = {
    "ecommerce": ("ecommerce_fraud_sample", "class", ("user_id", "device_id", "signup_time", "purchase_time")),
    "bank": ("bank_marketing_additional_full", "y", ("duration",)),
    "taiwan": ("taiwan_credit_default", "default.payment.next.month", ("ID",)),
}
TABLE_ROWS = (6000, 2000)


@dataclass
class Outcome:
    """One line of the results."""

    case: str
    data: str
    kind: str
    plant: int
    share: float
    seed: int
    commit: str
    command: str
    accuracy: float
    train_seconds: float
    find_seconds: float
    affected: int
    found: list[dict]
    rank: int | None
    recall: float | None
    precision: float | None
    false_alarms: int
    saliency: dict
    saliency_seconds: float
    cleanlab: dict | None


def cases(seeds: list[int]) -> Iterator[tuple[str, str, int, float, int]]:
    """(data, kind, plant, share, seed) of every case; clean ones first."""
    for seed in seeds:
        for data in (*TABLES, *reversed(PICTURES)):
            yield data, "clean", 0, 0.0, seed
        for share in SHARES:
            for data, kinds in TABLE_PLANTS.items():
                for kind, plants in kinds.items():
                    for plant in range(len(plants)):
                        yield data, kind, plant, share, seed
            for data in reversed(PICTURES):
                for kind, plants in PICTURE_PLANTS.items():
                    if not (data == "fashion" and kind == "colour cast"):
                        yield data, kind, seed % len(plants), share, seed


def read_pictures(folder: Path, data: str, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(pictures, labels) of a sub-sample of the training and of the validation rows."""
    file, other, *sizes = PICTURES[data]
    table = pq.read_table(folder / f"{file}.parquet", columns=["image", "label", "split"])
    split, labels = np.array(table["split"].to_pylist()), table["label"].to_numpy().astype(np.int64)
    parts = []
    for name, size in zip(("train", other), sizes, strict=True):
        rows = np.random.default_rng(seed).permutation(np.flatnonzero(split == name))[:size]
        encoded = table["image"].take(pa.array(rows)).to_pylist()
        pictures = np.stack([np.asarray(Image.open(io.BytesIO(item))) for item in encoded])
        parts.append((pictures.reshape(*pictures.shape[:3], -1), labels[rows]))
    return parts


def picture_network(shape: tuple[int, ...], classes: int, seed: int) -> keras.Model:
    """A small convolutional network."""
    keras.utils.set_random_seed(seed)
    image = keras.Input(shape, name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    for filters in (16, 24, 32):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False)(x)
        x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
    x = keras.layers.Dense(96, activation="relu")(keras.layers.Flatten()(x))
    model = keras.Model(image, keras.layers.Dense(classes)(x))
    model.compile(keras.optimizers.Adam(2e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


@dataclass
class PictureCase:
    """Pictures with a confounder in some rows of one class; clean ones hold none.

    Attributes:
        train: Pictures and labels that the network learns from.
        other: Those that it does not.
        classes: Number of classes.
        target: Class that the plant is in.
        affected: (rows of each part,) which hold the plant.
        names: Beginnings of the names of factors that count as identification.
        changed: (height, width) how much the plant changed each pixel in all.
        pool: What the finder and its rivals see.
    """

    train: tuple[np.ndarray, np.ndarray]
    other: tuple[np.ndarray, np.ndarray]
    classes: int
    target: int
    affected: list[np.ndarray]
    names: tuple[str, ...]
    changed: np.ndarray
    pool: Pool


def picture_case(folder: Path, data: str, kind: str, plant: int, share: float, seed: int) -> PictureCase:
    """Read pictures and plant."""
    train, other = read_pictures(folder, data, seed)
    classes = int(train[1].max()) + 1
    rng = np.random.default_rng([seed, plant])
    # Any class but the rarest of the sub-sample.
    target = int(rng.choice(np.flatnonzero(np.bincount(train[1]) >= 100)))
    affected = []
    names: tuple[str, ...] = ()
    changed = np.zeros(train[0].shape[1:3])
    for pictures, given in (train, other):
        rows = np.flatnonzero((given == target) & (rng.random(len(given)) < share))
        affected.append(np.isin(np.arange(len(given)), rows))
        if kind != "clean":
            change, names = PICTURE_PLANTS[kind][plant]
            before = pictures[rows].astype(np.float64)
            pictures[rows] = change(pictures[rows], rng)
            changed += np.abs(pictures[rows] - before).sum(axis=(0, 3))
    pool = draw_pool(as_split(*train, "t"), as_split(*other, "v"), classes, rng)
    return PictureCase(train, other, classes, target, affected, names, changed, pool)


def run_pictures(args: argparse.Namespace, data: str, kind: str, plant: int, share: float, seed: int) -> Outcome:
    """A case on pictures."""
    case = picture_case(args.data, data, kind, plant, share, seed)
    (train, labels), (other, other_labels) = case.train, case.other
    started = time.process_time()
    model = picture_network(train.shape[1:], case.classes, seed)
    model.fit(train.astype("float32"), labels, batch_size=64, epochs=args.epochs, verbose=0)
    seconds = time.process_time() - started
    network = NetworkScorer(model, OutputKind(task=Task.MULTICLASS, units=case.classes, from_logits=True))
    rule = DecisionRule(Task.MULTICLASS, tuple(str(index) for index in range(case.classes)), "label")
    space = FactorSpace(FeatureMap(()), {"image": case.pool.inputs["image"][:512]}, "image")
    accuracy = float((network.scores({"image": other.astype("float32")}).argmax(axis=1) == other_labels).mean())
    row = outcome(
        data, kind, plant, share, seed, case.pool, space, network, rule, case.target, case.affected, case.names,
        accuracy, seconds,
    )  # fmt: skip
    started = time.process_time()
    has_place = case.changed.any() and kind not in EVERYWHERE
    row.saliency = picture_saliency(
        network, case.pool, space, case.classes, case.target, case.changed if has_place else None
    )
    row.saliency_seconds = round(time.process_time() - started, 1)
    if args.peers_python:
        row.cleanlab = cleanlab_check(args.peers_python, case.pool, kind)
    return row


def as_split(pictures: np.ndarray, labels: np.ndarray, letter: str) -> MappedSplit:
    """Pictures as a run has them; names of rows are the letter and the position."""
    inputs = {"image": pictures.astype("float32")}
    names = [f"{letter}{row}" for row in range(len(labels))]
    return MappedSplit(inputs, {"image": inputs["image"].dtype}, labels, weights=None, row_ids=names)


def read_rows(folder: Path, data: str, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray, str]:
    """Columns and 0/1 labels of a sub-sample, and the name of the label."""
    file, label, dropped = TABLES[data]
    table = pq.read_table(folder / f"{file}.parquet")
    rows = np.random.default_rng(seed).permutation(table.num_rows)[: sum(TABLE_ROWS)]
    table = table.take(pa.array(rows))
    labels = np.array([value in (1, "yes") for value in table[label].to_pylist()], np.int64)
    columns = {}
    for name in table.column_names:
        if name not in (label, *dropped):
            values = np.array(table[name].to_pylist(), object)
            text = any(isinstance(value, str) for value in values[:50])
            columns[name] = values if text else values.astype(np.float64)
    return columns, labels, label


def run_table(args: argparse.Namespace, data: str, kind: str, plant: int, share: float, seed: int) -> Outcome:
    """A case on a table; the plant is in the positive class."""
    columns, labels, label = read_rows(args.data, data, seed)
    rng = np.random.default_rng([seed, plant])
    rows = np.flatnonzero((labels == 1) & (rng.random(len(labels)) < share))
    names: tuple[str, ...] = ()
    if kind != "clean":
        change, column = TABLE_PLANTS[data][kind][plant]
        change(columns, rows, rng)
        names = (column,)
    affected = np.isin(np.arange(len(labels)), rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.parquet"
        frame = pa.table(
            {**{name: pa.array(values, from_pandas=True) for name, values in columns.items()}, label: labels}
        )
        pq.write_table(frame.slice(0, TABLE_ROWS[0]), path)
        started = time.process_time()
        recipe = Recipe(widths=(96, 48), dropout=0.1, batch_size=128, epochs=args.epochs + 3)
        roles = DataRoles(label=label)
        train_table_reference(
            DataSource(uri=str(path)), roles, Path(folder) / "r.keras", Reporter(), seed=seed, recipe=recipe
        )
        seconds = time.process_time() - started
        model = load_network(Path(folder) / "r.keras")
        pq.write_table(frame, path)
        inputs = dict(read_table(DataSource(uri=str(path)), roles).values)
    network = NetworkScorer(model, OutputKind(task=Task.BINARY, units=1, from_logits=False))
    unseen = np.arange(len(labels)) >= TABLE_ROWS[0]
    ids = np.array([f"{'v' if late else 't'}{row}" for row, late in enumerate(unseen)], object)
    pool = Pool(inputs, labels, ids, unseen)
    scores = network.scores(pool.only(unseen).inputs)
    rule = DecisionRule(Task.BINARY, ("0", "1"), label, threshold=alert_threshold(scores, float(labels.mean())))
    features = FeatureMap(
        tuple(
            Feature(name, ColumnKind.STRING if values.dtype.kind in "SO" else ColumnKind.NUMBER, name)
            for name, values in inputs.items()
        )
    )
    space = FactorSpace(features, inputs)
    accuracy = float((rule.decided(scores) == labels[unseen]).mean())
    parts = [affected, affected]  # ids count rows of both parts
    row = outcome(data, kind, plant, share, seed, pool, space, network, rule, 1, parts, names, accuracy, seconds)
    started = time.process_time()
    row.saliency = table_saliency(network, pool, features, 1, names)
    row.saliency_seconds = round(time.process_time() - started, 1)
    return row


def outcome(
    data, kind, plant, share, seed, pool, space, network, rule, target, affected, names, accuracy, seconds
) -> Outcome:
    """Run the finder and hold what it says against what was planted; the rivals are not asked yet."""
    started = time.process_time()
    networks = {"reference": network, "candidate": network}
    found = find_shortcuts(
        pool, space, networks, dict.fromkeys(networks, rule), len(rule.classes), Reporter(), seed=seed
    )
    truth = np.array([affected[0 if name[0] == "t" else 1][int(name[1:])] for name in pool.row_ids])
    right = [planted_found(each, pool, target, names) for each in found]
    rank = right.index(True) + 1 if True in right else None
    recall = precision = None
    if rank is not None:
        own = found[rank - 1].owners(pool)
        recall = float((own & truth).sum() / max(truth.sum(), 1))
        precision = float((own & truth).sum() / max(own.sum(), 1))
    return Outcome(
        case=f"{data} {kind} {plant} {share}", data=data, kind=kind, plant=plant, share=share, seed=seed, commit=COMMIT, command=command(),
        accuracy=round(accuracy, 4), train_seconds=round(seconds, 1), find_seconds=round(time.process_time() - started, 1),
        affected=int(truth.sum()), found=[shown(each, pool, truth) for each in found],
        rank=rank, recall=recall, precision=precision,
        # A finding about other rows than the planted ones.
        false_alarms=sum(bool((each.owners(pool) & truth).sum() < 0.5 * each.owners(pool).sum()) for each in found),
        saliency={}, saliency_seconds=0.0, cleanlab=None,
    )  # fmt: skip


def planted_found(shortcut: Shortcut, pool: Pool, target: int, names: tuple[str, ...]) -> bool:
    """Whether a finding names the planted factor and its class, or for two classes the other one's lack of it.

    A bright spot has its place in what is told of it.
    """
    trial = shortcut.trial
    if not names or trial.target != target:
        return False
    own, other = np.flatnonzero(shortcut.owners(pool)), np.flatnonzero(~trial.inside)
    told = trial.factor.tell(pool.take(own), pool.take(other)).removeprefix("a ")
    return trial.factor.name.startswith(names) or told.startswith(names)


def shown(shortcut: Shortcut, pool: Pool, truth: np.ndarray) -> dict:
    """A finding in figures."""
    reaction, own = shortcut.reactions["reference"], shortcut.owners(pool)
    return {
        "factor": shortcut.trial.factor.name,
        "class": int(shortcut.trial.target),
        "share": round(shortcut.association.share, 3),
        "elsewhere": round(shortcut.association.elsewhere, 4),
        "foretold": None if shortcut.foretold is None else round(shortcut.foretold.value, 3),
        "planted": round(reaction.planted, 3),
        "control": round(reaction.control, 3),
        "rise": round(reaction.rise.value, 2),
        "recall": round(float((own & truth).sum() / max(truth.sum(), 1)), 3),
        "precision": round(float((own & truth).sum() / max(own.sum(), 1)), 3),
        "also": shortcut.also[:4],
    }


def command() -> str:
    """The command line, with the last parts of paths only: those of the machine help no reader."""
    return " ".join(Path(word).name if word.startswith("/") else word for word in sys.argv)


def main() -> None:
    """Run what was asked for and add it to `planted.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for planted.json")
    parser.add_argument(
        "--peers-python", help="interpreter of an environment with peers.txt; cleanlab is left out without"
    )
    parser.add_argument("--case", default="", help="regular expression for names such as 'bank category 0 0.5'")
    parser.add_argument("--seed", action="append", type=int, help="0 without it; repeat for more")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--render", type=Path, help="only write this Markdown file from planted.json")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    target = args.output / "planted.json"
    results = json.loads(target.read_text()) if target.exists() else []
    if args.render:
        args.render.write_text(render(results))
        return
    if args.data is None:
        parser.error("--data DIR is needed: the folder with the data sets")
    for data, kind, plant, share, seed in cases(args.seed or [0]):
        name = f"{data} {kind} {plant} {share}"
        if not re.search(args.case, name):
            continue
        known = next((row for row in results if (row["case"], row["seed"]) == (name, seed)), None)
        if known and (known["cleanlab"] or not args.peers_python or data in TABLES):
            continue
        if known:
            pool = picture_case(args.data, data, kind, plant, share, seed).pool
            known["cleanlab"] = cleanlab_check(args.peers_python, pool, kind)
            write(results, target)
            continue
        run = run_table if data in TABLES else run_pictures
        row = asdict(run(args, data, kind, plant, share, seed))
        print(f"{name}, seed {seed}: rank {row['rank']}, recall {row['recall']}, {row['false_alarms']} false alarms, "
              f"{row['train_seconds']} s + {row['find_seconds']} s; {[(f['factor'], f['class']) for f in row['found'][:3]]}", flush=True)  # fmt: skip
        results.append(row)
        write(results, target)


def write(results: list[dict], target: Path) -> None:
    """Replace the file; killed at any moment, the old one or the new one is there."""
    partial = target.with_suffix(".part")
    partial.write_text(json.dumps(results, indent=1))
    partial.replace(target)


if __name__ == "__main__":
    main()
