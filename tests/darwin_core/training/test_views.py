"""Views are pure functions of the row number."""

from __future__ import annotations

import numpy as np
import pytest
from support.learning import as_split

from darwin_core.contracts import Variation
from darwin_core.training import MIRRORED, PLAIN, WarpView, teaching_views

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, size=(40, 8, 8, 3), dtype=np.uint8)
SPLIT = as_split({"image": IMAGES}, np.zeros(40, np.int32))


def test_the_plain_view_changes_nothing() -> None:
    rows = np.asarray([3, 1])
    np.testing.assert_array_equal(PLAIN.inputs(SPLIT, rows)["image"], IMAGES[rows])


def test_a_view_shows_a_row_the_same_in_every_batch() -> None:
    view = WarpView(2)
    everything = view.inputs(SPLIT, np.arange(40))["image"]
    some = np.asarray([17, 3, 39])
    np.testing.assert_array_equal(view.inputs(SPLIT, some)["image"], everything[some])


def still(**changes: float) -> dict[str, float]:
    """Arguments of a view that changes nothing else."""
    return {"shift": 0.0, "turn": 0.0, "zoom": 0.0, "brightness": 0.0, "contrast": 0.0} | changes


def spots(view: WarpView, rows: int = 64) -> np.ndarray:
    """Where a pixel right of the middle of a 21x21 picture ends, relative to the middle: (rows, 2), down and right."""
    images = np.zeros((rows, 21, 21, 1), np.float32)
    images[:, 10, 16] = 100.0
    varied = view.inputs(as_split({"image": images}, np.zeros(rows, np.int32)), np.arange(rows))["image"][..., 0]
    places = np.arange(21.0)
    weights = varied.sum(axis=(1, 2))
    return np.stack([(varied.sum(axis=2) @ places), (varied.sum(axis=1) @ places)], axis=1) / weights[:, None] - 10


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_view_without_changes_shows_the_picture_itself(dtype: type) -> None:
    split = as_split({"image": IMAGES.astype(dtype)}, np.zeros(40, np.int32))
    shown = WarpView(0, **still()).inputs(split, np.arange(40))["image"]
    assert shown.dtype == dtype
    np.testing.assert_allclose(shown, IMAGES, atol=1e-3)


def test_pictures_move_within_the_share_that_was_given() -> None:
    moved = spots(WarpView(0, **still(shift=0.15)))
    away = moved - np.asarray([0.0, 6.0])
    assert np.abs(away).max() <= 0.15 * 21 + 0.5
    assert (away.std(axis=0) > 1).all()


def test_pictures_turn_about_their_middle() -> None:
    down, right = spots(WarpView(0, **still(turn=30.0))).T
    angles = np.rad2deg(np.arctan2(down, right))
    assert 20 < np.abs(angles).max() <= 31
    assert angles.min() < -10 < 10 < angles.max()
    np.testing.assert_allclose(np.hypot(down, right), 6, atol=0.5)


def test_pictures_grow_and_shrink_about_their_middle() -> None:
    down, right = spots(WarpView(0, **still(zoom=0.2))).T
    np.testing.assert_allclose(down, 0, atol=0.3)
    assert 6 * np.exp(-0.25) < right.min() < 5.5 < 6.5 < right.max() < 6 * np.exp(0.25)


def test_light_changes_by_the_shares_that_were_given() -> None:
    split = as_split({"image": IMAGES.astype(np.float32)}, np.zeros(40, np.int32))
    plain = IMAGES.astype(np.float64)
    for change, reading in (("brightness", np.mean), ("contrast", np.std)):
        shown = WarpView(0, **still(**{change: 0.3})).inputs(split, np.arange(40))["image"]
        ratios = reading(shown, axis=(1, 2, 3)) / reading(plain, axis=(1, 2, 3))
        assert 0.7 - 1e-3 <= ratios.min() < 0.9 < 1.1 < ratios.max() <= 1.3 + 1e-3


def test_whole_numbers_stay_in_their_range() -> None:
    shown = WarpView(0, brightness=0.9).inputs(SPLIT, np.arange(40))["image"]
    assert shown.dtype == np.uint8
    assert shown.max() == 255


def test_views_differ_and_say_so_by_name() -> None:
    first, second = WarpView(0), WarpView(1)
    assert first.name != second.name
    rows = np.arange(40)
    assert not np.array_equal(first.inputs(SPLIT, rows)["image"], second.inputs(SPLIT, rows)["image"])


def test_the_mirrored_view_shows_every_picture_from_the_other_side() -> None:
    rows = np.asarray([3, 1])
    np.testing.assert_array_equal(MIRRORED.inputs(SPLIT, rows)["image"], IMAGES[rows][:, :, ::-1])


def test_half_of_the_pictures_are_mirrored_where_that_is_allowed() -> None:
    shown = WarpView(0, **still(), mirror=True).inputs(SPLIT, np.arange(40))["image"]
    same = (shown == IMAGES).all(axis=(1, 2, 3))
    turned = (shown == IMAGES[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (same ^ turned).all()
    assert 10 < turned.sum() < 30
    assert WarpView(0, mirror=True).name != WarpView(0).name


def test_a_turned_picture_is_mirrored_as_a_whole() -> None:
    plain, mirrored = (spots(WarpView(0, **still(turn=30.0), mirror=mirror)) for mirror in (False, True))
    np.testing.assert_allclose(np.abs(mirrored[:, 1]), plain[:, 1], atol=1e-3)
    np.testing.assert_allclose(np.abs(mirrored[:, 0]), np.abs(plain[:, 0]), atol=1e-3)
    assert 10 < (mirrored[:, 1] < 0).sum() < 54


def test_columns_that_are_no_images_stay() -> None:
    split = as_split({"age": np.arange(5.0)[:, None]}, np.zeros(5, np.int32))
    np.testing.assert_array_equal(WarpView(0).inputs(split, np.arange(5))["age"][:, 0], np.arange(5.0))


def test_strength_shrinks_every_change() -> None:
    weak = spots(WarpView(0, turn=0.0, zoom=0.0, brightness=0.0, contrast=0.0, strength=0.25))
    full = spots(WarpView(0, turn=0.0, zoom=0.0, brightness=0.0, contrast=0.0))
    place = np.asarray([0.0, 6.0])
    np.testing.assert_allclose(weak - place, 0.25 * (full - place), atol=0.05)


def test_teaching_views_follow_the_variation() -> None:
    varied = teaching_views(Variation(strength=1.0))
    assert len({view.name for view in varied}) == len(varied) > 30
    assert varied[0].name == WarpView(0).name
    assert teaching_views(Variation(strength=0.5))[0].name == WarpView(0, strength=0.5).name
    assert teaching_views(Variation(mirrored=True))[3].name == WarpView(3, strength=0.0, mirror=True).name
    assert teaching_views(Variation()) == (PLAIN,)
