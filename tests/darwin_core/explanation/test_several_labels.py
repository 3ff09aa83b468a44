"""Explanations where a row can have several labels: what is attributed, what counts as wrong, what the checks see."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from support.checked_data import checked_data

from darwin_core.contracts import ColumnKind, DataRoles, Finding, FindingKind, OutputKind, Task
from darwin_core.explanation.attribution import Feature, FeatureMap
from darwin_core.explanation.checks import run_checks
from darwin_core.explanation.counterfactuals import SingleChange
from darwin_core.explanation.decisions import DecisionRule
from darwin_core.explanation.examples import telling_rows
from darwin_core.explanation.log_odds import LogOdds
from darwin_core.explanation.scoring import NetworkScorer
from darwin_core.explanation.weakened import _is_wrong
from darwin_core.progress import Reporter

RULE = DecisionRule(Task.MULTILABEL, ("rain", "wind", "fog"), "rain")
SCORES = np.asarray([[0.9, 0.6, 0.1], [0.2, 0.3, 0.1], [0.1, 0.49, 0.95]])
ROWS = 3_000


def test_decisions_are_sets_of_labels() -> None:
    assert RULE.decided(SCORES).tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert [RULE.shown(SCORES, row) for row in range(3)] == ["rain, wind", "no label", "fog"]
    assert [RULE.score(SCORES, row) for row in range(3)] == [0.9, 0.3, 0.95]
    targets = RULE.targets(SCORES)
    assert targets is not None
    assert targets.tolist() == [0, 1, 2]
    assert RULE.subject(2) == "the probability of fog"


def test_a_row_is_wrong_where_any_label_is() -> None:
    labels = np.asarray([[1, 1, 0], [0, 1, 0], [0, 0, 1]], np.int8)
    assert _is_wrong(RULE.decided(SCORES), labels).tolist() == [False, True, False]


def test_telling_rows_are_sure_near_the_border_or_disputed() -> None:
    reference = SCORES.copy()
    reference[1, 2] = 0.8
    assert telling_rows(RULE, SCORES, reference, each=1).tolist() == [2, 0, 1]


def test_there_is_no_one_decision_to_flip() -> None:
    features = FeatureMap((Feature("amount", ColumnKind.NUMBER, "amount"),))
    rows = {"amount": np.linspace(0, 1, 20, dtype=np.float32)[:, None]}
    change = SingleChange(features, rows, RULE, lambda inputs: np.repeat(inputs["amount"], 3, axis=1).astype(float))
    assert change.describe({"amount": rows["amount"][:1]}) is None


@pytest.mark.parametrize("from_logits", [False, True])
def test_scores_and_log_odds_are_those_of_the_label(from_logits: bool) -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((4, 4, 1), name="image")
    end = keras.layers.Dense(3, activation=None if from_logits else "sigmoid")
    model = keras.Model(image, end(keras.layers.Flatten()(image)))
    scorer = NetworkScorer(model, OutputKind(task=Task.MULTILABEL, units=3, from_logits=from_logits))
    pictures = np.random.default_rng(0).normal(size=(5, 4, 4, 1)).astype(np.float32)
    targets = np.asarray([0, 1, 2, 1, 0])
    scores = scorer.scores({"image": pictures})
    own = scores[np.arange(5), targets]
    assert scores.shape == (5, 3)
    np.testing.assert_allclose(scorer({"image": pictures}, targets), own)
    values, gradients = scorer.gradients(pictures, targets)
    np.testing.assert_allclose(values, own, rtol=1e-5)
    odds = LogOdds(scorer)({"image": pictures}, targets)
    np.testing.assert_allclose(odds, np.log(own / (1 - own)), rtol=1e-4)
    # The last layer is linear, so the gradient of the log-odds is the label's column of its weights.
    _, slopes = LogOdds(scorer).gradients(pictures, targets)
    np.testing.assert_allclose(slopes.reshape(5, -1), np.asarray(end.kernel).T[targets], rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(gradients, slopes * (own * (1 - own))[:, None, None, None], rtol=1e-3, atol=1e-6)


def found(train: dict[str, object], labels: np.ndarray, kind: FindingKind) -> list[Finding]:
    roles = DataRoles(label="rain", more_labels=("wind",))
    data = checked_data(train, labels, classes=("rain", "wind"), roles=roles)
    return [finding for finding in run_checks(data, Reporter())[0] if finding.kind is kind]


def test_a_column_that_gives_one_of_the_labels_away_is_found() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((ROWS, 2)) < (0.3, 0.1)).astype(np.int64)
    train = {"noise": rng.normal(size=ROWS), "gust": labels[:, 1] * 5 + rng.normal(size=ROWS)}
    (leak,) = found(train, labels, FindingKind.LEAKING_COLUMN)
    assert leak.columns == ("gust",)
    assert "tells label wind from the rest" in leak.description


def test_rows_that_agree_in_everything_but_one_label_contradict_each_other() -> None:
    rng = np.random.default_rng(0)
    labels = (rng.random((ROWS, 2)) < 0.3).astype(np.int64)
    train = {f"x{index}": rng.normal(size=ROWS) for index in range(4)}
    for values in train.values():
        values[100:140] = values[:40]
    labels[100:140] = labels[:40]
    assert found(train, labels, FindingKind.LABEL_CONFLICT) == []
    labels[100:120, 1] = 1 - labels[:20, 1]
    (conflict,) = found(train, labels, FindingKind.LABEL_CONFLICT)
    assert conflict.affected_rows == 40
    assert "disagree in the labels" in conflict.description
