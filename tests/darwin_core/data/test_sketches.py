"""Sketches stay alike where rows are nearly copies, and say nothing of a row to who has no such row."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from darwin_core.contracts import ColumnKind, ColumnSchema
from darwin_core.data.sketches import (
    PICTURE_NUMBERS,
    SCALE,
    can_be_sketched,
    column_groups,
    picture_look,
    sketch_pictures,
    sketch_table,
    three_digits,
)


def numbers(sketches: pa.Array, dtype: type) -> np.ndarray:
    return np.frombuffer(b"".join(sketches.to_pylist()), np.uint8).reshape(len(sketches), -1).view(dtype)


@pytest.mark.parametrize("shape", [(28, 28), (32, 32, 3), (5, 9, 1), (224, 200, 3)])
def test_brightness_and_contrast_do_not_matter(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(40, 160, (6, *shape)).astype(np.uint8)
    looks, brighter = picture_look(pictures), picture_look(pictures * 1.4 + 11.0)
    np.testing.assert_allclose(looks, brighter, atol=1e-9)
    np.testing.assert_allclose(np.linalg.norm(looks, axis=1), 1)


def test_cells_are_means_of_pixels() -> None:
    picture = np.zeros((1, 16, 16))
    picture[0, :2, :2] = 1.0  # the first cell
    look = picture_look(picture).reshape(8, 8)
    assert np.argmax(look) == 0
    assert np.ptp(look.ravel()[1:]) == pytest.approx(0)


def test_distances_survive_the_sketch() -> None:
    rng = np.random.default_rng(0)
    pictures = rng.normal(size=(60, 8, 8, 3))
    looks, near = picture_look(pictures), picture_look(pictures + 0.2 * rng.normal(size=pictures.shape))
    first, other = (numbers(sketch_pictures([each]), np.int8) / SCALE for each in (looks, near))
    assert first.shape == (60, PICTURE_NUMBERS)
    ratio = np.linalg.norm(first - other, axis=1) / np.linalg.norm(looks - near, axis=1)
    assert 0.9 < ratio.mean() < 1.1
    assert np.linalg.norm(first[1:] - first[:-1], axis=1).min() > 2 * np.linalg.norm(first - other, axis=1).max()


def test_a_blank_picture_is_nothing() -> None:
    blank = np.full((2, 8, 8, 3), 7, np.uint8)
    assert not numbers(sketch_pictures([picture_look(blank)]), np.int8).any()


def test_rows_share_a_hash_where_one_group_differs_and_nowhere_else() -> None:
    rows = {
        "amount": pa.array([12.341, 12.3449, 12.341, 99.0]),
        "city": pa.array(["Oslo", " OSLO", "Rome", "Rome"]),
        "count": pa.array([5, 5, 5, 6]),
        "flag": pa.array([True, False, True, True]),
    }
    kinds = (ColumnKind.NUMBER, ColumnKind.STRING, ColumnKind.INTEGER, ColumnKind.BOOLEAN)
    features = [ColumnSchema(name=name, kind=kind) for name, kind in zip(rows, kinds, strict=True)]
    hashes = numbers(sketch_table(rows, features), np.uint64)
    assert hashes.shape == (4, 4)
    equal = hashes[:, None] == hashes[None]
    np.testing.assert_array_equal(equal[0, 1], [False, False, False, True])  # but for the flag
    np.testing.assert_array_equal(equal[0, 2], [False, True, False, False])  # but for the city
    assert not equal[1, 2].any(), "two groups differ"
    assert not equal[3, :3].any(), "one value in common tells nothing"


def test_three_digits() -> None:
    values = np.array([0.0, -0.0, 1234.0, 1230.4, -0.0012345, 1e-320, np.nan, np.inf])
    np.testing.assert_allclose(three_digits(values), [0, 0, 1230, 1230, -0.00123, 1e-320, np.nan, np.inf], rtol=1e-12)


def test_columns_are_grouped_evenly() -> None:
    names = [f"c{index}" for index in range(37)]
    groups = column_groups(names)
    assert len(groups) == 16
    assert [name for group in groups for name in group] == names
    assert {len(group) for group in groups} == {2, 3}
    assert column_groups(names[:3]) == [["c0"], ["c1"], ["c2"]]


def test_tensors_are_not_sketched() -> None:
    assert can_be_sketched([ColumnKind.NUMBER, ColumnKind.STRING])
    assert can_be_sketched([ColumnKind.IMAGE, ColumnKind.TENSOR])
    assert not can_be_sketched([ColumnKind.NUMBER, ColumnKind.TENSOR])
    assert not can_be_sketched([])
