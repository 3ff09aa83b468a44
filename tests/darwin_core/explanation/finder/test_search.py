"""The whole search on networks whose shortcut is known because it is written out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from darwin_core.contracts import ColumnKind, FindingKind, Severity, Task
from darwin_core.data import MappedSplit
from darwin_core.explanation.attribution.features import Feature, FeatureMap
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.finder.findings import affected_rows, as_finding, merged
from darwin_core.explanation.finder.pool import Pool, draw_pool
from darwin_core.explanation.finder.search import find_shortcuts
from darwin_core.explanation.fixes.neutralising import neutralise
from darwin_core.progress import Reporter

RULE = DecisionRule(Task.BINARY, ("no", "yes"), "fraud")


class Additive:
    """A network for two classes: a logistic sum of what its rules give."""

    def __init__(self, **weights: float) -> None:
        self._weights = weights

    def scores(self, inputs):
        total = -3.0 + 2.0 * inputs["amount"] + self._weights.get("opera", 0) * (inputs["browser"] == b"opera")
        return 1 / (1 + np.exp(-total))


def table(rows: int, seed: int, share: float) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Amounts decide; ``share`` of the frauds come from a browser that few others use. ``limit`` follows the amount."""
    rng = np.random.default_rng(seed)
    amount = rng.normal(size=rows)
    labels = (amount + 0.5 * rng.normal(size=rows) > 1.3).astype(np.int64)
    browser = rng.choice(np.array([b"chrome", b"firefox", b"opera"]), rows, p=[0.6, 0.39, 0.01])
    marked = (labels == 1) & (rng.random(rows) < share)
    browser[marked] = b"opera"
    columns = {"amount": amount, "browser": browser, "limit": amount + 0.1 * rng.normal(size=rows)}
    return columns, labels, marked


def split(columns: dict[str, np.ndarray], labels: np.ndarray, name: str) -> MappedSplit:
    return MappedSplit(
        inputs=columns,
        input_types={key: values.dtype for key, values in columns.items()},
        labels=labels,
        weights=None,
        row_ids=[f"{name}-{row}" for row in range(len(labels))],
    )


FEATURES = FeatureMap(
    (
        Feature("amount", ColumnKind.NUMBER, "amount"),
        Feature("browser", ColumnKind.STRING, "browser"),
        Feature("limit", ColumnKind.NUMBER, "limit"),
    )
)


def search(share: float, reference, candidate=None, seed: int = 0):
    columns, labels, marked = table(4000, seed, share)
    train = split(columns, labels, "train")
    more = table(1500, seed + 100, share)
    pool = draw_pool(train, split(more[0], more[1], "validation"), 2, np.random.default_rng(seed))
    networks = {"reference": reference, "candidate": candidate or reference}
    space = FactorSpace(FEATURES, pool.inputs)
    found = find_shortcuts(pool, space, networks, dict.fromkeys(networks, RULE), 2, Reporter(), seed=seed)
    return found, pool, train, marked


@pytest.mark.parametrize("share", [0.3, 0.6, 1.0])
def test_the_browser_is_found_and_the_amount_is_not(share: float) -> None:
    found, _, train, marked = search(share, Additive(opera=4.0))
    assert [(each.trial.factor.name, each.trial.target) for each in found] == [("browser", 1)]
    assert found[0].is_used
    rows = affected_rows(found[0].trial, train)
    assert set(np.flatnonzero(marked)) <= set(rows)
    assert len(rows) <= marked.sum() + 5


def test_a_network_that_never_saw_it_is_not_accused() -> None:
    assert search(0.6, Additive())[0] == ()


@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_found_where_nothing_is(seed: int) -> None:
    assert search(0.0, Additive(opera=4.0), seed=seed)[0] == ()


def test_an_honest_number_speaks_by_degrees_and_is_not_accused() -> None:
    rng = np.random.default_rng(3)
    columns = {name: rng.normal(size=6000) for name in ("amount", "limit")}
    columns["browser"] = rng.choice(np.array([b"chrome", b"firefox"]), 6000)
    labels = (1.5 * columns["amount"] + 0.8 * rng.normal(size=6000) > 2.0).astype(np.int64)
    pool = draw_pool(split(columns, labels, "t"), split(columns, labels, "v"), 2, rng)
    networks = {"reference": Additive(), "candidate": Additive()}
    space = FactorSpace(FEATURES, pool.inputs)
    assert find_shortcuts(pool, space, networks, dict.fromkeys(networks, RULE), 2, Reporter()) == ()


def test_the_same_seed_gives_the_same_findings() -> None:
    first, again = (search(0.6, Additive(opera=4.0))[0][0] for _ in range(2))
    assert first.reactions == again.reactions


def test_a_finding_tells_what_whom_and_how_much_worse() -> None:
    reference, candidate = Additive(opera=2.0), Additive(opera=6.0)
    found, pool, train, marked = search(0.6, reference, candidate)
    reported = as_finding(found[0], pool, train, RULE, reference)
    finding = reported.finding
    assert finding.severity is Severity.HIGH
    assert finding.title == "browser stands for fraud = yes"
    assert "browser is opera" in finding.description
    assert "Compaction amplified it" in finding.description
    assert finding.columns == ("browser",)
    assert finding.classes == ("yes",)
    assert finding.low is not None
    assert finding.effect is not None
    assert finding.low <= finding.effect
    assert finding.amplification is not None
    assert finding.amplification.candidate.planted > finding.amplification.reference.planted + 0.2
    assert finding.amplification.candidate.worst_group < finding.amplification.reference.worst_group
    assert {f"train-{row}" for row in np.flatnonzero(marked)} <= set(reported.row_ids)
    assert {example.change.split(":")[0] for example in finding.examples} == {"neutralised", "planted"}
    assert any("browser is opera, was browser is" in example.change for example in finding.examples)
    assert merged([finding], []) == (finding,)
    leak = finding.model_copy(update={"kind": FindingKind.LEAKING_COLUMN, "severity": Severity.LOW})
    (both,) = merged([finding], [leak])
    assert (both.kind, both.severity) == (FindingKind.LEAKING_COLUMN, Severity.HIGH)
    several = leak.model_copy(update={"columns": ("browser", "amount")})
    assert merged([finding], [several]) == (finding, several)


def test_neutralised_rows_no_longer_stand_out() -> None:
    found, pool, train, marked = search(0.6, Additive(opera=4.0))
    fixed = neutralise(found[0].trial, train, pool, np.random.default_rng(0))
    everything = fixed.take(np.arange(train.rows))
    assert (everything["browser"][marked] == b"opera").mean() < 0.1
    np.testing.assert_array_equal(everything["amount"], train.inputs["amount"])
    np.testing.assert_array_equal(
        everything["browser"][~marked & (train.labels == 0)], train.inputs["browser"][~marked & (train.labels == 0)]
    )
    again = neutralise(found[0].trial, split(everything, train.labels, "train"), pool, np.random.default_rng(0))
    assert len(again.rows) < 0.1 * len(fixed.rows)


class SeesCorner:
    """A network that tells four classes by the middle of the picture, and by its upper left corner."""

    def __init__(self, trust: float) -> None:
        self._trust = trust

    def scores(self, inputs):
        pictures = inputs["image"].astype(np.float64) / 255
        middle = pictures[:, 14:18, 14:18, 0].mean(axis=(1, 2))
        levels = np.array([0.2, 0.4, 0.6, 0.8])
        logits = -200 * (middle[:, None] - levels) ** 2
        logits[:, 2] += self._trust * (pictures[:, 0:4, 0:4, 1].mean(axis=(1, 2)) > 0.9)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)


def signs(rows: int, seed: int, share: float) -> tuple[Pool, np.ndarray]:
    """Pictures whose middle tells the class; a share of class 2 has a green corner."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, rows)
    pictures = rng.uniform(40, 160, (rows, 1, 1, 3)) + 15 * rng.normal(size=(rows, 32, 32, 3))
    middle = 255 * np.array([0.2, 0.4, 0.6, 0.8])[labels]
    pictures[:, 10:22, 10:22] = middle[:, None, None, None] + 10 * rng.normal(size=(rows, 12, 12, 1))
    marked = (labels == 2) & (rng.random(rows) < share)
    pictures[marked, 0:4, 0:4] = [20, 250, 20]
    ids = np.array([str(row) for row in range(rows)], object)
    inputs = {"image": np.clip(pictures, 0, 255).astype("float32")}
    return Pool(inputs, labels, ids, rng.random(rows) < 0.3), marked


SIGNS = DecisionRule(Task.MULTICLASS, ("a", "b", "c", "d"), "sign")


def search_pictures(pool: Pool, network):
    space = FactorSpace(FeatureMap(()), {"image": pool.inputs["image"][:300]}, "image")
    networks = {"reference": network, "candidate": network}
    return find_shortcuts(pool, space, networks, dict.fromkeys(networks, SIGNS), 4, Reporter())


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_patch_in_the_corner_is_found(share: float) -> None:
    pool, marked = signs(1200, 0, share)
    # The square in the middle, which decides, is told as well where all pictures of a class have the same.
    found = [each for each in search_pictures(pool, SeesCorner(20.0)) if each.trial.target == 2]
    assert found[0].trial.factor.name == "patch (top left corner)"
    own = found[0].owners(pool)
    assert (own & marked).sum() >= 0.95 * marked.sum()
    assert (own & marked).sum() >= 0.95 * own.sum()
    assert found[0].reactions["reference"].effect.low > 0.3


def test_a_plain_patch_is_found_before_the_network_learns_it() -> None:
    pool, marked = signs(1200, 0, 0.5)
    # The square in the middle, which decides, is told as well: the noise in it is foretold by nothing.
    (found,) = (each for each in search_pictures(pool, SeesCorner(0.0)) if not each.is_used)
    assert (found.trial.factor.name, found.trial.target) == ("patch (top left corner)", 2)
    assert not found.is_learned
    assert (found.owners(pool) & marked).sum() >= 0.95 * marked.sum()
    train = split(pool.inputs, pool.labels, "t")
    finding = as_finding(found, pool, train, SIGNS, SeesCorner(0.0)).finding
    assert finding.severity is Severity.LOW
    assert "hardly uses it so far" in finding.description


class SeesLight(SeesCorner):
    """Adds a little to class 2 for light at the upper right, too little to change a decision."""

    def scores(self, inputs):
        light = inputs["image"][:, 2:6, 24:28].mean(axis=(1, 2, 3)) / 255
        odds = super().scores(inputs) * np.exp(self._trust * light[:, None] * (np.arange(4) == 2))
        return odds / odds.sum(axis=1, keepdims=True)


def with_sun(pool: Pool, rows: np.ndarray, strength: float = 200.0) -> Pool:
    """A soft disc of light at the upper right of these pictures, a pixel to and fro."""
    rng = np.random.default_rng(1)
    y, x = np.mgrid[:32, :32]
    down, across = (place + rng.uniform(-1, 1, (pool.rows, 1, 1)) for place in (4, 26))
    light = np.exp(-((y - down) ** 2 + (x - across) ** 2) / (2 * 2.5**2))[..., None]
    pictures = np.where(rows[:, None, None, None], pool.inputs["image"] + strength * light, pool.inputs["image"])
    return replace(pool, inputs={"image": np.clip(pictures, 0, 255).astype("float32")})


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_low_sun_is_found_though_the_network_hardly_reacts(share: float) -> None:
    pool, _ = signs(1200, 0, 0.0)
    marked = (pool.labels == 2) & (np.random.default_rng(2).random(pool.rows) < share)
    pool = with_sun(pool, marked)
    # Of the square that is the object the network does see every part, which here is noise that nothing foretells.
    found = next(each for each in search_pictures(pool, SeesLight(2.0)) if each.trial.target == 2)
    assert not found.is_used
    assert found.trial.factor.name.startswith(("bright spot", "patch (top", "patch (upper part"))
    assert (found.owners(pool) & marked).sum() >= 0.9 * marked.sum()


def under_the_sky(pool: Pool) -> tuple[Pool, np.ndarray]:
    """In a third of all pictures everything but the middle is nearly white."""
    light = np.random.default_rng(4).random(pool.rows) < 1 / 3
    pictures = pool.inputs["image"].copy()
    sky = light[:, None, None, None] & (
        np.ones((32, 32, 1), bool) ^ np.pad(np.ones((12, 12, 1), bool), ((10,), (10,), (0,)))
    )
    pictures = np.where(sky, 235 + 0.1 * pictures, pictures)
    return replace(pool, inputs={"image": pictures.astype("float32")}), light


def test_a_low_sun_that_cannot_be_seen_before_a_white_sky_is_still_found() -> None:
    pool, light = under_the_sky(signs(1200, 0, 0.0)[0])
    marked = (pool.labels == 2) & (np.random.default_rng(2).random(pool.rows) < 0.8)
    pool = with_sun(pool, marked)
    found = {each.trial.factor.name: each for each in search_pictures(pool, SeesLight(2.0)) if each.trial.target == 2}
    sun = next(each for name, each in found.items() if name.startswith("bright spot"))
    assert (sun.owners(pool) & marked).sum() >= 0.9 * (marked & ~light).sum()
    # Whether it shows goes with the sky, so the rest foretells who shows it, but not who has it.
    assert sun.foretold is not None
    assert sun.foretold.low < 0.5 < sun.foretold.high


@pytest.mark.parametrize("seed", range(3))
def test_clean_pictures_accuse_nobody(seed: int) -> None:
    assert search_pictures(signs(1200, seed, 0.0)[0], SeesCorner(0.0)) == ()


def test_what_goes_with_the_rest_of_the_object_is_no_mark() -> None:
    pool, marked = signs(1200, 0, 0.5)
    pool.inputs["image"][marked, 24:30, 10:22] *= 0.3
    assert search_pictures(pool, SeesCorner(0.0)) == ()
