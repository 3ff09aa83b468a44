"""Impact Score at a fixed area, Coverage, deletion and insertion, and cost: our attributions, shap's, and controls.

    python tests/benchmarks/attribution.py --data DIR --references DIR --output FILE.json [--cases N] [--quick]
        [--peers-python PYTHON]

Pictures: GTSRB's validation part, tracks at odd positions only; the methods were tuned on the other tracks. The test part
is never read. Tables: two networks trained here on tables of text and numbers; their held-out rows are explained.
Intervals are bootstrapped over tracks (frames of one sign are near copies) and over rows. shap is used where it is
installed, Quantus in the peers' environment (`peers.txt`) whose interpreter is given; both are left out with a note where
they are not there. Parts that are in the file already are not run again.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow.parquet as pq
import tensorflow as tf
from PIL import Image
from scipy.special import softmax
from scipy.stats import spearmanr

from darwin_core.contracts import ColumnKind, DataRoles, DataSource, OutputKind, Task
from darwin_core.demo.reference import Recipe, train_table_reference
from darwin_core.demo.tables import read_table
from darwin_core.explanation.attribution import (
    ExpectedGradients,
    Feature,
    FeatureMap,
    InquisitorAttribution,
    IntegratedGradients,
    Occlusion,
    SampledShapley,
)
from darwin_core.explanation.attribution.features import take
from darwin_core.explanation.attribution.row_gradients import RowExpectedGradients
from darwin_core.explanation.encoding import Encoding
from darwin_core.explanation.judging import (
    REMOVERS,
    Judge,
    RowJudge,
    coverage,
    edge_maps,
    planted_patches,
    random_maps,
)
from darwin_core.explanation.judging.removal import by_training_pictures
from darwin_core.explanation.log_odds import LogOdds
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.networks import output_kind
from darwin_core.progress import Reporter, Tracker

ROOT = Path(__file__).parents[2]
AREAS = (0.05, 0.1, 0.2)
CURVE = (0.05, 0.2, 0.5)
COLUMNS = (1, 2, 3)
ROUNDS = 2000
QUANTUS_CASES = 8
QUANTUS_STEPS = 8
"""Steps in which Quantus removes as much as a channel of a picture holds."""


def intervals(values: np.ndarray, groups: np.ndarray, seed: int = 0) -> list[float]:
    """Mean, and its 95 % interval by a bootstrap over groups of cases."""
    _, member = np.unique(groups, return_inverse=True)
    sums, counts = np.bincount(member, values.astype(float)), np.bincount(member)
    drawn = np.random.default_rng(seed).integers(len(counts), size=(ROUNDS, len(counts)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    return [float(values.mean()), *(float(q) for q in np.quantile(means, [0.025, 0.975]))]


def measured(work: Callable[[], np.ndarray]) -> tuple[np.ndarray, float]:
    """What a method gives, and the processor seconds it took in all threads: fair also on a shared machine."""
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


class Results:
    """The file, written whenever a part is done."""

    def __init__(self, path: Path, head: dict[str, Any]) -> None:
        self._path = path
        self.parts: dict[str, Any] = json.loads(path.read_text()) if path.exists() else head

    def part(self, name: str, work: Callable[[], Any]) -> Any:
        if name not in self.parts:
            print(f"{time.strftime('%H:%M:%S')} {name}", flush=True)
            self.parts[name] = work()
            self._path.write_text(json.dumps(self.parts, indent=1))
        return self.parts[name]


def pictures(data: Path, split: str, chosen: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of a split and their tracks, at the positions that ``chosen`` picks from the tracks."""
    table = pq.read_table(data / "gtsrb_32x32.parquet", columns=["image", "track_id"], filters=[("split", "=", split)])
    tracks = table["track_id"].to_numpy()
    rows = chosen(tracks)
    decoded = [np.asarray(Image.open(io.BytesIO(blob.as_py()))) for blob in table["image"].take(rows)]
    return np.stack(decoded).astype(np.float32), tracks[rows]


def odd_tracks(cases: int) -> Callable[[np.ndarray], np.ndarray]:
    def chosen(tracks: np.ndarray) -> np.ndarray:
        rows = np.flatnonzero(np.isin(tracks, np.unique(tracks)[1::2]))
        return np.random.default_rng(0).permutation(rows)[:cases]

    return chosen


def shap_maps(model: keras.Model, background: np.ndarray, rows: np.ndarray, targets: np.ndarray, samples: int) -> Any:
    """shap's GradientExplainer (Expected Gradients of the logits), or why it does not run."""
    import shap

    explainer = shap.GradientExplainer(model, background)
    values, indexes = explainer.shap_values(rows, nsamples=samples, ranked_outputs=1, rseed=0)
    assert (np.asarray(indexes)[:, 0] == targets).all()
    return np.asarray(values)[..., 0].sum(axis=-1)


class Pictures:
    """One network and the pictures that it is asked about."""

    def __init__(self, args: argparse.Namespace, network: str) -> None:
        self.skip = args.skip
        self.path = args.references / f"gtsrb_{network}.keras"
        self.model = keras.models.load_model(self.path, compile=False)
        kind = OutputKind(task=Task.MULTICLASS, units=43, from_logits=True)
        self.scorer = NetworkScorer(self.model, kind, batch_size=256)
        self.odds = LogOdds(self.scorer)
        self.rows, self.tracks = pictures(args.data, "valid", odd_tracks(args.cases))
        drawn = np.random.default_rng(1)
        self.background, _ = pictures(args.data, "train", lambda tracks: drawn.permutation(len(tracks))[:64])
        self.judge = Judge(self.probabilities, self.rows)
        self.targets = self.judge.decisions.classes
        self.ours = {
            "inquisitor": InquisitorAttribution(),
            "Integrated Gradients": IntegratedGradients(),
            "Expected Gradients": ExpectedGradients(self.background),
            "occlusion": Occlusion(),
        }
        self.odds.gradients(self.rows[:1], self.targets[:1])  # traced before any clock runs

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(softmax(self.scorer.outputs({"image": values}), axis=1))

    def made(self, method: Any, rows: np.ndarray, targets: np.ndarray) -> np.ndarray:
        return np.asarray(method.attribute(self.odds, {"image": rows}, targets, Tracker()).values)

    def maps(self) -> tuple[dict[str, np.ndarray], dict[str, float], dict[str, str]]:
        """Maps of all methods, what they cost per picture, and why some did not run."""
        rows, targets = self.rows, self.targets
        makers: dict[str, Callable[[], np.ndarray]] = {
            name: (lambda method=method: self.made(method, rows, targets)) for name, method in self.ours.items()
        }
        makers["shap GradientExplainer"] = lambda: shap_maps(self.model, self.background, rows, targets, 40)
        makers["random regions"] = lambda: random_maps(rows)
        makers["edges"] = lambda: edge_maps(rows)
        maps, costs, failures = {}, {}, {}
        for name, make in makers.items():
            if name in self.skip:
                continue
            try:
                maps[name], seconds = measured(make)
            except Exception as error:  # a rival that does not run is a result
                failures[name] = f"{type(error).__name__}: {error}"[:300]
                continue
            costs[name] = 1000 * seconds / len(rows)
            print(f"  {name}: {costs[name]:.1f} CPU ms per picture", flush=True)
        return maps, costs, failures


def picture_part(args: argparse.Namespace, network: str) -> dict[str, Any]:
    case = Pictures(args, network)
    removers = {**REMOVERS, "training picture": by_training_pictures(case.background)}
    maps, costs, failures = case.maps()
    impacts = {
        name: {
            remover: {str(area): case.judge.impact(found, area, remove) for area in AREAS}
            for remover, remove in removers.items()
        }
        for name, found in maps.items()
    }
    print("  impact judged", flush=True)
    curves = {
        name: {
            "deletion": float(case.judge.deletion(found, CURVE, removers["inpainting"]).mean()),
            "insertion": float(case.judge.insertion(found, CURVE, removers["blur"]).mean()),
        }
        for name, found in maps.items()
    }
    return {
        "network": network,
        "cases": len(case.rows),
        "tracks": len(np.unique(case.tracks)),
        "cpu_ms": costs,
        "failures": failures,
        "impact": summaries(impacts, case.tracks),
        "ahead": leads(impacts, case.tracks),
        "curves": curves,
        "quantus": quantus_agreement(args.peers_python, case, maps),
    }


def summaries(impacts: dict[str, Any], tracks: np.ndarray) -> dict[str, Any]:
    """Impact Score with interval: method -> remover (and their mean) -> area."""
    found: dict[str, Any] = {}
    for name, by_remover in impacts.items():
        found[name] = {
            remover: {area: intervals(hits, tracks) for area, hits in by_area.items()}
            for remover, by_area in by_remover.items()
        }
        found[name]["mean"] = {area: intervals(mean_hits(by_remover, area), tracks) for area in map(str, AREAS)}
    return found


def mean_hits(by_remover: dict[str, Any], area: str) -> np.ndarray:
    return np.mean([by_area[area] for by_area in by_remover.values()], axis=0)


def leads(impacts: dict[str, Any], tracks: np.ndarray) -> dict[str, Any]:
    """How far the inquisitor is ahead of each other method on the same cases, with interval; mean over removers."""
    first = impacts["inquisitor"]
    return {
        name: {area: intervals(mean_hits(first, area) - mean_hits(other, area), tracks) for area in map(str, AREAS)}
        for name, other in impacts.items()
        if name != "inquisitor"
    }


def coverage_part(args: argparse.Namespace, network: str) -> dict[str, Any]:
    """Coverage (IoU) on pictures whose decision a pasted patch changed."""
    case = Pictures(args, network)
    planted = planted_patches(case.probabilities, case.rows, np.roll(case.rows, 1, axis=0))
    if not len(planted.rows):
        return {"cases": 0, "coverage": {}}
    decided = case.probabilities(planted.pictures).argmax(axis=1)
    chosen = {name: method for name, method in case.ours.items() if name not in args.skip}
    maps = {name: case.made(method, planted.pictures, decided) for name, method in chosen.items()}
    maps |= {"random regions": random_maps(planted.pictures), "edges": edge_maps(planted.pictures)}
    tracks = case.tracks[planted.rows]
    found = {name: intervals(coverage(each, planted.masks), tracks) for name, each in maps.items()}
    return {"cases": len(tracks), "coverage": found}


def quantus_agreement(python: str | None, case: Pictures, maps: dict[str, np.ndarray]) -> dict[str, Any]:
    """Quantus' Pixel Flipping on the same maps: does it order the methods as our deletion curve does?"""
    if python is None:
        return {"failed": "no interpreter of the peers' environment was given"}
    rows, targets = case.rows[:QUANTUS_CASES], case.targets[:QUANTUS_CASES]
    few = {f"map {name}": found[:QUANTUS_CASES] for name, found in maps.items()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        np.savez(path, rows=rows, targets=targets, steps=QUANTUS_STEPS, **few)
        command = [python, str(Path(__file__).with_name("peers_quantus.py")), str(case.path), str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:  # its dependencies move faster than it does
        return {"failed": done.stderr.strip().splitlines()[-1][:300]}
    found = json.loads(done.stdout)
    own = case.probabilities(rows)[np.arange(len(rows)), targets]
    np.testing.assert_allclose(found["probabilities"], own, atol=1e-3, err_msg="Quantus judges another network")
    # One step is as much of all channels together, so three times as many for three channels.
    steps = QUANTUS_STEPS * rows.shape[-1]
    shares = [step / steps for step in range(1, steps + 1)]
    judge = Judge(case.probabilities, rows)
    ours = {
        name: judge.deletion(maps[name][:QUANTUS_CASES], shares, REMOVERS["mean colour"]).mean(axis=1) for name in maps
    }
    theirs = {name: np.array(areas) / (steps - 1) for name, areas in found["areas"].items()}
    names = list(maps)
    means = [[float(found[name].mean()) for name in names] for found in (theirs, ours)]
    return {
        "cases": len(rows),
        "theirs": dict(zip(names, means[0], strict=True)),
        "ours": dict(zip(names, means[1], strict=True)),
        "rank_correlation_of_methods": float(spearmanr(*means).statistic),
        "rank_correlation_of_cases": float(
            spearmanr(np.concatenate([theirs[n] for n in names]), np.concatenate([ours[n] for n in names])).statistic
        ),
    }


def table_part(args: argparse.Namespace, name: str) -> dict[str, Any]:
    file, label, exclude = TABLES[name]
    source, roles = DataSource(uri=str(args.data / file)), DataRoles(label=label, exclude=exclude)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.keras"
        recipe = Recipe(widths=(128, 64), epochs=2 if args.quick else 8)
        trained = train_table_reference(source, roles, path, Reporter(), recipe=recipe)
        model, kind = keras.models.load_model(path), output_kind(keras.models.load_model(path), path)
    table = read_table(source, roles)
    features = FeatureMap(
        tuple(
            Feature(column.name, ColumnKind.STRING if column.words else ColumnKind.NUMBER, column.name)
            for column in table.columns
        )
    )
    order = np.random.default_rng(1).permutation(len(table.labels))
    everything = {column: values.reshape(len(values), -1) for column, values in table.values.items()}
    background, pool = take(everything, order[:64]), take(everything, order[64:4064])
    scorer = NetworkScorer(model, kind)
    scores = scorer.scores(pool)
    threshold = float(np.quantile(scores, 0.9))
    drawn = np.random.default_rng(2).permutation(np.flatnonzero(scores >= threshold))[: args.cases]
    rows = take(pool, drawn)
    judge = RowJudge(features, take(everything, order[4064:6064]), scorer.scores, rows, threshold=threshold)
    encoding = Encoding(model, kind, features, pool)
    methods: dict[str, Callable[[], np.ndarray]] = {
        "Expected Gradients of raw columns": lambda: (
            RowExpectedGradients(encoding, background).attribute(scorer, rows, None, Tracker()).values
        ),
        "sampled Shapley": lambda: (
            SampledShapley(features, background, pairs=8).attribute(scorer, rows, None, Tracker()).values
        ),
        "shap KernelExplainer": lambda: shap_rows(features, background, rows, scorer),
        "random columns": lambda: np.random.default_rng(0).normal(size=(len(drawn), len(features))),
    }
    impacts, falls, costs, failures, maps = {}, {}, {}, {}, {}
    for method, make in methods.items():
        try:
            maps[method], seconds = measured(make)
        except Exception as error:
            failures[method] = f"{type(error).__name__}: {error}"[:300]
            continue
        costs[method] = 1000 * seconds / len(drawn)
        support = judge.support(maps[method])
        impacts[method] = {str(k): judge.impact(support, k) for k in COLUMNS}
        falls[method] = {str(k): judge.fall(support, k) for k in COLUMNS}
    single = np.arange(len(drawn))
    best = impacts["sampled Shapley"]
    return {
        "rows": len(drawn),
        "columns": len(features),
        "validation": trained.validation,
        "cpu_ms": costs,
        "failures": failures,
        "impact": {m: {k: intervals(v, single) for k, v in by.items()} for m, by in impacts.items()},
        "fall": {m: {k: intervals(v, single) for k, v in by.items()} for m, by in falls.items()},
        "ahead": {
            m: {k: intervals(best[k] - v, single) for k, v in by.items()}
            for m, by in impacts.items()
            if m != "sampled Shapley"
        },
        "rank_correlation": {
            m: float(
                np.mean([spearmanr(a, b).statistic for a, b in zip(maps[m], maps["sampled Shapley"], strict=True)])
            )
            for m in maps
        },
    }


TABLES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "bank marketing": ("bank_marketing_additional_full.parquet", "y", ("duration",)),
    "credit default": ("taiwan_credit_default.parquet", "default.payment.next.month", ("ID",)),
}


def shap_rows(features: FeatureMap, background: Any, rows: Any, scorer: NetworkScorer) -> np.ndarray:
    """shap's KernelExplainer on raw columns; text goes in as numbers of a list, since shap takes numbers only."""
    import shap

    both = {name: np.concatenate([background[name], rows[name]]) for name in features.names}
    coded = {name: np.unique(values, return_inverse=True) for name, values in both.items()}
    codes = np.stack([coded[name][1].reshape(-1) for name in features.names], axis=1).astype(float)

    def network(values: np.ndarray) -> np.ndarray:
        decoded = {
            name: coded[name][0][np.rint(values[:, i]).astype(int)].reshape(-1, 1)
            for i, name in enumerate(features.names)
        }
        return scorer.scores(decoded)

    size = len(next(iter(background.values())))
    explainer = shap.KernelExplainer(network, codes[:size])
    return np.asarray(explainer.shap_values(codes[size:], nsamples=2 * len(features) + 64, silent=True))


def main() -> None:
    """Run what is missing and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--references", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cases", type=int, default=256)
    parser.add_argument("--networks", nargs="*", default=["vgg"])
    parser.add_argument("--tables", nargs="*", default=list(TABLES), choices=list(TABLES))
    parser.add_argument(
        "--peers-python", help="interpreter of an environment with peers.txt; Quantus is left out without"
    )
    parser.add_argument("--skip", nargs="*", default=[], help="methods for pictures that are left out")
    parser.add_argument("--quick", action="store_true", help="short training of the tables' networks")
    args = parser.parse_args()
    tf.config.threading.set_intra_op_parallelism_threads(2)
    commit = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    ).stdout
    head = {
        "commit": commit.strip(),
        "command": " ".join(sys.argv[1:]),
        "cases": args.cases,
        "python": platform.python_version(),
    }
    results = Results(args.output, head)
    for network in args.networks:
        results.part(f"pictures {network}", lambda n=network: picture_part(args, n))
        results.part(f"coverage {network}", lambda n=network: coverage_part(args, n))
    for name in args.tables:
        results.part(f"table {name}", lambda n=name: table_part(args, n))


if __name__ == "__main__":
    main()
