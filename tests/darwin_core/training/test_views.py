"""Views are pure functions of the row number."""

from __future__ import annotations

import numpy as np
import pytest
from support.learning import as_split

from darwin_core.contracts import Task
from darwin_core.training import PLAIN, ShiftView, teaching_views

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(40, 8, 8, 3), dtype=np.uint8)
SPLIT = as_split({"image": IMAGES}, np.zeros(40, np.int32))


def test_the_plain_view_changes_nothing() -> None:
    rows = np.asarray([3, 1])
    np.testing.assert_array_equal(PLAIN.inputs(SPLIT, rows)["image"], IMAGES[rows])


def test_a_view_shows_a_row_the_same_in_every_batch() -> None:
    view = ShiftView(2)
    everything = view.inputs(SPLIT, np.arange(40))["image"]
    some = np.asarray([17, 3, 39])
    np.testing.assert_array_equal(view.inputs(SPLIT, some)["image"], everything[some])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_shifts_move_pixels_by_whole_steps_and_keep_the_type(dtype: type) -> None:
    split = as_split({"image": IMAGES.astype(dtype)}, np.zeros(40, np.int32))
    moved = ShiftView(0, shift=0.25, brightness=0.0).inputs(split, np.arange(40))["image"]
    assert moved.dtype == dtype
    offsets = set()
    for image, plain in zip(moved, IMAGES, strict=True):
        inner = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if np.array_equal(image[2:6, 2:6], plain[2 + down : 6 + down, 2 + right : 6 + right])
        ]
        assert len(inner) == 1
        offsets.add(inner[0])
    assert len(offsets) > 10


def test_views_differ_and_say_so_by_name() -> None:
    first, second = ShiftView(0), ShiftView(1)
    assert first.name != second.name
    rows = np.arange(40)
    assert not np.array_equal(first.inputs(SPLIT, rows)["image"], second.inputs(SPLIT, rows)["image"])


def test_columns_that_are_no_images_stay() -> None:
    split = as_split({"age": np.arange(5.0)[:, None]}, np.zeros(5, np.int32))
    np.testing.assert_array_equal(ShiftView(0).inputs(split, np.arange(5))["age"][:, 0], np.arange(5.0))


def test_pictures_of_classes_are_varied_and_nothing_else() -> None:
    varied = teaching_views(Task.MULTICLASS, images=True)
    assert len({view.name for view in varied}) == len(varied) > 30
    assert teaching_views(Task.REGRESSION, images=True) == (PLAIN,)
    assert teaching_views(Task.BINARY, images=False) == (PLAIN,)
