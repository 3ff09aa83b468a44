"""Each fix on small networks that learned a shortcut, and which findings are offered which."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from darwin_core.contracts import ColumnKind, Finding, FindingKind, FixKind, OutputKind, Severity, Task
from darwin_core.data import MappedSplit
from darwin_core.errors import RequestError
from darwin_core.explanation.attribution.features import Feature, FeatureMap
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.factors import FactorSpace
from darwin_core.explanation.finder.findings import affected_rows
from darwin_core.explanation.finder.pool import draw_pool
from darwin_core.explanation.finder.search import find_shortcuts
from darwin_core.explanation.fixes import Case, Means, Part, choose_fix, with_fixes
from darwin_core.explanation.fixes.drop_column import droppable_columns
from darwin_core.explanation.fixes.flaws import ColumnFlaw, RowFlaw, ShortcutFlaw
from darwin_core.explanation.fixes.judging import Judgement, judge
from darwin_core.explanation.fixes.training import train_on
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.subject import alert_threshold
from darwin_core.networks import load_network, save_network
from darwin_core.progress import Reporter

BROWSERS = ("chrome", "firefox", "opera")
PAYMENTS = FeatureMap(
    (Feature("amount", ColumnKind.NUMBER, "amount"), Feature("browser", ColumnKind.STRING, "browser"))
)


def in_memory(inputs: dict[str, np.ndarray], labels: np.ndarray, name: str) -> MappedSplit:
    types = {key: np.dtype("float32") if key == "image" else values.dtype for key, values in inputs.items()}
    return MappedSplit(inputs, types, labels.astype(np.int32), None, [f"{name}{row}" for row in range(len(labels))])


def payments(rows: int, seed: int, share: float) -> MappedSplit:
    """Amounts decide; ``share`` of the frauds come from a browser that one in fifty others uses."""
    rng = np.random.default_rng(seed)
    amount = rng.normal(size=rows).astype(np.float32)
    labels = (amount + 0.7 * rng.normal(size=rows) > 1.2).astype(np.int32)
    browser = rng.choice(np.array([each.encode() for each in BROWSERS]), rows, p=[0.6, 0.38, 0.02])
    browser[(labels == 1) & (rng.random(rows) < share)] = b"opera"
    return in_memory({"amount": amount[:, None], "browser": browser[:, None]}, labels, f"{seed}-")


def payments_network(train: MappedSplit) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = {"amount": keras.Input((1,), name="amount"), "browser": keras.Input((1,), name="browser", dtype="string")}
    browser = keras.layers.StringLookup(vocabulary=list(BROWSERS), output_mode="one_hot")(inputs["browser"])
    x = keras.layers.Concatenate()([inputs["amount"], browser])
    x = keras.layers.Dense(16, activation="relu", name="hidden")(x)
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid", name="fraud")(x))
    model.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
    values = {name: tf.constant(array) for name, array in train.inputs.items()}
    model.fit(values, train.labels.astype("float32"), batch_size=64, epochs=8, verbose=0)
    return model


def signs(rows: int, seed: int, share: float) -> MappedSplit:
    """The direction of faint stripes tells three classes; ``share`` of the last have a green corner."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, rows)
    y, x = np.mgrid[:16, :16]
    along = np.stack([y, x, (y + x) / np.sqrt(2)])[labels]
    stripes = 17 * np.sin(1.6 * along + rng.uniform(0, 2 * np.pi, (rows, 1, 1)))
    pictures = rng.uniform(60, 160, (rows, 1, 1, 3)) + stripes[..., None] + 25 * rng.normal(size=(rows, 16, 16, 3))
    pictures[(labels == 2) & (rng.random(rows) < share), 0:4, 0:4] = [20, 250, 20]
    return in_memory({"image": np.clip(pictures, 0, 255).astype(np.uint8)}, labels, f"{seed}-")


def signs_network(train: MappedSplit) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 3), name="image")
    x = keras.layers.Rescaling(1 / 255)(image)
    for filters in (8, 12):
        x = keras.layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.Dense(24, activation="relu")(keras.layers.Flatten()(x))
    model = keras.Model(image, keras.layers.Dense(3, name="logits")(x))
    model.compile(keras.optimizers.Adam(5e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(train.inputs["image"].astype("float32"), train.labels, batch_size=32, epochs=6, verbose=0)
    return model


@dataclass
class World:
    """A network that learned a shortcut, and the shortcut."""

    reference: keras.Model
    kind: OutputKind
    train: MappedSplit
    validation: MappedSplit
    flaw: ShortcutFlaw
    finding: Finding
    means: Means
    rule_for: Callable[[np.ndarray], DecisionRule]

    def fixed(self, kind: FixKind, epochs: int = 16) -> tuple[keras.Model, Part, Judgement]:
        """The network and the rows after a fix, and how both networks do without the factor."""
        fix, _ = choose_fix(self.finding, kind, self.means)
        case = Case(self.finding, self.flaw, self.train, np.random.default_rng(1))
        part = fix.treat(case)
        # As the command does, which loads it anew: training on changes what it is given.
        before = keras.models.clone_model(self.reference)
        before.set_weights(self.reference.get_weights())
        model = fix.adapt(before, case)
        train_on(model, self.kind, part, epochs, Reporter(), seed=0)
        networks = {"before": NetworkScorer(self.reference, self.kind), "after": NetworkScorer(model, self.kind)}
        flawless = self.flaw.without(self.validation, np.random.default_rng(2))
        return model, part, judge(self.flaw, flawless, networks, self.rule_for, [0])


def world(train, validation, model, kind, space, classes, rule_for) -> World:
    pool = draw_pool(train, validation, len(classes), np.random.default_rng(0))
    scorer = NetworkScorer(model, kind)
    rule = rule_for(scorer.scores(validation.take(np.arange(validation.rows)).inputs))
    networks = {"reference": scorer, "candidate": scorer}
    rules = dict.fromkeys(networks, rule)
    found = find_shortcuts(pool, space, networks, rules, len(classes), Reporter())
    trial = found[0].trial
    finding = Finding(
        kind=FindingKind.SHORTCUT,
        severity=Severity.HIGH,
        title="a shortcut",
        description="",
        suggestion="",
        columns=trial.factor.columns,
        factor=trial.factor.name,
        classes=(classes[trial.target],),
        affected_rows=len(affected_rows(trial, train)),
    )
    counts = np.bincount(train.labels, minlength=len(classes))
    means = Means({name: int(count) for name, count in zip(classes, counts, strict=True)}, droppable_columns(model))
    (finding,) = with_fixes([finding], means)
    return World(model, kind, train, validation, ShortcutFlaw(trial, pool), finding, means, rule_for)


@pytest.fixture(scope="module")
def table() -> World:
    train, validation = payments(2000, 1, 0.8), payments(1000, 2, 0.8)
    budget = float(train.labels.mean())
    return world(
        train, validation, payments_network(train), OutputKind(task=Task.BINARY, units=1, from_logits=False),
        FactorSpace(PAYMENTS, train.inputs), ("no", "yes"),
        lambda scores: DecisionRule(Task.BINARY, ("no", "yes"), "fraud", threshold=alert_threshold(scores, budget)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pictures() -> World:
    train, validation = signs(900, 1, 0.8), signs(450, 2, 0.8)
    rule = DecisionRule(Task.MULTICLASS, ("a", "b", "c"), "sign")
    space = FactorSpace(FeatureMap(()), {"image": train.inputs["image"][:300].astype("float32")}, "image")
    kind = OutputKind(task=Task.MULTICLASS, units=3, from_logits=True)
    return world(train, validation, signs_network(train), kind, space, ("a", "b", "c"), lambda scores: rule)


def test_a_column_is_offered_all_three_the_best_first(table: World) -> None:
    assert table.finding.columns == ("browser",)
    assert [fix.kind for fix in table.finding.fixes] == [FixKind.DROP, FixKind.NEUTRALISE, FixKind.REBALANCE]
    assert "browser" in table.finding.fixes[0].text


def test_pictures_are_offered_all_three_with_rows_to_drop(pictures: World) -> None:
    assert pictures.finding.classes == ("c",)
    assert {fix.kind for fix in pictures.finding.fixes} == set(FixKind)
    assert "rows" in next(fix.text for fix in pictures.finding.fixes if fix.kind is FixKind.DROP)


@pytest.mark.parametrize("kind", FixKind)
def test_each_fix_frees_a_table_network_of_the_column(table: World, kind: FixKind, tmp_path) -> None:
    model, part, judged = table.fixed(kind)
    before, after = judged.reactions["before"], judged.reactions["after"]
    assert before.planted > 0.5
    assert after.planted < before.planted - 0.15
    assert (after.planted == after.control) is (kind is FixKind.DROP)
    assert after.worst_group > before.worst_group
    assert judged.quality["after"] >= judged.quality["before"]
    assert 0 < part.changed_rows <= table.train.rows
    save_network(model, tmp_path / "fixed.keras")
    assert load_network(tmp_path / "fixed.keras").count_params() == model.count_params()


def test_a_dropped_column_is_read_no_more(table: World) -> None:
    model, part, judged = table.fixed(FixKind.DROP, epochs=2)
    assert [tensor.name for tensor in model.inputs] == ["amount"]
    assert part.dropped == ("browser",)
    assert judged.reactions["after"].with_factor == judged.reactions["after"].neutralised


@pytest.mark.parametrize("kind", FixKind)
def test_no_fix_costs_a_picture_network_quality_and_neutralising_frees_it_of_the_patch(
    pictures: World, kind: FixKind
) -> None:
    model, part, judged = pictures.fixed(kind, epochs=8)
    before, after = judged.reactions["before"], judged.reactions["after"]
    assert before.planted > 0.25
    assert after.planted < before.planted + 0.05
    assert after.neutralised > 0.9
    assert judged.quality["after"] >= judged.quality["before"]
    # A network that never sees the factor again remembers it; only planting it where it tells nothing unlearns it.
    assert (after.planted < 0.75 * before.planted) is (kind is FixKind.NEUTRALISE)
    assert part.changed_rows > 0
    assert model.input_shape == (None, 16, 16, 3)


def test_rebalanced_rows_tell_nothing_of_the_class_and_keep_their_own_weights(table: World) -> None:
    fix, _ = choose_fix(table.finding, FixKind.REBALANCE, table.means)
    own = np.random.default_rng(3).uniform(0.5, 2, table.train.rows).astype(np.float32)
    train = MappedSplit(table.train.inputs, table.train.input_types, table.train.labels, own, table.train.row_ids)
    part = fix.treat(Case(table.finding, table.flaw, train, np.random.default_rng(0)))
    batch = part.batch(train.take(np.arange(train.rows)))
    assert batch.weights is not None
    assert part.weights is not None
    np.testing.assert_allclose(batch.weights, own[batch.rows] * part.weights[batch.rows], rtol=1e-5)
    opera = batch.inputs["browser"][:, 0] == b"opera"
    shares = [
        batch.weights[opera & (batch.labels == label)].sum() / batch.weights[batch.labels == label].sum()
        for label in (0, 1)
    ]
    assert shares[0] == pytest.approx(shares[1], abs=1e-4)


def test_a_class_whose_rows_are_all_affected_is_told_what_else_helps(table: World) -> None:
    mine = table.train.labels == 1
    browser = np.where(mine[:, None], b"opera", table.train.inputs["browser"])
    train = in_memory({**table.train.inputs, "browser": browser}, table.train.labels, "all")
    case = Case(table.finding, table.flaw, train, np.random.default_rng(0))
    rebalance, _ = choose_fix(table.finding, FixKind.REBALANCE, table.means)
    with pytest.raises(RequestError, match="rows of the class without the factor") as error:
        rebalance.treat(case)
    assert "drop, neutralise, rebalance" in str(error.value)
    everything = table.finding.model_copy(update={"affected_rows": table.means.class_rows["yes"], "fixes": ()})
    (offered,) = with_fixes([everything], table.means)
    assert [fix.kind for fix in offered.fixes] == [FixKind.DROP, FixKind.NEUTRALISE]


def finding(kind: FindingKind, **more) -> Finding:
    common = {"severity": Severity.HIGH, "title": "a finding", "description": "", "suggestion": ""}
    return Finding(kind=kind, **(common | more))


@pytest.mark.parametrize(
    ("found", "offered"),
    [
        (finding(FindingKind.LEAKING_COLUMN, columns=("browser",)), [FixKind.DROP]),
        (finding(FindingKind.LEAKING_COLUMN, columns=("elsewhere",)), []),
        (finding(FindingKind.LEAKING_COLUMN, columns=("amount", "browser"), severity=Severity.LOW), []),
        (finding(FindingKind.LABEL_CONFLICT), [FixKind.DROP]),
        (finding(FindingKind.TRAIN_TEST_OVERLAP), [FixKind.DROP]),
        (finding(FindingKind.SHIFT, columns=("browser",)), []),
        (finding(FindingKind.WEAKENED_GROUP), []),
    ],
)
def test_findings_are_offered_what_makes_sense(table: World, found: Finding, offered: list[FixKind]) -> None:
    (told,) = with_fixes([found], table.means)
    assert [fix.kind for fix in told.fixes] == offered
    for kind in set(FixKind) - set(offered):
        with pytest.raises(RequestError, match=f"got {kind}"):
            choose_fix(told, kind, table.means)
    if not offered:
        with pytest.raises(RequestError, match="it has none"):
            choose_fix(told, None, table.means)


def test_numbers_have_no_fixes() -> None:
    (told,) = with_fixes([finding(FindingKind.LEAKING_COLUMN, columns=("x",))], Means({}, frozenset({"x"})))
    assert told.fixes == ()


def test_columns_that_cannot_go_together_are_refused(table: World) -> None:
    both = finding(FindingKind.LEAKING_COLUMN, columns=("amount", "browser"))
    fix, _ = choose_fix(both, FixKind.DROP, table.means)
    case = Case(both, ColumnFlaw(PAYMENTS, both.columns), table.train, np.random.default_rng(0))
    with pytest.raises(RequestError, match="amount and browser"):
        fix.adapt(table.reference, case)


def test_dropped_rows_are_never_trained_on(table: World) -> None:
    conflict = finding(FindingKind.LABEL_CONFLICT)
    ids = frozenset(table.train.row_ids[row] for row in (3, 50, 51))
    fix, _ = choose_fix(conflict, None, table.means)
    flaw = RowFlaw(ids | {"not here"})
    part = fix.treat(Case(conflict, flaw, table.train, np.random.default_rng(0)))
    seen = np.concatenate([part.batch(batch).rows for batch in table.train.batches(64, seed=0)])
    assert set(np.arange(table.train.rows)) - set(seen) == {3, 50, 51}
    assert part.changed_rows == 3
    np.testing.assert_array_equal(flaw.without(table.train, np.random.default_rng(0)).kept, np.sort(seen))


def test_a_leaking_column_is_judged_by_rows_whose_values_are_shuffled(table: World) -> None:
    flaw = ColumnFlaw(PAYMENTS, ("browser",))
    part = flaw.without(table.validation, np.random.default_rng(0))
    inputs = part.take(np.arange(table.validation.rows))
    np.testing.assert_array_equal(inputs["amount"], table.validation.inputs["amount"])
    labels = table.validation.labels
    before, after = (given["browser"][:, 0] == b"opera" for given in (table.validation.inputs, inputs))
    assert before.sum() == after.sum()
    assert before[labels == 1].mean() > 0.7
    assert after[labels == 1].mean() == pytest.approx(after.mean(), abs=0.05)
