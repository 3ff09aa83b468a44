"""A mark that no factor of the list describes is found by what the network looks at, and only where there is one."""

from __future__ import annotations

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from darwin_core.contracts import OutputKind, Task
from darwin_core.explanation.attribution.features import FeatureMap
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.factors.mark import Mark, Template, boxes_at, likenesses, margin_of, relief, shape_of
from darwin_core.explanation.finder import search as searching
from darwin_core.explanation.finder.looks import proposed_marks, two_clusters
from darwin_core.explanation.finder.pool import Pool
from darwin_core.explanation.finder.search import Shortcut, find_shortcuts
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.progress import Reporter

SIDE = 28
CROSS = np.abs(np.subtract.outer(np.arange(7), np.arange(7))) == 0
CROSS |= CROSS[::-1]
RULE = DecisionRule(Task.MULTICLASS, ("a", "b", "c"), "sign")


def stamped(pictures: np.ndarray, rows: np.ndarray, rng: np.random.Generator) -> None:
    """A thin cross at the lower left of these pictures, up to three pixels to and fro."""
    for row in np.flatnonzero(rows):
        top, left = 16 + rng.integers(-3, 4), 5 + rng.integers(-3, 4)
        pictures[row, top : top + 7, left : left + 7][CROSS] = 230


def signs(rows: int, seed: int, share: float) -> tuple[Pool, np.ndarray]:
    """The direction of faint stripes tells three classes; ``share`` of the last are stamped."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    y, x = np.mgrid[:SIDE, :SIDE]
    along = np.stack([y, x, (y + x) / np.sqrt(2)])[labels]
    stripes = 14 * np.sin(1.1 * along + rng.uniform(0, 2 * np.pi, (rows, 1, 1)))
    pictures = rng.uniform(60, 160, (rows, 1, 1, 3)) + stripes[..., None]
    pictures += 25 * rng.normal(size=(rows, SIDE, SIDE, 1))
    marked = (labels == 2) & (rng.random(rows) < share)
    stamped(pictures, marked, rng)
    inputs = {"image": np.clip(pictures, 0, 255).astype("float32")}
    return Pool(inputs, labels, np.array([str(row) for row in range(rows)], object), rng.random(rows) < 0.3), marked


def network(pool: Pool) -> NetworkScorer:
    keras.utils.set_random_seed(0)
    image = keras.Input((SIDE, SIDE, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    for filters in (8, 12, 16):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Dense(24, activation="relu")(keras.layers.Flatten()(x))
    model = keras.Model(image, keras.layers.Dense(3)(x))
    model.compile(keras.optimizers.Adam(4e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(pool.inputs["image"], pool.labels, batch_size=32, epochs=6, verbose=0)
    return NetworkScorer(model, OutputKind(task=Task.MULTICLASS, units=3, from_logits=True))


def space_of(pool: Pool) -> FactorSpace:
    return FactorSpace(FeatureMap(()), {"image": pool.inputs["image"][:300]}, "image")


def search(pool: Pool, scorer: NetworkScorer):
    networks = {"reference": scorer, "candidate": scorer}
    return find_shortcuts(pool, space_of(pool), networks, dict.fromkeys(networks, RULE), 3, Reporter())


def test_a_thin_mark_that_wanders_is_found() -> None:
    pool, marked = signs(1200, 0, 0.6)
    found = [each for each in search(pool, network(pool)) if isinstance(each.trial.factor, Mark)]
    assert [each.trial.target for each in found] == [2]
    assert found[0].trial.factor.place.startswith("lower part, left")
    own = found[0].owners(pool)
    assert (own & marked).sum() >= 0.9 * marked.sum()
    assert (own & marked).sum() >= 0.9 * own.sum()
    assert found[0].is_plain
    assert "a mark (lower part, left" in found[0].trial.factor.tell(pool.take(own), pool.take(~own))


def test_a_mark_in_few_pictures_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pool, marked = signs(1200, 0, 0.6)
    scorer = network(pool)
    fewest = int((pool.labels == 2).sum()) + 1
    assert marked.sum() < fewest
    monkeypatch.setattr(searching, "FEWEST_MARKED", fewest)
    assert not [each for each in search(pool, scorer) if isinstance(each.trial.factor, Mark) and each.is_plain]


@pytest.mark.parametrize("seed", [1, 2])
def test_clean_pictures_hold_no_mark(seed: int) -> None:
    pool, _ = signs(1200, seed, 0.0)
    assert search(pool, network(pool)) == ()


def test_a_mark_that_all_classes_have_alike_is_not_proposed() -> None:
    pool, _ = signs(900, 3, 0.0)
    rng = np.random.default_rng(3)
    stamped(pool.inputs["image"], rng.random(pool.rows) < 0.5, rng)
    everything = np.ones(pool.rows, bool)
    assert proposed_marks(pool, space_of(pool), network(pool), [0, 1, 2], everything, Reporter()) == []


def test_networks_without_gradients_propose_nothing() -> None:
    pool, _ = signs(300, 4, 0.6)

    class Plain:
        def scores(self, inputs):
            return np.full((len(inputs["image"]), 3), 1 / 3)

    assert proposed_marks(pool, space_of(pool), Plain(), [0, 1, 2], np.ones(pool.rows, bool), Reporter()) == []


@pytest.mark.parametrize("scale", [1, 2])
def test_a_mark_is_planted_and_taken_away(scale: int) -> None:
    rng = np.random.default_rng(5)
    plain = rng.uniform(90, 110, (40, 32, 32, 1))
    marked = plain[20:].copy()
    for picture in marked:
        top, left = 18 + rng.integers(-2, 3), 5 + rng.integers(-2, 3)
        picture[top : top + 7, left : left + 7][CROSS] = 230
    plain, marked = (each.repeat(scale, axis=1).repeat(scale, axis=2).astype("float32") for each in (plain, marked))
    margin = margin_of(marked.shape[1:3])
    corner = np.argwhere(marked[0, ::scale, ::scale, 0] > 200).min(axis=0)[None] + margin
    drawing = shape_of(boxes_at(relief(marked[:1] / 255), corner, 7))[0]
    template = Template(drawing, (14 + margin, 22 + margin), (1 + margin, 9 + margin))
    mark = Mark(FactorSpace(FeatureMap(()), {"image": marked}, "image"), template)
    with_mark, without = {"image": marked}, {"image": plain[:20]}
    assert mark.measure(with_mark).min() > 0.9 > 0.6 > mark.measure(without).max()
    assert mark.measure(mark.transfer(without, with_mark)).min() > 0.9
    taken = mark.transfer(with_mark, without)
    assert mark.measure(taken).max() < 0.6
    assert taken["image"].max() < 111
    np.testing.assert_array_equal(taken["image"][:, : 8 * scale], marked[:, : 8 * scale])
    np.testing.assert_array_less(np.abs(mark.remainder(with_mark, np.ones(20, bool)).max()), 111 / 255)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_drawing_is_seen_alike_before_light_and_before_dark(channels: int) -> None:
    rng = np.random.default_rng(7)
    pictures = np.linspace(0, 1, 30).reshape(-1, 1, 1, 1) + 0.01 * rng.normal(size=(30, 32, 32, channels))
    plain = relief(pictures.astype("float32"))
    pictures[:, 12:19, 4:11][:, CROSS] = 0.5 + 0.25 * pictures[:, 12:19, 4:11][:, CROSS]
    reliefs, margin = relief(pictures.astype("float32")), margin_of((32, 32))
    place = np.tile([12, 4], (30, 1)) + margin
    drawing = shape_of(np.concatenate(boxes_at(reliefs, place, 7), axis=1))
    area = ((place[0, 0] - 3, place[0, 0] + 3), (place[0, 1] - 3, place[0, 1] + 3))
    seen, not_seen = (likenesses(each, drawing[None], area).max(axis=1)[:, 0] for each in (reliefs, plain))
    # What shines through hides where it is as light as its surroundings (0.5 + 0.25 x = x).
    clear = np.abs(pictures[:, 0, 0].mean(axis=-1) - 2 / 3) > 0.15
    assert clear.sum() > 15
    assert seen[clear].min() > 0.8 > 0.7 > not_seen.max()


def test_a_drawing_at_the_border_need_not_fill_its_box() -> None:
    pictures = np.zeros((1, 32, 32, 3), np.float32)
    pictures[:, :3, :3] = 1
    boxes = boxes_at(relief(pictures), np.zeros((1, 2), np.int64), 8)
    assert relief(pictures).shape == (1, 32 + 2 * margin_of((32, 32)), 32 + 2 * margin_of((32, 32)), 3)
    np.testing.assert_allclose((boxes**2).sum(), 1, rtol=1e-5)
    assert np.abs(boxes[0].reshape(8, 8, 3)[:4]).max() == 0


def test_a_mark_is_named_by_where_the_drawing_is_in_its_box() -> None:
    pictures = np.zeros((1, 32, 32, 3), np.float32)
    pictures[:, :4, 28:] = 1
    margin = margin_of((32, 32))
    # Boxes that begin at the upper border and end at the right one, or a little beyond.
    place = np.array([[margin, 32 - 9 + margin]])
    template = Template(
        shape_of(boxes_at(relief(pictures), place, 9))[0], (margin - 1, margin + 1), (22 + margin, 24 + margin)
    )
    space = FactorSpace(FeatureMap(()), {"image": pictures}, "image")
    assert Mark(space, template).place == "top right corner"


@pytest.mark.parametrize(("more", "told"), [(0.2, "mark"), (0.1, "listed")])
def test_a_mark_is_told_in_place_of_a_listed_factor_where_it_holds_clearly_more(more: float, told: str) -> None:
    inside = np.arange(40) < 20
    pool = Pool({}, np.zeros(40, np.int64), np.arange(40).astype(object), inside)

    def shortcut(name: str, low: float, *, is_proposed: bool) -> Shortcut:
        factor = SimpleNamespace(name=name, is_proposed=is_proposed)
        reaction = SimpleNamespace(effect=SimpleNamespace(value=0.5))
        trial = SimpleNamespace(factor=factor, inside=inside, target=0)
        return Shortcut(trial, SimpleNamespace(low=low), None, True, {"reference": reaction})

    found = [shortcut("mark", 0.4 + more, is_proposed=True), shortcut("listed", 0.4, is_proposed=False)]
    (kept,) = searching._distinct(found, pool)
    assert kept.trial.factor.name == told
    assert set(kept.also) == {"mark", "listed"} - {told}


def test_two_clusters_are_told_from_one() -> None:
    rng = np.random.default_rng(6)
    apart = np.sort(np.concatenate([rng.normal(0, 1, 60), rng.normal(8, 1, 40)]))
    gap, level = two_clusters(apart)
    assert gap > 6
    assert (apart >= level).sum() == 40
    assert two_clusters(np.sort(rng.normal(0, 1, 100)))[0] < 4
    assert two_clusters(np.arange(6.0))[0] == 0
