"""Plant confounders, train a network on them, apply each fix, and see what it restores.

    python tests/benchmarks/fixes.py --data DIR --output DIR [--case TEXT] [--seed N ...] [--epochs N]

Plants, data and networks are those of `planted.py`. Each case trains a small network on rows with a confounder in a share
of one class, lets the finder find it, and applies each fix as `darwin fix` does. Quality is measured on the validation
rows as they were before anything was planted (average precision for tables, accuracy for pictures): of the flawed
reference, after each fix, and of a network that was trained in the same way on rows without the plant. Cases that
`fixes.json` holds already are not run again. `--render` writes FIXES.md from it.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.metrics import average_precision_score

sys.path.insert(0, str(Path(__file__).parents[1]))
from planted import (
    POOL_ROWS,
    TABLE_ROWS,
    commit,
    picture_network,
    planted_found,
    read_pictures,
    read_rows,
)
from plants import PICTURE_PLANTS, TABLE_PLANTS

from darwin_core.contracts import (
    ColumnKind,
    DataRoles,
    DataSource,
    Finding,
    FindingKind,
    FixKind,
    OutputKind,
    Severity,
    Task,
)
from darwin_core.data import MappedSplit
from darwin_core.demo.reference import Recipe, train_table_reference
from darwin_core.demo.tables import read_table
from darwin_core.errors import RequestError
from darwin_core.explanation.attribution.features import Feature, FeatureMap
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.finder.findings import affected_rows
from darwin_core.explanation.finder.pool import Pool, balanced, joined
from darwin_core.explanation.finder.search import Shortcut, find_shortcuts
from darwin_core.explanation.fixes import Case, Means, choose_fix
from darwin_core.explanation.fixes.drop_column import droppable_columns
from darwin_core.explanation.fixes.flaws import ShortcutFlaw
from darwin_core.explanation.fixes.judging import judge
from darwin_core.explanation.fixes.training import train_on
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.subject import alert_threshold
from darwin_core.networks import load_network
from darwin_core.progress import Reporter

CASES = (
    ("bank", "category", 1, 0.8),
    ("taiwan", "missingness", 0, 0.8),
    ("fashion", "blur", 0, 0.8),
    ("bank", "time leak", 0, 0.8),
    ("taiwan", "rare code", 0, 0.8),
    ("gtsrb", "colour cast", 0, 0.8),
    ("bank", "category", 0, 1.0),
)
"""Data, kind, plant and share; tables on which a network of seconds is clearly better than chance."""

TABLES = ("bank", "taiwan")


@dataclass
class World:
    """What a case is made of: rows with the plant, validation rows without it, and networks trained on either."""

    train: MappedSplit
    validation: MappedSplit
    pure: MappedSplit
    space: FactorSpace
    kind: OutputKind
    path: Path
    names: tuple[str, ...]
    target: int
    rule_for: Callable[[np.ndarray], DecisionRule]
    quality: Callable[[NetworkScorer], float]
    ceiling: float


def split(inputs: dict[str, np.ndarray], labels: np.ndarray, types: dict, name: str) -> MappedSplit:
    """Rows in memory as the engine reads them."""
    return MappedSplit(inputs, types, labels.astype(np.int32), None, [f"{name}{row}" for row in range(len(labels))])


def table_world(
    args: argparse.Namespace, folder: Path, data: str, kind: str, plant: int, share: float, seed: int
) -> World:
    """A table, its last rows for validation; the plant is in the positive class."""
    columns, labels, label = read_rows(args.data, data, seed)
    rng = np.random.default_rng([seed, plant])
    change, column = TABLE_PLANTS[data][kind][plant]
    flawed = {name: values.copy() for name, values in columns.items()}
    rows = np.flatnonzero((labels == 1) & (rng.random(len(labels)) < share))
    change(flawed, rows, rng)
    if flawed.keys() - columns.keys():  # a plant may add a column, which is innocent without affected rows
        change(columns, rows[:0], rng)
    read, networks = {}, {}
    for world, values in (("pure", columns), ("flawed", flawed)):
        frame = pa.table({**{name: pa.array(each, from_pandas=True) for name, each in values.items()}, label: labels})
        path = folder / f"{world}.parquet"
        pq.write_table(frame.slice(0, TABLE_ROWS[0]), path)
        recipe = Recipe(widths=(96, 48), dropout=0.1, batch_size=128, epochs=7)
        source, roles, networks[world] = DataSource(uri=str(path)), DataRoles(label=label), folder / f"{world}.keras"
        train_table_reference(source, roles, networks[world], Reporter(), seed=seed, recipe=recipe)
        pq.write_table(frame, path)
        read[world] = dict(read_table(source, roles).values)
    types = {name: values.dtype for name, values in read["flawed"].items()}
    head, tail = slice(None, TABLE_ROWS[0]), slice(TABLE_ROWS[0], None)
    parts = {
        (world, part): split({name: values[rows] for name, values in read[world].items()}, labels[rows], types, part)
        for world in read
        for part, rows in (("t", head), ("v", tail))
    }
    pure = parts["pure", "v"]
    kind_ = OutputKind(task=Task.BINARY, units=1, from_logits=False)
    features = FeatureMap(
        tuple(
            Feature(name, ColumnKind.STRING if values.dtype.kind in "SO" else ColumnKind.NUMBER, name)
            for name, values in read["flawed"].items()
        )
    )
    rule = partial(DecisionRule, Task.BINARY, ("0", "1"), label)

    def quality(network: NetworkScorer) -> float:
        return float(average_precision_score(pure.labels, network.scores(pure.inputs)))

    return World(
        parts["flawed", "t"], parts["flawed", "v"], pure, FactorSpace(features, read["flawed"]), kind_,
        networks["flawed"], (column,), 1,
        lambda scores: rule(threshold=alert_threshold(scores, float(labels.mean()))), quality,
        quality(NetworkScorer(load_network(networks["pure"]), kind_)),
    )  # fmt: skip


def picture_world(
    args: argparse.Namespace, folder: Path, data: str, kind: str, plant: int, share: float, seed: int
) -> World:
    """Pictures; the plant is in any class but the rarest."""
    (train, labels), (other, other_labels) = read_pictures(args.data, data, seed)
    classes = int(labels.max()) + 1
    rng = np.random.default_rng([seed, plant])
    target = int(rng.choice(np.flatnonzero(np.bincount(labels) >= 100)))
    change, names = PICTURE_PLANTS[kind][plant]
    types = {"image": np.dtype("float32")}
    pure_train, pure = train.copy(), split({"image": other.copy()}, other_labels, types, "v")
    for pictures, given in ((train, labels), (other, other_labels)):
        rows = np.flatnonzero((given == target) & (rng.random(len(given)) < share))
        pictures[rows] = change(pictures[rows], rng)
    kind_ = OutputKind(task=Task.MULTICLASS, units=classes, from_logits=True)
    networks = {}
    for world, pictures in (("pure", pure_train), ("flawed", train)):
        model = picture_network(train.shape[1:], classes, seed)
        model.fit(pictures.astype("float32"), labels, batch_size=64, epochs=4, verbose=0)
        networks[world] = folder / f"{world}.keras"
        model.save(networks[world])
    everything = pure.take(np.arange(pure.rows)).inputs

    def quality(network: NetworkScorer) -> float:
        return float((network.scores(everything).argmax(axis=1) == pure.labels).mean())

    rule = DecisionRule(Task.MULTICLASS, tuple(str(index) for index in range(classes)), "label")
    space = FactorSpace(FeatureMap(()), {"image": train[:512].astype("float32")}, "image")
    return World(
        split({"image": train}, labels, types, "t"), split({"image": other}, other_labels, types, "v"), pure, space, kind_,
        networks["flawed"], names, target, lambda scores: rule, quality,
        quality(NetworkScorer(load_network(networks["pure"]), kind_)),
    )  # fmt: skip


def found_again(world: World, network: NetworkScorer, seed: int) -> tuple[Shortcut, Pool] | None:
    """What the finder says of the plant; None where it says nothing."""
    classes = len(world.rule_for(np.zeros(2)).classes)
    rng = np.random.default_rng(seed)
    parts = []
    for part, share, unseen in ((world.train, 2 / 3, False), (world.validation, 1 / 3, True)):
        labels = np.asarray(part.labels, np.int64)
        most = round(POOL_ROWS * share) if world.space.picture else part.rows
        rows = np.sort(balanced(labels, classes, most, rng))
        ids = np.array([part.row_ids[int(row)] for row in rows], object)
        parts.append(Pool(part.take(rows).inputs, labels[rows], ids, np.full(len(rows), unseen)))
    pool = joined(parts)
    rules = dict.fromkeys(
        ("reference", "candidate"),
        world.rule_for(network.scores(world.validation.take(np.arange(world.validation.rows)).inputs)),
    )
    networks = dict.fromkeys(rules, network)
    found = find_shortcuts(pool, world.space, networks, rules, classes, Reporter(), seed=seed)
    return next(((each, pool) for each in found if planted_found(each, world.target, world.names)), None)


def run(args: argparse.Namespace, data: str, kind: str, plant: int, share: float, seed: int) -> dict:
    """One case: the figures before, after each fix, and of a network that never saw the plant."""
    make = table_world if data in TABLES else picture_world
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        world = make(args, folder, data, kind, plant, share, seed)
        before = NetworkScorer(load_network(world.path), world.kind)
        outcome = {"data": data, "kind": kind, "plant": plant, "share": share, "seed": seed, "commit": args.commit,
                   "epochs": args.epochs, "ceiling": world.ceiling, "before": world.quality(before), "fixes": {}}  # fmt: skip
        found = found_again(world, before, seed)
        if found is None:
            return outcome
        shortcut, pool = found
        flaw = ShortcutFlaw(shortcut.trial, pool)
        flawless = flaw.without(world.validation, np.random.default_rng(seed))
        finding = Finding(
            kind=FindingKind.SHORTCUT, severity=Severity.HIGH, title=f"{data} {kind}", description="", suggestion="",
            columns=shortcut.trial.factor.columns, factor=shortcut.trial.factor.name, classes=(str(world.target),),
            affected_rows=len(affected_rows(shortcut.trial, world.train)),
        )  # fmt: skip
        means = Means(
            {str(index): int(count) for index, count in enumerate(np.bincount(world.train.labels))},
            droppable_columns(before.model),
        )
        for each in FixKind:
            keras.utils.set_random_seed(seed)
            started = time.process_time()
            try:
                fix, _ = choose_fix(finding, each, means)
                case = Case(finding, flaw, world.train, np.random.default_rng([seed, 8]))
                part = fix.treat(case)
            except RequestError as error:
                outcome["fixes"][each.value] = {"refused": error.message}
                continue
            model = fix.adapt(load_network(world.path), case)
            train_on(model, world.kind, part, args.epochs, Reporter(), seed=seed)
            after = NetworkScorer(model, world.kind)
            judged = judge(flaw, flawless, {"before": before, "after": after}, world.rule_for, [seed, 9])
            outcome["fixes"][each.value] = {
                "fix": type(fix).__name__,
                "quality": world.quality(after),
                "neutralised": dict(judged.quality),
                "planted": {key: reaction.planted for key, reaction in judged.reactions.items()},
                "recognised": {key: reaction.neutralised for key, reaction in judged.reactions.items()},
                "worst_group": {key: reaction.worst_group for key, reaction in judged.reactions.items()},
                "seconds": round(time.process_time() - started, 1),
            }
    return outcome


def cases(seeds: list[int]) -> Iterator[tuple[str, str, int, float, int]]:
    """(data, kind, plant, share, seed) of every case."""
    for seed in seeds:
        for data, kind, plant, share in CASES:
            yield data, kind, plant, share, seed


def mean(values: list[float]) -> str:
    """A mean in per cent; empty where there is nothing."""
    return f"{100 * float(np.mean(values)):.1f}" if values else ""


def figures(rows: list[dict]) -> list[str]:
    """Cells of some cases whose plant was found: quality, accuracy without the factor, flips by planting it."""
    cells = [mean([row["ceiling"] for row in rows]), mean([row["before"] for row in rows])]
    cells += [
        mean([row["fixes"][kind.value]["quality"] for row in rows if "quality" in row["fixes"][kind.value]])
        for kind in FixKind
    ]
    for figure in ("neutralised", "planted"):
        done = [[one[figure] for one in row["fixes"].values() if figure in one] for row in rows]
        cells.append(mean([each[0]["before"] for each in done]))
        for kind in FixKind:
            after = [row["fixes"][kind.value].get(figure) for row in rows]
            cells.append(mean([each["after"] for each in after if each]))
    return cells


def render(results: list[dict], command: str) -> str:
    """FIXES.md: what each fix restores."""
    commits, seeds = (", ".join(sorted({str(row[name]) for row in results})) for name in ("commit", "seed"))
    kinds = " | ".join(kind.value for kind in FixKind)
    head = f"""# What fixes restore

Made by `tests/benchmarks/fixes.py` (see there for what is planted, and in `planted.py` how small the networks are); commit
{commits}; seeds {seeds}; command `{command}`. All figures are per cent, means over the cases in which
the finder named the plant. Quality: on validation rows as they were before anything was planted, average precision for tables, accuracy for
pictures; *never* is a network trained in the same way on rows without the plant, *flawed* the reference before any fix.
Without the factor: accuracy on the flawed validation rows with the factor neutralised, as `darwin fix` shows it; for two
classes at an alert budget of the share of positive rows. Flips: rows of other classes that become the class once the factor is planted.

`drop` leaves out the column in tables and the affected rows in pictures. The order in which findings name their fixes
follows the quality here: for columns drop, neutralise, rebalance; for pictures neutralise, rebalance, drop. An empty cell:
the fix cannot be applied, since all rows of the class have the factor.

What the figures do not say: dropping rows and re-balancing seldom unlearn. Where no other class has the factor, its rows
are left out, and a network that never sees it again still flips when it is planted (the last columns); quality rises all
the same, since the class is then told by something else. Every fix trains the reference on, which by itself helps networks
that were trained for seconds (pictures end above *never*); there is no control that is trained on without a fix. Dropping a
column loses what it honestly says, too; of these columns that is little, as *never* shows. Few cases: differences of a
point are not to be trusted.

| data | kind | share | found | never | flawed | {kinds} | without the factor: flawed | {kinds} | flips: flawed | {kinds} |
|{"---|" * 17}
"""
    lines = []
    groups = {(row["data"], row["kind"], f"{row['share']:g}"): [] for row in results}
    groups |= {("all tables", "", ""): [], ("all pictures", "", ""): []}
    for row in results:
        groups[row["data"], row["kind"], f"{row['share']:g}"].append(row)
        if row["share"] < 1:  # with all rows affected, two of the fixes cannot be applied
            groups["all tables" if row["data"] in TABLES else "all pictures", "", ""].append(row)
    for name, rows in groups.items():
        found = [row for row in rows if row["fixes"]]
        lines.append(f"| {' | '.join([*name, f'{len(found)} of {len(rows)}', *figures(found)])} |")
    return head + "\n".join(lines) + "\n"


def main() -> None:
    """Run what was asked for and add it to `fixes.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--output", type=Path, required=True, help="folder for fixes.json")
    parser.add_argument("--case", default="", help="regular expression for names such as 'bank category 0 0.8'")
    parser.add_argument("--seed", action="append", type=int, help="0 without it; repeat for more")
    parser.add_argument("--epochs", type=int, default=5, help="of training on")
    parser.add_argument("--render", type=Path, help="only write this Markdown file from fixes.json")
    args = parser.parse_args()
    args.commit = commit()  # of the code that runs, whatever the checkout becomes meanwhile
    args.output.mkdir(parents=True, exist_ok=True)
    target = args.output / "fixes.json"
    results = json.loads(target.read_text()) if target.exists() else []
    if args.render:
        args.render.write_text(render(results, f"fixes.py --epochs {args.epochs}"))
        return
    for data, kind, plant, share, seed in cases(args.seed or [0]):
        case = [data, kind, plant, share, seed]
        done = any([row[key] for key in ("data", "kind", "plant", "share", "seed")] == case for row in results)
        if done or not re.search(args.case, f"{data} {kind} {plant} {share}"):
            continue
        started = time.monotonic()
        row = run(args, data, kind, plant, share, seed)
        shown = {
            name: round(one["quality"], 3) if "quality" in one else "refused" for name, one in row["fixes"].items()
        }
        print(
            f"{case}: ceiling {row['ceiling']:.3f}, before {row['before']:.3f}, after {shown}, {time.monotonic() - started:.0f} s",
            flush=True,
        )
        results.append(row)
        partial_file = target.with_suffix(".part")
        partial_file.write_text(json.dumps(results, indent=1))
        partial_file.replace(target)


if __name__ == "__main__":
    main()
