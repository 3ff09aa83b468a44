"""Pictures are varied for training as far as the reference still recognises them, and no further."""

from __future__ import annotations

import numpy as np
import pytest

from darwin_core.contracts import OutputKind, Task, Variation
from darwin_core.training import MIRRORED, PLAIN, WarpView, choose_variation

CLASSES = OutputKind(task=Task.MULTICLASS, units=3, from_logits=True)
LABELS = np.arange(3000) % 3


def outputs(decisions: np.ndarray, units: int = 3) -> np.ndarray:
    return (4.0 * np.eye(units)[decisions]).astype(np.float32)


def erring(share: float, seed: int) -> np.ndarray:
    """Outputs of which a share decides for another class."""
    wrong = np.random.default_rng(seed).random(len(LABELS)) < share
    return outputs(np.where(wrong, (LABELS + 1) % 3, LABELS))


def reference(warped: dict[float, float], mirrored: float = 0.5):
    """A network that errs as often as this on views of such a strength, and on mirrored pictures."""
    shares = {WarpView(0, strength=strength).name: share for strength, share in warped.items()}
    shares |= {PLAIN.name: 0.05, MIRRORED.name: mirrored}
    return lambda view: erring(shares[view.name], len(view.name))


@pytest.mark.parametrize(
    ("warped", "strength"),
    [
        ({0.25: 0.06, 0.5: 0.06, 1.0: 0.065}, 1.0),
        ({0.25: 0.06, 0.5: 0.065, 1.0: 0.2}, 0.5),
        ({0.25: 0.06, 0.5: 0.1, 1.0: 0.3}, 0.25),
        ({0.25: 0.15, 0.5: 0.15, 1.0: 0.15}, 0.0),
    ],
)
def test_the_strongest_that_the_reference_puts_up_with(warped: dict[float, float], strength: float) -> None:
    assert choose_variation(CLASSES, LABELS, reference(warped)) == Variation(strength=strength)


def test_a_reference_that_knows_its_pictures_by_heart_does_not_forbid_it() -> None:
    fitted = reference({0.25: 0.09, 0.5: 0.09, 1.0: 0.1})
    found = choose_variation(CLASSES, LABELS, lambda view: outputs(LABELS) if view is PLAIN else fitted(view))
    assert found.strength == 0.0, "nine of a hundred lost at once is too much"
    fitted = reference({0.25: 0.04, 0.5: 0.04, 1.0: 0.04})
    found = choose_variation(CLASSES, LABELS, lambda view: outputs(LABELS) if view is PLAIN else fitted(view))
    assert found.strength == 1.0


def test_mirrored_where_the_reference_errs_no_more_often() -> None:
    assert choose_variation(CLASSES, LABELS, reference(dict.fromkeys((0.25, 0.5, 1.0), 0.05), 0.05)).mirrored


def test_one_class_that_becomes_another_is_enough_to_forbid_mirrors() -> None:
    turned = outputs(np.where(LABELS == 1, 2, LABELS))
    found = choose_variation(CLASSES, LABELS, lambda view: turned if view is MIRRORED else outputs(LABELS))
    assert found == Variation(strength=1.0, mirrored=False)


def test_no_label_at_all_tells_nothing() -> None:
    kind = OutputKind(task=Task.MULTILABEL, units=2, from_logits=False)
    found = choose_variation(kind, np.zeros((50, 2), np.int8), lambda _: np.full((50, 2), 0.9, np.float32))
    assert found == Variation()


@pytest.mark.parametrize(("rows", "allowed"), [(20, False), (200, True)])
def test_few_pictures_of_a_class_do_not_prove_that_mirrors_are_harmless(rows: int, allowed: bool) -> None:
    labels = np.concatenate([np.arange(600) % 2, np.full(rows, 2)])
    assert choose_variation(CLASSES, labels, lambda _: outputs(labels)).mirrored is allowed


def test_of_two_classes_both_are_asked() -> None:
    kind = OutputKind(task=Task.BINARY, units=1, from_logits=False)
    labels = np.arange(400) % 2
    right = np.where(labels == 1, 0.9, 0.1).astype(np.float32)[:, None]
    always = np.full_like(right, 0.9)
    assert choose_variation(kind, labels, lambda _: right) == Variation(strength=1.0, mirrored=True)
    assert not choose_variation(kind, labels, lambda view: always if view is MIRRORED else right).mirrored


def test_of_several_labels_each_must_still_be_seen() -> None:
    kind = OutputKind(task=Task.MULTILABEL, units=2, from_logits=False)
    labels = (np.random.default_rng(0).random((800, 2)) < 0.4).astype(np.int8)
    right = np.where(labels == 1, 0.9, 0.1).astype(np.float32)
    blind = right.copy()
    blind[:, 1] = 0.1
    assert choose_variation(kind, labels, lambda _: right).mirrored
    assert not choose_variation(kind, labels, lambda view: blind if view is MIRRORED else right).mirrored
