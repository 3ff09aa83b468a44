"""The rivals on a planted case: cleanlab's check of spurious correlations, and the heat-maps that a reader looks at.

**cleanlab** gets the same pictures and labels as the finder, with its defaults: it reports a property of pictures whose
score is below its threshold. It names neither a class nor rows, so the property alone is asked for, and every property
that a plant moves at all counts as its name. It has no such check for tables.

**Mean saliency**: how much heat each place has in the mean map of a class, over pictures of the class and over the pixels
of each of the finder's windows. Two maps of the class's log-odds are tried: Integrated Gradients against a blurred copy,
absolute values, and gradient times input with its sign, which sees little but bright marks, and those best. Tables: Expected
Gradients of the raw columns, absolute values, mean over rows of the class. The heat of a class adds up to one. A heat-map
has no place for what is everywhere in a picture, a blur or a colour cast: that is missed by construction.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darwin_core.explanation.attribution import IntegratedGradients
from darwin_core.explanation.attribution.features import FeatureMap
from darwin_core.explanation.attribution.row_gradients import RowExpectedGradients
from darwin_core.explanation.encoding import Encoding
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.factors.windows import Window
from darwin_core.explanation.finder.pool import Pool
from darwin_core.explanation.log_odds import LogOdds
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.progress import Tracker

HERE = Path(__file__).parent
CLEANLAB_NAMES = {
    "corner patch": ("dark", "light", "low_information"),
    "bright spot": ("dark", "light", "low_information"),
    "colour cast": ("dark", "light", "grayscale", "low_information"),
    "blur": ("blurry", "low_information"),
}
"""Kind of plant -> properties of cleanlab's that count as its name."""

EVERYWHERE = ("colour cast", "blur")
"""Kinds of plants that no place of a picture stands for."""

ROWS_PER_CLASS = {"pictures": 48, "tables": 256}
_STEPS = 10
_BACKGROUND = 64


@dataclass(frozen=True)
class Saliency:
    """What the mean maps say of a case.

    Attributes:
        told: Place of the plant among the places of its class, hottest first; None where it has no place, or on clean data.
        untold: Its place among the places of all classes.
        heat: Its heat.
        hottest: Class, place and heat of the hottest places of all.
    """

    told: int | None
    untold: int | None
    heat: float | None
    hottest: list[tuple[int, str, float]]


def judged(heat: np.ndarray, names: Sequence[str], target: int, marked: np.ndarray) -> dict[str, Any]:
    """Where the plant stands in mean maps; ties count against the plant.

    Args:
        heat: (classes, places) heat.
        names: Names of the places.
        target: Class that the plant is in.
        marked: (places,) which places hold the plant; none on clean data and where it has no place.
    """
    order = np.argsort(-heat, axis=None, kind="stable")[:3]
    hottest = [(int(i // len(names)), names[i % len(names)], round(float(heat.flat[i]), 4)) for i in order]
    if not marked.any():
        return asdict(Saliency(None, None, None, hottest))
    best = heat[target][marked].max()
    others = heat.copy()
    others[target, marked] = -np.inf
    told, untold = (int((values >= best).sum()) + 1 for values in (others[target], others))
    return asdict(Saliency(told, untold, round(float(best), 4), hottest))


def some_of_each(labels: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    """Positions of at most so many rows of each class."""
    order = rng.permutation(len(labels))
    return np.concatenate([order[labels[order] == index][:most] for index in np.unique(labels)])


def mean_heat(maps: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """(classes, places) of the (rows, places) maps: shares of each class's heat; zeros for classes without any."""
    heat = np.zeros((classes, maps.shape[1]))
    np.add.at(heat, labels, maps)
    heat = np.maximum(heat, 0)
    return heat / np.maximum(heat.sum(axis=1, keepdims=True), 1e-12)


def picture_saliency(
    network: NetworkScorer, pool: Pool, space: FactorSpace, classes: int, target: int, changed: np.ndarray | None
) -> dict[str, Any]:
    """Mean saliency of pictures, by map.

    Args:
        network: The network.
        pool: Pictures.
        space: What they are made of.
        classes: Number of classes.
        target: Class that the plant is in.
        changed: (height, width) how much the plant changed each pixel on average; None on clean data and for plants
            that are everywhere. A window holds the plant if it was changed at least half as much as the one that was
            changed most.
    """
    rows = some_of_each(pool.labels, ROWS_PER_CLASS["pictures"], np.random.default_rng(0))
    inputs, labels, odds = pool.take(rows), pool.labels[rows], LogOdds(network)
    (pictures,) = inputs.values()
    method = IntegratedGradients(steps=_STEPS)
    maps = {
        "Integrated Gradients": np.abs(method.attribute(odds, inputs, labels, Tracker()).values),
        "gradient times input": (odds.gradients(pictures, labels)[1] * pictures).sum(axis=-1),
    }
    windows = Window.of(space)
    names = [window.place for window in windows]

    def inside(values: np.ndarray) -> np.ndarray:
        return np.stack([values[..., w.window[0], w.window[1]].mean(axis=(-2, -1)) for w in windows], axis=-1)

    marked = np.zeros(len(windows), bool)
    if changed is not None:
        amount = inside(changed)
        marked = amount >= 0.5 * amount.max()
    return {
        name: judged(mean_heat(inside(values), labels, classes), names, target, marked) for name, values in maps.items()
    }


def table_saliency(
    network: NetworkScorer, pool: Pool, features: FeatureMap, target: int, columns: Sequence[str]
) -> dict[str, Any]:
    """Mean saliency of a table, by map; ``columns`` are those that hold the plant, none on clean data."""
    rng = np.random.default_rng(0)
    rows = some_of_each(pool.labels, ROWS_PER_CLASS["tables"], rng)
    background = pool.take(rng.permutation(np.flatnonzero(~pool.is_validation))[:_BACKGROUND])
    method = RowExpectedGradients(Encoding(network.model, network.kind, features, pool.inputs), background)
    maps = np.abs(method.attribute(network, pool.take(rows), None, Tracker()).values)
    marked = np.isin(features.names, list(columns))
    return {"Expected Gradients": judged(mean_heat(maps, pool.labels[rows], 2), features.names, target, marked)}


def cleanlab_check(python: str, pool: Pool, kind: str) -> dict[str, Any]:
    """What cleanlab says of the pool's pictures: all scores, what it reports, and whether that names the plant.

    Args:
        python: Interpreter of the peers' environment.
        pool: Pictures, values from 0 to 255.
        kind: Kind of plant.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case.npz"
        (pictures,) = pool.inputs.values()
        np.savez(path, pictures=pictures.round().astype(np.uint8), labels=pool.labels)
        command = [python, str(HERE / "peers_spurious.py"), str(path)]
        found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return {**found, **cleanlab_verdict(found["scores"], found["threshold"], CLEANLAB_NAMES.get(kind, ()))}


def cleanlab_verdict(scores: dict[str, float], threshold: float, names: Sequence[str]) -> dict[str, Any]:
    """What is reported, whether a name of the plant is among it, and the best place of one when sorted by score.

    Ties count against the plant.
    """
    own = [score for name, score in scores.items() if name in names]
    others = [score for name, score in scores.items() if name not in names]
    flagged = [name for name, score in scores.items() if score < threshold]
    rank = 1 + sum(score <= min(own) for score in others) if own else None
    return {"flagged": flagged, "named": any(name in names for name in flagged), "rank": rank}
