"""Pictures are mirrored for training only where the reference proves that their labels stay true."""

from __future__ import annotations

import numpy as np
import pytest

from darwin_core.contracts import OutputKind, Task
from darwin_core.training import mirror_keeps_labels

CLASSES = OutputKind(task=Task.MULTICLASS, units=3, from_logits=True)
RNG = np.random.default_rng(0)


def outputs(decisions: np.ndarray, units: int = 3) -> np.ndarray:
    return (4.0 * np.eye(units)[decisions]).astype(np.float32)


def erring(labels: np.ndarray, share: float) -> np.ndarray:
    """Decisions of which a share is wrong."""
    return np.where(RNG.random(len(labels)) < share, (labels + 1) % 3, labels)


def test_a_reference_that_errs_as_often_on_mirrored_pictures_allows_them() -> None:
    labels = np.arange(3000) % 3
    assert mirror_keeps_labels(CLASSES, labels, outputs(erring(labels, 0.05)), outputs(erring(labels, 0.05)))


def test_one_class_that_becomes_another_is_enough_to_forbid_it() -> None:
    labels = np.arange(3000) % 3
    mirrored = np.where(labels == 1, 2, labels)
    assert not mirror_keeps_labels(CLASSES, labels, outputs(labels), outputs(mirrored))


@pytest.mark.parametrize(("rows", "allowed"), [(20, False), (200, True)])
def test_few_pictures_of_a_class_prove_nothing(rows: int, allowed: bool) -> None:
    labels = np.concatenate([np.arange(600) % 2, np.full(rows, 2)])
    assert mirror_keeps_labels(CLASSES, labels, outputs(labels), outputs(labels)) is allowed


def test_two_classes_are_both_asked() -> None:
    kind = OutputKind(task=Task.BINARY, units=1, from_logits=False)
    labels = np.arange(400) % 2
    right = np.where(labels == 1, 0.9, 0.1).astype(np.float32)[:, None]
    assert mirror_keeps_labels(kind, labels, right, right)
    assert not mirror_keeps_labels(kind, labels, right, np.full_like(right, 0.9))


def test_of_several_labels_each_must_still_be_seen() -> None:
    kind = OutputKind(task=Task.MULTILABEL, units=2, from_logits=False)
    labels = (RNG.random((800, 2)) < 0.4).astype(np.int8)
    right = np.where(labels == 1, 0.9, 0.1).astype(np.float32)
    blind = right.copy()
    blind[:, 1] = 0.1
    assert mirror_keeps_labels(kind, labels, right, right)
    assert not mirror_keeps_labels(kind, labels, right, blind)
