"""How the rivals of the finder are judged: the better of two maps, ties against the plant, bars from clean cases."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from benchmarks.planted_rivals import cleanlab_verdict, judged, mean_heat, picture_saliency
from benchmarks.planted_table import render

from darwin_core.contracts import OutputKind, Task
from darwin_core.explanation.attribution.features import FeatureMap
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.finder.pool import Pool
from darwin_core.explanation.scoring import NetworkScorer

HEAT = np.array([[0.5, 0.3, 0.2], [0.2, 0.2, 0.6]])
NAMES = ("left", "middle", "right")


def marks(*places: str) -> np.ndarray:
    return np.isin(NAMES, places)


def test_a_plant_is_ranked_in_its_class_and_among_all() -> None:
    found = judged(HEAT, NAMES, 0, marks("middle"))

    assert (found["told"], found["untold"], found["heat"]) == (2, 3, 0.3)
    assert found["hottest"] == [(1, "right", 0.6), (0, "left", 0.5), (0, "middle", 0.3)]


def test_a_plant_in_several_places_is_as_hot_as_the_hottest() -> None:
    assert judged(HEAT, NAMES, 1, marks("left", "right"))["untold"] == 1


def test_ties_count_against_the_plant() -> None:
    assert judged(HEAT, NAMES, 1, marks("left"))["told"] == 3


def test_a_plant_without_a_place_has_no_rank() -> None:
    found = judged(HEAT, NAMES, 0, marks())

    assert found["told"] is found["untold"] is found["heat"] is None
    assert found["hottest"][0] == (1, "right", 0.6)


def test_heat_is_what_speaks_for_the_class() -> None:
    heat = mean_heat(np.array([[3.0, -4.0], [1.0, 2.0], [0.0, 5.0]]), np.array([0, 0, 2]), 3)

    assert heat.tolist() == [[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(
    ("scores", "flagged", "named", "rank"),
    [
        ({"dark": 0.2, "light": 0.9, "blurry": 0.1}, ["dark", "blurry"], True, 2),
        ({"dark": 0.4, "light": 0.3, "blurry": 0.5}, [], False, 1),
        ({"dark": 0.1, "light": 0.1, "blurry": 0.1}, ["dark", "light", "blurry"], True, 2),
    ],
)
def test_cleanlab_is_asked_for_the_property_alone(
    scores: dict[str, float], flagged: list[str], named: bool, rank: int
) -> None:
    assert cleanlab_verdict(scores, 0.3, ("dark", "light")) == {"flagged": flagged, "named": named, "rank": rank}


def test_cleanlab_has_no_rank_where_it_has_no_name() -> None:
    assert cleanlab_verdict({"dark": 0.1}, 0.3, ()) == {"flagged": ["dark"], "named": False, "rank": None}


def test_the_maps_of_a_network_that_reads_a_corner_are_hottest_there() -> None:
    pictures = np.random.default_rng(0).integers(100, 256, (80, 30, 30, 1)).astype(np.float32)
    weights = np.zeros((30, 30, 2))
    weights[:4, :4, 1] = 0.01
    weights[20:, 20:, 0] = 0.01
    image = keras.Input((30, 30, 1), name="image")
    model = keras.Model(image, keras.layers.Dense(2, name="out")(keras.layers.Flatten()(image)))
    model.get_layer("out").set_weights([weights.reshape(-1, 2), np.zeros(2)])
    network = NetworkScorer(model, OutputKind(task=Task.MULTICLASS, units=2, from_logits=True))
    pool = Pool({"image": pictures}, np.arange(80) % 2, np.arange(80).astype(object), np.arange(80) >= 50)
    space = FactorSpace(FeatureMap(()), pool.inputs, "image")
    changed = np.zeros((30, 30))
    changed[:4, :4] = 200

    found = picture_saliency(network, pool, space, 2, 1, changed)

    assert found["gradient times input"]["told"] == 1
    assert picture_saliency(network, pool, space, 2, 1, None)["gradient times input"]["told"] is None


def row(kind: str, **fields: Any) -> dict[str, Any]:
    return {
        "data": "fashion", "kind": kind, "share": 0.5, "seed": 0, "commit": "abc", "command": "planted.py",
        "train_seconds": 2.0, "find_seconds": 1.0, "saliency_seconds": 0.5, "rank": None, "recall": None,
        "precision": None, "false_alarms": 0, "cleanlab": None, **fields,
    }  # fmt: skip


def maps(first: tuple[Any, Any, Any, float], second: tuple[Any, Any, Any, float]) -> dict[str, Any]:
    return {
        name: {"told": told, "untold": untold, "heat": heat, "hottest": [[0, "left", hottest]]}
        for name, (told, untold, heat, hottest) in (("a", first), ("b", second))
    }


def test_the_page_takes_the_better_map_and_the_bar_of_its_own_clean_cases() -> None:
    clean = row("clean", saliency=maps((None, None, None, 0.3), (None, None, None, 0.1)))
    # The first map is hotter than the second was on clean data, but not than itself.
    below = row("patch", rank=1, recall=1.0, precision=1.0, saliency=maps((4, 9, 0.2, 0.2), (3, 5, 0.05, 0.05)))
    above = row("patch", saliency=maps((9, 9, 0.1, 0.1), (1, 2, 0.15, 0.15)))

    page = render([clean, below, above])

    assert "| fashion | patch | 0.5 | 2 | 1 | 1 | 1.00 | 1.00 | 0 |  |  |  | 1 | 2 | 1 | 1 | 0.50 | 0.25 |" in page
    assert "| fashion | clean |  | 1 |  |  |  |  | 0 |  |  |  |  |  |  |  | 0.50 | 0.25 |" in page
    assert "**cleanlab** (not run)" in page


def test_the_page_has_no_bar_without_clean_cases() -> None:
    page = render([row("patch", saliency=maps((1, 1, 0.5, 0.5), (1, 1, 0.5, 0.5)))])

    assert "| fashion | patch | 0.5 | 1 | 0 | 0 |  |  | 0 |  |  |  | 1 | 1 | 1 |  | 0.50 | 0.25 |" in page


def test_commands_are_told_with_their_seeds() -> None:
    saliency = maps((1, 1, 0.5, 0.5), (1, 1, 0.5, 0.5))

    page = render([row("patch", saliency=saliency, seed=seed, command="planted.py --case a|b") for seed in (3, 2)])

    assert r"| `planted.py --case a\|b` | abc | 2, 3 |" in page
