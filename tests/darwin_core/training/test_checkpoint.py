"""A checkpoint brings back exactly what it holds, or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from darwin_core.training.checkpoint import load_checkpoint, save_checkpoint


def variables(value: float) -> list[tf.Variable]:
    return [tf.Variable(np.full((2, 3), value, np.float32)), tf.Variable(np.int64(value))]


def test_values_and_step_come_back(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.npz", 12, variables(3.0))
    fresh = variables(0.0)
    assert load_checkpoint(tmp_path / "c.npz", fresh) == 12
    np.testing.assert_array_equal(fresh[0], np.full((2, 3), 3.0))
    assert int(fresh[1]) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["c.npz"]


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_torn_checkpoint_changes_nothing(tmp_path: Path, share: float) -> None:
    path = tmp_path / "c.npz"
    save_checkpoint(path, 12, variables(3.0))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    fresh = variables(0.0)
    assert load_checkpoint(path, fresh) == 0
    np.testing.assert_array_equal(fresh[0], np.zeros((2, 3)))


def test_one_of_another_network_changes_nothing(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "c.npz", 12, [tf.Variable(np.zeros(5, np.float32))])
    fresh = variables(1.0)
    assert load_checkpoint(tmp_path / "c.npz", fresh) == 0
    np.testing.assert_array_equal(fresh[0], np.ones((2, 3)))


def test_none_is_no_error(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path / "c.npz", variables(0.0)) == 0
